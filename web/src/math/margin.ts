/** Equity, margin and bankruptcy of an account. Mirrors backstop/math/margin.py; WAD integers, `size > 0` is long. */

import { abs, divCeil, divFloor, max, min, sum, WAD } from "./wad.ts";

/** One position of an account, valued at mark; `value` and `unrealizedPnl` are signed. */
export interface Leg {
  size: bigint;
  entryNotional: bigint;
  value: bigint;
  unrealizedPnl: bigint;
  maintenanceMargin: bigint;
}

/** `ceil(|size| * mark * fraction)`: MM with the maintenance, IM with the initial margin fraction. */
export function marginRequirement(size: bigint, mark: bigint, fraction: bigint): bigint {
  return divCeil(abs(size) * mark * fraction, WAD * WAD);
}

export function valueLeg(
  size: bigint,
  entryNotional: bigint,
  mark: bigint,
  maintenanceFraction: bigint,
): Leg {
  const value = divFloor(size * mark, WAD);
  const maintenanceMargin = marginRequirement(size, mark, maintenanceFraction);
  return { size, entryNotional, value, unrealizedPnl: value - entryNotional, maintenanceMargin };
}

export const equity = (margin: bigint, legs: Leg[]): bigint =>
  margin + sum(legs.map((leg) => leg.unrealizedPnl));

export const cash = (margin: bigint, legs: Leg[]): bigint =>
  margin - sum(legs.map((leg) => leg.entryNotional));

export const maintenanceMargin = (legs: Leg[]): bigint => sum(legs.map((leg) => leg.maintenanceMargin));

/** `r = floor(MM / E)`, at least 1 wei, for `E > 0`. */
export const marginRate = (maintenance: bigint, accountEquity: bigint): bigint =>
  max(1n, (maintenance * WAD) / accountEquity);

/** What may leave an account: collateral less unrealized losses and IM; negative where it has less than that. */
export const withdrawable = (collateral: bigint, unrealized: bigint[], initial: bigint): bigint =>
  collateral + sum(unrealized.map((one) => min(0n, one))) - initial;

/** The bankruptcy notional of every leg, in market order: `value - share` of the equity. */
export function bankruptcyNotionals(legs: Leg[], accountEquity: bigint): bigint[] {
  let weights = legs.map((leg) => leg.maintenanceMargin);
  let last = legs.length - 1;
  if (accountEquity < 0n && legs.some((leg) => leg.unrealizedPnl < 0n)) {
    weights = legs.map((leg) => max(0n, -leg.unrealizedPnl));
    last = weights.findLastIndex((weight) => weight > 0n);
  }
  const magnitude = abs(accountEquity);
  const total = sum(weights);
  const shares = weights.map((weight) => (total ? (magnitude * weight) / total : 0n));
  const rest = magnitude - sum(shares);
  return legs.map((leg, place) => {
    const share = (shares[place] ?? 0n) + (place === last ? rest : 0n);
    return leg.value - (accountEquity < 0n ? -share : share);
  });
}

/** `B / size`, rounded toward the mark: the price to show. May be negative. */
export function bankruptcyPrice(notional: bigint, size: bigint, mark: bigint): bigint {
  const roundedDown = divFloor(notional * WAD, size);
  return roundedDown >= mark ? roundedDown : divCeil(notional * WAD, size);
}

/** The mark at which `E = MM`, other marks held; null where there is none above zero. */
export function liquidationPrice(
  size: bigint,
  maintenanceFraction: bigint,
  accountCash: bigint,
  othersMaintenance: bigint,
  othersValue: bigint,
): bigint | null {
  const denominator = size * WAD - abs(size) * maintenanceFraction;
  if (denominator === 0n) return null;
  const numerator = (othersMaintenance - accountCash - othersValue) * WAD * WAD;
  const price = size > 0n ? divCeil(numerator, denominator) : divFloor(numerator, denominator);
  return price > 0n ? price : null;
}
