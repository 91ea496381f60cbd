/** An amount as a slider and, beside it, as an exact number: both by keyboard, in the same round steps. */

import { useId } from "preact/hooks";

import { formatAmount, max as larger, min as smaller, parseAmount, WAD } from "../math/wad.ts";

interface Props {
  label: string;
  unit: string;
  /** What is written; the amount is what it says. */
  text: string;
  /** Where the slider ends; WAD, above zero. */
  end: bigint;
  decimals: number;
  onText: (text: string) => void;
}

const STEPS = 100n;

/** The largest of 1, 2 and 5 times a power of ten that fits a hundred times into `end`, and is no dust of the token. */
export function stepOf(end: bigint, decimals: number): bigint {
  const smallest = 10n ** BigInt(18 - decimals);
  const digits = (end / STEPS).toString().length;
  const power = 10n ** BigInt(digits - 1);
  const fitting = [5n, 2n, 1n].map((times) => times * power).find((step) => step * STEPS <= end);
  return larger(smallest, fitting ?? 1n);
}

export function AmountInput({ label, unit, text, end, decimals, onText }: Props) {
  const id = useId();
  const step = stepOf(end, decimals);
  const last = (end + step - 1n) / step;
  const amount = parseAmount(text === "" ? "0" : text, decimals);
  const at = smaller(last, ((amount ?? 0n) + step / 2n) / step);
  const write = (wanted: bigint) => onText(formatAmount(larger(0n, wanted)));
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
    event.preventDefault();
    write((amount ?? 0n) + (event.key === "ArrowUp" ? step : -step));
  };
  return (
    <div class="amount-input">
      <label for={id}>{label}</label>
      <div class="amount-controls">
        <input
          type="range"
          min={0}
          max={Number(last)}
          step={1}
          value={Number(at)}
          aria-label={`${label}: slider`}
          aria-valuetext={amount === null ? "no amount" : `${formatAmount(amount)} ${unit}`}
          onInput={(event) => write(smaller(end, BigInt(event.currentTarget.value) * step))}
        />
        <input
          id={id}
          class="exact"
          type="text"
          inputMode="decimal"
          autoComplete="off"
          spellcheck={false}
          value={text}
          aria-invalid={amount === null}
          aria-describedby={amount === null ? `${id}-fault` : undefined}
          onInput={(event) => onText(event.currentTarget.value)}
          onKeyDown={onKeyDown}
        />
        <span class="unit">{unit}</span>
      </div>
      {amount === null && (
        <p id={`${id}-fault`} class="fault">
          Write an amount such as 12.5, with at most {decimals} decimals.
        </p>
      )}
    </div>
  );
}

/** A round amount at or above `amount`, in three digits: where a slider may end. */
export function roundedUp(amount: bigint): bigint {
  const unit = 10n ** BigInt(larger(0n, BigInt(larger(WAD, amount).toString().length - 2)));
  return ((larger(WAD, amount) + unit - 1n) / unit) * unit;
}
