/** Whether a round may still be challenged, what covers it, and who was shown to have been left out. */

import { showSpan } from "../text/times.ts";
import { AccountLink, Amount, Fact, Time } from "./parts.tsx";
import type { Proven, RoundFacts } from "./types.ts";

export function RoundChallenge({ round, now }: { round: RoundFacts; now: number }) {
  const { challenge, proven } = round;
  return (
    <section aria-labelledby="challenge-title">
      <h2 id="challenge-title">Challenge</h2>
      {challenge === null ? (
        <p class="empty">
          It closed no account, so nobody was left out: it needs no bond, and cannot be challenged.
        </p>
      ) : (
        <>
          <p class="verdict" data-state={now <= challenge.openUntil ? "open" : "closed"}>
            {now <= challenge.openUntil ? (
              <>
                <strong>Open</strong> for {showSpan(challenge.openUntil - now)}, until{" "}
                <Time at={challenge.openUntil} />: anyone may show an account that ranked above the cutoff and
                was left out.
              </>
            ) : (
              <>
                <strong>Closed</strong> since <Time at={challenge.openUntil} />: the order stands.
              </>
            )}
          </p>
          <dl class="facts">
            <Fact name="Cutoff" field="cutoff">
              <Amount of={challenge.cutoffReturn} />
            </Fact>
            <Fact name="Last closed">
              <AccountLink id={challenge.cutoffAccount} />
            </Fact>
            <Fact name="Keeper's bond" field="bond">
              <Amount of={challenge.bond} />
            </Fact>
            <Fact name="Left of it" field="bondLeft">
              <Amount of={challenge.bondLeft} />
            </Fact>
          </dl>
          {proven.length === 0 ? (
            <p class="empty">Nobody was shown to have been left out.</p>
          ) : (
            <ul class="skipped">{proven.map(omission)}</ul>
          )}
        </>
      )}
    </section>
  );
}

const omission = (one: Proven) => (
  <li key={one.account} data-row={one.account}>
    <AccountLink id={one.account} /> was left out with a leveraged return of{" "}
    <Amount of={one.leveragedReturn} />, and spared <Amount of={one.spared} />; it cost the keeper{" "}
    <Amount of={one.penalty} />, shown by{" "}
    <span class="id" title={one.challenger}>
      {one.challenger.slice(0, 8)}…
    </span>
  </li>
);
