/** Where accounts stand, leg by leg, by the code that execution runs. Mirrors backstop/trading/standing.py. */

import type { ContractFunctionReturnType } from "viem";

import { indexOf, isCross, marketOf, ownerOf } from "../text/accountId.ts";
import { abs, divCeil, divFloor, UINT256_MAX, WAD } from "../math/wad.ts";
import type { AccountFacts, AccountPage, Deleveraged, PositionFacts } from "../views/types.ts";
import { LENS } from "./abi.ts";
import type { Deployment } from "./config.ts";
import { readDeleveraged } from "./rounds.ts";
import { NodeRefused, type Node } from "./node.ts";
import type { ChainState } from "./state.ts";

type AccountState = ContractFunctionReturnType<typeof LENS, "view", "account">;
type LegView = AccountState["legs"][number];

const ID_LENGTH = 66;
const RESERVED_BITS = ((1n << 15n) - 1n) << 80n;

/** Why a text is neither an address nor an account id; null where it is one. */
export function faultOfId(text: string): string | null {
  if (!/^0x([0-9a-fA-F]{40}|[0-9a-fA-F]{64})$/.test(text)) {
    return "is neither an address (0x and 40 hex digits) nor an account id (0x and 64)";
  }
  if (text.length < ID_LENGTH) return null;
  const isWellFormed = (BigInt(text) & RESERVED_BITS) === 0n && isCross(text) === (marketOf(text) === 0);
  return isWellFormed
    ? null
    : "is no account id: its last 24 digits name neither a market nor a cross account";
}

/** `who` is an address, for all that it holds, or one account; `known` is its history where no round came since. */
export async function readAccountPage(
  node: Node,
  deployment: Deployment,
  state: ChainState,
  who: string,
  known: Deleveraged[] | null,
): Promise<AccountPage> {
  const own = state.accounts.filter((id) =>
    who.length === ID_LENGTH ? id === who.toLowerCase() : ownerOf(id) === who.toLowerCase(),
  );
  const read = own.sort().map((id) => node.call(deployment.lens, LENS, "account", [id], state.at));
  const [views, history] = await Promise.all([
    Promise.all(read),
    known ?? readDeleveraged(node, deployment, state, own).catch(refusedOnly),
  ]);
  const facts = views.map((view) => accountFacts(view, state));
  return {
    at: state.at,
    who,
    token: state.token,
    accounts: facts.filter((one) => own.length === 1 || one.positions.length > 0 || one.collateral !== 0n),
    snapshot: state.snapshot,
    venue: state.venue,
    history,
  };
}

/** A node that keeps no old events is no reason to show nothing. */
function refusedOnly(error: unknown): null {
  if (error instanceof NodeRefused) return null;
  throw error;
}

function accountFacts(view: AccountState, state: ChainState): AccountFacts {
  const { collateral, equity, maintenanceMargin, initialMargin } = view.health;
  const settles = new Map(state.markets.map((market) => [market.id, Number(market.view.settlesAt)]));
  const open = view.legs.filter((leg) => !settles.get(leg.market));
  const exposed = open.reduce((total, leg) => total + leg.maintenanceMargin, 0n);
  return {
    id: view.account,
    owner: ownerOf(view.account),
    isCross: isCross(view.account),
    index: Number(indexOf(view.account)),
    collateral,
    equity,
    maintenanceMargin,
    initialMargin,
    marginRatio: view.legs.length === 0 || view.marginRate === UINT256_MAX ? null : view.marginRate,
    isLow: view.isLow,
    due: view.legs.length === 0 ? null : dueOf(equity, maintenanceMargin, exposed, state.backstopRatio),
    positions: view.legs.map((leg) => positionFacts(leg, equity, state, settles.get(leg.market) ?? 0)),
  };
}

function dueOf(equity: bigint, margin: bigint, exposed: bigint, ratio: bigint): AccountFacts["due"] {
  if (equity <= 0n || equity * WAD <= ratio * (equity > 0n ? exposed : margin)) return "takeover";
  return equity < exposed ? "liquidation" : null;
}

function positionFacts(leg: LegView, equity: bigint, state: ChainState, settlesAt: number): PositionFacts {
  const contracts = abs(leg.size);
  const notional = (contracts * leg.mark) / WAD;
  // An entry is the signed notional rounded up: rounded back, it gives the price of a single fill again.
  const entry = leg.size > 0n ? divFloor : divCeil;
  return {
    marketId: leg.market,
    market: state.markets.find((market) => market.id === leg.market)?.name ?? String(leg.market),
    side: leg.size > 0n ? "long" : "short",
    contracts,
    entryPrice: entry(leg.entryNotional * WAD, leg.size),
    markPrice: leg.mark,
    notional,
    leverage: equity > 0n ? (notional * WAD) / equity : null,
    unrealizedPnl: leg.uPnL,
    maintenanceMargin: leg.maintenanceMargin,
    liquidationPrice: leg.liquidationPrice > 0n ? leg.liquidationPrice : null,
    bankruptcyPrice: leg.bankruptcyPrice,
    fundingPending: leg.funding,
    settlesAt: settlesAt || null,
  };
}
