"""Quantities with as few terms as the data need, each with an error bar."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
from scipy.stats import t

# A function from combinations `(K, p)` of candidates to the squares of the equations and of
# random ones, for each group of samples: two arrays `(groups, K, K)`.
Parts: TypeAlias = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

# A term is needed if the fit without it is worse than rounding, and worse than chance makes
# it, with this probability, for any one of the terms.
CHANCE, ROUNDING = 0.01, 1e-8
# Coefficients up to this, where the largest is 1, are rounding.
SMALLEST = 1e-6
# Several terms are left out at once if each is within this many error bars.
MOST_ONE_BY_ONE, CLEAR = 80, 3.0
# The number of steps towards the best coefficients, and the threshold for directions there.
STEPS, CUTOFF = 3, 1e-12


class Sparse(NamedTuple):
    """A quantity with few terms.

    Args:
        coefficients: The coefficients of all terms, `(K,)`, with the largest 1.
        errors: Their error bars, `(K,)`.
    """

    coefficients: np.ndarray
    errors: np.ndarray


def sparse_terms(coefficients: np.ndarray, terms: np.ndarray, parts: Parts) -> Sparse:
    """The fewest terms that meet the equations equally well.

    Terms are left out one after the other, the smallest first, while the fit to the
    equations of all groups is not worse than chance makes it.

    Args:
        coefficients: A solution in the terms, `(K,)`. Zeros stay zero, because they
            distinguish it from other solutions.
        terms: The terms as combinations of candidates, `(K, p)`.
        parts: Tells how well mixtures meet the equations.
    """
    largest = np.max(np.abs(coefficients))
    kept = np.flatnonzero(np.abs(coefficients) > SMALLEST * largest)
    squares, expected = parts(terms[kept])
    system = _System(squares, expected)
    start = system.solved(np.arange(len(kept)), coefficients[kept])
    if len(kept) > MOST_ONE_BY_ONE:
        bars = system.errors(np.arange(len(kept)), start)
        inside = np.flatnonzero(np.abs(start) > CLEAR * bars)
        if len(inside) and system.is_as_good(inside, start[inside], start):
            start = system.padded(inside, system.solved(inside, start[inside]))
    needed: set[int] = set()
    current = start
    while True:
        inside = np.flatnonzero(current)
        others = [n for n in inside.tolist() if n not in needed]
        if not others or len(inside) == 1:
            break
        term = min(others, key=lambda n: abs(current[n]))
        without = inside[inside != term]
        found = system.solved(without, current[without])
        if system.is_as_good(without, found, start):
            current = system.padded(without, found)
        else:
            needed.add(term)
    inside = np.flatnonzero(current)
    errors = system.padded(inside, system.errors(inside, current[inside]))
    result = np.zeros((2, len(coefficients)))
    result[:, kept] = np.array([current, errors]) / np.max(np.abs(current))
    return Sparse(*result)


class _System:
    """Equations for the coefficients of terms.

    Args:
        squares: Squares of the equations of each group, `(groups, K, K)`.
        expected: Squares of random equations.
    """

    def __init__(self, squares: np.ndarray, expected: np.ndarray):
        filled = np.trace(expected, axis1=1, axis2=2) > 0
        self._squares, self._expected = squares[filled], expected[filled]
        # For none of the terms this many standard errors are due to chance.
        spare = max(len(self._squares) - 1, 1)
        self._clear = float(t.isf(CHANCE / squares.shape[1], spare))

    def solved(
        self, inside: np.ndarray, start: np.ndarray, left_out: int | None = None
    ) -> np.ndarray:
        """The solution nearest to a start, `(k,)`, in some terms, with the same size."""
        groups = np.arange(len(self._squares))
        cut = np.ix_(groups[groups != left_out], inside, inside)
        squares, expected = (
            each[cut].sum(axis=0) for each in (self._squares, self._expected)
        )
        scale = 1 / np.sqrt(np.maximum(np.diag(expected), np.finfo("float64").tiny))
        squares, expected = (each * np.outer(scale, scale) for each in (squares, expected))
        lift = CUTOFF * np.trace(expected) * np.eye(len(inside))
        inverse = np.linalg.pinv(squares + lift, rcond=CUTOFF, hermitian=True)
        found = start / scale
        for _ in range(STEPS):
            found = inverse @ (expected @ found)
            found = found / np.linalg.norm(found)
        found = found * scale
        return found * (start @ found) / (found @ found)

    def errors(self, inside: np.ndarray, found: np.ndarray) -> np.ndarray:
        """Error bars of coefficients, from the solutions without each group."""
        number = len(self._squares)
        others = np.array([self.solved(inside, found, group) for group in range(number)])
        return np.sqrt((number - 1) * np.mean((others - found) ** 2, axis=0))

    def is_as_good(self, inside: np.ndarray, found: np.ndarray, start: np.ndarray) -> bool:
        """Whether some terms meet the equations as well as all do, up to chance."""
        more, less = self._values(self.padded(inside, found)), self._values(start)
        growth = more - less
        # Groups are compared one by one, because equations may be larger in one than in all
        # others.
        relative = growth / (np.abs(more) + np.abs(less) + ROUNDING**2)
        doubt = self._clear * float(np.std(relative, ddof=1)) / np.sqrt(len(growth))
        return bool(np.mean(growth) <= ROUNDING**2 or np.mean(relative) <= doubt)

    def padded(self, inside: np.ndarray, found: np.ndarray) -> np.ndarray:
        """Coefficients of some terms as those of all."""
        result = np.zeros(self._squares.shape[1])
        result[inside] = found
        return result

    def _values(self, coefficients: np.ndarray) -> np.ndarray:
        """The squares of each group in units of random equations, `(groups,)`."""
        squares, expected = (
            np.einsum("a,gab,b->g", coefficients, each, coefficients)
            for each in (self._squares, self._expected)
        )
        return squares / np.mean(expected)
