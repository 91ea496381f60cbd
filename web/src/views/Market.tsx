/** The market view: what its pool can bear, how far ADL is away, and who would be deleveraged first. */

import { useEffect, useMemo } from "preact/hooks";

import { useHistory, usePublishedAt, type Source } from "../app/pages.ts";
import { dueInventory, type Due } from "../adl/due.ts";
import { queuesOf } from "../adl/ranking.ts";
import { triggerPrices } from "../adl/triggerPrice.ts";
import { drawdown, inventoryLoss } from "../math/fund.ts";
import { abs } from "../math/wad.ts";
import type { ListedMarket } from "../chain/state.ts";
import { showPercent } from "../text/amounts.ts";
import { showSpan } from "../text/times.ts";
import { Chart } from "./Chart.tsx";
import { Gauge } from "./Gauge.tsx";
import "./market.css";
import { Amount, Fact, None, Percent, Time } from "./parts.tsx";
import { QueueSide } from "./QueueSide.tsx";
import { TriggerDistance } from "./TriggerDistance.tsx";
import type { Token } from "./types.ts";

interface Props {
  source: Source;
  market: ListedMarket;
}

export function Market({ source, market }: Props) {
  useEffect(() => {
    document.title = `${market.name} · Backstop`;
  }, [market.name]);
  return (
    <article class="market-view" aria-labelledby="market-title">
      <header class="view-head">
        <h1 id="market-title">{market.name}</h1>
        <p class="muted">
          Backed by the pool “{market.pool}”. Amounts in {source.state.token.symbol}, cut toward zero; the
          pointer on one shows all of it.
        </p>
      </header>
      {market.isBlind ? <Blind /> : <Priced source={source} market={market} />}
    </article>
  );
}

const Blind = () => (
  <p class="notice warn" data-state="blind">
    <strong>No price yet.</strong> This market, or another one of its pool, never had a price, so nothing here
    can be valued.
  </p>
);

function Priced({ source, market }: Props) {
  const { state } = source;
  const { snapshot, token } = state;
  const published = usePublishedAt(source, market);
  const history = useHistory(source, market);
  const queues = useMemo(() => queuesOf(snapshot, market.id), [snapshot, market.id]);
  const due = useMemo(
    () => dueInventory(snapshot).filter(({ inventory }) => inventory.market === market.id),
    [snapshot, market.id],
  );
  const triggers = useMemo(
    () => (market.hasPrice && market.view.settlesAt === 0n ? triggerPrices(snapshot, market.id) : null),
    [snapshot, market.id],
  );
  const { view } = market;
  const { backing } = view;
  const inventory = ([view.long, view.short] as const).filter((item) => item.size !== 0n);
  const age = published === null ? null : Math.max(0, state.at.timestamp - published);
  const isEmpty = queues.long.ranked.length + queues.short.ranked.length === 0 && inventory.length === 0;
  return (
    <>
      <State market={market} due={due} token={token} />
      <div class="panels">
        <section class="card" aria-labelledby="market-figures">
          <h2 id="market-figures">Market</h2>
          <p class="figure" data-field="markPrice">
            <Amount of={view.mark} />{" "}
            <span class="muted">
              mark price
              {market.hasPrice
                ? age === null
                  ? ""
                  : `, published ${showSpan(age)} before this block`
                : ", the last accepted one"}
            </span>
          </p>
          <dl class="facts narrow">
            <Fact name="Open interest, each side" field="openInterest">
              <Amount of={view.listed.openInterest} unit="contracts" />
            </Fact>
            {inventory.length === 0 ? (
              <Fact name="Inventory of the pool" field="inventory">
                none
              </Fact>
            ) : (
              inventory.map((item) => (
                <Fact
                  key={item.size > 0n ? "long" : "short"}
                  name={`Inventory of the pool, ${item.size > 0n ? "long" : "short"}`}
                  field={item.size > 0n ? "inventoryLong" : "inventoryShort"}
                >
                  <Amount of={abs(item.size)} unit="contracts" />
                  <small class="muted block">
                    loses <Amount of={inventoryLoss(item.size, item.entryNotional, view.mark)} />
                  </small>
                </Fact>
              ))
            )}
            {view.settlesAt !== 0n && (
              <Fact name="Positions are settled from" field="settlesAt">
                <Time at={Number(view.settlesAt)} />
              </Fact>
            )}
          </dl>
          <TriggerDistance triggers={triggers} mark={view.mark} hasInventory={inventory.length > 0} />
        </section>
        <section class="card" aria-labelledby="pool-figures">
          <h2 id="pool-figures">Pool “{market.pool}”</h2>
          <p class="figure" data-field="balance">
            <Amount of={backing.balance} /> <span class="muted">balance, inventory losses taken off</span>
          </p>
          <dl class="facts narrow">
            <Fact name="This market's result" field="pnl">
              <Amount of={backing.pnl} />
            </Fact>
            <Fact name="Its peak within 8 hours" field="maxPnl8h">
              <Amount of={backing.maxPnl} />
            </Fact>
            <Fact name="Fallen since by" field="loss">
              <Amount of={backing.loss} />
            </Fact>
            <Fact name="Measured against" field="base">
              <Amount of={backing.base} />
            </Fact>
            <Fact name="Drawdown" field="drawdown">
              {drawdown(backing.loss, backing.base) === null ? (
                <None why="none: the pool has nothing that it could be measured against" />
              ) : (
                <Percent of={drawdown(backing.loss, backing.base) as bigint} />
              )}
            </Fact>
          </dl>
          <Gauge
            drawdown={drawdown(backing.loss, backing.base)}
            trigger={view.trigger}
            stop={view.stop}
            target={view.target}
          />
        </section>
      </div>
      <Chart reading={history} market={market} token={token} />
      {isEmpty ? (
        <section class="card" data-state="empty">
          <h2>The queue</h2>
          <p class="empty">
            Nobody holds a position in {market.name}, and its pool has no inventory: there is nothing to
            deleverage, and no queue.
          </p>
        </section>
      ) : (
        <div class="queues">
          <QueueSide market={market.name} side="long" queue={queues.long} />
          <QueueSide market={market.name} side="short" queue={queues.short} />
        </div>
      )}
    </>
  );
}

