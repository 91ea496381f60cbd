/**
 * How a pool's balance and a market's drawdown went, asked of the node at blocks of the past.
 *
 * Between two samples the mark moves without any event, so events alone would not tell it. The node needs the states of
 * the past; one that keeps only the last hundred or so gives a shorter line, and the page says so.
 */

import { LENS } from "./abi.ts";
import type { Deployment } from "./config.ts";
import { NodeRefused, type Block, type Node } from "./node.ts";
import { readRounds, type RoundMark } from "./rounds.ts";
import type { MarketView } from "./state.ts";

export const SPAN = 8 * 3600; // seconds: the window of the peak
const SAMPLES = 60;
const MARKED = 12; // rounds whose own blocks are asked too, the newest

/** One block; `drawdown` is null where the pool has no base. WAD. */
export interface Sample {
  at: Block;
  balance: bigint;
  drawdown: bigint | null;
}

/** `isWhole`: the node gave every block asked for. `rounds` is null where it does not give events. */
export interface History {
  samples: Sample[];
  rounds: (RoundMark & { timestamp: number })[] | null;
  isWhole: boolean;
}

export async function readHistory(
  node: Node,
  deployment: Deployment,
  market: number,
  head: Block,
): Promise<History> {
  const first = await firstSince(node, deployment.block, head, head.timestamp - SPAN);
  const rounds = await readRounds(node, deployment, market, first, head.number).catch(() => null);
  const wanted = new Set<number>();
  for (let place = 0; place <= SAMPLES; place++) {
    wanted.add(first + Math.round(((head.number - first) * place) / SAMPLES));
  }
  for (const { block } of (rounds ?? []).slice(-MARKED)) {
    wanted.add(block);
    if (block > first) wanted.add(block - 1);
  }
  const samples = await Promise.all(
    [...wanted].sort((a, b) => a - b).map((number) => sampleAt(node, deployment, market, number)),
  );
  const times = new Map(
    samples.flatMap((one) => (one && one !== "absent" ? [[one.at.number, one.at.timestamp] as const] : [])),
  );
  const timed = await Promise.all(
    (rounds ?? []).map(async (round) => ({
      ...round,
      timestamp: times.get(round.block) ?? (await node.block(round.block)).timestamp,
    })),
  );
  return {
    samples: samples.filter((one) => one !== null && one !== "absent"),
    rounds: rounds === null ? null : timed,
    isWhole: samples.every((one) => one !== null),
  };
}

/** "absent" where the market was not there yet, null where the node does not have the state of that block any more. */
async function sampleAt(
  node: Node,
  deployment: Deployment,
  market: number,
  number: number,
): Promise<Sample | "absent" | null> {
  try {
    const at = await node.block(number);
    return sampleOf(at, await node.call(deployment.lens, LENS, "market", [market], at));
  } catch (error) {
    if (!(error instanceof NodeRefused)) throw error;
    return /revert|does not answer/.test(error.message) ? "absent" : null;
  }
}

/** What a sample is of a market's view at a block. */
export function sampleOf(at: Block, { backing }: MarketView): Sample {
  return { at, balance: backing.balance, drawdown: backing.base > 0n ? backing.drawdown : null };
}

/** The first block since a time, by halving: blocks are not equally far apart. */
async function firstSince(node: Node, born: number, head: Block, time: number): Promise<number> {
  let [low, high] = [born, head.number];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if ((await node.block(middle)).timestamp < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
