/** Follows the chain: a new state with each block, and what stands in the way where there is none. */

import { useEffect, useState } from "preact/hooks";

import { ConfigFault, readConfig, type Config } from "../chain/config.ts";
import { Node, NodeLost, NodeRefused } from "../chain/node.ts";
import { readState, readToken, type ChainState } from "../chain/state.ts";
import type { Token } from "../views/types.ts";

const POLL = 1_000; // ms between two looks at the head
const POLL_HIDDEN = 15_000; // while nobody looks
const RETRY = 2_000; // after an answer that did not come

export interface Live {
  config: Config | null;
  node: Node | null;
  state: ChainState | null;
  /** Why there is nothing to show, or nothing newer; null where all is well. `since` in ms of this machine's clock. */
  trouble: Trouble | null;
}

export interface Trouble {
  kind: "config" | "lost" | "refused" | "chain" | "contracts";
  text: string;
  since: number;
}

class Wrong extends Error {
  constructor(
    readonly kind: "chain" | "contracts",
    message: string,
  ) {
    super(message);
  }
}

export function useLive(): Live {
  const [live, setLive] = useState<Live>({ config: null, node: null, state: null, trouble: null });
  useEffect(() => {
    let isOver = false;
    const tell = (change: Partial<Live>) => {
      if (!isOver) setLive((now) => ({ ...now, ...change }));
    };
    void follow(tell, () => isOver);
    return () => {
      isOver = true;
    };
  }, []);
  return live;
}

async function follow(tell: (change: Partial<Live>) => void, isOver: () => boolean): Promise<void> {
  let config: Config;
  try {
    config = await readConfig();
  } catch (error) {
    tell({ trouble: { kind: "config", text: (error as ConfigFault).message, since: Date.now() } });
    return;
  }
  const node = new Node(config.rpc);
  tell({ config, node });
  let token: Token | null = null;
  let seen = "";
  let since: number | null = null;
  while (!isOver()) {
    let wait = document.hidden ? POLL_HIDDEN : POLL;
    try {
      token ??= await checked(node, config);
      const head = await node.block();
      if (head.hash !== seen) {
        const state = await readState(node, config.deployment, token, head);
        seen = head.hash;
        tell({ state, trouble: null });
      } else if (since !== null) {
        tell({ trouble: null });
      }
      since = null;
    } catch (error) {
      since ??= Date.now();
      tell({ trouble: { ...troubleOf(error), since } });
      // Another chain may answer at this address when it is back.
      token = null;
      wait = RETRY;
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

/** That it is the chain and the deployment that the page is of. */
async function checked(node: Node, { deployment }: Config): Promise<Token> {
  const chain = await node.chainId();
  if (chain !== deployment.chain_id) {
    throw new Wrong(
      "chain",
      `the node is of chain ${chain}, and the deployment is on chain ${deployment.chain_id}`,
    );
  }
  if (!(await node.hasCode(deployment.lens))) {
    throw new Wrong("contracts", `there is no contract at ${deployment.lens}, where the lens should be`);
  }
  return readToken(node, deployment);
}

function troubleOf(error: unknown): { kind: Trouble["kind"]; text: string } {
  if (error instanceof Wrong) return { kind: error.kind, text: error.message };
  if (error instanceof NodeLost) return { kind: "lost", text: error.message };
  if (error instanceof NodeRefused) return { kind: "refused", text: error.message };
  throw error;
}
