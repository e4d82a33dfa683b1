"""Monomials of several variables: their values, derivatives and products."""

from collections.abc import Sequence

import numpy as np

from keras_lconv._memory import require_memory
from keras_lconv.algebra.powers import exponents


def exponents_up_to(size: int, degree: int) -> np.ndarray:
    """The exponents of all monomials up to a degree, `(K, n)`, by growing degree."""
    return np.concatenate([exponents(size, each) for each in range(degree + 1)])


def monomials(
    powers: np.ndarray, x: np.ndarray, orders: Sequence[int] | None = None
) -> np.ndarray:
    """Values of monomials, or of a derivative of them.

    Args:
        powers: Their exponents, `(K, n)`.
        x: Points `(..., n)`.
        orders: How often they are differentiated in each variable, `(n,)`.

    Returns:
        Array `(..., K)`.
    """
    require_memory(
        f"{len(powers)} monomials at {x[..., 0].size} points",
        4 * len(powers) * x[..., 0].size,
        "A lower degree or fewer points need less",
    )
    values = np.ones((*x.shape[:-1], len(powers)))
    for axis, order in enumerate(orders if orders is not None else [0] * powers.shape[1]):
        power = powers[:, axis]
        for _ in range(order):
            values *= power
            power = np.maximum(power - 1, 0)
        table = x[..., axis, None] ** np.arange(np.max(power, initial=0) + 1)
        values *= table[..., power]
    return values


def united(*powers: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """All different exponents, by growing degree, and where each of the given ones is."""
    rows = np.concatenate(powers)
    # Of one degree those of the first variable come first, as in `exponents`.
    keys = np.column_stack([rows.sum(axis=1), -rows])
    unique, places = np.unique(keys, axis=0, return_inverse=True)
    ends = np.cumsum([len(each) for each in powers])[:-1]
    return -unique[:, 1:], np.split(places.ravel(), ends)


def substituted(powers: np.ndarray, matrix: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Monomials of `u = A x + b` as polynomials of `x`.

    Args:
        powers: Exponents `(K, r)`.
        matrix: `A`, `(r, n)`.
        offset: `b`, `(r,)`.

    Returns:
        Coefficients `(K, N)` of the monomials `exponents_up_to(n, q)`, where `q` is the
        largest degree.
    """
    size, degree = matrix.shape[1], int(np.max(powers.sum(axis=1), initial=0))
    target = exponents_up_to(size, degree)
    index = {tuple(row): number for number, row in enumerate(target.tolist())}
    low = np.flatnonzero(target.sum(axis=1) < degree)
    above = [
        [index[tuple(row)] for row in (target[low] + unit).tolist()]
        for unit in np.eye(size, dtype=int)
    ]
    known = {(0,) * len(matrix): np.eye(1, len(target))[0]}

    def expanded(power: tuple[int, ...]) -> np.ndarray:
        if power not in known:
            axis = next(a for a, exponent in enumerate(power) if exponent)
            below = expanded((*power[:axis], power[axis] - 1, *power[axis + 1 :]))
            product = offset[axis] * below
            for weight, places in zip(matrix[axis], above, strict=True):
                product[places] += weight * below[low]
            known[power] = product
        return known[power]

    return np.array([expanded(tuple(row)) for row in powers.tolist()])


def monomial_text(power: Sequence[int], names: Sequence[str]) -> str:
    """A monomial in symbols, as `"x^2 y"`, empty where it is 1."""
    return " ".join(
        name if exponent == 1 else f"{name}^{exponent}"
        for name, exponent in zip(names, power, strict=True)
        if exponent
    )
