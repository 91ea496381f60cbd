"""128-bit integers in columns, held against Python's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from backstop.ranking import wide
from backstop.ranking.wide import Wide

SIGNED = st.one_of(*(st.integers(-(2**bits), 2**bits - 1) for bits in (3, 64, 65, 127)))
FACTOR = st.one_of(*(st.integers(0, 2**bits) for bits in (3, 53, 64, 90)))
DIVISOR = st.one_of(*(st.integers(2**16, 2**bits) for bits in (17, 53, 64, 65, 118)))


def column(*values: int) -> Wide:
    return wide.of_ints(values)


def modulo(value: int) -> int:
    """Of 128 bits, read as signed."""
    return (value + 2**127) % 2**128 - 2**127


@given(st.lists(SIGNED))
def test_integers_come_back(values: list[int]) -> None:
    assert column(*values).to_ints() == values


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(OverflowError):
        column(2**127)


@given(SIGNED, SIGNED)
def test_sums_and_products(a: int, b: int) -> None:
    operations: list[tuple[Callable[[Wide, Wide], Wide], int]] = [
        (wide.add, a + b),
        (wide.subtract, a - b),
        (wide.multiply, a * b),
    ]
    for operation, result in operations:
        assert operation(column(a), column(b)).to_ints() == [modulo(result)]
    assert wide.negative(column(a)).to_ints() == [modulo(-a)]
    assert wide.magnitude(column(a)).to_ints() == [modulo(abs(a))]
    assert (column(a).is_negative.item(), column(a).is_positive.item()) == (a < 0, a > 0)


@given(SIGNED)
def test_doubles_are_near(a: int) -> None:
    assert abs(int(column(a).to_floats().item()) - a) <= abs(a) * 2**-51


@given(FACTOR, FACTOR, DIVISOR)
@example(2**90, 2**79, 2**75)
@example(10**18, 10**18, 10**18)
@example(0, 7, 2**16)
def test_quotients(a: int, b: int, divisor: int) -> None:
    found = wide.quotient(column(a), column(b), column(divisor))
    if found.sure.item():
        assert found.floor.to_ints() == [a * b // divisor]
        assert found.ceiling.to_ints() == [-(-a * b // divisor)]
    # What the contracts count with is well within what is sure.
    assert found.sure.item() or a * b >= 2**169 or a * b // divisor >= 2**93


@given(st.integers(1, 2**88), st.integers(0, 2**92), st.integers(1, 2**70))
def test_quotients_that_are_exact_or_next_to_it(divisor: int, result: int, factor: int) -> None:
    divisor = max(divisor, 2**16)
    for off in (-1, 0, 1):
        product = max(0, divisor * result + off)
        found = wide.quotient(column(product % 2**127), column(1), column(divisor))
        if found.sure.item():
            assert found.floor.to_ints() == [product % 2**127 // divisor]


@pytest.mark.parametrize("divisor", [0, -5, 2**16 - 1, 2**121])
def test_divisors_that_are_none_are_not_sure(divisor: int) -> None:
    with np.errstate(all="ignore"):
        assert not wide.quotient(column(1), column(10**18), column(divisor)).sure.item()


@given(st.integers(0, 2**92), st.integers(1, 2**140), st.integers(1, 2**140))
@example(80 * 10**18, 80 * 10**18 * 5 * 10**16, 10**36)
@example(2**92, 1, 1)
@example(3, 1, 3)
def test_fractions(a: int, numerator: int, denominator: int) -> None:
    found = wide.times_fraction(column(a), numerator, denominator)
    if found.sure.item():
        assert found.floor.to_ints() == [a * numerator // denominator]
        assert found.ceiling.to_ints() == [-(-a * numerator // denominator)]


@given(st.integers(0, 2**92), st.integers(1, 10**29), st.integers(1, 10**18))
def test_requirements_are_sure(contracts: int, mark: int, fraction: int) -> None:
    found = wide.times_fraction(column(contracts), mark * fraction, 10**36)
    required = -(-contracts * mark * fraction // 10**36)
    assert found.sure.item() or required >= 2**93
    assert not found.sure.item() or found.ceiling.to_ints() == [required]


@given(st.lists(st.integers(0, 2**112), max_size=50))
def test_running_sums(values: list[int]) -> None:
    assert wide.running_sum(column(*values)).to_ints() == [sum(values[: i + 1]) for i in range(len(values))]


@given(st.lists(SIGNED, min_size=1), st.data())
def test_rows_are_taken(values: list[int], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, len(values) - 1)))
    assert column(*values).take(np.array(rows, np.int64)).to_ints() == [values[row] for row in rows]
