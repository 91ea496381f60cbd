/** Whom a round closed, in its order, and whom it passed over. */

import { AccountLink, Amount } from "./parts.tsx";
import { Table, type Column } from "./Table.tsx";
import type { FillFacts, RoundFacts, SkipReason } from "./types.ts";

const SKIPPED: Record<SkipReason, string> = {
  flat: "holds nothing any more",
  inventorySide: "holds the side of the inventory",
  bankrupt: "bankrupt: it is to be taken over",
  duplicate: "stood on the list twice",
  insolventAtAdlPrice: "would have been insolvent at the ADL price, and was not needed",
};

const FILLS: Column<FillFacts>[] = [
  { id: "place", name: "Place", isNumber: true, isTitle: true, cell: (fill) => fill.place },
  { id: "account", name: "Account", cell: (fill) => <AccountLink id={fill.account} /> },
  {
    id: "leveragedReturn",
    name: "Leveraged return",
    isNumber: true,
    cell: (fill) => <Amount of={fill.leveragedReturn} />,
  },
  { id: "contracts", name: "Contracts", isNumber: true, cell: (fill) => <Amount of={fill.contracts} /> },
  { id: "price", name: "Price", isNumber: true, cell: (fill) => <Amount of={fill.price} /> },
  { id: "givenUp", name: "Gave up", isNumber: true, cell: (fill) => <Amount of={fill.givenUp} /> },
];

export function RoundFills({ round }: { round: RoundFacts }) {
  return (
    <>
      <section aria-labelledby="fills-title">
        <h2 id="fills-title">Closed</h2>
        {round.fills.length === 0 ? (
          <p class="empty">Nobody: the pool's own inventories met.</p>
        ) : (
          <Table
            caption="In the order of execution: the highest leveraged return first, equal ones by account id"
            columns={FILLS}
            rows={round.fills}
            keyOf={(fill) => fill.account}
          />
        )}
        {round.secondPass && (
          <p class="notice warn">
            Solvent accounts did not suffice: some were closed at the price that took their whole equity.
          </p>
        )}
      </section>
      <section aria-labelledby="skipped-title">
        <h2 id="skipped-title">Passed over</h2>
        {round.skipped.length === 0 ? (
          <p class="empty">Nobody on the keeper's list.</p>
        ) : (
          <ul class="skipped">
            {round.skipped.map(({ account, reason }) => (
              <li key={account} data-row={account}>
                <AccountLink id={account} /> {SKIPPED[reason]}
              </li>
            ))}
          </ul>
        )}
      </section>
    </>
  );
}