/** Whether ADL is on, in a sentence that is read out when it changes. */
function State({ market, due, token }: { market: ListedMarket; due: Due[]; token: Token }) {
  const { view } = market;
  const [first] = due;
  const state = stateOf(market, due);
  return (
    <div role="status" aria-live="polite">
      <p class={`notice ${state === "due" ? "bad" : state === "off" ? "good" : "warn"}`} data-adl={state}>
        {state === "closed" && (
          <>
            <strong>The market is closed.</strong> Its final price is its mark; whoever holds a position is
            paid by it.{" "}
          </>
        )}
        {state === "dead" && (
          <>
            <strong>No price now.</strong> The feed does not give an acceptable one: no new risk and no round
            until it does. The figures are at the last accepted mark.
          </>
        )}
        {first !== undefined && (
          <>
            <strong>ADL is due</strong> ({first.trigger}): a round may be executed now, against the{" "}
            {first.inventory.size > 0n ? "shorts" : "longs"} from the top of their queue. It brings the pool{" "}
            <Amount of={first.compensation} unit={token.symbol} />.
          </>
        )}
        {state === "started" && (
          <>
            <strong>ADL has begun</strong> and goes on as soon as the pool loses on inventory, until the
            drawdown is no more than {showPercent(view.stop)}.
          </>
        )}
        {state === "ending" && (
          <>
            <strong>ADL is over at this mark:</strong> the drawdown is no more than {showPercent(view.stop)}.
            It is begun anew above that until the market is next sampled, and then at{" "}
            {showPercent(view.trigger)}.
          </>
        )}
        {state === "off" && (
          <>
            <strong>ADL is off.</strong> It begins at a drawdown of {showPercent(view.trigger)}, or when the
            pool has nothing left.
          </>
        )}
      </p>
    </div>
  );
}

function stateOf(
  { view, hasPrice }: ListedMarket,
  due: Due[],
): "closed" | "dead" | "due" | "started" | "ending" | "off" {
  if (view.settlesAt !== 0n) return "closed";
  if (!hasPrice) return "dead";
  if (due.length > 0) return "due";
  if (view.backing.drawdownDue) return "started";
  return view.backing.started ? "ending" : "off";
}
