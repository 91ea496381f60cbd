"""Draws: their law, and that they can be drawn again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backstop.stress.book import Array
from backstop.stress.scenario import (
    LARGEST_LOG_RETURN,
    YEAR_SECONDS,
    Distribution,
    Drawn,
    Given,
    correlation_matrix,
    least_correlation,
)

MARKS = np.array([2500.0, 60_000.0, 0.2])
DAY = 86_400
NORMAL = Drawn(
    draws=200_000,
    seed=11,
    distribution=Distribution.NORMAL,
    degrees_of_freedom=3.0,
    volatility=np.array([0.8, 0.6, 1.5]),
    correlation=0.6,
    horizon=DAY,
)
STUDENT = replace(NORMAL, distribution=Distribution.STUDENT_T, degrees_of_freedom=5.0)
DEVIATIONS = NORMAL.volatility * np.sqrt(DAY / YEAR_SECONDS)


def returns(scenario: Drawn, batch: int = 50_000) -> Array:
    """Log-returns over their standard deviation."""
    marks = np.concatenate(list(scenario.marks(MARKS, batch)), axis=1)
    assert marks.shape == (len(MARKS), scenario.draws)
    return np.log(marks / MARKS[:, np.newaxis]) / DEVIATIONS[:, np.newaxis]


@pytest.mark.parametrize("scenario", [NORMAL, STUDENT], ids=["normal", "student-t"])
def test_mean_deviation_and_correlation_are_those_asked_for(scenario: Drawn) -> None:
    # Standard errors with 200,000 draws: mean 0.0022; deviation 0.0016, of the t (kurtosis 9) 0.0045.
    x = returns(scenario)
    assert np.abs(x.mean(axis=1)).max() < 0.01
    assert np.abs(x.std(axis=1) - 1).max() < 0.02
    assert np.abs(np.corrcoef(x) - correlation_matrix(3, 0.6)).max() < 0.02
    assert np.abs(np.median(x, axis=1)).max() < 0.01


def test_tails_of_student_t_are_fat_and_joint() -> None:
    normal, student = returns(NORMAL), returns(STUDENT)
    far = 4.0
    # Beyond 4 deviations: 6 in 100,000 of a normal; of a t with 5 degrees, scaled by sqrt(3/5), 0.35 %.
    assert (np.abs(normal) > far).mean() == pytest.approx(6.3e-5, rel=0.3)
    assert (np.abs(student) > far).mean() == pytest.approx(3.55e-3, rel=0.1)
    # One mixing variable: even uncorrelated markets are far out together, a hundred times more often than by chance.
    x = np.abs(returns(replace(STUDENT, correlation=0.0))) > far
    together, chance = (x[0] & x[1]).mean(), x[0].mean() * x[1].mean()
    assert together > 10 * chance


def test_kurtosis_tells_the_degrees_of_freedom() -> None:
    # 3 + 6/(nu - 4); 20 degrees: 3.375. A normal's is 3.
    x = returns(replace(NORMAL, distribution=Distribution.STUDENT_T, degrees_of_freedom=20.0))
    assert (x**4).mean() == pytest.approx(3.375, abs=0.06)
    assert (returns(NORMAL) ** 4).mean() == pytest.approx(3.0, abs=0.06)


def test_volatility_goes_with_the_root_of_the_horizon() -> None:
    hour = replace(NORMAL, horizon=3600)
    assert returns(hour).std(axis=1) == pytest.approx(np.full(3, 24**-0.5), rel=0.02)


@pytest.mark.parametrize("scenario", [NORMAL, STUDENT], ids=["normal", "student-t"])
@pytest.mark.parametrize("batch", [1, 7, 999, 1000, 5000])
def test_batches_change_no_bit(scenario: Drawn, batch: int) -> None:
    few = replace(scenario, draws=1000)
    whole = np.concatenate(list(few.marks(MARKS, 1000)), axis=1)
    parts = np.concatenate(list(few.marks(MARKS, batch)), axis=1)
    assert np.array_equal(whole, parts)


def test_a_seed_draws_the_same_and_another_does_not() -> None:
    [first], [again] = (list(replace(STUDENT, draws=50).marks(MARKS, 50)) for _ in range(2))
    [other] = list(replace(STUDENT, draws=50, seed=12).marks(MARKS, 50))
    assert np.array_equal(first, again)
    assert not np.isclose(first, other).any()


def test_marks_stay_positive_and_finite_at_any_volatility() -> None:
    wild = replace(STUDENT, draws=20_000, degrees_of_freedom=2.1, volatility=np.full(3, 10.0), horizon=YEAR_SECONDS)
    [marks] = wild.marks(MARKS, 20_000)
    moved = np.abs(np.log(marks / MARKS[:, np.newaxis]))
    assert (marks > 0).all()
    assert moved.max() == pytest.approx(LARGEST_LOG_RETURN)


@pytest.mark.parametrize("markets", [2, 3, 4, 16])
def test_least_correlation_is_where_the_matrix_stops_to_be_positive_definite(markets: int) -> None:
    least = least_correlation(markets)
    np.linalg.cholesky(correlation_matrix(markets, least + 1e-9))
    np.linalg.cholesky(correlation_matrix(markets, 1 - 1e-9))
    for impossible in (least - 1e-9, 1.0):
        with pytest.raises(np.linalg.LinAlgError):
            np.linalg.cholesky(correlation_matrix(markets, impossible))


def test_negative_correlation_is_drawn_too() -> None:
    x = returns(replace(NORMAL, correlation=-0.45))
    assert np.abs(np.corrcoef(x) - correlation_matrix(3, -0.45)).max() < 0.02


def test_given_shocks_are_changes_of_the_mark() -> None:
    [marks] = Given(np.array([-0.2, 0.05, 0.0])).marks(MARKS, 100)
    assert marks[:, 0].tolist() == pytest.approx([2000.0, 63_000.0, 0.2])
