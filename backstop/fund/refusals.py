"""What the fund and the shares of its pools refuse, as a sentence with the way out; the error stands behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from backstop.chain.fund_view import FundView
from backstop.errors import RevertError, TransactionError
from backstop.fund.units import Units, show_time
from backstop.math.wad import format_amount

_CALL = re.compile(r"(\w+)\(([^()]*)\)")
_UNEXPLAINED = re.compile(r"refused by the contracts: (\w+\([^()]*\))")

# `{n:kind}` is the n-th value of the error as that kind; without one as it is.
SENTENCES = {
    "AssetsZero": "the amount is zero",
    "CapExceeded": 'pool "{0:pool}" has room for {2:tokens} under its cap, and {1:tokens} are given: stake less',
    "ContributionShort": "the token brought less than was sent: tokens with a fee on transfer cannot be collateral",
    "ExitOfOther": (
        "only its owner claims an exit that is worth nothing, or while the fund has an open deficit (now {1:quote})"
    ),
    "ExitUnripe": "the exit can be paid from {1:time} on: wait until then",
    "ExitWaits": (
        "after it {1:market} would have lost {2:quote} within 8 hours, more than 1 % of the {3:quote} that would be "
        "left to measure it by: wait until that loss has passed; a ripe exit waits 7 days at most"
    ),
    "ExitWithoutPrice": (
        'the feed of {1:market} is dead, and the value of pool "{0:pool}" rests on it: wait until it answers; a ripe '
        "exit waits 7 days at most"
    ),
    "MarketOfOtherPool": 'pool "{1:pool}" does not stand behind {0:market}: name a market of it, or none',
    "PoolDepleted": 'pool "{0:pool}" is depleted: wait until it is above zero; a ripe exit waits 7 days at most',
    "RedistributionNotDue": "the mutual group is not depleted, or has nothing to give",
    "RedistributionWithoutPrice": (
        'the feed of {1:market} is dead, and the balance of pool "{0:pool}" rests on it: wait until it answers'
    ),
    "RepaymentTooLarge": 'pool "{0:pool}" has an open deficit of {2:quote}, less than {1:quote}: repay less',
    "RequestExceeded": "the exit is of {2:shares} shares, less than {1:shares}",
    "RequestMissing": "no exit is asked for: ask for one with --shares, --value or --all",
    "RequestOpen": "an exit of {1:shares} shares is asked for already: claim it (--claim), or call it off (--cancel)",
    "SharesNotWorthless": 'the shares of pool "{0:pool}" are not worthless, or there are none: new ones are not needed',
    "SharesWorthless": (
        'pool "{0:pool}" was wiped out, and its shares with it: it takes stakes again once the owner of the fund has '
        "issued new ones"
    ),
    "SharesZero": "that is not worth the smallest part of a share: give more",
    "StakeWhileADLDue": (
        'ADL is due in {1:market}, and pool "{0:pool}" takes no stakes meanwhile: wait until it has ended, or '
        "contribute"
    ),
    "StakeWhilePaused": "new stakes are paused until {1:time}: wait until then, or contribute",
    "StakeWithoutPrice": (
        'the feed of {1:market} is dead, and the value of pool "{0:pool}" rests on it: wait until it answers'
    ),
}


class _Value(str):
    """A value of an error, written as the kind that the sentence asks for."""

    __slots__ = ("_words",)
    _words: Words

    @classmethod
    def of(cls, text: str, words: Words) -> _Value:
        value = cls(text)
        value._words = words
        return value

    def __format__(self, kind: str) -> str:
        return self._words.say(kind, str(self))


class Words:
    """Puts refusals into words, with the names of pools and markets and the decimals of the token."""

    def __init__(self, fund: FundView, units: Units) -> None:
        self._fund = fund
        self._units = units

    def say(self, kind: str, value: str) -> str:
        """A value of an error as a kind."""
        match kind:
            case "pool":
                return next((pool.name for pool in self._fund.pools if str(pool.id) == value), value)
            case "market":
                return self._fund.market(int(value))
            case "quote":
                return format_amount(int(value))
            case "tokens":
                return f"{self._units.tokens(int(value))} {self._units.token.symbol}"
            case "shares":
                return self._units.shares(int(value))
            case "time":
                return show_time(int(value))
        return value

    def explain(self, error: str) -> str:
        """An error as `describe_revert` writes it, with a sentence before it where there is one."""
        found = _CALL.fullmatch(error)
        sentence = SENTENCES.get(found[1]) if found else None
        if found is None or sentence is None:
            return f"refused by the contracts: {error}"
        values = (_Value.of(text, self) for text in found[2].split(", "))
        return f"{sentence.format(*values)} [{error}]"

    @contextmanager
    def explaining(self) -> Iterator[None]:
        """What the contracts refuse inside, and what has no sentence yet, is told in words."""
        try:
            yield
        except (RevertError, TransactionError) as fault:
            text = _UNEXPLAINED.sub(lambda found: self.explain(found[1]), str(fault))
            raise type(fault)(text) from None
