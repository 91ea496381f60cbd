/** What the exchange asks of an account that trades or moves margin, as refusals. Mirrors the rules in what_if.py. */

import { equity, maintenanceMargin, marginRequirement, withdrawable } from "../math/margin.ts";
import { abs, formatAmount, max, WAD } from "../math/wad.ts";
import { legsOf } from "./ranking.ts";
import type { Account, Market, Position } from "./snapshot.ts";

/** What a market asks of who trades in it, WAD. `initialMarginFraction` is null where it is not known. */
export interface Terms {
  initialMarginFraction: bigint | null;
  makerFee: bigint;
  takerFee: bigint;
  minSize: bigint;
  maxNotional: bigint | null;
  isolatedOnly: boolean;
}

/** What a market costs and asks that tells nothing of it. */
export const NO_TERMS: Terms = {
  initialMarginFraction: null,
  makerFee: 0n,
  takerFee: 0n,
  minSize: 0n,
  maxNotional: null,
  isolatedOnly: false,
};

/** The exchange would refuse a change; the message says why, and what to do instead. */
export class Refused extends Error {
  override readonly name = "Refused";
}

/** The markets of a snapshot by id, and what each asks. */
export interface Venue {
  markets: Map<number, Market>;
  terms: Map<number, Terms>;
}

export const termsIn = (venue: Venue, market: number): Terms => venue.terms.get(market) ?? NO_TERMS;

export function marketIn(venue: Venue, id: number): Market {
  const found = venue.markets.get(id);
  if (found === undefined) throw new Error(`market ${id} is not in the snapshot`);
  return found;
}

/** `IM` of an account; null where one of its markets does not tell its fraction. */
export function initialMargin(venue: Venue, account: Account): bigint | null {
  let total = 0n;
  for (const one of account.positions) {
    const fraction = termsIn(venue, one.market).initialMarginFraction;
    if (fraction === null) return null;
    total += marginRequirement(one.size, marketIn(venue, one.market).markPrice, fraction);
  }
  return total;
}

function neededMargin(venue: Venue, account: Account): bigint {
  const initial = initialMargin(venue, account);
  if (initial === null) {
    const held = account.positions.map((one) => marketIn(venue, one.market).name).join(", ");
    throw new Refused(`a split is judged by the initial margin of ${held}, which is not known: tell it`);
  }
  return initial;
}

/** What may leave an account: its initial margin stays behind, and gains do not count. At least 0. */
export function movableMargin(venue: Venue, account: Account): bigint {
  const unrealized = legsOf(venue.markets, account).map((leg) => leg.unrealizedPnl);
  return max(0n, withdrawable(account.margin, unrealized, neededMargin(venue, account)));
}

/** A trade needs equity, and a live price of every market that the account holds. */
export function checkTradable(venue: Venue, account: Account): void {
  const own = equity(account.margin, legsOf(venue.markets, account));
  if (own <= 0n) {
    throw new Refused(
      `the account has no equity left (${formatAmount(own)}) and cannot trade: only margin can be added`,
    );
  }
  for (const one of account.positions) {
    const { name, isClosed, isLive } = marketIn(venue, one.market);
    if (isClosed)
      throw new Refused(`${name} was closed: its positions are settled at its final price, not traded`);
    if (!isLive)
      throw new Refused(`${name} has no price now, and who holds it cannot trade: wait until it has one`);
  }
}

export function checkContracts(venue: Venue, position: Position, contracts: bigint, what: string): void {
  if (contracts > abs(position.size)) {
    throw new Refused(
      `${formatAmount(contracts)} contracts cannot be ${what}: the account has ` +
        `${formatAmount(abs(position.size))} in ${marketIn(venue, position.market).name}`,
    );
  }
}

export function checkMovable(venue: Venue, account: Account, margin: bigint): void {
  const movable = movableMargin(venue, account);
  if (margin > movable) {
    throw new Refused(
      `${formatAmount(margin)} of margin cannot be moved: without unrealized profit the account has ` +
        `${formatAmount(movable)} beyond its initial margin of ${formatAmount(neededMargin(venue, account))}; ` +
        "deposit what is missing",
    );
  }
}

/** A position that was opened has the initial margin, and lies within the limits of its market. */
export function checkOpened(venue: Venue, account: Account, position: Position): void {
  const { name, markPrice } = marketIn(venue, position.market);
  const terms = termsIn(venue, position.market);
  const initial = neededMargin(venue, account);
  const own = equity(account.margin, legsOf(venue.markets, account));
  const contracts = formatAmount(abs(position.size));
  if (own < initial) {
    throw new Refused(
      `the new account would have an equity of ${formatAmount(own)} after the fee, and the initial margin of ` +
        `${contracts} contracts in ${name} is ${formatAmount(initial)}: give it ${formatAmount(initial - own)} ` +
        "more, or split off fewer",
    );
  }
  if (abs(position.size) < terms.minSize) {
    throw new Refused(
      `${contracts} contracts are too few for a position of their own in ${name}: the smallest has ` +
        formatAmount(terms.minSize),
    );
  }
  const notional = (abs(position.size) * markPrice) / WAD;
  if (terms.maxNotional !== null && notional > terms.maxNotional) {
    throw new Refused(
      `the new position would be worth ${formatAmount(notional)}, and may be worth ` +
        `${formatAmount(terms.maxNotional)} in ${name}: split off fewer`,
    );
  }
  if (terms.isolatedOnly && account.isCross) {
    throw new Refused(`${name} is held by isolated accounts only: a new cross account cannot take it`);
  }
}

/** What is left of a position is nothing, or as large as the smallest. */
export function checkLeft(venue: Venue, market: number, size: bigint): void {
  const smallest = termsIn(venue, market).minSize;
  if (size !== 0n && abs(size) < smallest) {
    throw new Refused(
      `${formatAmount(abs(size))} contracts would be left in ${marketIn(venue, market).name}, and the smallest ` +
        `position has ${formatAmount(smallest)}: leave at least that, or none`,
    );
  }
}

/** After a trade that only reduces: not negative, and unless flat the margin rate is no worse than before. */
export function checkReduced(venue: Venue, before: Account, after: Account): void {
  const [legs, legsAfter] = [legsOf(venue.markets, before), legsOf(venue.markets, after)];
  const [own, ownAfter] = [equity(before.margin, legs), equity(after.margin, legsAfter)];
  const [margin, marginAfter] = [maintenanceMargin(legs), maintenanceMargin(legsAfter)];
  if (ownAfter < 0n) {
    throw new Refused(`the trade would leave the account an equity of ${formatAmount(ownAfter)}`);
  }
  if (marginAfter > 0n && (ownAfter === 0n || marginAfter * own > margin * ownAfter)) {
    throw new Refused(
      `the trade would leave the account an equity of ${formatAmount(ownAfter)} for a maintenance margin of ` +
        `${formatAmount(marginAfter)}, a worse margin rate than it has: add margin first, or close more`,
    );
  }
}
