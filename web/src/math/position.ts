/** What a trade does to a position, and what it costs. Mirrors backstop/math/position.py and fees.py; WAD integers. */

import { abs, divCeil, mulCeil, WAD } from "./wad.ts";

export interface PositionState {
  size: bigint;
  entryNotional: bigint;
  margin: bigint;
}

/** `ceil(delta * price)`: the quote amount that the taker of `delta` contracts gives, signed. */
export const tradeValue = (delta: bigint, price: bigint): bigint => mulCeil(delta, price);

/** The position after it takes `delta` contracts for `value`; its cash falls by exactly `value`. */
export function applyTrade(state: PositionState, delta: bigint, value: bigint): PositionState {
  const { size, entryNotional, margin } = state;
  let after: bigint;
  if (size * delta >= 0n) after = entryNotional + value;
  else if (abs(delta) <= abs(size)) after = entryNotional - divCeil(entryNotional * abs(delta), abs(size));
  else after = divCeil(value * (size + delta), delta);
  return { size: size + delta, entryNotional: after, margin: margin - value - (entryNotional - after) };
}

/** A fee on the notional of a fill, up; `value` is its signed quote amount. */
export const tradingFee = (value: bigint, fraction: bigint): bigint => divCeil(abs(value) * fraction, WAD);
