"""Fits the equations that fields on grids obey."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_lconv.discovery.equations.equation import Equations, NamedFunction
from keras_lconv.discovery.equations.jets import JetSpace
from keras_lconv.discovery.equations.library import LibraryFunction
from keras_lconv.discovery.equations.names import MOST_ORDER, columns_of, jet_space
from keras_lconv.discovery.equations.regression import (
    LEAST_GAIN,
    NEAR_BEST,
    SMALL_ERROR,
    FittedEquation,
    candidates,
    fit_equation,
)
from keras_lconv.discovery.equations.rivals import with_rivals
from keras_lconv.discovery.equations.samples import Grid

# If the residual of an order is above this, derivatives by time of the next order are
# tried.
LARGE_ERROR, MOST_TIME_ORDER = 0.05, 2
# The largest number of terms that are tried, and of jets for rivals of an equation.
MOST_TERMS_TRIED, MOST_JETS_OF_RIVALS = 400, 4000


def fit_system(
    grid: Grid, order: int | None, functions: tuple[LibraryFunction, ...] = ()
) -> tuple[FittedEquation, ...]:
    """An equation for each field, solved for its first or second derivative by time.

    The order of the derivative and of the equation are the lowest ones whose error is near
    the least.

    Args:
        grid: The fields; time is the first of the axes.
        order: The highest order, if it is known.
        functions: Functions that terms may contain.
    """
    orders = range(1, MOST_ORDER + 1) if order is None else [order]
    space, jets = grid.jets(max(orders))
    for function in functions:
        if not np.all(np.isfinite(function(space.points(jets)))):
            raise ValueError(
                "`library` must hold functions with values at all points of the data. "
                f"Received: {function.label!r}, which has none at some points"
            )
    found: tuple[FittedEquation, ...] = ()
    least, lowest = np.inf, 1
    for time_order in range(1, MOST_TIME_ORDER + 1):
        tried: dict[int, tuple[FittedEquation, ...]] = {}
        for each in orders:
            if each < time_order:
                continue
            fitted = _fitted(space, jets, functions, time_order, each)
            if fitted is None:
                break
            tried[each] = fitted
            if error_of(fitted) < SMALL_ERROR:
                break
        best = min(map(error_of, tried.values()), default=np.inf)
        # Similar motions also obey equations of a lower order, but not as well.
        if best < least / NEAR_BEST:
            most = best * (NEAR_BEST if best < SMALL_ERROR else LEAST_GAIN)
            lowest = next(n for n, each in tried.items() if error_of(each) <= most)
            found, least = tried[lowest], best
        if least <= LARGE_ERROR:
            break
    higher = [each for each in orders if each >= lowest]
    return _with_rivals(found, grid, (space, jets), higher, functions)


def error_of(system: Sequence[FittedEquation]) -> float:
    """The largest error among equations."""
    return max(each.fit_error for each in system)


def _fitted(
    space: JetSpace,
    jets: np.ndarray,
    functions: tuple[LibraryFunction, ...],
    time_order: int,
    order: int,
) -> tuple[FittedEquation, ...] | None:
    """Equations of an order, unless they have too many terms."""
    tried = candidates(space, jets, functions, time_order, order)
    if len(tried.powers) > MOST_TERMS_TRIED:
        return None
    lefts = _left_sides(space, time_order)
    return tuple(fit_equation(tried, left) for left in lefts)


def _left_sides(space: JetSpace, time_order: int) -> list[int]:
    """The derivative by time of each field, as numbers of coordinates of jets."""
    names = [f"{name}_{space.independent[0] * time_order}" for name in space.dependent]
    return columns_of(names, space)


def _with_rivals(
    system: tuple[FittedEquation, ...],
    grid: Grid,
    known: tuple[JetSpace, np.ndarray],
    orders: Sequence[int],
    functions: tuple[LibraryFunction, ...],
) -> tuple[FittedEquation, ...]:
    """Equations with their rivals, among the terms of the highest order that has
    few terms.
    """
    space, jets = known
    every = -(-len(jets) // MOST_JETS_OF_RIVALS)
    lefts = columns_of([each.left for each in system], space)
    time_order = int(space.orders[lefts[0]])
    for order in sorted(orders, reverse=True):
        tried = candidates(space, jets[::every], functions, time_order, order)
        if len(tried.powers) <= MOST_TERMS_TRIED:
            break
    _, finer = grid.jets(space.order, is_finer=True)
    others = candidates(space, finer[::every], functions, time_order, order).values
    return tuple(
        with_rivals(equation, tried, others, left)
        for equation, left in zip(system, lefts, strict=True)
    )


def equations_of(
    system: Sequence[FittedEquation],
    grid: Grid,
    functions: tuple[LibraryFunction, ...] = (),
    part: int | None = None,
) -> Equations:
    """The fitted equations as `Delta = 0`, or those that fit without a part of the data."""
    found = [
        _function(
            each,
            each.coefficients if part is None else each.coefficients_of_parts[part],
            functions,
        )
        for each in system
    ]
    names = [name for function in found for name in function.names]
    return Equations(found, jet_space(names, grid.independent, grid.dependent))


def _function(
    equation: FittedEquation,
    coefficients: np.ndarray,
    functions: tuple[LibraryFunction, ...],
) -> NamedFunction:
    factors = {name for factors in equation.factors for name in factors}
    used = [each for each in functions if each.label in factors]
    plain = factors - {each.label for each in used}
    taken = [name for each in used for name in each.names]
    names = list(dict.fromkeys([equation.left, *sorted(plain), *taken]))

    def call(*values: Any) -> Any:
        known = dict(zip(names, values, strict=True))
        known |= {f.label: f.call(*(known[name] for name in f.names)) for f in used}
        result = known[equation.left]
        for coefficient, factors in zip(coefficients, equation.factors, strict=True):
            result = result - math.prod([known[n] for n in factors], start=coefficient)
        return result

    return NamedFunction(tuple(names), call)
