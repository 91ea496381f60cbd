/** Rounds of ADL from the events of the engine and the round book. Mirrors backstop/rounds/book.py; WAD integers. */

import { decodeEventLog, encodeEventTopics, numberToHex, type Hex } from "viem";

import { abs, WAD } from "../math/wad.ts";
import type { Deleveraged, RoundFacts, SkipReason } from "../views/types.ts";
import { ENGINE, ROUND_BOOK } from "./abi.ts";
import type { Deployment } from "./config.ts";
import { NodeRefused, type Node, type RawLog } from "./node.ts";
import type { ChainState } from "./state.ts";

const SIDES = ["long", "short"] as const;
const TRIGGERS = [null, "drawdown", "depletion"] as const;
const REASONS: SkipReason[] = ["flat", "inventorySide", "bankrupt", "duplicate", "insolventAtAdlPrice"];

const topicOf = (eventName: "RoundExecuted" | "Deleveraged" | "CandidateSkipped"): Hex =>
  encodeEventTopics({ abi: ENGINE, eventName } as never)[0] as Hex;
const bookTopic = (eventName: "RoundOpened" | "OmissionProven"): Hex =>
  encodeEventTopics({ abi: ROUND_BOOK, eventName } as never)[0] as Hex;
const EVENTS: Hex[] = [
  topicOf("RoundExecuted"),
  topicOf("Deleveraged"),
  topicOf("CandidateSkipped"),
  bookTopic("RoundOpened"),
  bookTopic("OmissionProven"),
];

/** A round as its own event tells it. `time` in seconds. */
export interface RoundMark {
  id: number;
  block: number;
  market: number;
  contracts: bigint;
  mark: bigint;
  price: bigint;
}

export async function roundCount(node: Node, deployment: Deployment, state: ChainState): Promise<number> {
  return Number(await node.call(deployment.engine, ENGINE, "roundCount", [], state.at));
}

/** The rounds of a market from a block on. */
export async function readRounds(
  node: Node,
  deployment: Deployment,
  market: number,
  first: number,
  last: number,
): Promise<RoundMark[]> {
  const topics = [topicOf("RoundExecuted"), null, numberToHex(market, { size: 32 })];
  const logs = await node.logs([deployment.engine], topics, first, last);
  return logs.map((log) => {
    const { round, outcome } = engineEvent(log, "RoundExecuted");
    const { contracts, mark, price } = outcome;
    return { id: Number(round), block: Number(log.blockNumber), market, contracts, mark, price };
  });
}

/** A round with all that its events from a block on tell. Throws NodeRefused where the node does not give them. */
export async function readRound(
  node: Node,
  deployment: Deployment,
  state: ChainState,
  id: number,
  first: number,
): Promise<RoundFacts> {
  const [record, logs] = await Promise.all([
    node.call(deployment.round_book, ROUND_BOOK, "roundRecord", [BigInt(id)], state.at),
    node.logs(
      [deployment.engine, deployment.round_book],
      [EVENTS, numberToHex(id, { size: 32 })],
      first,
      state.at.number,
    ),
  ]);
  const of = (topic: Hex) => logs.filter((log) => log.topics[0] === topic);
  const [executed] = of(topicOf("RoundExecuted"));
  if (executed === undefined) {
    throw new NodeRefused(`it does not give the events of round ${id}; a node that keeps old events does`);
  }
  const { market, keeper, outcome } = engineEvent(executed, "RoundExecuted");
  const [opened] = of(bookTopic("RoundOpened")).map((log) => bookEvent(log, "RoundOpened"));
  const block = Number(executed.blockNumber);
  return {
    id,
    market: nameOf(state, market),
    side: SIDES[outcome.side] ?? "long",
    keeper,
    block,
    time: (await node.block(block)).timestamp,
    transaction: executed.transactionHash,
    trigger: TRIGGERS[outcome.trigger] ?? null,
    mark: outcome.mark,
    price: outcome.price,
    contracts: outcome.contracts,
    netted: outcome.netted,
    compensation: outcome.compensation,
    fills: of(topicOf("Deleveraged")).map((log) => {
      const { account, size, price, leveragedReturn, rank } = engineEvent(log, "Deleveraged");
      const givenUp = givenUpOf(size, price, outcome.mark);
      return { account, contracts: abs(size), price, leveragedReturn, place: Number(rank), givenUp };
    }),
    skipped: of(topicOf("CandidateSkipped")).map((log) => {
      const { account, reason } = engineEvent(log, "CandidateSkipped");
      return { account, reason: REASONS[reason] ?? "flat" };
    }),
    secondPass: opened?.secondPass ?? false,
    challenge:
      opened === undefined || opened.bond === 0n
        ? null
        : {
            openUntil: Number(opened.openUntil),
            bond: opened.bond,
            bondLeft: record.bond,
            cutoffAccount: opened.cutoffAccount,
            cutoffReturn: opened.cutoffReturn,
          },
    proven: of(bookTopic("OmissionProven")).map((log) => {
      const { account, challenger, leveragedReturn, spared, penalty } = bookEvent(log, "OmissionProven");
      return { account, challenger, leveragedReturn, spared, penalty };
    }),
  };
}

