/** What would lower a rank: adding margin, closing a part, or splitting, each computed as the exchange would do it. */

import { useId, useState } from "preact/hooks";

import type { Queue } from "../adl/ranking.ts";
import { movableMargin, Refused, termsIn, type Venue } from "../adl/rules.ts";
import type { Account, Position } from "../adl/snapshot.ts";
import { leastMargin, NEW_ACCOUNT, whatIf, type Outcome, type Wish } from "../adl/whatIf.ts";
import { abs, divCeil, formatAmount, max, parseAmount, WAD } from "../math/wad.ts";
import { AccountOutcome } from "./AccountOutcome.tsx";
import { AmountInput, roundedUp } from "./AmountInput.tsx";
import { Amount } from "./parts.tsx";
import type { Token } from "./types.ts";

interface Props {
  account: Account;
  position: Position;
  queue: Queue;
  venue: Venue;
  token: Token;
  /** What is settled with any change, and counted in the collateral already. */
  funding: bigint;
}

const KINDS = [
  ["addMargin", "Add margin"],
  ["close", "Close a part"],
  ["split", "Split"],
] as const;
type Kind = (typeof KINDS)[number][0];

const DECIMALS = 18;

export function AccountChange({ account, position, queue, venue, token, funding }: Props) {
  const id = useId();
  const [kind, setKind] = useState<Kind>("addMargin");
  const [amount, setAmount] = useState("");
  const [closing, setClosing] = useState("");
  const [splitting, setSplitting] = useState("");
  /** What was written for the new account; null while it gets the least that it needs. */
  const [given, setGiven] = useState<string | null>(null);
  const [isDeposited, setDeposited] = useState(true);

  const held = abs(position.size);
  const notional = (held * (venue.markets.get(position.market)?.markPrice ?? 0n)) / WAD;
  const contracts = parseAmount(splitting, DECIMALS) ?? 0n;
  const least = upToUnit(leastMargin(venue, position, contracts) ?? 0n, token.decimals);
  const margin = given ?? (contracts > 0n ? formatAmount(least) : "");
  const wish = wished();
  return (
    <section class="change" aria-label="What would lower it">
      <h4>What would lower it</h4>
      <fieldset class="kinds">
        <legend class="visually-hidden">Which change</legend>
        {KINDS.map(([value, name]) => (
          <label key={value}>
            <input
              type="radio"
              name={id}
              value={value}
              checked={kind === value}
              onChange={() => setKind(value)}
            />
            <span>{name}</span>
          </label>
        ))}
      </fieldset>
      {kind === "addMargin" && (
        <AmountInput
          label="Margin to add"
          unit={token.symbol}
          text={amount}
          end={roundedUp(notional)}
          decimals={token.decimals}
          onText={setAmount}
        />
      )}
      {kind === "close" && (
        <AmountInput
          label="Contracts to close"
          unit="contracts"
          text={closing}
          end={held}
          decimals={DECIMALS}
          onText={setClosing}
        />
      )}
      {kind === "split" && (
        <>
          <p class="muted">
            A part moves at mark to a new account of the same owner, whose place is its own. The new account
            needs the initial margin.
          </p>
          <AmountInput
            label="Contracts to split off"
            unit="contracts"
            text={splitting}
            end={held}
            decimals={DECIMALS}
            onText={setSplitting}
          />
          <AmountInput
            label="Margin of the new account"
            unit={token.symbol}
            text={margin}
            end={roundedUp(max(notional, least))}
            decimals={token.decimals}
            onText={setGiven}
          />
          <div class="choices">
            <label>
              <input
                type="checkbox"
                checked={isDeposited}
                onChange={(event) => setDeposited(event.currentTarget.checked)}
              />{" "}
              from the wallet, not from this account
            </label>
            <button type="button" onClick={() => setGiven(null)} disabled={given === null}>
              The least it needs
            </button>
          </div>
          <p class="muted">
            It needs <Amount of={least} unit={token.symbol} /> with the fee
            <Movable venue={venue} account={account} symbol={token.symbol} />.
          </p>
        </>
      )}
      <AccountOutcome
        result={wish === null ? null : outcomeOf(wish)}
        funding={funding}
        symbol={token.symbol}
      />
    </section>
  );

  function wished(): Wish | null {
    if (kind === "addMargin") {
      const wanted = parseAmount(amount, token.decimals);
      return wanted === null || wanted === 0n ? null : { kind, amount: wanted };
    }
    if (kind === "close") {
      const wanted = parseAmount(closing, DECIMALS);
      return wanted === null || wanted === 0n ? null : { kind, contracts: wanted };
    }
    const wanted = parseAmount(margin, token.decimals);
    if (contracts === 0n || wanted === null) return null;
    return { kind, contracts, margin: wanted, isDeposited, into: NEW_ACCOUNT };
  }

  function outcomeOf(wanted: Wish): Outcome | Refused {
    try {
      return whatIf(venue, queue, account, position, wanted);
    } catch (error) {
      if (error instanceof Refused) return error;
      throw error;
    }
  }
}

/** What may be moved from the account, where the initial margins are known. */
function Movable({ venue, account, symbol }: { venue: Venue; account: Account; symbol: string }) {
  const isKnown = account.positions.every((one) => termsIn(venue, one.market).initialMarginFraction !== null);
  if (!isKnown) return null;
  return (
    <>
      ; this account can spare <Amount of={movableMargin(venue, account)} unit={symbol} />
    </>
  );
}

/** Up to a whole unit of the token, which has fewer decimals than the exchange counts in. */
function upToUnit(amount: bigint, decimals: number): bigint {
  const unit = 10n ** BigInt(DECIMALS - decimals);
  return divCeil(amount, unit) * unit;
}
