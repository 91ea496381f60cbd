/** When an owner's accounts were deleveraged: at which price, what they gave up, and why. */

import { Table, type Column } from "./Table.tsx";
import { AccountLink, Amount, Time } from "./parts.tsx";
import type { Deleveraged, Token } from "./types.ts";

const WHY = {
  drawdown: "the drawdown of its pool had reached the trigger",
  depletion: "its pool had nothing left",
};

export function AccountHistory({ history, token }: { history: Deleveraged[] | null; token: Token }) {
  return (
    <section class="history" aria-labelledby="history-title">
      <h2 id="history-title">Deleveraged so far</h2>
      {history === null ? (
        <p class="empty">
          This node does not give the events of the exchange, so past rounds cannot be told. Another node may.
        </p>
      ) : history.length === 0 ? (
        <p class="empty">Never: no round has closed any contract of it.</p>
      ) : (
        <Table
          caption={`Rounds that closed contracts, newest first; amounts in ${token.symbol}`}
          columns={columns(history)}
          rows={history}
          keyOf={(one) => `${one.round}-${one.account}`}
        />
      )}
    </section>
  );
}

function columns(history: Deleveraged[]): Column<Deleveraged>[] {
  const several = new Set(history.map((one) => one.account)).size > 1;
  return [
    {
      id: "round",
      name: "Round",
      cell: (one) => <a href={`#/round/${one.round}`}>Round {one.round}</a>,
      isTitle: true,
    },
    { id: "time", name: "When", cell: (one) => <Time at={one.time} /> },
    { id: "market", name: "Market", cell: (one) => <a href={`#/market/${one.market}`}>{one.market}</a> },
    ...(several
      ? [{ id: "account", name: "Account", cell: (one: Deleveraged) => <AccountLink id={one.account} /> }]
      : []),
    { id: "contracts", name: "Contracts", isNumber: true, cell: (one) => <Amount of={one.contracts} /> },
    { id: "price", name: "Price", isNumber: true, cell: (one) => <Amount of={one.price} /> },
    { id: "mark", name: "Mark", isNumber: true, cell: (one) => <Amount of={one.mark} /> },
    { id: "givenUp", name: "Gave up", isNumber: true, cell: (one) => <Amount of={one.givenUp} /> },
    {
      id: "why",
      name: "Why",
      isText: true,
      cell: (one) => (
        <>
          {WHY[one.trigger]}; place {one.place} with a leveraged return of <Amount of={one.leveragedReturn} />
        </>
      ),
    },
  ];
}
