/** The line below the head: the block that all figures are of, and what is wrong where they are not of now. */

import { useEffect, useState } from "preact/hooks";

import { showSpan, showTime } from "../text/times.ts";
import type { Live, Trouble } from "./live.ts";

const TITLES: Record<Trouble["kind"], string> = {
  config: "This page is not set up",
  lost: "The node does not answer",
  refused: "The node refuses",
  chain: "Another chain",
  contracts: "No contracts",
};
const WAYS: Record<Trouble["kind"], string> = {
  config: "Whoever serves the page has to put a right page.json beside it.",
  lost: "It is asked again every 2 seconds; another node may be named with ?rpc=URL in the address.",
  refused: "It is asked again every 2 seconds; another node may be named with ?rpc=URL in the address.",
  chain: "Name a node of the right chain with ?rpc=URL in the address.",
  contracts: "Whoever serves the page has to put the right deployment into page.json.",
};

export function Status({ live }: { live: Live }) {
  const now = useNow();
  const { state, trouble, config } = live;
  const age = state === null ? 0 : Math.max(0, Math.floor(now / 1000) - state.at.timestamp);
  const isOld = state !== null && config !== null && age > config.oldAfter;
  return (
    <div class="status">
      {state !== null && (
        <p class="block" data-block={state.at.number}>
          Block <strong>{state.at.number}</strong>, {showTime(state.at.timestamp)}, {showSpan(age)} ago
        </p>
      )}
      <div role="status" aria-live="polite">
        {trouble !== null && (
          <p class="notice bad" data-trouble={trouble.kind}>
            <strong>{TITLES[trouble.kind]}:</strong> {trouble.text}. {WAYS[trouble.kind]}
            {state !== null && ` What is below is of block ${state.at.number}, and may have changed since.`}
          </p>
        )}
        {trouble === null && isOld && (
          <p class="notice warn" data-trouble="old">
            <strong>The last block is old:</strong> the chain stands, or the node has lost it. Marks, funding
            and ranks are as they were then.
          </p>
        )}
      </div>
    </div>
  );
}

/** This machine's clock in ms, each second. */
function useNow(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
