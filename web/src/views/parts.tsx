/** Small pieces that several views share. */

import type { ComponentChildren } from "preact";

import { formatAmount } from "../math/wad.ts";
import { shortAccount } from "../text/accountId.ts";
import { showAmount, showPercent } from "../text/amounts.ts";
import { showTime } from "../text/times.ts";

const LIGHTS = [1, 2, 3, 4, 5];

/** An amount cut as the command line cuts it; its title and its value have every digit. */
export function Amount({ of, places, unit }: { of: bigint; places?: number; unit?: string }) {
  const exact = formatAmount(of);
  return (
    <data class="amount" value={exact} title={exact}>
      {showAmount(of, places)}
      {unit === undefined ? "" : ` ${unit}`}
    </data>
  );
}

/** A WAD fraction in percent. */
export function Percent({ of }: { of: bigint }) {
  const exact = formatAmount(of);
  return (
    <data class="amount" value={exact} title={exact}>
      {showPercent(of)}
    </data>
  );
}

/** What stands where there is no figure; `why` is read out in its stead. */
export const None = ({ why }: { why: string }) => (
  <span class="none" title={why}>
    <span aria-hidden="true">—</span>
    <span class="visually-hidden">{why}</span>
  </span>
);

/** A light as five bars and its number: the more bars are lit, the sooner. */
export function Light({ light }: { light: number }) {
  return (
    <span class="light" data-light={light}>
      <span class="light-bars" aria-hidden="true">
        {LIGHTS.map((bar) => (
          <span key={bar} class={bar <= 6 - light ? "light-bar lit" : "light-bar"} />
        ))}
      </span>
      <span class="visually-hidden">light </span>
      {light}
      <span class="visually-hidden"> of 5</span>
    </span>
  );
}

export const Time = ({ at }: { at: number }) => (
  <time dateTime={new Date(at * 1000).toISOString()}>{showTime(at)}</time>
);

/** An account as a link to its view: its owner, shortened, and which of the owner's it is. */
export const AccountLink = ({ id }: { id: string }) => (
  <a class="id" href={`#/account/${id}`} title={id}>
    {shortAccount(id)}
  </a>
);

interface FactProps {
  name: string;
  /** What the documents of the command line call it. */
  field?: string;
  showsField?: boolean;
  children: ComponentChildren;
}

/** One figure of a list. */
export function Fact({ name, field, showsField = false, children }: FactProps) {
  return (
    <div class="fact" data-field={field}>
      <dt>
        {name} {showsField && <code>{field}</code>}
      </dt>
      <dd>{children}</dd>
    </div>
  );
}
