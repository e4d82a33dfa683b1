"""Gaussian processes that stand for the smooth function behind a table of data.

Values have the covariance `a (exp(-|u - u'|^2 / 2) + s^2 [u = u'])` in coordinates `u`,
each with its own length. Lengths and noise maximize the likelihood. The process also knows
what the data leave open: it can draw other functions that fit equally well.
"""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops
from scipy.linalg import cho_solve
from scipy.optimize import minimize

# The largest number of samples that determine lengths and noise.
MOST_TO_LEARN = 400
# Bounds and starts for logarithms of lengths, in units of the spread of a column, and of
# the noise, relative to the amplitude.
LENGTHS, NOISES = (-2.5, 5.0), (-8.0, 2.0)
STARTS = ((0.0, -3.0), (1.0, -1.0))
MOST_STEPS = 60
# This is added to the noise, so that matrices can be inverted.
JITTER = 1e-10
# A column has no effect if its length is this many times its spread.
LONG = 30.0
# The number of waves in a random function.
WAVES = 1000


@dataclass(frozen=True)
class Process:
    """The mean of all functions that fit data, with the covariance above.

    Args:
        origin: The mean of each column, `(n,)`.
        lengths: The length of each column, in its units, `(n,)`.
        points: The samples in these coordinates, `(N, n)`.
        weights: The factor of the covariance with each sample, `(N, m)`.
        constant: The constant term, `(m,)`.
        amplitudes: The standard deviations of the outputs, `(m,)`.
        noise: The standard deviation of the noise, relative to the amplitudes.
        factor: The lower Cholesky factor of the covariance of the samples, `(N, N)`.
        left_out: The difference of each sample from the process without it, `(N, m)`.
        error: The size of these differences, relative to the spread.
    """

    origin: np.ndarray
    lengths: np.ndarray
    points: np.ndarray
    weights: np.ndarray
    constant: np.ndarray
    amplitudes: np.ndarray
    noise: float
    factor: np.ndarray
    left_out: np.ndarray
    error: float

    @property
    def idle(self) -> tuple[int, ...]:
        """Numbers of the columns that have no effect according to their lengths."""
        spread = np.std(self.points, axis=0)
        return tuple(np.flatnonzero((spread > 0) & (LONG * spread < 1.0)).tolist())

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Values `(batch, m)` at samples `(batch, n)`."""
        return self.constant + _covariance(self._at(x), self.points) @ self.weights

    def slopes(self, x: np.ndarray) -> np.ndarray:
        """Derivatives `(batch, m, n)` at samples `(batch, n)`."""
        return self._slopes(x, self.weights)

    def drawn(self, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """The difference between the derivatives of another function that fits equally well
        and `slopes`.

        Args:
            x: Samples `(batch, n)`.
            rng: The random number generator.
        """
        waves = rng.normal(size=(WAVES, len(self.lengths)))
        phases = rng.uniform(0, 2 * np.pi, WAVES)
        heights = rng.normal(size=(WAVES, len(self.amplitudes)))
        heights *= self.amplitudes * np.sqrt(2 / WAVES)
        noise = rng.normal(size=self.weights.shape) * self.amplitudes * self.noise
        # The part of this function that the samples determine is subtracted.
        known = np.cos(self.points @ waves.T + phases) @ heights + noise
        weights = cho_solve((self.factor, True), known)
        steep = -np.sin(self._at(x) @ waves.T + phases)
        free = np.einsum(
            "bw,wm,wn->bmn", steep, heights, waves / self.lengths, optimize=True
        )
        return free - self._slopes(x, weights)

    def model(self, shape: tuple[int, ...]) -> keras.Model:
        """The mean as a model, from `(batch, n)` to `(batch, *shape)`."""
        inputs = keras.Input(self.origin.shape)
        near = keras.layers.Dense(len(self.points))
        value = keras.layers.Dense(self.weights.shape[1])
        u = keras.layers.Normalization(mean=self.origin, variance=self.lengths**2)(inputs)
        square = keras.layers.Dot(axes=1)([u, u])
        outputs = value(ops.exp(near(u) - square / 2))
        model = keras.Model(inputs, keras.layers.Reshape(shape)(outputs))
        near.set_weights([self.points.T, -np.sum(self.points**2, axis=1) / 2])
        value.set_weights([self.weights, self.constant])
        return model

    def _at(self, x: np.ndarray) -> np.ndarray:
        return (x - self.origin) / self.lengths

    def _slopes(self, x: np.ndarray, weights: np.ndarray) -> np.ndarray:
        u = self._at(x)
        near = _covariance(u, self.points)
        # `sum_k (p_k - u) k(u, p_k) w_k`, without an array of all differences.
        products = np.stack([near @ (p[:, None] * weights) for p in self.points.T], axis=-1)
        return (products - u[:, None] * (near @ weights)[..., None]) / self.lengths


def process_fit(x: np.ndarray, y: np.ndarray) -> Process:
    """The process of largest likelihood.

    Args:
        x: Inputs `(batch, n)`, in random order.
        y: Outputs `(batch, m)`, none of them constant.
    """
    origin, spread = np.mean(x, axis=0), np.std(x, axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    constant, units = np.mean(y, axis=0), np.std(y, axis=0)
    u, values = (x - origin) / spread, (y - constant) / units
    lengths, noise = _largest_likelihood(u[:MOST_TO_LEARN], values[:MOST_TO_LEARN])
    points = u / lengths
    square = noise**2 + JITTER
    covariance = _covariance(points, points) + square * np.eye(len(u))
    factor = np.linalg.cholesky(covariance)
    inverse = cho_solve((factor, True), np.eye(len(u)))
    weights = inverse @ values
    left_out = units * weights / np.diag(inverse)[:, None]
    return Process(
        origin=origin,
        lengths=lengths * spread,
        points=points,
        weights=weights * units,
        constant=constant,
        amplitudes=units * np.sqrt(np.mean(values * weights, axis=0)),
        noise=float(np.sqrt(square)),
        factor=factor,
        left_out=left_out,
        error=float(np.sqrt(np.sum(left_out**2) / len(y) / np.sum(units**2))),
    )


def _largest_likelihood(u: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, float]:
    """Lengths `(n,)` and noise, for inputs and outputs of spread 1."""
    n = u.shape[1]
    found = []
    for length, noise in STARTS:
        start = np.append(np.full(n, length + np.log(n) / 2), noise)
        result = minimize(
            _minus_likelihood,
            start,
            args=(u, values),
            jac=True,
            method="L-BFGS-B",
            bounds=[LENGTHS] * n + [NOISES],
            options={"maxiter": MOST_STEPS},
        )
        found.append((float(result.fun), np.exp(result.x)))
    best = min(found, key=lambda each: each[0])[1]
    return best[:n], float(best[n])


def _minus_likelihood(
    logarithms: np.ndarray, u: np.ndarray, values: np.ndarray
) -> tuple[float, np.ndarray]:
    """Minus the likelihood of lengths and noise, with the best amplitudes, and its
    derivatives.
    """
    lengths, square = np.exp(logarithms[:-1]), np.exp(2 * logarithms[-1])
    number, outputs = values.shape
    points = u / lengths
    smooth = _covariance(points, points)
    factor = np.linalg.cholesky(smooth + (square + JITTER) * np.eye(number))
    inverse = cho_solve((factor, True), np.eye(number))
    weights = inverse @ values
    amplitudes = np.mean(values * weights, axis=0)
    value = number / 2 * np.sum(np.log(amplitudes))
    value += outputs * np.sum(np.log(np.diag(factor)))
    change = outputs * inverse - (weights / amplitudes) @ weights.T
    # `tr(change dK) / 2`, where `dK` in the logarithm of a length is `K (u - u')^2`.
    shared = change * smooth
    sums = np.sum(shared, axis=1)
    slopes = [2 * (p**2 @ sums - p @ shared @ p) / 2 for p in points.T]
    return float(value), np.append(slopes, square * np.trace(change))


def _covariance(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """`exp(-|u - v|^2 / 2)` for all pairs, `(N, M)`."""
    squares = np.sum(u**2, axis=1)[:, None] + np.sum(v**2, axis=1) - 2 * u @ v.T
    return np.exp(-np.maximum(squares, 0.0) / 2)
