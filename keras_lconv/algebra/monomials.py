"""Monomials of several variables: their values, derivatives and products."""

from collections.abc import Sequence
from math import comb

import numpy as np

from keras_lconv._memory import require_memory
from keras_lconv.algebra.powers import exponents

# The number of matrices, from monomials to monomials, held at once.
COPIES = 4


def exponents_up_to(size: int, degree: int) -> np.ndarray:
    """The exponents of all monomials up to a degree, `(K, n)`, by growing degree."""
    number = comb(size + degree, degree)
    require_memory(
        f"Monomials up to degree {degree} in {size} variables",
        COPIES * number**2,
        "A lower degree or fewer variables need less",
    )
    return np.concatenate([exponents(size, each) for each in range(degree + 1)])


def monomials(
    powers: np.ndarray, x: np.ndarray, orders: Sequence[int] | None = None
) -> np.ndarray:
    """Values of monomials or of one of their derivatives.

    Args:
        powers: Their exponents, `(K, n)`.
        x: Points `(..., n)`.
        orders: The order of the derivative in each variable, `(n,)`.

    Returns:
        Array `(..., K)`.
    """
    require_memory(
        f"{len(powers)} monomials at {x[..., 0].size} points",
        4 * len(powers) * x[..., 0].size,
        "A lower degree or fewer points need less",
    )
    factors, left = np.ones(len(powers)), powers.copy()
    for axis, order in enumerate(orders or ()):
        for _ in range(order):
            factors *= left[:, axis]
            left[:, axis] = np.maximum(left[:, axis] - 1, 0)
    columns = np.ascontiguousarray(np.moveaxis(x, -1, 0))
    values = np.empty((len(powers), *x.shape[:-1]))
    for number, power in enumerate(left):
        values[number] = factors[number]
        # Products are much faster than powers.
        for factor in np.repeat(np.arange(len(power)), power):
            values[number] *= columns[factor]
    return np.moveaxis(values, 0, -1)


def united(*powers: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """All different exponents by growing degree, and the place of each given one."""
    rows = np.concatenate(powers)
    # Within a degree the powers of the first variable come first, as in `exponents`.
    keys = np.column_stack([rows.sum(axis=1), -rows])
    unique, places = np.unique(keys, axis=0, return_inverse=True)
    ends = np.cumsum([len(each) for each in powers])[:-1]
    return -unique[:, 1:], np.split(places.ravel(), ends)


def times(powers: np.ndarray, coefficients: np.ndarray, axis: int) -> np.ndarray:
    """Polynomials `(..., K)`, times the variable of an axis.

    Args:
        powers: Exponents of all monomials up to a degree, `(K, n)`.
        coefficients: Coefficients of polynomials of a lower degree.
        axis: The number of the variable.
    """
    index = {tuple(row): number for number, row in enumerate(powers.tolist())}
    low = np.flatnonzero(powers.sum(axis=1) < np.max(powers.sum(axis=1)))
    raised = powers[low] + np.eye(powers.shape[1], dtype=int)[axis]
    product = np.zeros_like(coefficients)
    product[..., [index[tuple(row)] for row in raised.tolist()]] = coefficients[..., low]
    return product


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
    known = {(0,) * len(matrix): np.eye(1, len(target))[0]}

    def expanded(power: tuple[int, ...]) -> np.ndarray:
        if power not in known:
            axis = next(a for a, exponent in enumerate(power) if exponent)
            below = expanded((*power[:axis], power[axis] - 1, *power[axis + 1 :]))
            raised = [
                weight * times(target, below, a) for a, weight in enumerate(matrix[axis])
            ]
            known[power] = offset[axis] * below + np.sum(raised, axis=0)
        return known[power]

    return np.array([expanded(tuple(row)) for row in powers.tolist()])


def along(
    powers: np.ndarray, v: np.ndarray, other_powers: np.ndarray, w: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives of fields along others, `sum_b v_i^b d_b w_j`.

    Args:
        powers: Exponents `(K, n)`.
        v: Coefficients `(k, n, K)` of fields.
        other_powers: Exponents `(L, n)`.
        w: Coefficients `(l, n, L)` of other fields.

    Returns:
        Exponents `(M, n)`, and coefficients `(k l, n, M)`, one row `i` after the other.
    """
    from scipy.sparse import csr_array

    k, number, n = len(v), len(w), powers.shape[1]
    lowered = np.eye(n, dtype=int)[:, None, None]
    products = powers[:, None] + other_powers - lowered
    factors = np.broadcast_to(other_powers.T[:, None], products.shape[:3])
    kept = factors > 0
    target, (places,) = united(products[kept])
    result = np.zeros((k * number * n, len(target)))
    start = 0
    for b in range(n):
        of_v, of_w = np.nonzero(kept[b])
        own = places[start : start + len(of_v)]
        start += len(of_v)
        sums = csr_array(
            (factors[b][kept[b]].astype("float64"), (np.arange(len(own)), own)),
            shape=(len(own), len(target)),
        )
        terms = v[:, None, None, b, of_v] * w[None, :, :, of_w]
        result += terms.reshape(len(result), -1) @ sums
    return target, result.reshape(k * number, n, -1)


def monomial_text(power: Sequence[int], names: Sequence[str]) -> str:
    """A monomial in symbols, as `"x^2 y"` or `"(sin x)^2"`, empty where it is 1."""
    return " ".join(
        name if exponent == 1 else f"{_as_factor(name)}^{exponent}"
        for name, exponent in zip(names, power, strict=True)
        if exponent
    )


def _as_factor(name: str) -> str:
    """A name to which an exponent may be added."""
    return f"({name})" if " " in name and not name.startswith("(") else name
