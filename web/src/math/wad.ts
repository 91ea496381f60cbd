/**
 * WAD integers: fixed point with 18 decimals, every division with its rounding in the name. Mirrors backstop/math/wad.py.
 *
 * `floor` rounds toward -infinity and `ceil` toward +infinity, also for negative numbers and negative divisors.
 */

export const WAD = 10n ** 18n;
const DECIMALS = 18;
export const INT256_MAX = 2n ** 255n - 1n;
export const INT256_MIN = -(2n ** 255n);
export const UINT256_MAX = 2n ** 256n - 1n;
const LONGEST = 40;

export const abs = (a: bigint): bigint => (a < 0n ? -a : a);
export const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);
export const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);
export const sum = (all: Iterable<bigint>): bigint => {
  let total = 0n;
  for (const one of all) total += one;
  return total;
};

/** Toward -infinity. Throws RangeError where the denominator is 0. */
export function divFloor(a: bigint, b: bigint): bigint {
  const quotient = a / b;
  return a % b !== 0n && a < 0n !== b < 0n ? quotient - 1n : quotient;
}

/** Toward +infinity. Throws RangeError where the denominator is 0. */
export const divCeil = (a: bigint, b: bigint): bigint => -divFloor(-a, b);

/** `a * b` of two WAD numbers, rounded toward -infinity. */
export const mulFloor = (a: bigint, b: bigint): bigint => divFloor(a * b, WAD);

/** `a * b` of two WAD numbers, rounded toward +infinity. */
export const mulCeil = (a: bigint, b: bigint): bigint => divCeil(a * b, WAD);

/** The WAD integer of a decimal text, exactly; null where it is none, or has more decimals than `decimals`. */
export function parseAmount(text: string, decimals = DECIMALS): bigint | null {
  const match = /^([0-9]+)(?:\.([0-9]*))?$/.exec(text.trim());
  if (match === null || text.length > LONGEST) return null;
  const fraction = match[2] ?? "";
  if (fraction.length > decimals) return null;
  return BigInt(match[1] ?? "0") * WAD + BigInt(fraction.padEnd(DECIMALS, "0"));
}

/** The shortest decimal text of a WAD integer, exactly: `82.5`, `0`, `-7000`. */
export function formatAmount(amount: bigint): string {
  const whole = abs(amount) / WAD;
  const fraction = (abs(amount) % WAD).toString().padStart(DECIMALS, "0").replace(/0+$/, "");
  return `${amount < 0n ? "-" : ""}${whole}${fraction ? `.${fraction}` : ""}`;
}
