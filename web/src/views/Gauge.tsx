/** The drawdown as a bar, with the marks at which ADL begins and ends. */

import { WAD } from "../math/wad.ts";
import { showPercent } from "../text/amounts.ts";

interface Props {
  /** WAD; null where there is no base. */
  drawdown: bigint | null;
  trigger: bigint;
  stop: bigint;
  target: bigint;
}

const STEPS = 10_000n;

export function Gauge({ drawdown, trigger, stop, target }: Props) {
  const end = endOf(drawdown ?? 0n, trigger);
  const at = (value: bigint): string => `${Number((value * STEPS) / end) / Number(STEPS / 100n)}%`;
  const level = drawdown ?? 0n;
  const state = level >= trigger ? "due" : level > stop ? "near" : "calm";
  const text =
    drawdown === null
      ? "No drawdown: the pool has nothing to measure it against."
      : `Drawdown ${showPercent(drawdown)}; ADL begins at ${showPercent(trigger)}, ends at ${showPercent(stop)}, and aims for ${showPercent(target)}.`;
  return (
    <figure class="gauge" data-state={state}>
      <div class="gauge-scale" role="img" aria-label={text}>
        <div class="gauge-fill" style={{ width: at(level < end ? level : end) }} />
        <span class="gauge-mark stop" style={{ left: at(stop) }} />
        <span class="gauge-mark trigger" style={{ left: at(trigger) }} />
      </div>
      <div class="gauge-words" aria-hidden="true">
        <span class="stop" style={{ right: `calc(100% - ${at(stop)})` }}>
          stop {showPercent(stop)}
        </span>
        <span class="trigger" style={{ left: at(trigger) }}>
          trigger {showPercent(trigger)}
        </span>
      </div>
      <figcaption class="muted">{text}</figcaption>
    </figure>
  );
}

/** The scale reaches a third beyond the trigger, or to the drawdown where that is more. */
function endOf(drawdown: bigint, trigger: bigint): bigint {
  const usual = trigger === 0n ? WAD : (trigger * 5n) / 3n;
  return drawdown > usual ? drawdown : usual;
}
