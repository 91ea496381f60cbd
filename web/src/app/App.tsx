/** The frame: which market, whose account, what is wrong with the node, and the view that was asked for. */

import { useEffect, useMemo, useState } from "preact/hooks";

import { faultOfId } from "../chain/accounts.ts";
import { Account } from "../views/Account.tsx";
import { Market } from "../views/Market.tsx";
import { Round } from "../views/Round.tsx";
import { useLive, type Live } from "./live.ts";
import { useAccountPage, useRoundPage, type Source } from "./pages.ts";
import { marketPath, useRoute, type Route } from "./route.ts";
import { Status } from "./Status.tsx";

export function App() {
  const live = useLive();
  const route = useRoute();
  const { state } = live;
  return (
    <>
      <a class="skip" href="#content" onClick={focusContent}>
        To the content
      </a>
      <header class="top">
        <div class="bar">
          <a class="brand" href="#/">
            <img src="./icon.svg" alt="" width="22" height="22" /> Backstop
          </a>
          <Search />
        </div>
        {state !== null && <Markets live={live} route={route} />}
      </header>
      <Status live={live} />
      <main id="content" tabIndex={-1}>
        <View live={live} route={route} />
      </main>
      <Footer live={live} />
    </>
  );
}

/** The address after the `#` is the view's: a link into the page must not replace it. */
function focusContent(event: Event) {
  event.preventDefault();
  document.getElementById("content")?.focus();
}

function View({ live, route }: { live: Live; route: Route }) {
  const { node, config, state } = live;
  const source = useMemo(
    () => (node && config && state ? { node, config, state } : null),
    [node, config, state],
  );
  if (source === null) {
    if (live.trouble !== null) return null;
    return <p class="begin">Reading the chain…</p>;
  }
  if (route.view === "unknown")
    return <Missing title="No such view" text={`There is nothing at #/${route.text}.`} />;
  if (route.view === "account") return <AccountView source={source} who={route.who} />;
  if (route.view === "round") return <RoundView source={source} id={route.id} />;
  const [first] = source.state.markets;
  if (first === undefined) {
    return <Missing title="No market" text="This exchange has no market yet: there is nothing to show." />;
  }
  const market = route.name === null ? first : source.state.markets.find((one) => one.name === route.name);
  if (market === undefined) {
    return <Missing title="No such market" text={`The exchange has no market called ${route.name}.`} />;
  }
  return <Market key={market.id} source={source} market={market} />;
}

function AccountView({ source, who }: { source: Source; who: string }) {
  const fault = faultOfId(who);
  return fault === null ? (
    <KnownAccount source={source} who={who} />
  ) : (
    <Missing title="No such account" text={`${who} ${fault}.`} />
  );
}

function KnownAccount({ source, who }: { source: Source; who: string }) {
  const { found, fault } = useAccountPage(source, who);
  useTitle(`Account ${who.slice(0, 10)}…`);
  if (found !== null) return <Account key={who} page={found} />;
  return fault === null ? (
    <p class="begin">Reading the account…</p>
  ) : (
    <Missing title="Account" text={fault} />
  );
}

function RoundView({ source, id }: { source: Source; id: string }) {
  const isNumber = /^[0-9]{1,9}$/.test(id);
  return isNumber ? (
    <KnownRound source={source} id={Number(id)} />
  ) : (
    <Missing title="No such round" text={`${id} is no number of a round.`} />
  );
}

function KnownRound({ source, id }: { source: Source; id: number }) {
  const { found, fault } = useRoundPage(source, id);
  useTitle(`Round ${id}`);
  if (found !== null) return <Round key={id} page={found} />;
  return fault === null ? (
    <p class="begin">Reading the round…</p>
  ) : (
    <Missing title={`Round ${id}`} text={fault} />
  );
}

function useTitle(text: string) {
  useEffect(() => {
    document.title = `${text} · Backstop`;
  }, [text]);
}

function Missing({ title, text }: { title: string; text: string }) {
  return (
    <section class="missing" role="alert">
      <h1>{title}</h1>
      <p>{text}</p>
      <p>
        <a href="#/">To the markets</a>
      </p>
    </section>
  );
}

function Markets({ live, route }: { live: Live; route: Route }) {
  const markets = live.state?.markets ?? [];
  const shown = route.view === "market" ? (route.name ?? markets[0]?.name) : null;
  return (
    <nav class="markets" aria-label="Markets">
      <ul>
        {markets.map(({ id, name }) => (
          <li key={id}>
            <a href={marketPath(name)} aria-current={name === shown ? "page" : undefined}>
              {name}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Search() {
  const [text, setText] = useState("");
  const [fault, setFault] = useState<string | null>(null);
  const submit = (event: Event) => {
    event.preventDefault();
    const who = text.trim();
    const wrong = faultOfId(who);
    setFault(wrong === null ? null : `${who === "" ? "An empty text" : who.slice(0, 80)} ${wrong}.`);
    if (wrong !== null) return;
    location.hash = `#/account/${who}`;
    setText("");
  };
  return (
    <form class="search" role="search" onSubmit={submit} noValidate>
      <label for="who">Address or account</label>
      <input
        id="who"
        value={text}
        placeholder="0x…"
        autocomplete="off"
        spellcheck={false}
        aria-invalid={fault !== null}
        aria-describedby={fault === null ? undefined : "who-fault"}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setFault(null);
        }}
      />
      <button type="submit">Show</button>
      {fault !== null && (
        <p id="who-fault" class="fault" role="alert">
          {fault}
        </p>
      )}
    </form>
  );
}

function Footer({ live }: { live: Live }) {
  if (live.config === null) return null;
  const { deployment, rpc } = live.config;
  return (
    <footer class="foot">
      Read from chain {deployment.chain_id} through the lens at <span class="id">{deployment.lens}</span>, by
      the node <span class="id">{rpc}</span>. This page asks nobody else, keeps nothing, and sends no
      transaction.
    </footer>
  );
}
