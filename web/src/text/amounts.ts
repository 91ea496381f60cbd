/** WAD integers as people read them, cut toward zero. Mirrors backstop/render.py; `formatAmount` has every digit. */

import { abs, WAD } from "../math/wad.ts";

const DECIMALS = 18;
const DIGITS = 4;

/**
 * An amount with thousands apart, to `places` decimals.
 *
 * Else to 4, or below 1 to as many as its first four digits take, so that a price of 0.00001234 is not shown as 0.
 */
export function showAmount(amount: bigint, places?: number): string {
  const whole = abs(amount) / WAD;
  const digits = (abs(amount) % WAD).toString().padStart(DECIMALS, "0");
  const usual = whole > 0n ? DIGITS : digits.length - digits.replace(/^0+/, "").length + DIGITS;
  const shown = digits.slice(0, places ?? usual).replace(/0+$/, "");
  const text = `${thousands(whole)}${shown === "" ? "" : `.${shown}`}`;
  return amount < 0n && (whole > 0n || shown !== "") ? `-${text}` : text;
}

/** A WAD fraction in percent, cut to two decimals. */
export const showPercent = (fraction: bigint): string => `${showAmount(fraction * 100n, 2)} %`;

/** A whole number with thousands apart. */
export const thousands = (whole: bigint | number): string =>
  whole.toString().replace(/\B(?=(\d{3})+$)/g, ",");

/** The beginning and the end of an address, an account id or a hash. */
export const shortId = (id: string): string => (id.length <= 14 ? id : `${id.slice(0, 8)}…${id.slice(-4)}`);
