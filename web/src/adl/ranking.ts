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
import { marketOf, sideOf, type Account, type Market, type Side, type Snapshot } from "./snapshot.ts";

/** A place in the queue: `adlRank` 1 goes first, `adlLight` is 1 (first) to 5. WAD; `contracts` unsigned. */
export interface Ranked {
  account: Account;
  contracts: bigint;
  adlRank: number;
  adlLight: number;
  leveragedReturn: bigint;
  unrealizedPnl: bigint;
  marginRatio: bigint;
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
    const terms = markets.get(market);
    if (terms === undefined) throw new Error(`market ${market} is not in the snapshot`);
    return valueLeg(size, entryNotional, terms.markPrice, terms.maintenanceMarginFraction);
  });
}

export const marketsById = (snapshot: Snapshot): Map<number, Market> =>
  new Map(snapshot.markets.map((market) => [market.id, market]));

/** The queues of both sides of a market, in one pass over the accounts. */
export function queuesOf(snapshot: Snapshot, market: number): Record<Side, Queue> {
  const markets = marketsById(snapshot);
  const sides: Record<Side, Queue> = {
    long: { ranked: [], bankrupt: [], contracts: 0n },
    short: { ranked: [], bankrupt: [], contracts: 0n },
  };
  for (const account of snapshot.accounts) {
    const own = account.positions.findIndex((position) => position.market === market);
    if (own < 0) continue;
    const legs = legsOf(markets, account);
    const leg = legs[own] as Leg;
    const queue = sides[sideOf(leg.size)];
    const accountEquity = equity(account.margin, legs);
    if (accountEquity <= 0n) {
      queue.bankrupt.push(account.id);
      continue;
    }
    const rate = marginRate(maintenanceMargin(legs), accountEquity);
    queue.contracts += abs(leg.size);
    queue.ranked.push({
      account,
      contracts: abs(leg.size),
      adlRank: 0,
      adlLight: 0,
      leveragedReturn: leveragedReturn(leg.unrealizedPnl, leg.entryNotional, rate),
      unrealizedPnl: leg.unrealizedPnl,
      marginRatio: rate,
    });
  }
  for (const queue of Object.values(sides)) {
    queue.ranked.sort(firstToGo);
    let ahead = 0n;
    for (const [place, one] of queue.ranked.entries()) {
      one.adlRank = place + 1;
      one.adlLight = adlLight(ahead, one.contracts, queue.contracts);
      ahead += one.contracts;
    }
    queue.bankrupt.sort();
  }
  return sides;
}

function firstToGo(a: Ranked, b: Ranked): number {
  if (a.leveragedReturn !== b.leveragedReturn) return a.leveragedReturn > b.leveragedReturn ? -1 : 1;
  return a.account.id < b.account.id ? -1 : 1;
}

/** The bankruptcy and the liquidation price of an account's position in a market. */
export function pricesOf(
  snapshot: Snapshot,
  account: Account,
  market: number,
): { bankruptcyPrice: bigint; liquidationPrice: bigint | null } {
  const markets = marketsById(snapshot);
  const sorted = { ...account, positions: account.positions.toSorted((a, b) => a.market - b.market) };
  const legs = legsOf(markets, sorted);
  const own = sorted.positions.findIndex((position) => position.market === market);
  const leg = legs[own] as Leg;
  const terms = marketOf(snapshot, market);
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
