/**
 * What a change of an account would do to its place in the queue. Mirrors backstop/adl/what_if.py.
 *
 * Fills are at mark, and nobody else on the side changes. Amounts are WAD integers, and funding is settled before.
 */

import { equity, maintenanceMargin, marginRequirement } from "../math/margin.ts";
import { applyTrade, tradeValue, tradingFee } from "../math/position.ts";
import { abs, divFloor, WAD } from "../math/wad.ts";
import { legsOf, replaced, scoreOf, type Queue, type Ranked, type Scored } from "./ranking.ts";
import {
  checkContracts,
  checkLeft,
  checkMovable,
  checkOpened,
  checkReduced,
  checkTradable,
  initialMargin,
  marketIn,
  termsIn,
  type Venue,
} from "./rules.ts";
import type { Account, Position } from "./snapshot.ts";

/** The id of a new account that has none yet: where returns are equal it stands behind every other. */
export const NEW_ACCOUNT = `0x${"f".repeat(64)}`;

/** `contracts` and `margin` are above zero; a split's margin is deposited from the wallet or moved from the account. */
export type Wish =
  | { kind: "addMargin"; amount: bigint }
  | { kind: "close"; contracts: bigint }
  | { kind: "split"; contracts: bigint; margin: bigint; isDeposited: boolean; into: string };

/** An account in a market: `place` is null without a position or without equity, `initialMargin` where it is not known. */
export interface Standing {
  account: Account;
  contracts: bigint;
  collateral: bigint;
  equity: bigint;
  maintenanceMargin: bigint;
  initialMargin: bigint | null;
  place: Ranked | null;
}

/** Before and after a change; `fee` is what all trades of it cost, `realizedPnl` what they realize. */
export interface Outcome {
  before: Standing;
  after: Standing;
  beside: Standing | null;
  fee: bigint;
  realizedPnl: bigint;
  rankedBefore: number;
  rankedAfter: number;
}

interface Changed {
  after: Account;
  beside: Account | null;
  fee: bigint;
  realizedPnl: bigint;
}

/**
 * An account's place as it is, and after a change. `queue` is that of its side of the market, from `queuesOf`.
 *
 * Throws Refused for whatever the exchange would refuse.
 */
export function whatIf(
  venue: Venue,
  queue: Queue,
  account: Account,
  position: Position,
  wish: Wish,
): Outcome {
  const { after, beside, fee, realizedPnl } = change(venue, account, position, wish);
  const { market } = position;
  const entering = [after, ...(beside === null ? [] : [beside])]
    .map((one) => scoreOf(venue.markets, one, market))
    .filter((one): one is Scored => one !== null);
  const changed = replaced(queue, account.id, entering);
  return {
    before: standingOf(venue, account, market, queue),
    after: standingOf(venue, after, market, changed),
    beside: beside === null ? null : standingOf(venue, beside, market, changed),
    fee,
    realizedPnl,
    rankedBefore: queue.ranked.length,
    rankedAfter: changed.ranked.length,
  };
}

/** An account with its place in the queue of a market. */
export function standingOf(venue: Venue, account: Account, market: number, queue: Queue): Standing {
  const legs = legsOf(venue.markets, account);
  const own = account.positions.find((one) => one.market === market);
  return {
    account,
    contracts: own === undefined ? 0n : abs(own.size),
    collateral: account.margin,
    equity: equity(account.margin, legs),
    maintenanceMargin: maintenanceMargin(legs),
    initialMargin: initialMargin(venue, account),
    place: queue.ranked.find((one) => one.account.id === account.id) ?? null,
  };
}

/** Least that a new account needs for `contracts` of a position: their initial margin, and what its trade costs it. */
export function leastMargin(venue: Venue, position: Position, contracts: bigint): bigint | null {
  const { markPrice } = marketIn(venue, position.market);
  const { initialMarginFraction, takerFee } = termsIn(venue, position.market);
  if (initialMarginFraction === null) return null;
  const taken = position.size > 0n ? contracts : -contracts;
  const value = tradeValue(taken, markPrice);
  const lost = value - divFloor(taken * markPrice, WAD);
  return marginRequirement(taken, markPrice, initialMarginFraction) + tradingFee(value, takerFee) + lost;
}

function change(venue: Venue, account: Account, position: Position, wish: Wish): Changed {
  if (wish.kind === "addMargin") {
    const after = { ...account, margin: account.margin + wish.amount };
    return { after, beside: null, fee: 0n, realizedPnl: 0n };
  }
  checkTradable(venue, account);
  if (wish.kind === "close") return closed(venue, account, position, wish.contracts);
  checkContracts(venue, position, wish.contracts, "split off");
  if (!wish.isDeposited) checkMovable(venue, account, wish.margin);
  const left = wish.isDeposited ? account : { ...account, margin: account.margin - wish.margin };
  return split(venue, left, position, wish);
}

function closed(venue: Venue, account: Account, position: Position, contracts: bigint): Changed {
  checkContracts(venue, position, contracts, "closed");
  const delta = position.size > 0n ? -contracts : contracts;
  const value = tradeValue(delta, marketIn(venue, position.market).markPrice);
  const fee = tradingFee(value, termsIn(venue, position.market).takerFee);
  return { ...reduced(venue, account, position, delta, value, fee), beside: null, fee };
}

/** The account makes, the new one takes: they trade with each other at mark. */
function split(
  venue: Venue,
  account: Account,
  position: Position,
  wish: { contracts: bigint; margin: bigint; into: string },
): Changed {
  const terms = termsIn(venue, position.market);
  const taken = position.size > 0n ? wish.contracts : -wish.contracts;
  const value = tradeValue(taken, marketIn(venue, position.market).markPrice);
  const made = tradingFee(value, terms.makerFee);
  const paid = tradingFee(value, terms.takerFee);
  const old = reduced(venue, account, position, -taken, -value, made);
  const opened = applyTrade({ size: 0n, entryNotional: 0n, margin: wish.margin }, taken, value);
  const held = { market: position.market, size: opened.size, entryNotional: opened.entryNotional };
  const beside = {
    id: wish.into,
    isCross: account.isCross,
    margin: opened.margin - paid,
    positions: [held],
  };
  checkOpened(venue, beside, held);
  return { ...old, beside, fee: made + paid };
}

function reduced(
  venue: Venue,
  account: Account,
  position: Position,
  delta: bigint,
  value: bigint,
  fee: bigint,
): { after: Account; realizedPnl: bigint } {
  const { size, entryNotional } = position;
  const state = applyTrade({ size, entryNotional, margin: account.margin }, delta, value);
  const held = { market: position.market, size: state.size, entryNotional: state.entryNotional };
  const positions = account.positions
    .map((one) => (one === position ? held : one))
    .filter((one) => one.size !== 0n);
  const after = { ...account, margin: state.margin - fee, positions };
  checkLeft(venue, position.market, state.size);
  checkReduced(venue, account, after);
  return { after, realizedPnl: state.margin - account.margin };
}
