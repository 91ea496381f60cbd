/** The pool's balance and the market's drawdown over the last 8 hours, with the rounds marked; and the same as a table. */

import { useEffect, useRef, useState } from "preact/hooks";

import type { Reading } from "../app/pages.ts";
import type { History, Sample } from "../chain/history.ts";
import type { ListedMarket } from "../chain/state.ts";
import { max, min } from "../math/wad.ts";
import { showAmount, showPercent } from "../text/amounts.ts";
import { showTime } from "../text/times.ts";
import { Amount, None, Percent, Time } from "./parts.tsx";
import { Table, type Column } from "./Table.tsx";
import type { Token } from "./types.ts";

const HEIGHT = { balance: 150, drawdown: 110 };
const EDGE = { left: 4, right: 4, top: 20, bottom: 4 };
const STEPS = 1_000_000n;

interface Props {
  reading: Reading<History>;
  market: ListedMarket;
  token: Token;
}

export function Chart({ reading, market, token }: Props) {
  const { found, fault } = reading;
  return (
    <section class="card chart" aria-labelledby="chart-title">
      <h2 id="chart-title">The last 8 hours</h2>
      {found === null ? (
        <p class="empty">
          {fault === null ? "Reading blocks of the past…" : `The past cannot be read: ${fault}.`}
        </p>
      ) : found.samples.length < 2 ? (
        <p class="empty">
          {found.isWhole
            ? "There is no past yet."
            : "This node keeps no states of the past: the line begins now."}
        </p>
      ) : (
        <Lines history={found} market={market} token={token} />
      )}
      {found !== null && !found.isWhole && found.samples.length >= 2 && (
        <p class="muted small">
          This node does not keep all states of the past 8 hours: the line begins where it does.
        </p>
      )}
      {found?.rounds === null && (
        <p class="muted small">This node does not give events: rounds of the past are not marked.</p>
      )}
    </section>
  );
}

