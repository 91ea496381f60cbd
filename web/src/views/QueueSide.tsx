/** One side's queue: contracts by light as a picture, and everybody in it as a paged table. */

import { useId, useState } from "preact/hooks";

import type { Queue, Ranked } from "../adl/ranking.ts";
import type { Side } from "../adl/snapshot.ts";
import { sum } from "../math/wad.ts";
import { showAmount, thousands } from "../text/amounts.ts";
import { AccountLink, Amount, Light, Percent } from "./parts.tsx";
import { Table, type Column } from "./Table.tsx";

const PAGE = 20;
const LIGHTS = [1, 2, 3, 4, 5];
const STEPS = 10_000n;

interface Props {
  market: string;
  side: Side;
  queue: Queue;
}

export function QueueSide({ market, side, queue }: Props) {
  const [page, setPage] = useState(0);
  const title = useId();
  const { ranked, bankrupt, contracts } = queue;
  const pages = Math.max(1, Math.ceil(ranked.length / PAGE));
  const shown = Math.min(page, pages - 1);
  return (
    <section class="card queue" aria-labelledby={title} data-side={side}>
      <h2 id={title}>
        <span class={`side ${side}`}>
          <span aria-hidden="true">{side === "long" ? "▲" : "▼"}</span> The {side} queue
        </span>
      </h2>
      <p class="muted" data-field="count">
        {ranked.length === 0
          ? `Nobody is ${side} in ${market}.`
          : `${thousands(ranked.length)} ${ranked.length === 1 ? "account" : "accounts"} with ${showAmount(contracts)} contracts, who would be deleveraged if the pool lost on a ${side === "long" ? "short" : "long"} inventory.`}
        {bankrupt.length > 0 &&
          ` ${thousands(bankrupt.length)} more without equity: to be taken over, never a counterparty.`}
      </p>
      {ranked.length > 0 && (
        <div class="queue-body">
          <Picture ranked={ranked} contracts={contracts} />
          <div class="queue-table">
            <Table
              caption={`${side === "long" ? "Longs" : "Shorts"}, from the first to go: rank ${thousands(shown * PAGE + 1)} to ${thousands(Math.min(ranked.length, (shown + 1) * PAGE))} of ${thousands(ranked.length)}`}
              columns={COLUMNS}
              rows={ranked.slice(shown * PAGE, (shown + 1) * PAGE)}
              keyOf={(one) => one.account.id}
            />
            {pages > 1 && <Pages shown={shown} pages={pages} onPage={setPage} side={side} />}
          </div>
        </div>
      )}
    </section>
  );
}

const COLUMNS: Column<Ranked>[] = [
  {
    id: "adlRank",
    name: "Rank",
    isNumber: true,
    isTitle: true,
    cell: (one) => thousands(one.adlRank),
  },
  { id: "adlLight", name: "Light", cell: (one) => <Light light={one.adlLight} /> },
  { id: "account", name: "Account", cell: (one) => <AccountLink id={one.account.id} /> },
  { id: "contracts", name: "Contracts", isNumber: true, cell: (one) => <Amount of={one.contracts} /> },
  {
    id: "leveragedReturn",
    name: "Leveraged return",
    isNumber: true,
    cell: (one) => <Amount of={one.leveragedReturn} />,
  },
  {
    id: "unrealizedPnl",
    name: "Unrealized PnL",
    isNumber: true,
    cell: (one) => <Amount of={one.unrealizedPnl} places={2} />,
  },
  { id: "marginRatio", name: "Margin rate", isNumber: true, cell: (one) => <Percent of={one.marginRatio} /> },
];

/** Who stands at which light, with how much: a bar for each. */
function Picture({ ranked, contracts }: { ranked: Ranked[]; contracts: bigint }) {
  return (
    <ul class="by-light" aria-label="Contracts by light">
      {LIGHTS.map((light) => {
        const those = ranked.filter((one) => one.adlLight === light);
        const held = sum(those.map((one) => one.contracts));
        const part = Number((held * STEPS) / contracts) / Number(STEPS / 100n);
        return (
          <li key={light} data-light={light}>
            <Light light={light} />
            <span class="by-light-bar" aria-hidden="true">
              <span class="by-light-fill" style={{ width: `${part}%` }} />
            </span>
            <span class="by-light-words">
              <Amount of={held} />
              <small class="muted">
                {" "}
                in {thousands(those.length)} {those.length === 1 ? "account" : "accounts"}
              </small>
            </span>
          </li>
        );
      })}
    </ul>
  );
}

function Pages({
  shown,
  pages,
  onPage,
  side,
}: {
  shown: number;
  pages: number;
  onPage: (page: number) => void;
  side: Side;
}) {
  return (
    <nav class="pages" aria-label={`Pages of the ${side} queue`}>
      <button type="button" onClick={() => onPage(0)} disabled={shown === 0}>
        First
      </button>
      <button type="button" onClick={() => onPage(shown - 1)} disabled={shown === 0}>
        Previous
      </button>
      <span>
        {thousands(shown + 1)} of {thousands(pages)}
      </span>
      <button type="button" onClick={() => onPage(shown + 1)} disabled={shown === pages - 1}>
        Next
      </button>
      <button type="button" onClick={() => onPage(pages - 1)} disabled={shown === pages - 1}>
        Last
      </button>
    </nav>
  );
}
