/**
 * The mark at which a market's ADL becomes due, exactly. Mirrors backstop/adl/trigger_price.py.
 *
 * One mark moves, everything else holds. Takeovers on the way are not counted: whoever goes bankrupt before the mark gets
 * there leaves the pool with more to lose, and ADL comes sooner.
 */

import { inventoryLoss } from "../math/fund.ts";
import { divFloor, max, sum, WAD } from "../math/wad.ts";
import { dueInventory, lossesAt, type Trigger } from "./due.ts";
import { marketOf, type Pool, type Snapshot } from "./snapshot.ts";

const HIGHEST = 2n ** 128n; // a mark beyond it is none

/** `move` is by which part the mark moves to it: WAD, signed, rounded down. */
export interface TriggerPrice {
  price: bigint;
  trigger: Trigger;
  move: bigint;
}

/** The first as the mark falls, and the first as it rises; null where no mark on that side is one. */
export interface TriggerPrices {
  down: TriggerPrice | null;
  up: TriggerPrice | null;
}

export function triggerPrices(snapshot: Snapshot, market: number): TriggerPrices {
  const ground = groundOf(snapshot, market);
  return { down: nearest(ground, market, 1n), up: nearest(ground, market, HIGHEST) };
}

function poolOf(snapshot: Snapshot, market: number): Pool {
  const id = marketOf(snapshot, market).pool;
  const found = snapshot.pools.find((pool) => pool.id === id);
  if (found === undefined) throw new Error(`pool ${id} is not in the snapshot`);
  return found;
}

/** The snapshot with one mark moved: the market's result and its pool's balance move with the inventory losses. */
function atMark(snapshot: Snapshot, market: number, mark: bigint): Snapshot {
  const here = marketOf(snapshot, market);
  const pool = poolOf(snapshot, market);
  const more = lossesAt(pool, market, mark) - lossesAt(pool, market, here.markPrice);
  const pnl = here.pnl - more;
  const moved = { ...here, markPrice: mark, pnl, maxPnl8h: max(here.maxPnl8h, pnl) };
  return {
    ...snapshot,
    markets: snapshot.markets.map((one) => (one === here ? moved : one)),
    pools: snapshot.pools.map((one) => (one === pool ? { ...pool, balance: pool.balance - more } : one)),
  };
}

function triggerAt(snapshot: Snapshot, market: number, mark: bigint): Trigger | null {
  const due = dueInventory(atMark(snapshot, market, mark)).filter(
    ({ inventory }) => inventory.market === market,
  );
  return due[0]?.trigger ?? null;
}

/** What decides on it: the pool, the others of its mutual group, and their markets. */
function groundOf(snapshot: Snapshot, market: number): Snapshot {
  const own = poolOf(snapshot, market);
  const pools = snapshot.pools.filter((pool) => pool === own || (own.isMutual && pool.isMutual));
  const markets = snapshot.markets.filter((one) => pools.some((pool) => pool.id === one.pool));
  return { markets, pools, accounts: [] };
}

function nearest(ground: Snapshot, market: number, end: bigint): TriggerPrice | null {
  const here = marketOf(ground, market);
  const start = here.markPrice;
  const isDue = (mark: bigint) => triggerAt(ground, market, mark) !== null;
  const told = (price: bigint): TriggerPrice => ({
    price,
    trigger: triggerAt(ground, market, price) as Trigger,
    move: divFloor((price - start) * WAD, start),
  });
  if (isDue(start)) return told(start);
  if (!here.isLive || here.isClosed || (start >= HIGHEST && end >= start)) return null;
  const marks = turns(ground, market, end);
  for (let place = 1; place < marks.length; place += 1) {
    const [near, far] = [marks[place - 1] as bigint, marks[place] as bigint];
    if (isDue(far)) return told(first(isDue, near, far));
  }
  return null;
}

/** Marks from the present one to `end`, going outward, at which the course of what is due may change. */
function turns(ground: Snapshot, market: number, end: bigint): bigint[] {
  const pool = poolOf(ground, market);
  const conditions: ((mark: bigint) => boolean)[] = pool.inventory
    .filter((item) => item.market === market)
    .map((item) => (mark) => inventoryLoss(item.size, item.entryNotional, mark) > 0n);
  if (pool.isMutual) {
    const group = (mark: bigint) => sum(atMark(ground, market, mark).pools.map((one) => one.balance));
    conditions.push(
      (mark) => poolOf(atMark(ground, market, mark), market).balance < 0n,
      (mark) => group(mark) <= 0n,
      (mark) => group(mark) < 0n,
    );
  }
  return conditions.reduce(cut, [marketOf(ground, market).markPrice, end]);
}

/** The marks, and those between them at which a condition changes, each with the mark before it. */
function cut(marks: bigint[], isSo: (mark: bigint) => boolean): bigint[] {
  const found = marks.slice(0, 1);
  for (let place = 1; place < marks.length; place += 1) {
    const [near, far] = [marks[place - 1] as bigint, marks[place] as bigint];
    const before = isSo(near);
    if (isSo(far) !== before) {
      const turn = first((mark) => isSo(mark) !== before, near, far);
      found.push(far > near ? turn - 1n : turn + 1n, turn);
    }
    found.push(far);
  }
  return [...new Set(found)];
}

/** The mark nearest to `near`, where the condition does not hold, at which it does; it does at `far`. */
function first(condition: (mark: bigint) => boolean, near: bigint, far: bigint): bigint {
  while (far - near > 1n || near - far > 1n) {
    const middle = divFloor(near + far, 2n);
    if (condition(middle)) far = middle;
    else near = middle;
  }
  return far;
}
