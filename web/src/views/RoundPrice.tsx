/** How the price of a round came: the mark, and what the pool was due for each contract. */

import { abs, divCeil, WAD } from "../math/wad.ts";
import { Amount } from "./parts.tsx";
import type { RoundFacts } from "./types.ts";

export function RoundPrice({ round }: { round: RoundFacts }) {
  const closed = round.contracts + round.netted;
  const sign = round.side === "long" ? 1n : -1n;
  const step = closed > 0n ? divCeil(round.compensation * WAD, closed) : 0n;
  const distance = abs(round.price - round.mark);
  const isWhole = closed > 0n && round.price === round.mark + sign * step;
  return (
    <section class="card" aria-labelledby="price-title">
      <h2 id="price-title">How the price came</h2>
      <dl class="equations">
        {isWhole ? (
          <div data-equation="adlPrice">
            <dt>
              ADL price{" "}
              <small>
                mark {sign > 0n ? "+" : "−"} compensation / contracts of the inventory, toward the pool
              </small>
            </dt>
            <dd>
              <Amount of={round.mark} /> {sign > 0n ? "+" : "−"} <Amount of={round.compensation} /> /{" "}
              <Amount of={closed} /> ={" "}
              <strong>
                <Amount of={round.price} />
              </strong>
            </dd>
          </div>
        ) : (
          <>
            <div data-equation="compensation">
              <dt>
                Compensation <small>what the pool was due</small>
              </dt>
              <dd>
                <Amount of={round.compensation} />
              </dd>
            </div>
            <div data-equation="adlPrice">
              <dt>
                ADL price <small>mark {sign > 0n ? "+" : "−"} what each contract brought</small>
              </dt>
              <dd>
                <Amount of={round.mark} /> {sign > 0n ? "+" : "−"} <Amount of={distance} /> ={" "}
                <strong>
                  <Amount of={round.price} />
                </strong>
              </dd>
            </div>
          </>
        )}
      </dl>
      <p class="muted">
        {isWhole
          ? "The compensation brings the market's drawdown back to its target, or the pool back to zero."
          : "The compensation was not spread over just these contracts: either the price stopped at the bankruptcy price of the inventory, which it never passes, or a part of the inventory found no counterparty and stayed in the pool."}{" "}
        Counterparties keep what they gained up to this price; nobody is charged a fee.
      </p>
      {round.netted > 0n && (
        <p>
          <Amount of={round.netted} /> contracts were netted at mark against the pool's own opposite
          inventory: no account held any.
        </p>
      )}
    </section>
  );
}
