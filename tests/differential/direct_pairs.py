"""What the libraries that move words of memory and storage are asked, and those of mutual groups; and what is right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from backstop.chain.bindings import Function
from backstop.math import fund, staking
from backstop.math.deficit import share_out

from . import extremes
from .harness import Harness

_EXPOSURES = "(int256,int256,int256,uint256)[]"
_FILLS = "(bytes32,int256,int256)[]"
_POSITION = "(int112,int112,uint32,int112,int104,uint40)"
_STORED = f"({_POSITION},{_POSITION},int256[3],{_POSITION})[]"
_MARK = int.from_bytes(keccak(text="mark"), "big")
_STORED_AT_ONCE = 50  # by one transaction

EXPOSURES = Function(f"exposures({_EXPOSURES})", _EXPOSURES)
FILLS = Function(f"fills(uint256,uint256,{_FILLS})", "bytes,uint256,bytes32,uint256")
TAKE = Function(f"take(uint256[],{_FILLS})")
STORE = Function(f"store({_POSITION}[])", _STORED)

Group = list[int]


# ------------------------------------------------------------------ memory


def _word(rng: Random, *, is_signed: bool) -> int:
    """Any word; often one with all its bits set, or none."""
    number = rng.choice((0, 1, 2**256 - 1, 2**255, rng.getrandbits(256), rng.getrandbits(256)))
    return number - 2**256 if is_signed and number >= 2**255 else number


def check_exposures(cases: int, raw: Callable[[bytes], bytes]) -> None:
    """An answer is to the byte what the usual coder makes of the same list. `raw` calls the harness."""
    rng = Random("exposures")
    for _ in range(cases):
        length = rng.choice((0, 1, 2, 3, rng.randrange(40)))
        given = [(*(_word(rng, is_signed=True) for _ in range(3)), _word(rng, is_signed=False)) for _ in range(length)]
        assert raw(EXPOSURES.encode(given)) == encode([_EXPOSURES], [given])


def check_fills(harness: Harness, cases: int) -> None:
    """A call with fills is to the byte what the usual coder makes of it, and takes the memory that it needs."""
    rng = Random("fills")
    for _ in range(cases):
        length = rng.choice((0, 1, 2, 3, rng.randrange(40)))
        most = length + rng.choice((0, 0, 1, 5))
        given = [
            (rng.getrandbits(256).to_bytes(32, "big"), _word(rng, is_signed=True), _word(rng, is_signed=True))
            for _ in range(length)
        ]
        before = rng.randrange(4)
        data, count, last, free = harness.call(FILLS, most, before, given)
        assert data == TAKE.encode([_MARK ^ place for place in range(before)], given)
        assert (count, free) == (length, 0)
        assert last == (given[-1][0] if given else bytes(32))


# ------------------------------------------------------------------ storage


def _position(rng: Random) -> tuple[int, ...]:
    """Any position; often one with fields at their bounds."""

    def signed(bits: int) -> int:
        most = 2 ** (bits - 1)
        return rng.choice((0, 1, -1, most - 1, -most, rng.randrange(-most, most), rng.randrange(-most, most)))

    def unsigned(bits: int) -> int:
        return rng.choice((0, 1, 2**bits - 1, rng.getrandbits(bits), rng.getrandbits(bits)))

    return signed(112), signed(112), unsigned(32), signed(112), signed(104), unsigned(40)


def check_slots(cases: int, send: Callable[[bytes], bytes]) -> None:
    """A position is read as it was written, by the library and by the compiler. `send` sends a call to the harness."""
    rng = Random("slots")
    for _ in range(0, cases, _STORED_AT_ONCE):
        given = [_position(rng) for _ in range(_STORED_AT_ONCE)]
        (found,) = STORE.decode(send(STORE.encode(given)))
        for position, (plain, loaded, peeked, copied) in zip(given, found, strict=True):
            assert plain == loaded == copied == position
            assert tuple(peeked) == (position[0], position[1], position[4])


# ------------------------------------------------------------------ mutual groups


def _group(rng: Random) -> Group:
    """Balances whose sum is in the open, or within a wei of zero."""
    kinds = (0, 0, 1, -1, extremes.signed(rng, 100), extremes.signed(rng, 100), rng.randrange(-9, 10))
    group = [rng.choice(kinds) for _ in range(rng.choice((1, 2, 3, 3, 4, 8)))]
    if rng.random() < 0.4:
        group[rng.randrange(len(group))] -= sum(group) + rng.choice((-1, 0, 1))
    return group


def _own(rng: Random, group: Group) -> int:
    return rng.choice((*group, 0, 1, -1))


def check_groups(harness: Harness, cases: int) -> None:
    """Of groups of any balances: who is depleted, who gives, and who gets what."""
    rng = Random("groups")
    for _ in range(cases):
        group = _group(rng)
        own, amount = _own(rng, group), extremes.magnitude(rng, 100)
        for function, arguments, meant in _asked(group, own, amount):
            found = harness.call(function, *arguments)
            assert found == meant, (function, arguments, found, meant)


def _asked(group: Group, own: int, amount: int) -> Iterator[tuple[Function, tuple[Any, ...], tuple[Any, ...]]]:
    gifts = share_out(amount, [max(0, -balance) for balance in group])
    yield Function("totals(int256[])", "uint256,uint256"), (group,), fund.surplus_and_deficit(group)
    yield Function("isDepleted(int256[])", "bool"), (group,), (sum(group) <= 0,)
    yield Function("giftsOf(uint256,int256[])", "uint256[]"), (amount, group), (tuple(gifts),)
    yield Function("restsAsGiver(int256,int256[])", "bool"), (own, group), (fund.rests_as_giver(own, group),)
    yield Function("burdenOf(int256,int256[])", "uint256"), (own, group), (staking.burden(own, group),)
    if sum(group) <= 0:
        after = tuple(fund.redistribute(group))
        yield Function("redistributed(int256[])", "int256[]"), (group,), (after,)
