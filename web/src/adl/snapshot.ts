/** The state of an exchange at one block, as ranking sees it. Mirrors backstop/adl/snapshot.py; all amounts are WAD. */

export type Side = "long" | "short";

export const sideOf = (size: bigint): Side => (size > 0n ? "long" : "short");

export interface Market {
  id: number;
  name: string;
  markPrice: bigint;
  maintenanceMarginFraction: bigint;
  pool: number;
  trigger: bigint;
  stop: bigint;
  target: bigint;
  adlActive: boolean;
  pnl: bigint;
  maxPnl8h: bigint;
  /** False where the feed is dead and `markPrice` is the last accepted one. */
  isLive: boolean;
  isClosed: boolean;
}

export interface Inventory {
  market: number;
  size: bigint;
  entryNotional: bigint;
}

export interface Pool {
  id: number;
  name: string;
  isMutual: boolean;
  balance: bigint;
  inventory: Inventory[];
}

export interface Position {
  market: number;
  size: bigint;
  entryNotional: bigint;
}

/** A margin account; `id` is `0x` and 64 lowercase hex digits, so that text order is number order. Funding is settled. */
export interface Account {
  id: string;
  isCross: boolean;
  margin: bigint;
  positions: Position[];
}

/** `markets` by ascending id, `pools` in the order of the mutual group. */
export interface Snapshot {
  markets: Market[];
  pools: Pool[];
  accounts: Account[];
}

/** A market by its id. Throws where the snapshot does not have it. */
export function marketOf(snapshot: Snapshot, id: number): Market {
  const found = snapshot.markets.find((market) => market.id === id);
  if (found === undefined) throw new Error(`market ${id} is not in the snapshot`);
  return found;
}
