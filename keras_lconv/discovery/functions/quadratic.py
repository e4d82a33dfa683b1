"""Polynomials of degree 2 in place of the function behind a table, if they fit.

They are polynomials of the columns, or of their logarithms for products of powers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import comb
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_lconv.discovery.null_space import NUM_GROUPS

# The largest residual, relative to the spread of the outputs, if a polynomial is the
# function.
LARGEST_ERROR = 0.01
# The same for logarithms, if the residual is noise.
MOST_NOISE = 0.2
# The least number of samples for each coefficient, and the largest number of columns.
SAMPLES_FOR_EACH, MOST_COLUMNS = 3, 20
# Terms are noise if they are smaller than this many error bars, or this part of the
# largest.
ERROR_BARS, ROUNDING = 6.0, 1e-7
# Errors on new samples count as smaller if they are so by this many standard errors.
CLEAR_GAIN = 3.0


@dataclass(frozen=True)
class Quadratic:
    """A polynomial `u^T S u + b . u + c` that equals a power or the logarithm of `y`.

    `u` is `x / scale`, or the logarithms of some of these.

    Args:
        model: The polynomial, from `(batch, n)` to `(batch, 1)`.
        error: Its error on samples that were held out, relative to the spread of `y`.
        note: What was done, in words.
        others: The polynomials of the samples without an eighth, each in turn. Their
            differences give the errors of the coefficients.
        untidied: For logarithms, the polynomial with all terms, including noise.
        idle: For logarithms, the columns without effect, which it does not contain.
        is_rough: For logarithms, whether its residual is more than noise.
    """

    model: keras.Model
    error: float
    note: str
    others: tuple[keras.Model, ...]
    untidied: keras.Model | None = None
    idle: tuple[int, ...] = ()
    is_rough: bool = False


class _Setting(NamedTuple):
    """The inputs and outputs of a fit.

    Args:
        u: Inputs `(batch, m)`.
        values: Outputs `(batch,)`.
        weights: The weight of an error at each sample, `(batch,)`.
        spread: The unit of errors.
        what: A description of outputs and inputs.
        scale: Units of the columns, `(m,)`.
        columns: For logarithms, the numbers of the columns.
    """

    u: np.ndarray
    values: np.ndarray
    weights: np.ndarray
    spread: float
    what: str
    scale: np.ndarray
    columns: np.ndarray | None


class _Polynomial(NamedTuple):
    """`u^T S u + b . u + c`."""

    square: np.ndarray
    slope: np.ndarray
    constant: float

    def at(self, u: np.ndarray) -> np.ndarray:
        """The values at samples `(batch, n)`."""
        return np.sum(u * (u @ self.square + self.slope), axis=1) + self.constant

    def moved(self, origin: np.ndarray, frame: np.ndarray) -> "_Polynomial":
        """The polynomial as one of `v`, where `u = origin + frame v`."""
        turned = self.square @ origin
        return _Polynomial(
            frame.T @ self.square @ frame,
            frame.T @ (self.slope + 2 * turned),
            float(self.constant + self.slope @ origin + origin @ turned),
        )

    def cleared(self, rank: int, is_steep: bool) -> "_Polynomial":
        """The polynomial, curved in the directions of the largest eigenvalues only.

        The mean of the omitted part is added, for inputs of mean zero and spread 1.

        Args:
            rank: Number of these directions.
            is_steep: Whether it may be linear along the others, or must be constant.
        """
        values, vectors = np.linalg.eigh(self.square)
        order = np.argsort(-np.abs(values))[:rank]
        curved = vectors[:, order]
        slope = self.slope if is_steep else curved @ (curved.T @ self.slope)
        mean = float(np.sum(values) - np.sum(values[order]))
        return _Polynomial((curved * values[order]) @ curved.T, slope, self.constant + mean)


def quadratic_fit(x: np.ndarray, y: np.ndarray, held_out: int) -> Quadratic | None:
    """The polynomial of degree 2 that equals `y`, its square or its logarithm, if there is
    one.

    For the first two it is a polynomial of the columns, for the last one a polynomial of
    the logarithms of the columns that have an effect. Terms that are noise are removed:
    every polynomial of degree 2 has symmetries, even one that is linear up to noise, and
    these are not symmetries of the data. A polynomial of logarithms has no symmetries but
    scalings, so more noise does no harm.

    Args:
        x: Inputs `(batch, n)`, in random order.
        y: Outputs `(batch,)`.
        held_out: The number of first samples that are held out.
    """
    best, error, chosen, is_rough = None, np.inf, None, False
    for setting in (*_of_columns(x, y), *_of_logarithms(x, y, held_out)):
        u = setting.u
        if not _are_enough(len(u) - held_out, u.shape[1], 2):
            continue
        rows = _terms(u, 2) * setting.weights[:, None]
        values = setting.values * setting.weights
        found = _fits(rows[held_out:], values[held_out:], u.shape[1])
        rest = rows[:held_out] @ found[0] - values[:held_out]
        size = float(np.sqrt(np.mean(rest**2)) / setting.spread)
        is_noise = _is_rest_noise(setting, held_out)
        is_of_columns = setting.columns is None
        if is_of_columns and is_noise is False and _foretells(setting, held_out):
            continue
        largest = LARGEST_ERROR if is_of_columns or not is_noise else MOST_NOISE
        if size < min(error, largest):
            best, error, chosen = found, size, setting
            is_rough = is_noise is False and not is_of_columns
    if best is None or chosen is None:
        return None
    note = f"{chosen.what}, which was fitted: no network was needed"
    polynomials = [_polynomial(each) for each in best]
    tidied = _without_noise(polynomials, chosen.u, chosen.values, chosen.weights)
    if not (np.any(tidied[0].square) or np.any(tidied[0].slope)):
        return None
    models = [_model(each, chosen, x.shape[1]) for each in tidied]
    if chosen.columns is None:
        return Quadratic(models[0], error, note, tuple(models[1:]))
    return Quadratic(
        models[0],
        error,
        note,
        tuple(models[1:]),
        _model(polynomials[0], chosen, x.shape[1]),
        tuple(np.setdiff1d(np.arange(x.shape[1]), chosen.columns).tolist()),
        is_rough,
    )


def _of_columns(x: np.ndarray, y: np.ndarray) -> Iterator[_Setting]:
    """The fit of outputs, and of squares of positive ones, as polynomials of the
    columns.
    """
    scale = np.sqrt(np.mean(x**2, axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    for power in (1, 2) if np.all(y > 0) else (1,):
        # This converts an error of the power to units of `y`.
        weights = np.ones(len(y)) if power == 1 else 1 / (2 * y)
        what = "`y`" if power == 1 else "the square of `y`"
        what = f"{what} is a polynomial of degree 2"
        yield _Setting(x / scale, y**power, weights, float(np.std(y)), what, scale, None)


def _of_logarithms(x: np.ndarray, y: np.ndarray, held_out: int) -> Iterator[_Setting]:
    """The fit of logarithms of positive outputs as polynomials of logarithms of positive
    columns.

    There is none if columns without a logarithm have an effect.
    """
    varies = np.ptp(x, axis=0) > 0
    positive = np.all(x > 0, axis=0)
    columns, others = np.flatnonzero(varies & positive), np.flatnonzero(varies & ~positive)
    if np.any(y <= 0) or not len(columns):
        return
    if not _are_enough(len(y) - held_out, len(columns) + len(others), 2):
        return
    logarithms, values, rest = np.log(x[:, columns]), np.log(y), x[:, others]
    middle = np.mean(logarithms, axis=0)
    u = logarithms - middle
    rest = (rest - np.mean(rest, axis=0)) / np.std(rest, axis=0)
    kept = _columns_with_effect(np.hstack([u, rest])[held_out:], values[held_out:])
    if not kept or max(kept) >= len(columns):
        return
    what = "the logarithm of `y` is a polynomial of degree 2 of those of the columns"
    yield _Setting(
        u[:, kept],
        values,
        np.ones(len(y)),
        float(np.std(values)),
        what,
        np.exp(middle[kept]),
        columns[kept],
    )


def _columns_with_effect(u: np.ndarray, values: np.ndarray) -> list[int]:
    """The columns whose terms explain more than chance does."""
    kept = list(range(u.shape[1]))
    all_terms = _terms(u, 2)
    least = _left(all_terms, values)
    while kept:
        # Among dependent columns, the least necessary one is removed.
        left = {}
        for column in kept:
            rows = _terms(u[:, [each for each in kept if each != column]], 2)
            left[column] = _left(rows, values)
        column = min(kept, key=left.__getitem__)
        removed = all_terms.shape[1] - comb(len(kept) + 1, 2)
        growth = 1 + _chance(len(u), all_terms.shape[1], removed)
        if left[column] > growth * least + _rounding(values):
            break
        kept.remove(column)
    return kept


def _is_rest_noise(setting: _Setting, held_out: int) -> bool | None:
    """Whether terms of degree 3 explain no more than chance does, if samples can tell."""
    u, weights = setting.u[held_out:], setting.weights[held_out:]
    if not _are_enough(len(u), u.shape[1], 3):
        return None
    values = setting.values[held_out:] * weights
    rows, more = (_terms(u, degree) * weights[:, None] for degree in (2, 3))
    growth = 1 + _chance(len(u), more.shape[1], more.shape[1] - rows.shape[1])
    return bool(_left(rows, values) <= growth * _left(more, values) + _rounding(values))


def _foretells(setting: _Setting, held_out: int) -> bool:
    """Whether terms of degree 3 predict samples outside of their fit.

    Terms that only explain a few noisy samples, as columns with heavy tails have, do not.
    """
    u, weights = setting.u[held_out:], setting.weights[held_out:]
    values = setting.values[held_out:] * weights
    squares = []
    for degree in (2, 3):
        rows = _terms(u, degree) * weights[:, None]
        rest = np.empty_like(values)
        for group, found in enumerate(_without_each_group(rows, values)):
            own = slice(group, None, NUM_GROUPS)
            rest[own] = rows[own] @ found - values[own]
        squares.append(rest**2)
    gains = squares[0] - squares[1]
    return bool(np.mean(gains) > CLEAR_GAIN * np.std(gains) / np.sqrt(len(gains)))


def _are_enough(samples: int, n: int, degree: int) -> bool:
    """Whether there are samples for a polynomial of `n` columns."""
    return n <= MOST_COLUMNS and samples >= SAMPLES_FOR_EACH * comb(n + degree, degree)


def _terms(u: np.ndarray, degree: int) -> np.ndarray:
    """All monomials of inputs `(batch, n)`, the highest degree first."""
    columns = [
        np.prod(u[:, list(which)], axis=1)
        for power in range(degree, -1, -1)
        for which in combinations_with_replacement(range(u.shape[1]), power)
    ]
    return np.stack(columns, axis=1)


def _left(rows: np.ndarray, values: np.ndarray) -> float:
    """The squared residuals of least squares."""
    found = np.linalg.lstsq(rows, values, rcond=None)[0]
    return float(np.sum((rows @ found - values) ** 2))


def _fits(rows: np.ndarray, values: np.ndarray, n: int) -> list[np.ndarray]:
    """Coefficients from all equations, and from those without each eighth in turn.

    Linear terms are left out if they do not explain more than chance does.
    """
    found = np.linalg.lstsq(rows, values, rcond=None)[0]
    left = np.sum((rows @ found - values) ** 2)
    even = np.delete(np.arange(rows.shape[1]), slice(-n - 1, -1))
    alone = np.linalg.lstsq(rows[:, even], values, rcond=None)[0]
    more = np.sum((rows[:, even] @ alone - values) ** 2) - left
    if more > left * _chance(len(rows), rows.shape[1], n) + _rounding(values):
        return [found, *_without_each_group(rows, values)]
    every = np.zeros((1 + NUM_GROUPS, rows.shape[1]))
    every[:, even] = [alone, *_without_each_group(rows[:, even], values)]
    return list(every)


def _chance(samples: int, terms: int, removed: int) -> float:
    """The relative growth of residuals that the removal of noise terms may cause."""
    return (removed + ERROR_BARS * np.sqrt(2 * removed)) / (samples - terms)


def _rounding(values: np.ndarray) -> float:
    return ROUNDING**2 * float(np.sum((values - np.mean(values)) ** 2))


def _without_each_group(rows: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    """Least squares without each eighth of the equations, from the normal equations."""
    # This uses an orthonormal frame of the rows, in which squares lose no precision.
    frame, triangle = np.linalg.qr(rows)
    groups = [slice(group, None, NUM_GROUPS) for group in range(NUM_GROUPS)]
    squares = [frame[group].T @ frame[group] for group in groups]
    products = [frame[group].T @ values[group] for group in groups]
    total = sum(products)
    identity = np.eye(len(triangle))
    found = [
        np.linalg.lstsq(identity - square, total - product, rcond=None)[0]
        for square, product in zip(squares, products, strict=True)
    ]
    return [np.linalg.lstsq(triangle, each, rcond=None)[0] for each in found]


def _polynomial(coefficients: np.ndarray) -> _Polynomial:
    """A polynomial from the coefficients of its terms."""
    n = int(np.sqrt(2 * len(coefficients) + 0.25) - 1.5)
    upper = np.zeros((n, n))
    upper[np.triu_indices(n)] = coefficients[: -n - 1]
    return _Polynomial(
        (upper + upper.T) / 2, coefficients[-n - 1 : -1], float(coefficients[-1])
    )


def _without_noise(
    polynomials: list[_Polynomial], u: np.ndarray, values: np.ndarray, weights: np.ndarray
) -> list[_Polynomial]:
    """Polynomials that are curved in as few directions as explain the values equally well.

    Args:
        polynomials: The polynomial of all samples, and those without each eighth.
        u: The samples `(batch, n)`.
        values: The values of the fit, `(batch,)`.
        weights: The weight of an error at each sample.
    """
    mean = np.average(u, axis=0, weights=weights)
    spread = (u - mean).T @ ((u - mean) * weights[:, None] / np.sum(weights))
    scales, axes = np.linalg.eigh(spread)
    roots = np.sqrt(np.maximum(scales, ROUNDING**2 * scales[-1]))
    frame, back = axes * roots, (axes / roots).T
    standard = [each.moved(mean, frame) for each in polynomials]
    v, (samples, n) = (u - mean) @ back.T, u.shape

    def left(polynomial: _Polynomial) -> float:
        return float(np.sum((weights * (polynomial.at(v) - values)) ** 2))

    least, terms = [left(each) for each in standard], (n + 1) * (n + 2) // 2
    for rank in range(n):
        for is_steep in (False, True):
            removed = (n - rank) * (n - rank + 1 + 2 * (not is_steep)) // 2
            growth = 1 + _chance(samples, terms, removed)
            found = [each.cleared(rank, is_steep) for each in standard]
            # This includes the polynomials of fewer samples, whose directions are otherwise
            # unknown.
            if all(
                left(each) <= growth * before + _rounding(weights * values)
                for each, before in zip(found, least, strict=True)
            ):
                return [each.moved(-back @ mean, back) for each in found]
    return polynomials


def _model(polynomial: _Polynomial, setting: _Setting, size: int) -> keras.Model:
    """`u . (S u + b) + c` in layers, for samples `(batch, size)`."""
    n = len(setting.scale)
    inputs = keras.Input((size,))
    chosen = inputs
    if setting.columns is not None:
        chosen = ops.take(inputs, setting.columns.tolist(), axis=1)
    scaled = keras.layers.Rescaling((1 / setting.scale).tolist())(chosen)
    if setting.columns is not None:
        scaled = ops.log(scaled)
    slopes = keras.layers.Dense(n)
    value = keras.layers.Dense(1)
    product = keras.layers.Dot(axes=1)([scaled, slopes(scaled)])
    model = keras.Model(inputs, value(product))
    slopes.set_weights([polynomial.square, polynomial.slope])
    value.set_weights([np.ones((1, 1)), np.array([polynomial.constant])])
    return model
