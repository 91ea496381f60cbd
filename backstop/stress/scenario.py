"""Where marks go: one given shock, or draws from a joint distribution of log-returns.

    mark' = mark * exp(r),   r = volatility * sqrt(horizon / year) * x

`x` has mean 0, variance 1 in each market, and one correlation between any two. It is normal, or a multivariate Student
t with one mixing variable for all markets, scaled by `sqrt((nu - 2) / nu)` to variance 1: markets crash together. There
is no drift: the median of every mark is today's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from backstop.stress.book import Array

YEAR_SECONDS = 365 * 86_400
# A mark moves by at most a factor of a million, so that no product of a draw leaves what a float holds well.
LARGEST_LOG_RETURN = float(np.log(1e6))


class Distribution(StrEnum):
    """The distribution of log-returns; its text is what the command line and results say."""

    NORMAL = "normal"
    STUDENT_T = "student-t"


@dataclass(frozen=True, slots=True)
class Given:
    """One scenario that is no draw: `shocks` are relative changes of the marks, above -1, by market."""

    shocks: Array

    @property
    def draws(self) -> int:
        """It is one."""
        return 1

    def marks(self, mark: Array, batch: int) -> Iterator[Array]:
        """The marks as (market, 1)."""
        del batch
        yield (mark * (1 + self.shocks))[:, np.newaxis]


@dataclass(frozen=True, slots=True)
class Drawn:
    """`draws` draws. `volatility` is annualised, by market; `horizon` in seconds; `correlation` of any two markets.

    `degrees_of_freedom`, above 2, is looked at for Student's t only.
    """

    draws: int
    seed: int
    distribution: Distribution
    degrees_of_freedom: float
    volatility: Array
    correlation: float
    horizon: int

    def marks(self, mark: Array, batch: int) -> Iterator[Array]:
        """The marks as (market, draw), `batch` draws at a time; what is drawn does not depend on `batch`.

        Normals come from PCG64(seed) draw by draw in market order, mixing variables from the same generator jumped
        ahead, so that neither stream depends on where a batch of the other ends.
        """
        normals = np.random.Generator(np.random.PCG64(self.seed))
        mixing = np.random.Generator(np.random.PCG64(self.seed).jumped())
        factor = np.linalg.cholesky(correlation_matrix(len(mark), self.correlation))
        scale = self.volatility * np.sqrt(self.horizon / YEAR_SECONDS)
        for start in range(0, self.draws, batch):
            count = min(batch, self.draws - start)
            x = _correlated(factor, np.ascontiguousarray(normals.standard_normal((count, len(mark))).T))
            if self.distribution is Distribution.STUDENT_T:
                nu = self.degrees_of_freedom
                chi_squared = 2 * mixing.standard_gamma(nu / 2, count)
                x *= np.sqrt((nu - 2) / np.maximum(chi_squared, np.finfo(np.float64).tiny))
            x *= scale[:, np.newaxis]
            yield mark[:, np.newaxis] * np.exp(np.clip(x, -LARGEST_LOG_RETURN, LARGEST_LOG_RETURN))


Scenario = Given | Drawn


def correlation_matrix(markets: int, correlation: float) -> Array:
    """1 on the diagonal, `correlation` everywhere else."""
    matrix = np.full((markets, markets), correlation)
    np.fill_diagonal(matrix, 1.0)
    return matrix


def least_correlation(markets: int) -> float:
    """The matrix is positive definite for a correlation strictly between this and 1: `-1 / (markets - 1)`."""
    return -1.0 if markets < 3 else -1 / (markets - 1)


def _correlated(factor: Array, independent: Array) -> Array:
    """`factor @ independent`, entry by entry: a product by BLAS rounds differently for batches of other sizes."""
    result = np.zeros_like(independent)
    for row in range(len(factor)):
        for column in range(row + 1):
            result[row] += factor[row, column] * independent[column]
    return result