function Lines({ history, market, token }: { history: History; market: ListedMarket; token: Token }) {
  const frame = useRef<HTMLDivElement>(null);
  const width = useWidth(frame);
  const [picked, setPicked] = useState<number | null>(null);
  const { samples } = history;
  const rounds = history.rounds ?? [];
  const [first, last] = [samples[0] as Sample, samples.at(-1) as Sample];
  const span = Math.max(1, last.at.timestamp - first.at.timestamp);
  const x = (time: number) =>
    EDGE.left + ((time - first.at.timestamp) / span) * (width - EDGE.left - EDGE.right);
  const balances = samples.map((one) => one.balance);
  const highest = balances.reduce(max);
  const lowest = min(0n, balances.reduce(min));
  const drawdowns = samples.map((one) => one.drawdown ?? 0n);
  const worst = [...drawdowns, (market.view.trigger * 4n) / 3n].reduce(max);
  const yOf = (height: number, low: bigint, high: bigint) => (value: bigint) => {
    const part = high === low ? 0 : Number(((value - low) * STEPS) / (high - low)) / Number(STEPS);
    return height - EDGE.bottom - part * (height - EDGE.top - EDGE.bottom);
  };
  const yBalance = yOf(HEIGHT.balance, lowest, highest);
  const yDrawdown = yOf(HEIGHT.drawdown, 0n, worst);
  const shown = picked === null ? last : (samples[picked] ?? last);
  const move = (event: PointerEvent) => {
    const box = frame.current?.getBoundingClientRect();
    if (box) setPicked(nearest(samples, (one) => Math.abs(x(one.at.timestamp) - (event.clientX - box.left))));
  };
  const marks = rounds.map((round) => ({ round, at: x(round.timestamp) }));
  return (
    <>
      <p class="chart-words" data-field="shown">
        <Time at={shown.at.timestamp} />: balance <Amount of={shown.balance} unit={token.symbol} />, drawdown{" "}
        {shown.drawdown === null ? <None why="none" /> : <Percent of={shown.drawdown} />}
      </p>
      <div class="chart-frame" ref={frame} onPointerMove={move} onPointerLeave={() => setPicked(null)}>
        {width > 0 && (
          <>
            <svg
              width={width}
              height={HEIGHT.balance}
              role="img"
              aria-label={`Balance of the pool from ${showAmount(first.balance, 2)} to ${showAmount(last.balance, 2)}, at most ${showAmount(highest, 2)}; ${rounds.length} rounds`}
            >
              <text x={EDGE.left} y={11} class="chart-name">
                Balance, at most {showAmount(highest, 2)}
              </text>
              <line x1={0} x2={width} y1={yBalance(0n)} y2={yBalance(0n)} class="chart-zero" />
              <path
                d={path(samples.map((one) => [x(one.at.timestamp), yBalance(one.balance)]))}
                class="chart-balance"
              />
              {marks.map(({ round, at }) => (
                <line key={round.id} x1={at} x2={at} y1={EDGE.top} y2={HEIGHT.balance} class="chart-round" />
              ))}
              <circle cx={x(shown.at.timestamp)} cy={yBalance(shown.balance)} r={3.5} class="chart-dot" />
            </svg>
            <svg
              width={width}
              height={HEIGHT.drawdown}
              role="img"
              aria-label={`Drawdown, at most ${showPercent(drawdowns.reduce(max))}; trigger at ${showPercent(market.view.trigger)}`}
            >
              <text x={EDGE.left} y={11} class="chart-name">
                Drawdown
              </text>
              {(["stop", "trigger"] as const).map((name) => (
                <g key={name}>
                  <line
                    x1={0}
                    x2={width}
                    y1={yDrawdown(market.view[name])}
                    y2={yDrawdown(market.view[name])}
                    class={`chart-${name}`}
                  />
                  <text
                    x={EDGE.left}
                    y={yDrawdown(market.view[name]) + (name === "stop" ? 13 : -4)}
                    class="chart-limit"
                  >
                    {name} {showPercent(market.view[name])}
                  </text>
                </g>
              ))}
              <path
                d={path(
                  samples.map((one, place) => [x(one.at.timestamp), yDrawdown(drawdowns[place] ?? 0n)]),
                )}
                class="chart-drawdown"
              />
              {marks.map(({ round, at }) => (
                <g key={round.id}>
                  <line x1={at} x2={at} y1={0} y2={HEIGHT.drawdown} class="chart-round" />
                  <path d={`M${at} ${HEIGHT.drawdown - 9}l5 9h-10z`} class="chart-round-foot" />
                </g>
              ))}
              <circle
                cx={x(shown.at.timestamp)}
                cy={yDrawdown(shown.drawdown ?? 0n)}
                r={3.5}
                class="chart-dot"
              />
            </svg>
          </>
        )}
        <p class="chart-ends muted small">
          <span>{showTime(first.at.timestamp).replace(" UTC", "")}</span>
          <span>{showTime(last.at.timestamp).replace(" UTC", "")}</span>
        </p>
      </div>
      {rounds.length > 0 && (
        <p class="chart-rounds">
          <span aria-hidden="true">▲</span> {rounds.length === 1 ? "Round" : "Rounds"}:{" "}
          {rounds.map(({ id, timestamp }, place) => (
            <span key={id}>
              {place > 0 && ", "}
              <a href={`#/round/${id}`} title={showTime(timestamp)}>
                {id}
              </a>
            </span>
          ))}
        </p>
      )}
      <details>
        <summary>As a table</summary>
        <Table
          caption={`${samples.length} blocks; between them nothing is known`}
          columns={COLUMNS}
          rows={samples.toReversed()}
          keyOf={(one) => String(one.at.number)}
        />
      </details>
    </>
  );
}

const COLUMNS: Column<Sample>[] = [
  { id: "block", name: "Block", isTitle: true, cell: (one) => one.at.number },
  { id: "time", name: "Time", cell: (one) => <Time at={one.at.timestamp} /> },
  { id: "balance", name: "Balance", isNumber: true, cell: (one) => <Amount of={one.balance} /> },
  {
    id: "drawdown",
    name: "Drawdown",
    isNumber: true,
    cell: (one) => (one.drawdown === null ? <None why="no base" /> : <Percent of={one.drawdown} />),
  },
];

const path = (points: [number, number][]): string =>
  points.map(([x, y], place) => `${place === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`).join("");

function nearest<T>(all: T[], distance: (one: T) => number): number {
  let found = 0;
  for (let place = 1; place < all.length; place++) {
    if (distance(all[place] as T) < distance(all[found] as T)) found = place;
  }
  return found;
}

/** The width that an element has, as it changes. */
function useWidth(frame: { current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    const element = frame.current;
    if (element === null) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    setWidth(element.clientWidth);
    return () => observer.disconnect();
  }, []);
  return width;
}
