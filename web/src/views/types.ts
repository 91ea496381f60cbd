/** What the account and the round view show: typed data of one block, however it was read. Amounts are WAD integers. */

import type { Venue } from "../adl/rules.ts";
import type { Side, Snapshot } from "../adl/snapshot.ts";
import type { Trigger } from "../adl/due.ts";

/** The block of all figures; `timestamp` in seconds. */
export interface At {
  number: number;
  timestamp: number;
}

/** The token that collateral is counted in; `decimals` are its own. */
export interface Token {
  symbol: string;
  decimals: number;
}

/** A position as the lens tells it, under ccxt's unified field names (docs/accounts.md has each). */
export interface PositionFacts {
  /** The market's id in the snapshot, and its name. */
  marketId: number;
  market: string;
  side: Side;
  contracts: bigint;
  entryPrice: bigint;
  markPrice: bigint;
  notional: bigint;
  leverage: bigint | null;
  unrealizedPnl: bigint;
  maintenanceMargin: bigint;
  liquidationPrice: bigint | null;
  bankruptcyPrice: bigint;
  /** What it owes since it was last settled; negative where it is owed. */
  fundingPending: bigint;
  /** From when on a position of a closed market is settled, seconds; null where the market is open. */
  settlesAt: number | null;
}

/** An account as the lens tells it. `marginRatio` is null where the equity is not above zero, or there is no position. */
export interface AccountFacts {
  id: string;
  owner: string;
  isCross: boolean;
  index: number;
  collateral: bigint;
  equity: bigint;
  maintenanceMargin: bigint;
  initialMargin: bigint;
  marginRatio: bigint | null;
  isLow: boolean;
  due: "liquidation" | "takeover" | null;
  positions: PositionFacts[];
}

/** One time that an account was deleveraged. `price` is what it got, `givenUp` what that cost it against the mark. */
export interface Deleveraged {
  round: number;
  account: string;
  market: string;
  time: number;
  trigger: Trigger;
  contracts: bigint;
  mark: bigint;
  price: bigint;
  givenUp: bigint;
  leveragedReturn: bigint;
  place: number;
}

/** Everything of the account view. `who` is the address or the account id that was asked for. */
export interface AccountPage {
  at: At;
  who: string;
  token: Token;
  accounts: AccountFacts[];
  snapshot: Snapshot;
  venue: Venue;
  /** Newest first; null where the node does not give the events. */
  history: Deleveraged[] | null;
}

export interface FillFacts {
  account: string;
  contracts: bigint;
  price: bigint;
  leveragedReturn: bigint;
  place: number;
  givenUp: bigint;
}

export type SkipReason = "flat" | "inventorySide" | "bankrupt" | "duplicate" | "insolventAtAdlPrice";

/** An omission that was proven. */
export interface Proven {
  account: string;
  challenger: string;
  leveragedReturn: bigint;
  spared: bigint;
  penalty: bigint;
}

/** A round on record, with all that its events tell; mirrors backstop/rounds/book.py. Times in seconds. */
export interface RoundFacts {
  id: number;
  market: string;
  /** The side of the inventory that was closed. */
  side: Side;
  keeper: string;
  block: number;
  time: number;
  transaction: string;
  trigger: Trigger | null;
  mark: bigint;
  price: bigint;
  contracts: bigint;
  netted: bigint;
  compensation: bigint;
  fills: FillFacts[];
  skipped: { account: string; reason: SkipReason }[];
  secondPass: boolean;
  /** Null where it closed no account, and so needs no bond and cannot be challenged. */
  challenge: {
    openUntil: number;
    bond: bigint;
    bondLeft: bigint;
    cutoffAccount: string;
    cutoffReturn: bigint;
  } | null;
  proven: Proven[];
}

export interface RoundPage {
  at: At;
  token: Token;
  round: RoundFacts;
}
