/** Times of the chain as people read them; all in seconds, and in UTC as the command line has them. */

/** `2026-01-31 08:00:00 UTC`. */
export const showTime = (timestamp: number): string =>
  `${new Date(timestamp * 1000).toISOString().slice(0, 19).replace("T", " ")} UTC`;

const UNITS: [number, string][] = [
  [86_400, "d"],
  [3_600, "h"],
  [60, "min"],
  [1, "s"],
];

/** A span in its two largest units: `42 min 10 s`, `1 h`, `0 s`. */
export function showSpan(seconds: number): string {
  const parts: string[] = [];
  let rest = Math.max(0, Math.floor(seconds));
  for (const [size, name] of UNITS) {
    const count = Math.floor(rest / size);
    if (parts.length === 2 || (count === 0 && parts.length === 0)) continue;
    if (count > 0) parts.push(`${count} ${name}`);
    else break;
    rest -= count * size;
  }
  return parts.length > 0 ? parts.join(" ") : "0 s";
}
