/** One position: its figures, its place in the queue and how that came, and what would lower it. */

import type { Queue } from "../adl/ranking.ts";
import type { Venue } from "../adl/rules.ts";
import type { Account } from "../adl/snapshot.ts";
import { AccountChange } from "./AccountChange.tsx";
import { AccountReturn } from "./AccountReturn.tsx";
import { Amount, Fact, Light, None, Time } from "./parts.tsx";
import type { PositionFacts, Token } from "./types.ts";

interface Props {
  facts: PositionFacts;
  /** The account in the snapshot, and the queue of the position's side; null where its market could not be valued. */
  account: Account | null;
  queue: Queue | null;
  venue: Venue;
  token: Token;
}

export function AccountPosition({ facts, account, queue, venue, token }: Props) {
  const place = queue?.ranked.find((one) => one.account.id === account?.id) ?? null;
  const position = account?.positions.find((one) => one.market === facts.marketId);
  return (
    <section class="card position" aria-label={`${facts.market} ${facts.side}`} data-market={facts.market}>
      <header class="position-head">
        <h3>
          <a href={`#/market/${facts.market}`}>{facts.market}</a>{" "}
          <span class={`side ${facts.side}`}>
            <span aria-hidden="true">{facts.side === "long" ? "▲" : "▼"}</span> {facts.side}
          </span>
        </h3>
        {place === null || queue === null ? (
          <p class="rank">
            No place in the queue
            <span class="muted"> an account without equity is taken over, and never a counterparty</span>
          </p>
        ) : (
          <p class="rank">
            <Light light={place.adlLight} /> <span class="muted">Rank</span>{" "}
            <strong data-field="adlRank">
              {place.adlRank} of {queue.ranked.length}
            </strong>
            <span class="muted">
              {place.adlRank === 1 ? "goes first" : `${place.adlRank - 1} go before it`}
            </span>
          </p>
        )}
      </header>
      <Facts facts={facts} />
      {account && position && place && queue && (
        <AccountReturn venue={venue} account={account} position={position} place={place} queue={queue} />
      )}
      {account && position && queue && facts.settlesAt === null ? (
        <AccountChange
          account={account}
          position={position}
          queue={queue}
          venue={venue}
          token={token}
          funding={facts.fundingPending}
        />
      ) : (
        <p class="empty">
          {facts.settlesAt === null
            ? "Its market has no price that it could be valued at, so no rank can be told."
            : "Its market is closed: the position is settled at the final price, not traded."}
        </p>
      )}
    </section>
  );
}

function Facts({ facts }: { facts: PositionFacts }) {
  return (
    <dl class="facts">
      <Fact name="Contracts" field="contracts" showsField>
        <Amount of={facts.contracts} />
      </Fact>
      <Fact name="Entry price" field="entryPrice" showsField>
        <Amount of={facts.entryPrice} />
      </Fact>
      <Fact name="Mark price" field="markPrice" showsField>
        <Amount of={facts.markPrice} />
      </Fact>
      <Fact name="Notional" field="notional" showsField>
        <Amount of={facts.notional} />
      </Fact>
      <Fact name="Leverage" field="leverage" showsField>
        {facts.leverage === null ? (
          <None why="none: no equity" />
        ) : (
          <Amount of={facts.leverage} unit="×" places={2} />
        )}
      </Fact>
      <Fact name="Unrealized PnL" field="unrealizedPnl" showsField>
        <Amount of={facts.unrealizedPnl} />
      </Fact>
      <Fact name="Maintenance margin" field="maintenanceMargin" showsField>
        <Amount of={facts.maintenanceMargin} />
      </Fact>
      <Fact name="Liquidation price" field="liquidationPrice" showsField>
        {facts.liquidationPrice === null ? (
          <None why="none: no price above zero liquidates it" />
        ) : (
          <Amount of={facts.liquidationPrice} />
        )}
      </Fact>
      <Fact name="Bankruptcy price" field="bankruptcyPrice" showsField>
        <Amount of={facts.bankruptcyPrice} />
      </Fact>
      <Fact name="Funding due" field="fundingPending" showsField>
        <Amount of={facts.fundingPending} />
      </Fact>
      {facts.settlesAt !== null && (
        <Fact name="Settled from" field="settlesAt" showsField>
          <Time at={facts.settlesAt} />
        </Fact>
      )}
    </dl>
  );
}
