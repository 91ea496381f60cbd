/** The page's arithmetic as a program: books as JSON on standard input, figures as JSON on standard output. */

import { ABIS } from "./chain/abi.ts";
import { dueInventory } from "./adl/due.ts";
import { marketsById, pricesOf, queuesOf, type Ranked } from "./adl/ranking.ts";
import { Refused, type Terms, type Venue } from "./adl/rules.ts";
import { sideOf, type Account, type Position, type Snapshot } from "./adl/snapshot.ts";
import { triggerPrices } from "./adl/triggerPrice.ts";
import { whatIf, type Standing, type Wish } from "./adl/whatIf.ts";
import { showAmount, showPercent } from "./text/amounts.ts";

declare const process: {
  stdin: AsyncIterable<string> & { setEncoding(encoding: string): void };
  stdout: { write(text: string): void };
};

/** `terms` by market id; each wish is of the account and the position at these places. */
interface Book {
  snapshot: Snapshot;
  terms: Record<string, Terms>;
  wishes: { account: number; position: number; wish: Wish }[];
}

const INTEGER = /^-?\d+n$/;

/** Integers are written `12n`: a number of JSON would be cut. */
const reviver = (_: string, value: unknown): unknown =>
  typeof value === "string" && INTEGER.test(value) ? BigInt(value.slice(0, -1)) : value;
const replacer = (_: string, value: unknown): unknown => (typeof value === "bigint" ? `${value}n` : value);

function figuresOf({ snapshot, terms, wishes }: Book) {
  const markets = marketsById(snapshot);
  const venue: Venue = {
    markets,
    terms: new Map(Object.entries(terms).map(([id, one]) => [Number(id), one])),
  };
  const placeOf = (one: Ranked, market: number) => ({
    account: one.account.id,
    contracts: one.contracts,
    adlRank: one.adlRank,
    adlLight: one.adlLight,
    leveragedReturn: one.leveragedReturn,
    unrealizedPnl: one.unrealizedPnl,
    marginRatio: one.marginRatio,
    ...pricesOf(markets, one.account, market),
  });
  const told = (standing: Standing, market: number) => ({
    ...standing,
    account: standing.account.id,
    place: standing.place === null ? null : placeOf(standing.place, market),
  });
  const queues = new Map(snapshot.markets.map(({ id }) => [id, queuesOf(snapshot, id)]));
  return {
    queues: snapshot.markets.map(({ id }) =>
      (["long", "short"] as const).map((side) => {
        const queue = queues.get(id)![side];
        return { bankrupt: queue.bankrupt, ranked: queue.ranked.map((one) => placeOf(one, id)) };
      }),
    ),
    due: dueInventory(snapshot).map(({ inventory, trigger, compensation }) => ({
      market: inventory.market,
      size: inventory.size,
      trigger,
      compensation,
    })),
    triggers: snapshot.markets.map(({ id }) => triggerPrices(snapshot, id)),
    wishes: wishes.map(({ account, position, wish }) => {
      const holder = snapshot.accounts[account] as Account;
      const held = holder.positions[position] as Position;
      const queue = queues.get(held.market)![sideOf(held.size)];
      try {
        const { before, after, beside, ...rest } = whatIf(venue, queue, holder, held, wish);
        const [first, second] = [told(before, held.market), told(after, held.market)];
        const third = beside === null ? null : told(beside, held.market);
        return { before: first, after: second, beside: third, ...rest };
      } catch (error) {
        if (error instanceof Refused) return { refused: error.message };
        throw error;
      }
    }),
  };
}

let text = "";
process.stdin.setEncoding("utf8");
for await (const chunk of process.stdin) text += chunk;
const { books, amounts } = JSON.parse(text, reviver) as { books: Book[]; amounts: bigint[] };
const shown = amounts.map((one) => [showAmount(one), showAmount(one, 2), showPercent(one)]);
process.stdout.write(JSON.stringify({ books: books.map(figuresOf), amounts: shown, abis: ABIS }, replacer));
