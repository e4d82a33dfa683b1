"""Polynomials of degree 2 that stand for the function behind a table, where they fit."""

from dataclasses import dataclass

import keras
import numpy as np

from keras_lconv.discovery.null_space import NUM_GROUPS

# What is left, relative to the spread of the outputs, where a polynomial is the function.
LARGEST_ERROR = 0.01
# Samples for each coefficient at least, and columns at most.
SAMPLES_FOR_EACH, MOST_COLUMNS = 3, 20


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


def quadratic_fit(x: np.ndarray, y: np.ndarray, held_out: int) -> Quadratic | None:
    """The polynomial of degree 2 that `y` or its square is, if one of them is.

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
    others: list[np.ndarray] = []
    for power in (1, 2) if np.all(y > 0) else (1,):
        # An error of the power, in units of `y`.
        unit = np.ones(len(y)) if power == 1 else 2 * y
        rows, values = terms / unit[:, None], y**power / unit
        found = np.linalg.lstsq(rows[held_out:], values[held_out:], rcond=None)[0]
        rest = rows[:held_out] @ found - values[:held_out]
        size = float(np.sqrt(np.mean(rest**2)) / np.std(y))
        if size < error:
            best, error, chosen = found, size, power
            others = _without_each_group(rows[held_out:], values[held_out:])
    if best is None:
        return None
    what = "`y`" if chosen == 1 else "the square of `y`"
    note = f"{what} is a polynomial of degree 2, which was fitted: no network was needed"
    models = tuple(_model(each, scale) for each in others)
    return Quadratic(_model(best, scale), error, note, models)


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


def _model(coefficients: np.ndarray, scale: np.ndarray) -> keras.Model:
    """`u . (S u + b) + c` in layers."""
    n = len(scale)
    upper, linear = np.zeros((n, n)), coefficients[-n - 1 : -1]
    upper[np.triu_indices(n)] = coefficients[: -n - 1]
    inputs = keras.Input((n,))
    scaled = keras.layers.Rescaling((1 / scale).tolist())(inputs)
    slopes = keras.layers.Dense(n)
    value = keras.layers.Dense(1)
    product = keras.layers.Dot(axes=1)([scaled, slopes(scaled)])
    model = keras.Model(inputs, value(product))
    slopes.set_weights([(upper + upper.T) / 2, linear])
    value.set_weights([np.ones((1, 1)), coefficients[-1:]])
    return model
