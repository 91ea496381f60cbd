/** Inventory, drawdown and compensation of an insurance pool. Mirrors backstop/math/fund.py; WAD integers. */

import { divFloor, max, min, sum, WAD } from "./wad.ts";

/** `max(0, entryNotional - floor(size * mark))`: a gain counts nothing until it is closed. */
export const inventoryLoss = (size: bigint, entryNotional: bigint, mark: bigint): bigint =>
  max(0n, entryNotional - divFloor(size * mark, WAD));

/** What the fund values an inventory at while its feed is dead: the last mark, moved against the pool. */
export function markWhileDead(size: bigint, mark: bigint, maintenanceFraction: bigint): bigint {
  const move = (mark * maintenanceFraction) / WAD;
  return size > 0n ? mark - move : mark + move;
}

export const windowLoss = (maxPnl: bigint, pnl: bigint): bigint => max(maxPnl, pnl) - pnl;

export const drawdownBase = (balance: bigint, losses: bigint[]): bigint => max(0n, balance + sum(losses));

/** `loss / base`, floored, to show; null where there is no base. */
export const drawdown = (loss: bigint, base: bigint): bigint | null =>
  base > 0n ? (loss * WAD) / base : null;

/** Whether the drawdown trigger is on: from `trigger` upward, and above `stop` where ADL had started. */
export function isDrawdownDue(
  loss: bigint,
  base: bigint,
  trigger: bigint,
  stop: bigint,
  started: boolean,
): boolean {
  if (base <= 0n) return false;
  return loss * WAD >= trigger * base || (started && loss * WAD > stop * base);
}

/** `loss - floor(target * base)`: what lands the market on `target`. */
export const drawdownCompensation = (loss: bigint, base: bigint, target: bigint): bigint =>
  loss - divFloor(target * base, WAD);

/** `compensation >= 0` over positive losses, each share rounded down, the remainder to the last. */
export function shareByLoss(compensation: bigint, losses: bigint[]): bigint[] {
  const total = sum(losses);
  const shares = losses.map((loss) => (compensation * loss) / total);
  const last = shares.length - 1;
  return shares.map((share, place) => (place === last ? share + compensation - sum(shares) : share));
}

/** Whether a mutual group cannot carry its depleted members. */
export const isGroupDepleted = (balances: bigint[]): boolean =>
  sum(balances) <= 0n && balances.some((balance) => balance <= 0n);

/** The balances of a depleted group after its positive ones are given to the deficits, pro rata. */
export function redistribute(balances: bigint[]): bigint[] {
  const given = sum(balances.map((balance) => max(0n, balance)));
  const deficit = sum(balances.map((balance) => max(0n, -balance)));
  const after = balances.map(
    (balance) => min(balance, 0n) + (deficit ? (given * max(-balance, 0n)) / deficit : 0n),
  );
  if (deficit) {
    const last = balances.findLastIndex((balance) => balance < 0n);
    after[last] = (after[last] ?? 0n) + sum(balances) - sum(after);
  }
  return after;
}

/** Whether a mutual pool's drawdown trigger rests: it gives, or has just given, all it has, and that is too little. */
export const restsAsGiver = (balance: bigint, group: bigint[]): boolean => balance >= 0n && sum(group) < 0n;
