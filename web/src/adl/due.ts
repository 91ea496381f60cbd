/** Which inventory is due for ADL, and why. Mirrors backstop/adl/due.py; WAD integers. */

import * as fund from "../math/fund.ts";
import { max, sum } from "../math/wad.ts";
import { marketOf, type Inventory, type Pool, type Snapshot } from "./snapshot.ts";

export type Trigger = "drawdown" | "depletion";

/** A losing inventory and its `compensation > 0`. */
export interface Due {
  inventory: Inventory;
  trigger: Trigger;
  compensation: bigint;
}

interface Standing {
  pool: Pool;
  balance: bigint;
  drawdownCounts: boolean;
  depletionCounts: boolean;
}

/** What is due, in market order, a long inventory first. A depleted mutual group is redistributed first, as a round does. */
export function dueInventory(snapshot: Snapshot): Due[] {
  const order = new Map(snapshot.markets.map((market, place) => [market.id, place]));
  const place = ({ inventory }: Due) =>
    2 * (order.get(inventory.market) ?? 0) + (inventory.size < 0n ? 1 : 0);
  return standings(snapshot)
    .flatMap((standing) => dueOfPool(snapshot, standing))
    .sort((a, b) => place(a) - place(b));
}

function standings(snapshot: Snapshot): Standing[] {
  const group = snapshot.pools.filter((pool) => pool.isMutual);
  const before = group.map((pool) => pool.balance);
  const depleted = fund.isGroupDepleted(before);
  const after = depleted ? fund.redistribute(before) : before;
  const own = snapshot.pools.filter((pool) => !pool.isMutual);
  return [
    ...own.map((pool) => ({ pool, balance: pool.balance, drawdownCounts: true, depletionCounts: true })),
    ...group.map((pool, place) => ({
      pool,
      balance: after[place] as bigint,
      drawdownCounts: !fund.restsAsGiver(pool.balance, before),
      depletionCounts: depleted,
    })),
  ];
}

function dueOfPool(snapshot: Snapshot, standing: Standing): Due[] {
  const { pool, balance } = standing;
  const markets = snapshot.markets.filter((market) => market.pool === pool.id);
  const losses = markets.map((market) => fund.windowLoss(market.maxPnl8h, market.pnl));
  const base = fund.drawdownBase(balance, losses);
  const losing = markets
    .flatMap((market) => [true, false].map((long) => heldOf(pool, market.id, long)))
    .filter((item) => item !== undefined)
    .map((item) => ({ item, loss: lossOf(item, snapshot) }))
    .filter(({ loss }) => loss > 0n);
  let byDepletion = losing.map(() => 0n);
  if (standing.depletionCounts && balance < 0n) {
    byDepletion = fund.shareByLoss(
      -balance,
      losing.map(({ loss }) => loss),
    );
  }
  const byDrawdown = markets.flatMap((market, place) => {
    const loss = losses[place] as bigint;
    const isDue =
      standing.drawdownCounts &&
      fund.isDrawdownDue(loss, base, market.trigger, market.stop, market.adlActive);
    const own = losing.filter(({ item }) => item.market === market.id);
    const compensation = isDue ? max(0n, fund.drawdownCompensation(loss, base, market.target)) : 0n;
    return fund.shareByLoss(
      compensation,
      own.map((one) => one.loss),
    );
  });
  return losing
    .map(({ item }, place): Due => {
      const [drop, depletion] = [byDrawdown[place] as bigint, byDepletion[place] as bigint];
      return {
        inventory: item,
        trigger: drop >= depletion ? "drawdown" : "depletion",
        compensation: max(drop, depletion),
      };
    })
    .filter((due) => due.compensation > 0n && marketOf(snapshot, due.inventory.market).isLive);
}

function heldOf(pool: Pool, market: number, long: boolean): Inventory | undefined {
  return pool.inventory.find((item) => item.market === market && item.size > 0n === long);
}

function lossOf(item: Inventory, snapshot: Snapshot): bigint {
  const market = marketOf(snapshot, item.market);
  const mark = market.isLive
    ? market.markPrice
    : fund.markWhileDead(item.size, market.markPrice, market.maintenanceMarginFraction);
  return fund.inventoryLoss(item.size, item.entryNotional, mark);
}

/** What all inventory of a pool in a market loses at a mark. */
export const lossesAt = (pool: Pool, market: number, mark: bigint): bigint =>
  sum(
    pool.inventory
      .filter((item) => item.market === market)
      .map((item) => fund.inventoryLoss(item.size, item.entryNotional, mark)),
  );
