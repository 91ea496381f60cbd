"""A study as a JSON document; amounts in USD as numbers, the queue's exact sums as decimal strings."""

from __future__ import annotations

from typing import Any

from backstop.math.wad import format_amount
from backstop.policies.october import HELD, NOTIONAL, USERS
from backstop.policies.population import COVER
from backstop.policies.study import BLOCK_GAS, CALL, PROBED_BOOKS, PolicyResult, Study, Tried

LEVELS = (0.5, 0.9, 0.99, 1.0)


def study_document(found: Study) -> dict[str, Any]:
    """Everything that the report shows, and nothing of when or where it was made."""
    return {
        "calibratedTo": {
            "users": USERS,
            "notional": NOTIONAL,
            "heldByLargest": {str(count): part for count, part in HELD.items()},
            "venueTookOverNeeded": found.event.taken_over_needed,
            "rows": len(found.event.rows),
        },
        "assumed": {
            "seed": found.seed,
            "cover": COVER,
            "probedBooks": PROBED_BOOKS,
            "gasOfFirst": found.gas.first,
            "gasOfEachMore": found.gas.marginal,
            "counterpartiesOfCall": CALL,
            "gasOfBlock": BLOCK_GAS,
        },
        "population": {
            "books": len(found.books),
            "positions": sum(len(book.users) for book in found.books),
            "heldByLargest": {str(count): part for count, part in found.held.items()},
            "leverage": found.leverage,
        },
        "queueExactly": {
            "needed": format_amount(sum(one.needed for one in found.rounds)),
            "given": format_amount(sum(one.given for one in found.rounds)),
            "givenOverNeeded": found.given_over_needed,
            "counterparties": sum(one.counterparties for one in found.rounds),
        },
        "waves": [
            {
                "wave": one.number,
                "needed": one.needed,
                "takenByVenue": one.taken_by_venue,
                "given": one.given,
                "rounds": one.rounds,
                "counterparties": one.counterparties,
                "gas": one.gas,
                "blocks": one.blocks,
            }
            for one in found.waves
        ],
        "policies": [_policy(one) for one in found.policies],
    }


def _policy(found: PolicyResult) -> dict[str, Any]:
    return {
        "policy": found.policy.value,
        "givenOverNeeded": found.given / found.needed,
        "hit": found.hit,
        "hitShare": found.hit / found.accounts,
        "hitWithoutGain": found.hit_without_gain,
        "haircut": {str(level): found.haircut_at(level) for level in LEVELS},
        "largestPartOfEquity": float(found.equity_lost[-1]),
        "givenByTop": {str(count): part for count, part in found.top.items()},
        "leverageOfClosed": found.leverage,
        "gas": found.gas,
        "blocks": found.blocks,
        "equalSplit": _tried(found.equal_split),
        "thinSplit": _tried(found.thin_split),
        "dodge": _tried(found.dodge),
    }


def _tried(found: Tried) -> dict[str, Any]:
    return {
        "tries": found.tries,
        "successes": found.successes,
        "medianSaved": found.median_saved,
        "mostSaved": found.most_saved,
        "timesCost": found.times_cost,
    }
