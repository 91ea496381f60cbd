"""What the contracts refuse a trader, as a sentence with the way out; the custom error stands behind it in full."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from backstop.errors import RevertError
from backstop.fund.units import show_time
from backstop.math.wad import format_amount

_CALL = re.compile(r"(\w+)\((.*)\)")

# `{n}` is the n-th value of the error as an amount, `{n!s}` as it is.
_SENTENCES = {
    "AccountBankrupt": "the account has no equity left ({1}), and waits to be taken over",
    "AccountOfOtherMarket": "an isolated account trades its own market only: name that, or a cross account",
    "AmountZero": "the amount is zero",
    "DepositShort": "the token brought less than was sent: tokens with a fee on transfer cannot be collateral",
    "EquityNegative": "the trade would leave an equity of {1}: take a better price, or deposit first",
    "InitialMarginInsufficient": "the equity would be {1} and the initial margin {2}: deposit more, or trade less",
    "LegOfOtherPool": "the cross account holds markets of another pool: use another account (--index)",
    "LegsExceeded": "the cross account holds as many markets as it can: use another account (--index)",
    "MarginInsufficient": "without unrealized profit {1} would be left where {2} must stay: take less, or reduce first",
    "MarginRateWorse": "the trade would leave the margin rate worse than it is: deposit first, or take a better price",
    "MarketClosed": "the market was closed: its positions are settled at its final price (backstop market settle)",
    "MarketIsolatedOnly": "only isolated accounts may hold this market: leave --cross out",
    "NewRiskPaused": "new risk is paused until {1:time}: until then an order can only reduce a position",
    "NotAccountOwner": "the account belongs to somebody else than {1!s}: give its owner's key",
    "OpenInterestTooLarge": "open interest would be {1}, and may be {2}: trade less",
    "OrderCancelledAlready": "the order was cancelled: make a new one",
    "OrderEpochNotCurrent": "the order is of epoch {1!s}, which its owner cancelled; {2!s} is current: make a new one",
    "OrderExpired": "the order expired at {1!s}: make a new one",
    "OrderFilled": "all {2} contracts of the order are filled: make a new one",
    "OrderMarketMismatch": "the orders are of two markets: pair orders of one",
    "OrderNotReducing": "a reduce-only order would change a position of {1} by {2}: fill less, or sign another",
    "OrderOverfilled": "{1} contracts are asked for where {2} remain of the order: lower --contracts",
    "OrderPriceOutOfBounds": "the maker's price {0} is beyond what the exchange takes",
    "OrderSidesEqual": "both orders are on one side: pair one that buys with one that sells",
    "OrderSignatureInvalid": "the signature is not of the account's owner: sign the order again",
    "OrderWithSelf": "both orders are of one account",
    "PositionTooLarge": "the position would be worth {1}, and may be worth {2}: trade less",
    "PositionTooSmall": "a position of {1} contracts would be left, and the smallest is {2}: trade more, or close it",
    "PriceNotCrossed": "the prices do not meet: the maker's is {0}, the taker's {1}",
    "PriceOutsideBand": "the price {0} is further from the mark {1} than {2} of it: make an order nearer to it",
    "PriceStale": "the price feed has not answered in time: wait until it does",
    "RecipientInvalid": "tokens cannot go to {0!s}: give another --to",
    "SequencerDown": "the chain's sequencer is down: wait until it is back",
    "SequencerGrace": "the chain's sequencer was down a moment ago: wait a little",
    "SettlementWaits": "ADL is due in the closed market: a round comes first (backstop run, with a bond), then settle",
    "TransferToSelf": "both accounts are the same: name two",
}


class _Value(str):
    """A value of an error: formatted plainly an amount where it is a number, `:time` a time, with `!s` as it stands."""

    __slots__ = ()

    def __format__(self, kind: str) -> str:
        if kind == "time":
            return show_time(int(self))
        return format_amount(int(self)) if self.lstrip("-").isdigit() else str(self)


@dataclass(frozen=True, slots=True)
class Names:
    """What the orders and accounts of a call are called, by their ids in hex; and the call as a whole."""

    by_id: Mapping[str, str]
    whole: str = ""


NO_NAMES = Names({})


def explained(refusal: RevertError, names: Names = NO_NAMES) -> RevertError:
    """The refusal with a sentence before it, where there is one for it, and with the name of what it is about."""
    found = _CALL.fullmatch(str(refusal))
    values = found[2].split(", ") if found else []
    about = next((names.by_id[value] for value in values if value in names.by_id), names.whole)
    sentence = _SENTENCES.get(found[1]) if found else None
    if sentence is None:
        text = f"refused by the contracts: {refusal}"
    else:
        text = f"{sentence.format(*map(_Value, values))} [{refusal}]"
    return RevertError(f"{about}: {text}" if about else text)
