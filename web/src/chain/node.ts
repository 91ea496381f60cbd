/** A node, asked in batches, every view at one block hash. Errors say what is wrong in words for people. */

import {
  createClient,
  decodeFunctionResult,
  encodeFunctionData,
  http,
  type Abi,
  type Client,
  type ContractFunctionArgs,
  type ContractFunctionName,
  type ContractFunctionReturnType,
  type Hex,
} from "viem";

const PATIENCE = 10_000; // ms for an answer
const BATCH = 40; // requests in one; nodes refuse batches that are too long

/** `timestamp` in seconds. */
export interface Block {
  number: number;
  hash: Hex;
  timestamp: number;
}

/** The node does not answer, or not as a node does. */
export class NodeLost extends Error {
  override readonly name = "NodeLost";
}

/** The node answers, and refuses: the message is its own. */
export class NodeRefused extends Error {
  override readonly name = "NodeRefused";
}

export interface RawLog {
  address: Hex;
  topics: [Hex, ...Hex[]];
  data: Hex;
  blockNumber: Hex;
  transactionHash: Hex;
  logIndex: Hex;
}

interface RawBlock {
  number: Hex;
  hash: Hex;
  timestamp: Hex;
}

type View<A extends Abi> = ContractFunctionName<A, "view" | "pure">;

export class Node {
  readonly #client: Client;

  constructor(readonly url: string) {
    const transport = http(url, { batch: { batchSize: BATCH }, retryCount: 0, timeout: PATIENCE });
    this.#client = createClient({ transport });
  }

  /** Throws NodeLost, or NodeRefused. */
  async request<T>(method: string, params: unknown[] = []): Promise<T> {
    try {
      return (await this.#client.request({ method, params } as never)) as T;
    } catch (error) {
      throw told(error);
    }
  }

  async chainId(): Promise<number> {
    return Number(await this.request<Hex>("eth_chainId"));
  }

  /** The latest block, or one by its number. */
  async block(number: number | "latest" = "latest"): Promise<Block> {
    const which = number === "latest" ? number : hex(number);
    const found = await this.request<RawBlock | null>("eth_getBlockByNumber", [which, false]);
    if (found === null) throw new NodeRefused(`it has no block ${number}`);
    return { number: Number(found.number), hash: found.hash, timestamp: Number(found.timestamp) };
  }

  async hasCode(address: Hex): Promise<boolean> {
    return (await this.request<Hex>("eth_getCode", [address, "latest"])) !== "0x";
  }

  /** What a view answers at a block, or at the latest. */
  async call<
    const A extends Abi,
    N extends View<A>,
    const P extends ContractFunctionArgs<A, "view" | "pure", N>,
  >(
    to: Hex,
    abi: A,
    functionName: N,
    args: P,
    at: Block | "latest",
  ): Promise<ContractFunctionReturnType<A, "view" | "pure", N, P>> {
    const data = encodeFunctionData({ abi, functionName, args } as never);
    const block = at === "latest" ? at : { blockHash: at.hash };
    const answer = await this.request<Hex>("eth_call", [{ to, data }, block]);
    try {
      return decodeFunctionResult({ abi, functionName, args, data: answer } as never) as never;
    } catch {
      throw new NodeRefused(`${to} does not answer ${String(functionName)} as the contract would`);
    }
  }

  /**
   * Events from a block to another, both included, in order. A node that refuses a range is asked for half of it; throws
   * NodeRefused where it refuses ten blocks too.
   */
  async logs(address: Hex[], topics: (Hex | Hex[] | null)[], first: number, last: number): Promise<RawLog[]> {
    const found: RawLog[] = [];
    let page = Math.max(1, last - first + 1);
    for (let from = first; from <= last;) {
      const to = Math.min(from + page - 1, last);
      try {
        const query = { address, topics, fromBlock: hex(from), toBlock: hex(to) };
        found.push(...(await this.request<RawLog[]>("eth_getLogs", [query])));
        from = to + 1;
      } catch (error) {
        if (!(error instanceof NodeRefused) || to - from < SMALLEST_PAGE) throw error;
        page = Math.ceil((to - from + 1) / 2);
      }
    }
    return found;
  }
}

const SMALLEST_PAGE = 10;

const hex = (number: number): Hex => `0x${number.toString(16)}`;

function told(error: unknown): Error {
  const { name, shortMessage, details, message } = error as Error & {
    shortMessage?: string;
    details?: string;
  };
  const isLost = ["HttpRequestError", "TimeoutError", "SocketClosedError"].includes(name);
  if (isLost) return new NodeLost(name === "TimeoutError" ? "no answer in time" : (details ?? message));
  return new NodeRefused(details ?? shortMessage ?? message);
}
