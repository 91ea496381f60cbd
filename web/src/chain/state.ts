/** Everything at one block: read through the lens at one block hash. Mirrors backstop/chain/snapshot.py; WAD integers. */

import { hexToString, type ContractFunctionReturnType, type Hex } from "viem";

import type { Terms, Venue } from "../adl/rules.ts";
import type { Account, Market, Pool, Position, Snapshot } from "../adl/snapshot.ts";
import { marketsById } from "../adl/ranking.ts";
import { isCross } from "../text/accountId.ts";
import type { Token } from "../views/types.ts";
import { AGGREGATOR, LENS, PRICE_FEED, TOKEN } from "./abi.ts";
import type { Deployment } from "./config.ts";
import type { Block, Node } from "./node.ts";

const PAGE = 1000; // accounts in one call

export type SystemView = ContractFunctionReturnType<typeof LENS, "view", "system">;
export type MarketView = SystemView["markets"][number];
type AccountView = ContractFunctionReturnType<typeof LENS, "view", "accounts">[number];

/** A market as the page shows it; `view` is the lens's. `isBlind`: it, or its pool, never had a price it needs. */
export interface ListedMarket {
  id: number;
  name: string;
  pool: string;
  view: MarketView;
  isBlind: boolean;
  hasPrice: boolean;
}

/** `accounts`: the ids of all that were ever touched. */
export interface ChainState {
  at: Block;
  token: Token;
  backstopRatio: bigint;
  markets: ListedMarket[];
  snapshot: Snapshot;
  venue: Venue;
  accounts: Hex[];
}

export async function readToken(node: Node, deployment: Deployment): Promise<Token> {
  const [symbol, decimals] = await Promise.all([
    node.call(deployment.token, TOKEN, "symbol", [], "latest"),
    node.call(deployment.token, TOKEN, "decimals", [], "latest"),
  ]);
  return { symbol, decimals };
}

export async function readState(
  node: Node,
  deployment: Deployment,
  token: Token,
  at: Block,
): Promise<ChainState> {
  const system = await node.call(deployment.lens, LENS, "system", [], at);
  const [rows, cross] = await Promise.all([
    Promise.all(system.markets.map((view) => readAccounts(node, deployment, view, at))),
    readCross(node, deployment, Number(system.crossAccounts), at),
  ]);
  const poolNames = new Map(system.pools.map((pool) => [pool.id, textOf(pool.name)]));
  const blindPools = new Set(
    system.markets.filter((view) => view.backingError !== "0x").map((view) => view.listed.pool),
  );
  const markets = system.markets.map((view): ListedMarket => ({
    id: view.id,
    name: textOf(view.listed.name),
    pool: poolNames.get(view.listed.pool) ?? "",
    view,
    isBlind: view.mark === 0n || blindPools.has(view.listed.pool),
    hasPrice: view.priceError === "0x",
  }));
  const shown = markets.filter((market) => !market.isBlind);
  const snapshot: Snapshot = {
    markets: shown.map(marketOf),
    pools: system.pools
      .filter((pool) => !blindPools.has(pool.id))
      .map((pool) =>
        poolOf(
          pool,
          shown.filter((market) => market.view.listed.pool === pool.id),
        ),
      ),
    accounts: accountsOf(
      shown.map((market) => market.id),
      new Map(system.markets.map((view, place) => [view.id, rows[place] ?? []])),
      cross,
    ),
  };
  return {
    at,
    token,
    backstopRatio: system.backstopRatio,
    markets,
    snapshot,
    venue: {
      markets: marketsById(snapshot),
      terms: new Map(shown.map((market) => [market.id, termsOf(market.view)])),
    },
    accounts: [...new Set([...rows.flat().map((row) => row.account), ...cross.keys()])],
  };
}