/** How often accounts were deleveraged, the newest first. Throws where the node does not give the events. */
export async function readDeleveraged(
  node: Node,
  deployment: Deployment,
  state: ChainState,
  accounts: Hex[],
): Promise<Deleveraged[]> {
  if (accounts.length === 0) return [];
  const topics = [topicOf("Deleveraged"), null, accounts];
  const logs = await node.logs([deployment.engine], topics, deployment.block, state.at.number);
  const rounds = new Map<Hex, Promise<ExecutedRound>>();
  const found = await Promise.all(
    logs.map(async (log): Promise<Deleveraged> => {
      const { round, account, size, price, leveragedReturn, rank } = engineEvent(log, "Deleveraged");
      const id = log.topics[1] as Hex;
      if (!rounds.has(id)) rounds.set(id, executedRound(node, deployment, id, log.blockNumber));
      const { market, outcome, time } = await (rounds.get(id) as Promise<ExecutedRound>);
      return {
        round: Number(round),
        account,
        market: nameOf(state, market),
        time,
        trigger: TRIGGERS[outcome.trigger] ?? "drawdown",
        contracts: abs(size),
        mark: outcome.mark,
        price,
        givenUp: givenUpOf(size, price, outcome.mark),
        leveragedReturn,
        place: Number(rank),
      };
    }),
  );
  return found.sort((a, b) => b.round - a.round);
}

interface ExecutedRound {
  market: number;
  time: number;
  outcome: { trigger: number; mark: bigint };
}

async function executedRound(
  node: Node,
  deployment: Deployment,
  id: Hex,
  number: Hex,
): Promise<ExecutedRound> {
  const block = Number(number);
  const [[log], { timestamp }] = await Promise.all([
    node.logs([deployment.engine], [topicOf("RoundExecuted"), id], block, block),
    node.block(block),
  ]);
  if (log === undefined) throw new NodeRefused("it gives only a part of a round's events");
  const { market, outcome } = engineEvent(log, "RoundExecuted");
  return { market, outcome, time: timestamp };
}

const nameOf = (state: ChainState, id: number): string =>
  state.markets.find((market) => market.id === id)?.name ?? String(id);

const givenUpOf = (size: bigint, price: bigint, mark: bigint): bigint =>
  (abs(size) * abs(price - mark)) / WAD;

function engineEvent<N extends "RoundExecuted" | "Deleveraged" | "CandidateSkipped">(
  log: RawLog,
  eventName: N,
) {
  return decodeEventLog({ abi: ENGINE, eventName, topics: log.topics, data: log.data }).args;
}

function bookEvent<N extends "RoundOpened" | "OmissionProven">(log: RawLog, eventName: N) {
  return decodeEventLog({ abi: ROUND_BOOK, eventName, topics: log.topics, data: log.data }).args;
}
