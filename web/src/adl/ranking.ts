/** The queue that a trader sees: who is deleveraged first on one side of a market. Mirrors backstop/adl/ranking.py. */

import { adlLight, leveragedReturn } from "../math/leveragedReturn.ts";
import {
  bankruptcyNotionals,
  bankruptcyPrice,
  cash,
  equity,
  liquidationPrice,
  maintenanceMargin,
  marginRate,
  valueLeg,
  type Leg,
} from "../math/margin.ts";
import { abs, sum } from "../math/wad.ts";
import { sideOf, type Account, type Market, type Side, type Snapshot } from "./snapshot.ts";

/** An account in the queue of a market: WAD; `contracts` unsigned. */
export interface Scored {
  account: Account;
  contracts: bigint;
  leveragedReturn: bigint;
  unrealizedPnl: bigint;
  marginRatio: bigint;
}

/** Its place there: `adlRank` 1 goes first, `adlLight` is 1 (first) to 5. */
export interface Ranked extends Scored {
  adlRank: number;
  adlLight: number;
}

/** One side: `ranked` from the first to go on, `bankrupt` whoever has `E <= 0` and is to be taken over. */
export interface Queue {
  ranked: Ranked[];
  bankrupt: string[];
  contracts: bigint;
}

/** The positions of an account at mark, in the account's own order. */
export function legsOf(markets: Map<number, Market>, account: Account): Leg[] {
  return account.positions.map(({ market, size, entryNotional }) => {
    const terms = termsOf(markets, market);
    return valueLeg(size, entryNotional, terms.markPrice, terms.maintenanceMarginFraction);
  });
}

function termsOf(markets: Map<number, Market>, market: number): Market {
  const terms = markets.get(market);
  if (terms === undefined) throw new Error(`market ${market} is not in the snapshot`);
  return terms;
}

export const marketsById = (snapshot: Snapshot): Map<number, Market> =>
  new Map(snapshot.markets.map((market) => [market.id, market]));

/** Where an account's position in a market stands in itself: its place is given later; null where `E <= 0` or there is none. */
export function scoreOf(markets: Map<number, Market>, account: Account, market: number): Scored | null {
  const own = account.positions.findIndex((position) => position.market === market);
  if (own < 0) return null;
  const legs = legsOf(markets, account);
  const accountEquity = equity(account.margin, legs);
  if (accountEquity <= 0n) return null;
  const leg = legs[own] as Leg;
  const rate = marginRate(maintenanceMargin(legs), accountEquity);
  return {
    account,
    contracts: abs(leg.size),
    leveragedReturn: leveragedReturn(leg.unrealizedPnl, leg.entryNotional, rate),
    unrealizedPnl: leg.unrealizedPnl,
    marginRatio: rate,
  };
}

/** The queues of both sides of a market, in one pass over the accounts. */
export function queuesOf(snapshot: Snapshot, market: number): Record<Side, Queue> {
  const markets = marketsById(snapshot);
  const scored: Record<Side, Scored[]> = { long: [], short: [] };
  const bankrupt: Record<Side, string[]> = { long: [], short: [] };
  for (const account of snapshot.accounts) {
    const own = account.positions.find((position) => position.market === market);
    if (own === undefined) continue;
    const score = scoreOf(markets, account, market);
    if (score === null) bankrupt[sideOf(own.size)].push(account.id);
    else scored[sideOf(own.size)].push(score);
  }
  return {
    long: placed(scored.long.sort(firstToGo), bankrupt.long),
    short: placed(scored.short.sort(firstToGo), bankrupt.short),
  };
}

/** The same queue with one account taken out and others put in: nobody else is scored or sorted anew. */
export function replaced(queue: Queue, account: string, entering: Scored[]): Queue {
  const waiting = entering.toSorted(firstToGo);
  const order: Scored[] = [];
  for (const one of queue.ranked) {
    if (one.account.id === account) continue;
    while (waiting[0] !== undefined && firstToGo(waiting[0], one) < 0) order.push(waiting.shift() as Scored);
    order.push(one);
  }
  return placed(
    [...order, ...waiting],
    queue.bankrupt.filter((one) => one !== account),
  );
}

function placed(order: Scored[], bankrupt: string[]): Queue {
  const contracts = sum(order.map((one) => one.contracts));
  let ahead = 0n;
  const ranked = order.map((one, place): Ranked => {
    const light = adlLight(ahead, one.contracts, contracts);
    ahead += one.contracts;
    return { ...one, adlRank: place + 1, adlLight: light };
  });
  return { ranked, bankrupt: bankrupt.toSorted(), contracts };
}

function firstToGo(a: Scored, b: Scored): number {
  if (a.leveragedReturn !== b.leveragedReturn) return a.leveragedReturn > b.leveragedReturn ? -1 : 1;
  return a.account.id < b.account.id ? -1 : 1;
}

/** The bankruptcy and the liquidation price of an account's position in a market. */
export function pricesOf(
  markets: Map<number, Market>,
  account: Account,
  market: number,
): { bankruptcyPrice: bigint; liquidationPrice: bigint | null } {
  const sorted = { ...account, positions: account.positions.toSorted((a, b) => a.market - b.market) };
  const legs = legsOf(markets, sorted);
  const own = sorted.positions.findIndex((position) => position.market === market);
  const leg = legs[own] as Leg;
  const terms = termsOf(markets, market);
  const notional = bankruptcyNotionals(legs, equity(account.margin, legs))[own] as bigint;
  const atBankruptcy = bankruptcyPrice(notional, leg.size, terms.markPrice);
  if (terms.isClosed) return { bankruptcyPrice: atBankruptcy, liquidationPrice: null };
  const isOpen = (place: number) => !markets.get(sorted.positions[place]?.market ?? 0)?.isClosed;
  return {
    bankruptcyPrice: atBankruptcy,
    liquidationPrice: liquidationPrice(
      leg.size,
      terms.maintenanceMarginFraction,
      cash(account.margin, legs),
      sum(legs.map((one, place) => (place !== own && isOpen(place) ? one.maintenanceMargin : 0n))),
      sum(legs.map((one, place) => (place !== own ? one.value : 0n))),
    ),
  };
}
