/** What each view shows, read anew with every block, and kept where it cannot have changed. */

import { useEffect, useRef, useState } from "preact/hooks";

import { readAccountPage } from "../chain/accounts.ts";
import { readHistory, sampleOf, SPAN, type History } from "../chain/history.ts";
import type { Node } from "../chain/node.ts";
import { readRound, readRounds, roundCount } from "../chain/rounds.ts";
import { publishedAt, type ChainState, type ListedMarket } from "../chain/state.ts";
import type { Config } from "../chain/config.ts";
import type { AccountPage, Deleveraged, RoundPage } from "../views/types.ts";

/** A node, a deployment and the newest state of it. */
export interface Source {
  node: Node;
  config: Config;
  state: ChainState;
}

/** What was read for a key, null until it is; `fault` where it could not be. */
export interface Reading<T> {
  found: T | null;
  fault: string | null;
}

/** Reads again when the block or the key changes; what was read for another key is not shown. */
function useReading<T>(source: Source, key: string, read: (last: T | null) => Promise<T>): Reading<T> {
  const [reading, setReading] = useState<Reading<T> & { key: string }>({ key, found: null, fault: null });
  const last = useRef<{ key: string; found: T | null }>({ key, found: null });
  const isBusy = useRef(false);
  useEffect(() => {
    if (last.current.key !== key) last.current = { key, found: null };
    else if (isBusy.current) return;
    isBusy.current = true;
    const mine = last.current;
    read(mine.found)
      .then(
        (found) => {
          mine.found = found;
          if (last.current === mine) setReading({ key, found, fault: null });
        },
        (error: Error) => {
          if (last.current === mine) setReading({ key, found: mine.found, fault: error.message });
        },
      )
      .finally(() => {
        if (last.current === mine) isBusy.current = false;
      });
  }, [source.state, key]);
  return reading.key === key ? reading : { found: null, fault: null };
}

export function usePublishedAt({ node, config, state }: Source, market: ListedMarket): number | null {
  const source = { node, config, state };
  const { found } = useReading(source, String(market.id), () =>
    publishedAt(node, config.deployment, market.id, state.at).then((time) => ({ time })),
  );
  return found?.time ?? null;
}

/** The past of a market once, and from then on each block as it comes. */
export function useHistory(source: Source, market: ListedMarket): Reading<History> {
  const { node, config, state } = source;
  return useReading<History>(source, String(market.id), async (last) => {
    const newest = last?.samples.at(-1)?.at.number;
    if (last === null || newest === undefined || state.at.number <= newest) {
      return last ?? readHistory(node, config.deployment, market.id, state.at);
    }
    const rounds = await readRounds(node, config.deployment, market.id, newest + 1, state.at.number).catch(
      () => [],
    );
    const timed = await Promise.all(
      rounds.map(async (round) => ({ ...round, timestamp: (await node.block(round.block)).timestamp })),
    );
    const first = state.at.timestamp - SPAN;
    return {
      ...last,
      samples: [...last.samples, sampleOf(state.at, market.view)].filter((one) => one.at.timestamp >= first),
      rounds:
        last.rounds === null ? null : [...last.rounds, ...timed].filter((one) => one.timestamp >= first),
    };
  });
}

export function useAccountPage(source: Source, who: string): Reading<AccountPage> {
  const { node, config, state } = source;
  const kept = useRef<{ who: string; rounds: number; history: Deleveraged[] | null }>(null);
  return useReading<AccountPage>(source, who, async () => {
    const rounds = await roundCount(node, config.deployment, state);
    const known = kept.current?.who === who && kept.current.rounds === rounds ? kept.current.history : null;
    const page = await readAccountPage(node, config.deployment, state, who, known);
    kept.current = { who, rounds, history: page.history };
    return page;
  });
}

export function useRoundPage(source: Source, id: number): Reading<RoundPage> {
  const { node, config, state } = source;
  return useReading<RoundPage>(source, String(id), async (last) => {
    const count = await roundCount(node, config.deployment, state);
    if (id < 1 || id > count) {
      throw new Error(
        count === 0
          ? `There is no round ${id}: none was executed yet.`
          : `There is no round ${id}: they go from 1 to ${count}.`,
      );
    }
    const from = last?.round.block ?? config.deployment.block;
    const round = await readRound(node, config.deployment, state, id, from);
    return { at: state.at, token: state.token, round };
  });
}
