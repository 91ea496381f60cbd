/** The leveraged return that decides the rank, with every number that it is made from. */

import { legsOf, type Queue, type Ranked } from "../adl/ranking.ts";
import type { Venue } from "../adl/rules.ts";
import type { Account, Position } from "../adl/snapshot.ts";
import { pnlRate } from "../math/leveragedReturn.ts";
import { equity, maintenanceMargin } from "../math/margin.ts";
import { abs, sum, WAD } from "../math/wad.ts";
import { Amount, Percent } from "./parts.tsx";

interface Props {
  venue: Venue;
  account: Account;
  position: Position;
  place: Ranked;
  queue: Queue;
}

export function AccountReturn({ venue, account, position, place, queue }: Props) {
  const legs = legsOf(venue.markets, account);
  const rate = pnlRate(place.unrealizedPnl, position.entryNotional);
  const gains = place.unrealizedPnl > 0n;
  const ahead = sum(queue.ranked.slice(0, place.adlRank - 1).map((one) => one.contracts));
  const middle = ((2n * ahead + place.contracts) * WAD) / (2n * queue.contracts);
  return (
    <section class="return" aria-label="How the rank came">
      <h4>How the rank came</h4>
      <dl class="equations">
        <div data-equation="pnlRate">
          <dt>
            Profit rate <small>unrealized PnL / entry notional</small>
          </dt>
          <dd>
            <Amount of={place.unrealizedPnl} /> / <Amount of={abs(position.entryNotional)} /> ={" "}
            <strong>
              <Amount of={rate} />
            </strong>
          </dd>
        </div>
        <div data-equation="marginRate">
          <dt>
            Margin rate <small>maintenance margin / equity of the account</small>
          </dt>
          <dd>
            <Amount of={maintenanceMargin(legs)} /> / <Amount of={equity(account.margin, legs)} /> ={" "}
            <strong>
              <Amount of={place.marginRatio} />
            </strong>
          </dd>
        </div>
        <div data-equation="leveragedReturn">
          <dt>
            Leveraged return{" "}
            <small>
              {gains ? "it gains: profit rate × margin rate" : "it does not gain: profit rate / margin rate"}
            </small>
          </dt>
          <dd>
            <Amount of={rate} /> {gains ? "×" : "/"} <Amount of={place.marginRatio} /> ={" "}
            <strong>
              <Amount of={place.leveragedReturn} />
            </strong>
          </dd>
        </div>
        <div data-equation="light">
          <dt>
            Light <small>contracts ahead and half of its own / all of the side, in fifths</small>
          </dt>
          <dd>
            (<Amount of={ahead} /> + <Amount of={place.contracts} /> / 2) / <Amount of={queue.contracts} /> ={" "}
            <strong>
              <Percent of={middle} />
            </strong>
          </dd>
        </div>
      </dl>
      <p class="muted">
        The highest leveraged return goes first
        {gains ? "" : "; while it loses, everybody who gains goes before it"}.
      </p>
    </section>
  );
}
