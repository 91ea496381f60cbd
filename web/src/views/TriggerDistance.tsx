/** How far the mark may move until ADL is due, both ways. */

import type { TriggerPrice, TriggerPrices } from "../adl/triggerPrice.ts";
import { showPercent } from "../text/amounts.ts";
import { Amount } from "./parts.tsx";

interface Props {
  /** Null where the market has no price that could move. */
  triggers: TriggerPrices | null;
  mark: bigint;
  hasInventory: boolean;
}

export function TriggerDistance({ triggers, mark, hasInventory }: Props) {
  if (triggers === null) return null;
  const { down, up } = triggers;
  return (
    <div class="distance">
      <h3>Distance to ADL</h3>
      {!hasInventory ? (
        <p class="empty" data-field="distance">
          None in price: the pool holds no inventory here, so it has nothing that ADL could close. It may get
          one by a takeover.
        </p>
      ) : (
        <ul>
          <Way name="falls" way="down" to={down} mark={mark} />
          <Way name="rises" way="up" to={up} mark={mark} />
        </ul>
      )}
      {hasInventory && (
        <p class="muted small">
          If only this mark moves. Takeovers on the way are not counted: they would bring it nearer.
        </p>
      )}
    </div>
  );
}

function Way({
  name,
  way,
  to,
  mark,
}: {
  name: string;
  way: "up" | "down";
  to: TriggerPrice | null;
  mark: bigint;
}) {
  return (
    <li data-way={way}>
      <span aria-hidden="true">{way === "down" ? "▼" : "▲"}</span> If the mark {name}:{" "}
      {to === null ? (
        "at no price"
      ) : to.price === mark ? (
        <strong>now ({to.trigger})</strong>
      ) : (
        <>
          at <Amount of={to.price} />, {showPercent(to.move)} ({to.trigger})
        </>
      )}
    </li>
  );
}