/** When the price of a market was published, seconds; null where its feed does not say. */
export async function publishedAt(
  node: Node,
  deployment: Deployment,
  market: number,
  at: Block,
): Promise<number | null> {
  try {
    const feed = await node.call(deployment.price_feed, PRICE_FEED, "feedOf", [market], at);
    const [, , , updatedAt] = await node.call(feed.aggregator, AGGREGATOR, "latestRoundData", [], at);
    return Number(updatedAt);
  } catch {
    return null;
  }
}

async function readAccounts(
  node: Node,
  { lens }: Deployment,
  view: MarketView,
  at: Block,
): Promise<AccountView[]> {
  const pages = offsets(Number(view.accounts)).map((offset) =>
    node.call(lens, LENS, "accounts", [view.id, BigInt(offset), BigInt(PAGE)], at),
  );
  return (await Promise.all(pages)).flat();
}

async function readCross(
  node: Node,
  { lens }: Deployment,
  count: number,
  at: Block,
): Promise<Map<Hex, bigint>> {
  const pages = offsets(count).map((offset) =>
    node.call(lens, LENS, "crossAccounts", [BigInt(offset), BigInt(PAGE)], at),
  );
  return new Map((await Promise.all(pages)).flat().map((row) => [row.account, row.margin]));
}

const offsets = (count: number): number[] =>
  Array.from({ length: Math.ceil(count / PAGE) }, (_, page) => page * PAGE);

export const textOf = (name: Hex): string => hexToString(name).replace(/\0+$/, "");

function marketOf({ id, name, view, hasPrice }: ListedMarket): Market {
  return {
    id,
    name,
    markPrice: view.mark,
    maintenanceMarginFraction: view.listed.maintenanceMarginFraction,
    pool: view.listed.pool,
    trigger: view.trigger,
    stop: view.stop,
    target: view.target,
    adlActive: view.backing.started,
    pnl: view.backing.pnl,
    maxPnl8h: view.backing.maxPnl,
    isLive: hasPrice,
    isClosed: view.settlesAt !== 0n,
  };
}

function poolOf(pool: SystemView["pools"][number], markets: ListedMarket[]): Pool {
  return {
    id: pool.id,
    name: textOf(pool.name),
    isMutual: pool.backer === 1,
    balance: markets[0]?.view.backing.balance ?? pool.cash,
    inventory: markets.flatMap(({ id, view }) =>
      [view.long, view.short]
        .filter((item) => item.size !== 0n)
        .map(({ size, entryNotional }) => ({ market: id, size, entryNotional })),
    ),
  };
}

function termsOf({ listed }: MarketView): Terms {
  return {
    initialMarginFraction: listed.initialMarginFraction,
    makerFee: listed.makerFee,
    takerFee: listed.takerFee,
    minSize: listed.minSize,
    maxNotional: listed.maxNotional,
    isolatedOnly: listed.isolatedOnly,
  };
}

/** Isolated accounts market by market, then cross accounts with their legs in market order, funding of all taken off. */
function accountsOf(markets: number[], rows: Map<number, AccountView[]>, cross: Map<Hex, bigint>): Account[] {
  const found: Account[] = [];
  const legs = new Map<Hex, Position[]>([...cross.keys()].map((id) => [id, []]));
  const margins = new Map(cross);
  for (const market of markets) {
    for (const { account, size, entryNotional, margin, funding } of rows.get(market) ?? []) {
      const position: Position = { market, size, entryNotional };
      if (isCross(account)) {
        if (size === 0n) continue;
        legs.get(account)?.push(position);
        margins.set(account, (margins.get(account) ?? 0n) - funding);
      } else if (size !== 0n || margin !== 0n) {
        found.push({
          id: account,
          isCross: false,
          margin: margin - funding,
          positions: size === 0n ? [] : [position],
        });
      }
    }
  }
  for (const [id, margin] of margins) {
    const positions = legs.get(id) ?? [];
    if (margin !== 0n || positions.length > 0) found.push({ id, isCross: true, margin, positions });
  }
  return found;
}
