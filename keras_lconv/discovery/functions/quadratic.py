"""Polynomials of degree 2 that stand for the function behind a table, where they fit."""

from dataclasses import dataclass
from typing import NamedTuple

import keras
import numpy as np

from keras_lconv.discovery.null_space import NUM_GROUPS

# What is left, relative to the spread of the outputs, where a polynomial is the function.
LARGEST_ERROR = 0.01
# Samples for each coefficient at least, and columns at most.
SAMPLES_FOR_EACH, MOST_COLUMNS = 3, 20
# Terms are noise if they are smaller than so many error bars, or this part of the largest.
ERROR_BARS, ROUNDING = 6.0, 1e-7


@dataclass(frozen=True)
class Quadratic:
    """A polynomial `u^T S u + b . u + c` of `u = x / scale` that a power of `y` is.

    Args:
        model: The polynomial, from `(batch, n)` to `(batch, 1)`.
        error: Its error on samples that were held out, relative to the spread of `y`.
        note: What was done, in words.
        others: Those of the samples without an eighth, each in turn: how they differ says
            how far the coefficients are known.
    """

    model: keras.Model
    error: float
    note: str
    others: tuple[keras.Model, ...]


class _Polynomial(NamedTuple):
    """`u^T S u + b . u + c`."""

    square: np.ndarray
    slope: np.ndarray
    constant: float

    def at(self, u: np.ndarray) -> np.ndarray:
        """The values at samples `(batch, n)`."""
        return np.sum(u * (u @ self.square + self.slope), axis=1) + self.constant

    def moved(self, origin: np.ndarray, frame: np.ndarray) -> "_Polynomial":
        """The same polynomial of `v`, where `u = origin + frame v`."""
        turned = self.square @ origin
        return _Polynomial(
            frame.T @ self.square @ frame,
            frame.T @ (self.slope + 2 * turned),
            float(self.constant + self.slope @ origin + origin @ turned),
        )

    def cleared(self, rank: int, is_steep: bool) -> "_Polynomial":
        """The same, curved in the directions of the largest eigenvalues only.

        Args:
            rank: Number of these directions.
            is_steep: Whether it may be linear along the others, or must be constant.
        """
        values, vectors = np.linalg.eigh(self.square)
        order = np.argsort(-np.abs(values))[:rank]
        curved = vectors[:, order]
        slope = self.slope if is_steep else curved @ (curved.T @ self.slope)
        return _Polynomial((curved * values[order]) @ curved.T, slope, self.constant)


def quadratic_fit(x: np.ndarray, y: np.ndarray, held_out: int) -> Quadratic | None:
    """The polynomial of degree 2 that `y` or its square is, if one of them is.

    Of its terms those count that are no noise: any polynomial of degree 2 has symmetries,
    also one that is linear but for noise, and these are not those of the data.

    Args:
        x: Inputs `(batch, n)`, in random order.
        y: Outputs `(batch,)`.
        held_out: So many of the first samples are held out.
    """
    scale = np.sqrt(np.mean(x**2, axis=0))
    scale = np.where(scale > 0, scale, 1.0)
    u = x / scale
    first, second = np.triu_indices(x.shape[1])
    terms = np.concatenate([u[:, first] * u[:, second], u, np.ones((len(u), 1))], axis=1)
    if x.shape[1] > MOST_COLUMNS or len(x) - held_out < SAMPLES_FOR_EACH * terms.shape[1]:
        return None
    best, error, chosen = None, LARGEST_ERROR, 1
    for power in (1, 2) if np.all(y > 0) else (1,):
        # An error of the power, in units of `y`.
        unit = np.ones(len(y)) if power == 1 else 2 * y
        rows, values = terms / unit[:, None], y**power / unit
        found = _fits(rows[held_out:], values[held_out:], x.shape[1])
        rest = rows[:held_out] @ found[0] - values[:held_out]
        size = float(np.sqrt(np.mean(rest**2)) / np.std(y))
        if size < error:
            best, error, chosen = found, size, power
    if best is None:
        return None
    what = "`y`" if chosen == 1 else "the square of `y`"
    note = f"{what} is a polynomial of degree 2, which was fitted: no network was needed"
    weights = np.ones(len(y)) if chosen == 1 else 1 / (2 * y)
    polynomials = _without_noise(
        [_polynomial(each) for each in best], u, y**chosen, weights
    )
    model, *others = (_model(each, scale) for each in polynomials)
    return Quadratic(model, error, note, tuple(others))


def _fits(rows: np.ndarray, values: np.ndarray, n: int) -> list[np.ndarray]:
    """Coefficients from all equations, and from those without each eighth in turn.

    Linear terms are left out where they do not explain more than chance does.
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
    """What is left of equations may grow by so much, relatively, where terms are noise."""
    return (removed + ERROR_BARS * np.sqrt(2 * removed)) / (samples - terms)


def _rounding(values: np.ndarray) -> float:
    return ROUNDING**2 * float(np.sum(values**2))


def _without_each_group(rows: np.ndarray, values: np.ndarray) -> list[np.ndarray]:
    """Least squares without each eighth of the equations, from the normal equations."""
    # In an orthonormal frame of the rows, where nothing is lost by squares.
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
    """Polynomials that are curved in as few directions as explain the values as well.

    Args:
        polynomials: One of all samples, and those without each eighth.
        u: The samples `(batch, n)`.
        values: What the polynomials are fitted to, `(batch,)`.
        weights: How much an error counts at each sample.
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
            # Also those of fewer samples, of which else the directions are not known.
            if all(
                left(each) <= growth * before + _rounding(weights * values)
                for each, before in zip(found, least, strict=True)
            ):
                return [each.moved(-back @ mean, back) for each in found]
    return polynomials


def _model(polynomial: _Polynomial, scale: np.ndarray) -> keras.Model:
    """`u . (S u + b) + c` in layers."""
    n = len(scale)
    inputs = keras.Input((n,))
    scaled = keras.layers.Rescaling((1 / scale).tolist())(inputs)
    slopes = keras.layers.Dense(n)
    value = keras.layers.Dense(1)
    product = keras.layers.Dot(axes=1)([scaled, slopes(scaled)])
    model = keras.Model(inputs, value(product))
    slopes.set_weights([polynomial.square, polynomial.slope])
    value.set_weights([np.ones((1, 1)), np.array([polynomial.constant])])
    return model
