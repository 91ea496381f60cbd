/** The account view: where the accounts of an owner stand, what would lower their rank, and what ADL has done to them. */

import { useMemo } from "preact/hooks";

import { queuesOf } from "../adl/ranking.ts";
import { ownerOf } from "../text/accountId.ts";
import { shortId } from "../text/amounts.ts";
import "./account.css";
import { AccountHistory } from "./AccountHistory.tsx";
import { AccountPosition } from "./AccountPosition.tsx";
import { Amount, Fact, None, Percent, Time } from "./parts.tsx";
import type { AccountFacts, AccountPage } from "./types.ts";

const ADDRESS_LENGTH = 42;

export function Account({ page }: { page: AccountPage }) {
  const { at, who, accounts, token } = page;
  return (
    <article class="account-view" aria-labelledby="account-title">
      <header class="view-head">
        <h1 id="account-title">
          {who.length === ADDRESS_LENGTH ? "Accounts of" : "Account of"}{" "}
          <span class="id">{shortId(ownerOf(who))}</span>
        </h1>
        <p class="muted full-id">{who}</p>
        <p class="muted">
          Block {at.number}, <Time at={at.timestamp} />. Amounts in {token.symbol}, cut toward zero; the
          pointer on one shows all of it.
        </p>
      </header>
      {accounts.length === 0 ? (
        <p class="empty">
          This address holds nothing on the exchange: no margin and no position, and so no place in a queue.
        </p>
      ) : (
        accounts.map((account) => <OneAccount key={account.id} account={account} page={page} />)
      )}
      <AccountHistory history={page.history} token={token} />
    </article>
  );
}

function OneAccount({ account, page }: { account: AccountFacts; page: AccountPage }) {
  const { snapshot, venue, token } = page;
  const isAlone = page.who.toLowerCase() === account.id;
  const title = account.isCross
    ? `Cross account ${account.index}`
    : `Isolated account ${account.index}${account.positions[0] ? ` in ${account.positions[0].market}` : ""}`;
  const held = account.positions.map((position) => position.marketId).join();
  // Thousands of accounts are sorted once a block and market, not with each step of a slider.
  const queues = useMemo(
    () => new Map(account.positions.map(({ marketId }) => [marketId, queuesOf(snapshot, marketId)])),
    [snapshot, held],
  );
  const own = snapshot.accounts.find((one) => one.id === account.id);
  return (
    <section class="account" aria-label={title} data-account={account.id}>
      <h2>{isAlone ? title : <a href={`#/account/${account.id}`}>{title}</a>}</h2>
      <Standing account={account} />
      <dl class="facts">
        <Fact name="Collateral" field="collateral" showsField>
          <Amount of={account.collateral} />
        </Fact>
        <Fact name="Equity" field="equity" showsField>
          <Amount of={account.equity} />
        </Fact>
        <Fact name="Maintenance margin" field="maintenanceMargin" showsField>
          <Amount of={account.maintenanceMargin} />
        </Fact>
        <Fact name="Initial margin" field="initialMargin" showsField>
          <Amount of={account.initialMargin} />
        </Fact>
        <Fact name="Margin rate" field="marginRatio" showsField>
          {account.marginRatio === null ? (
            <None why="none: it has no position, or its equity is not above zero" />
          ) : (
            <Percent of={account.marginRatio} />
          )}
        </Fact>
        <Fact name="Margin mode" field="marginMode" showsField>
          {account.isCross ? "cross" : "isolated"}
        </Fact>
      </dl>
      {account.positions.length === 0 && (
        <p class="empty">No position: margin alone has no place in a queue.</p>
      )}
      {account.positions.map((position) => (
        <AccountPosition
          key={position.market}
          facts={position}
          account={own ?? null}
          queue={queues.get(position.marketId)?.[position.side] ?? null}
          venue={venue}
          token={token}
        />
      ))}
    </section>
  );
}

/** What anyone may do to the account now. */
function Standing({ account }: { account: AccountFacts }) {
  if (account.due === "takeover") {
    return (
      <p class="notice bad">
        <strong>To be taken over.</strong> Its equity is no more than the part of the maintenance margin at
        which a pool takes it over; anyone may call it.
      </p>
    );
  }
  if (account.due === "liquidation") {
    return (
      <p class="notice bad">
        <strong>To be liquidated.</strong> Its equity is below its maintenance margin.
      </p>
    );
  }
  if (account.isLow) {
    return (
      <p class="notice warn">
        <strong>Margin is low.</strong> Anyone may flag it with a margin call, which changes nothing.
      </p>
    );
  }
  return null;
}
