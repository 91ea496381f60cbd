/** What a change does: the new rank at once, what it costs, and each figure before and after. */

import type { ComponentChildren } from "preact";

import type { Ranked } from "../adl/ranking.ts";
import { Refused } from "../adl/rules.ts";
import type { Outcome, Standing } from "../adl/whatIf.ts";
import { abs } from "../math/wad.ts";
import { showAmount } from "../text/amounts.ts";
import { Amount, Light, None, Percent } from "./parts.tsx";

interface Props {
  /** Null where nothing is asked for. */
  result: Outcome | Refused | null;
  funding: bigint;
  symbol: string;
}

export function AccountOutcome({ result, funding, symbol }: Props) {
  const isRefused = result instanceof Refused;
  return (
    <div class="outcome">
      <p
        class={`verdict ${result === null ? "muted" : isRefused ? "refused" : ""}`}
        role="status"
        aria-live="polite"
      >
        {result === null
          ? "Move the slider, or write an amount."
          : isRefused
            ? `The exchange would refuse it: ${result.message}.`
            : verdict(result)}
      </p>
      {result !== null && !isRefused && (
        <>
          <dl class="costs">
            <Cost name="Fee" id="fee" amount={result.fee} symbol={symbol} />
            <Cost
              name={funding < 0n ? "Funding it gets" : "Funding it pays"}
              id="funding"
              amount={abs(funding)}
              symbol={symbol}
            />
            <Cost name="Realized PnL" id="realizedPnl" amount={result.realizedPnl} symbol={symbol} />
          </dl>
          <Figures outcome={result} />
        </>
      )}
    </div>
  );
}

function Cost({ name, id, amount, symbol }: { name: string; id: string; amount: bigint; symbol: string }) {
  return (
    <div data-cost={id}>
      <dt>{name}</dt>
      <dd>
        <Amount of={amount} unit={symbol} />
      </dd>
    </div>
  );
}

/** The rank now and then, in one sentence that is read out. */
function verdict({ before, after, beside, rankedBefore, rankedAfter }: Outcome): string {
  const was = before.place === null ? "no place" : `rank ${before.place.adlRank} of ${rankedBefore}`;
  const is = after.place === null ? "no place any more" : `rank ${after.place.adlRank} of ${rankedAfter}`;
  const beyond = beside?.place ? `, and the new account at ${beside.place.adlRank}` : "";
  return `From ${was} to ${is}${beyond}: ${compared(before.place, after.place)}.`;
}

function compared(before: Ranked | null, after: Ranked | null): string {
  if (after === null) return "nothing is left that could be deleveraged";
  if (before === null) return `it has equity again, at light ${after.adlLight}`;
  const moved = after.leveragedReturn - before.leveragedReturn;
  const lights =
    before.adlLight === after.adlLight
      ? `light ${after.adlLight} as before`
      : `light ${before.adlLight} becomes ${after.adlLight}`;
  if (moved === 0n) return `its leveraged return stays, ${lights}`;
  const course = moved < 0n ? "falls" : "rises";
  return `its leveraged return ${course} to ${showAmount(after.leveragedReturn)}, ${lights}`;
}

function Figures({ outcome: { before, after, beside } }: { outcome: Outcome }) {
  const columns: [string, Standing][] = [
    ["Now", before],
    ["After", after],
    ...(beside === null ? [] : ([["New account", beside]] as [string, Standing][])),
  ];
  const row = (name: string, id: string, cell: (standing: Standing) => ComponentChildren) => (
    <tr key={id} data-row={id}>
      <th scope="row">{name}</th>
      {columns.map(([column, standing]) => (
        <td key={column}>{cell(standing)}</td>
      ))}
    </tr>
  );
  const ofPlace = (cell: (place: Ranked) => ComponentChildren) => (standing: Standing) =>
    standing.place === null ? <None why="no place in the queue" /> : cell(standing.place);
  return (
    <table class="figures">
      <caption class="visually-hidden">Before and after the change</caption>
      <thead>
        <tr>
          <td />
          {columns.map(([column]) => (
            <th key={column} scope="col">
              {column}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {row(
          "Rank",
          "adlRank",
          ofPlace((place) => place.adlRank),
        )}
        {row(
          "Light",
          "adlLight",
          ofPlace((place) => <Light light={place.adlLight} />),
        )}
        {row(
          "Leveraged return",
          "leveragedReturn",
          ofPlace((place) => <Amount of={place.leveragedReturn} />),
        )}
        {row(
          "Margin rate",
          "marginRatio",
          ofPlace((place) => <Percent of={place.marginRatio} />),
        )}
        {row("Contracts", "contracts", (standing) => (
          <Amount of={standing.contracts} />
        ))}
        {row("Collateral", "collateral", (standing) => (
          <Amount of={standing.collateral} />
        ))}
        {row("Equity", "equity", (standing) => (
          <Amount of={standing.equity} />
        ))}
        {row("Initial margin", "initialMargin", (standing) =>
          standing.initialMargin === null ? <None why="not known" /> : <Amount of={standing.initialMargin} />,
        )}
      </tbody>
    </table>
  );
}
