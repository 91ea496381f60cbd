/** The round view: why a deleveraging happened, at which price, who was closed in which order, and who may object. */

import { shortId } from "../text/amounts.ts";
import "./account.css";
import { Amount, Fact, None, Time } from "./parts.tsx";
import { RoundChallenge } from "./RoundChallenge.tsx";
import { RoundFills } from "./RoundFills.tsx";
import { RoundPrice } from "./RoundPrice.tsx";
import type { RoundFacts, RoundPage } from "./types.ts";

export function Round({ page }: { page: RoundPage }) {
  const { round, at, token } = page;
  const givenUp = round.fills.reduce((total, fill) => total + fill.givenUp, 0n);
  return (
    <article class="round-view" aria-labelledby="round-title">
      <header class="view-head">
        <h1 id="round-title">
          Round {round.id}{" "}
          <a class="of-market" href={`#/market/${round.market}`}>
            {round.market}
          </a>
        </h1>
        <p class="lead">{reason(round)}</p>
        <p class="muted">
          As of block {at.number}, <Time at={at.timestamp} />. Amounts in {token.symbol}, cut toward zero; the
          pointer on one shows all of it.
        </p>
      </header>
      <dl class="facts">
        <Fact name="Trigger" field="trigger">
          {round.trigger ?? <None why="none is on record" />}
        </Fact>
        <Fact name="Executed">
          <Time at={round.time} />
        </Fact>
        <Fact name="Block">{round.block}</Fact>
        <Fact name="Inventory closed" field="side">
          {round.side}
        </Fact>
        <Fact name="Mark price" field="markPrice">
          <Amount of={round.mark} />
        </Fact>
        <Fact name="ADL price" field="adlPrice">
          <Amount of={round.price} />
        </Fact>
        <Fact name="Contracts closed" field="contracts">
          <Amount of={round.contracts} />
        </Fact>
        <Fact name="Given up in all" field="givenUp">
          <Amount of={givenUp} />
        </Fact>
        <Fact name="Keeper" field="keeper">
          <span class="id" title={round.keeper}>
            {shortId(round.keeper)}
          </span>
        </Fact>
        <Fact name="Transaction" field="transaction">
          <span class="id" title={round.transaction}>
            {shortId(round.transaction)}
          </span>
        </Fact>
      </dl>
      <RoundPrice round={round} />
      <RoundFills round={round} />
      <RoundChallenge round={round} now={at.timestamp} />
    </article>
  );
}

/** Why it was due, in a sentence. */
function reason(round: RoundFacts): string {
  const whose = `The pool of ${round.market} held a losing ${round.side} inventory`;
  const against = round.side === "long" ? "shorts" : "longs";
  if (round.trigger === "depletion") {
    return `${whose} and had nothing left to carry it (depletion). It was closed against the ${against} with the highest leveraged return.`;
  }
  return `${whose}, and within 8 hours the market had cost the pool more of its balance than the trigger allows (drawdown). It was closed against the ${against} with the highest leveraged return.`;
}
