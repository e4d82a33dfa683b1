"""Correlations of positions and their noise, in one pass over samples."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

import keras
import numpy as np

from keras_lconv._memory import require_memory
from keras_lconv._ops import to_numpy
from keras_lconv._streams import batches_of, is_stream
from keras_lconv._typing import Stream
from keras_lconv._validation import finite_array, progress

BATCH_SIZE = 4096
# For fewer batches a bar would not be visible.
BATCHES_WITH_BAR = 5

# The variance of a position must rest on this many samples. A position that lights up in
# three images only correlates perfectly with all others that light up there, which tells
# nothing.
LEAST_SAMPLES = 10
# Below this, relative to the values, a spread is the rounding of a constant.
SMALLEST_SPREAD = 1e-12
# Copies of a position make the covariance singular, however many samples there are.
LEAST_SHRINKAGE = 1e-6
TINY = float(np.finfo("float64").tiny)


@dataclass(frozen=True)
class Moments:
    """Sums over samples `c = (x - mean) / units`, up to second powers of two positions.

    Args:
        count: The number of samples.
        mean: Their mean, `(d,)`.
        units: Powers of 2, `(d,)`, that keep fourth powers inside of the range of floats.
        largest: The largest absolute values, `(d,)`.
        products: Sums of `c_i c_j`, `(d, d)`.
        skewed: Sums of `c_i^2 c_j`, `(d, d)`.
        squares: Sums of `c_i^2 c_j^2`, `(d, d)`.
    """

    count: int
    mean: np.ndarray
    units: np.ndarray
    largest: np.ndarray
    products: np.ndarray
    skewed: np.ndarray
    squares: np.ndarray

    @classmethod
    def of(cls, samples: np.ndarray, units: np.ndarray | None = None) -> "Moments":
        """The sums of samples `(n, d)`. The computation takes more memory than the sums."""
        size = samples.shape[1]
        require_memory(
            f"The correlations of the {size} positions of `x`",
            12 * size**2,
            "Images with fewer pixels, or parts of images, need less",
        )
        mean = np.mean(samples, axis=0)
        centred = samples - mean
        if units is None:
            spread = np.sqrt(np.mean((centred / _scales(centred)) ** 2, axis=0))
            units = _power_of_two(spread * _scales(centred))
        centred /= units
        twice = centred**2
        return cls(
            len(samples),
            mean,
            units,
            np.max(np.abs(samples), axis=0),
            centred.T @ centred,
            twice.T @ centred,
            twice.T @ twice,
        )

    def merged(self, other: "Moments") -> "Moments":
        """The sums of the samples of both."""
        if len(other.mean) != len(self.mean):
            raise ValueError(
                "`x` must have the same number of positions in each batch. Received: "
                f"{len(self.mean)} positions, and {len(other.mean)} in another batch"
            )
        count = self.count + other.count
        shift = (other.mean - self.mean) * (other.count / count)
        mean = self.mean + shift
        parts = [self._about(mean, self.units), other._about(mean, self.units)]
        return Moments(
            count,
            mean,
            self.units,
            np.maximum(self.largest, other.largest),
            *(first + second for first, second in zip(*parts, strict=True)),
        )

    def _about(self, mean: np.ndarray, units: np.ndarray) -> tuple[np.ndarray, ...]:
        """The three sums of products about another point, in other units."""
        ratio = self.units / units
        products = self.products * np.outer(ratio, ratio)
        skewed = self.skewed * np.outer(ratio**2, ratio)
        squares = self.squares * np.outer(ratio**2, ratio**2)
        # This expands (c_i + s_i)^2 (c_j + s_j)^2 and similar products, where the sum of c
        # is zero.
        shift = (self.mean - mean) / units
        variances, both = np.diag(products), np.outer(shift, shift)
        mixed = skewed * shift
        spread = np.outer(variances, shift**2)
        squares = (
            squares
            + 2 * (mixed + mixed.T)
            + spread
            + spread.T
            + both * (4 * products + self.count * both)
        )
        skewed = (
            skewed
            + np.outer(variances, shift)
            + shift[:, None] * (2 * products + self.count * both)
        )
        return products + self.count * both, skewed, squares

    def correlations(self) -> tuple[np.ndarray, np.ndarray, float]:
        """The correlations of all positions.

        Returns:
            The correlations `(d, d)`; a mask `(d,)` of the positions that vary enough; and
            how much of the correlations is noise, between 0 and 1: the shrinkage towards
            the unit matrix that minimises the expected square error (J. Schaefer, K.
            Strimmer, "A shrinkage approach to large-scale covariance matrix estimation",
            Stat. Appl. Genet. Mol. Biol. 4 (2005)).
        """
        number, size = self.count, len(self.mean)
        spread = np.sqrt(np.diag(self.products) / number)
        varies = spread * self.units > SMALLEST_SPREAD * np.max(self.largest, initial=0.0)
        spread = np.where(varies, spread, 1.0)
        squares = self.squares / np.outer(spread**2, spread**2)
        # For a normal distribution a third of the samples counts, for rare events only
        # these.
        counts = number**2 / np.maximum(np.diag(squares), 1.0)
        varies &= counts >= LEAST_SAMPLES
        if varies.sum() < 2:
            raise ValueError(
                "`x` must vary at two positions or more, in more than a handful of "
                f"samples. Received: {number} samples, which vary at {varies.sum()} of "
                f"{size} positions"
            )
        found = self.products / np.outer(spread, spread) / number
        off = ~np.eye(size, dtype=bool)
        signal = np.sum(found[off] ** 2)
        noise = (np.sum(squares[off]) / number - signal) / number
        shrinkage = float(np.clip(noise / max(signal, 1e-30), LEAST_SHRINKAGE, 1.0))
        return found, varies, shrinkage


def _scales(centred: np.ndarray) -> np.ndarray:
    """The largest sizes of columns. Squares of columns divided by these are in the range of
    floats.
    """
    return np.maximum(np.max(np.abs(centred), axis=0), TINY)


def _power_of_two(spread: np.ndarray) -> np.ndarray:
    """The powers of 2 next to positive numbers, 1 for zeros."""
    return np.where(spread > TINY, np.ldexp(1.0, np.frexp(spread)[1]), 1.0)


def moments_of(x: Stream, verbose: bool | None) -> Moments:
    """The sums from which correlations follow, in one pass.

    Args:
        x: Data `(samples, *spatial)`, or an iterable of batches of such.
        verbose: Whether to show a progress bar.
    """
    verbose = progress(verbose)
    given = batches_of("x", x) if is_stream(x) else [x]
    parts = itertools.chain.from_iterable(parts_of(batch) for batch in given)
    return _merged(parts, verbose)


def _merged(parts: Iterable[np.ndarray], verbose: bool | None) -> Moments:
    # The bar is made late, because the number of parts is not known before.
    bar, moments = None, None
    for number, part in enumerate(parts, 1):
        moments = merged_with(moments, part)
        if verbose or (verbose is None and number >= BATCHES_WITH_BAR):
            bar = bar or keras.utils.Progbar(None, unit_name="batch")
            bar.update(number)
    assert moments is not None
    return moments


def merged_with(moments: Moments | None, samples: np.ndarray) -> Moments:
    """Moments with further samples `(n, d)`."""
    if moments is None:
        return Moments.of(samples)
    units = moments.units if samples.shape[1] == len(moments.mean) else None
    return moments.merged(Moments.of(samples, units))


def parts_of(x: object) -> list[np.ndarray]:
    """Parts of samples `(n, d)` whose squares fit into memory, too."""
    samples = finite_array("x", to_numpy(x))
    if samples.ndim < 2 or 0 in samples.shape:
        raise ValueError(
            f"`x` must have shape `(samples, *spatial)`. Received: shape {samples.shape}"
        )
    flat = samples.reshape(len(samples), -1)
    return np.array_split(flat, -(-len(flat) // BATCH_SIZE))
