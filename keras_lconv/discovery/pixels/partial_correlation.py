"""Partial correlations, from an inverse covariance that is regularised."""

import math

import keras
import numpy as np

from keras_lconv._memory import require_memory
from keras_lconv._typing import Data
from keras_lconv._validation import finite_array, progress

BATCH_SIZE = 4096
# Of a bar for fewer batches nothing would be seen.
BATCHES_WITH_BAR = 5

# The variance of a position must rest on so many samples: one that lights up in three
# images correlates perfectly with all that lights up there, and nothing is learned.
LEAST_SAMPLES = 10

# Copies of a position make the covariance singular, however many samples there are.
LEAST_SHRINKAGE = 1e-6


def correlations(x: Data, verbose: bool | None) -> tuple[np.ndarray, np.ndarray, float]:
    """Correlations of all positions.

    Args:
        x: Data `(samples, *spatial)`.
        verbose: Whether to show a progress bar.

    Returns:
        The correlations `(d, d)`; a mask `(d,)` of the positions that vary enough; and how
        much of the correlations is noise, between 0 and 1: the shrinkage towards the unit
        matrix that minimises the expected square error (J. Schaefer, K. Strimmer, "A
        shrinkage approach to large-scale covariance matrix estimation", Stat. Appl. Genet.
        Mol. Biol. 4 (2005)).
    """
    samples = _checked(x)
    number, size = samples.shape
    mean, spread = samples.mean(axis=0), samples.std(axis=0)
    # Below this a spread is the rounding of a constant.
    varies = spread > 1e-12 * np.max(np.abs(samples), initial=0.0)
    spread = np.where(varies, spread, 1.0)
    require_memory(
        f"The correlations of the {size} positions of `x`",
        8 * size**2,
        "Images of fewer pixels, or a part of them, need less",
    )
    products, squares = np.zeros((size, size)), np.zeros((size, size))
    batches = np.array_split(samples, math.ceil(number / BATCH_SIZE))
    verbose = progress(verbose)
    if verbose is None:
        verbose = len(batches) >= BATCHES_WITH_BAR
    bar = keras.utils.Progbar(len(batches), verbose=int(verbose), unit_name="batch")
    for batch in batches:
        scaled = (batch - mean) / spread
        products += scaled.T @ scaled
        scaled *= scaled
        squares += scaled.T @ scaled
        bar.add(1)

    # Of a normal distribution a third of the samples counts, of rare events those alone.
    counts = number**2 / np.maximum(np.diag(squares), 1.0)
    varies &= counts >= LEAST_SAMPLES
    if varies.sum() < 2:
        raise ValueError(
            "`x` must vary at two positions at least, over more than a handful of samples. "
            f"Received: {number} samples, which vary at {varies.sum()} of {size} positions"
        )
    found = products / number
    off = ~np.eye(size, dtype=bool)
    signal = np.sum(found[off] ** 2)
    noise = (np.sum(squares[off]) / number - signal) / number
    shrinkage = float(np.clip(noise / max(signal, 1e-30), LEAST_SHRINKAGE, 1.0))
    return found, varies, shrinkage


def partial_correlations(
    correlations: np.ndarray, varies: np.ndarray, shrinkage: float
) -> np.ndarray:
    """What is left of the correlation of two positions, given all others.

    With `P` the inverse of the correlation matrix, shrunk towards the unit matrix, it is
    `-P_ij / sqrt(P_ii P_jj)`.

    Args:
        correlations: `(d, d)`.
        varies: Mask `(d,)`. The other positions get no partial correlations; they are
            among the given ones all the same.
        shrinkage: Between 0 and 1. What is left is for 1 nothing.

    Returns:
        The partial correlations `(d, d)`, with a diagonal of zeros.
    """
    shrunk = (1 - shrinkage) * correlations
    np.fill_diagonal(shrunk, 1.0)
    precision = np.linalg.inv(shrunk)
    scale = np.sqrt(np.diag(precision))
    found = -precision / np.outer(scale, scale)
    found[~varies] = found[:, ~varies] = 0.0
    np.fill_diagonal(found, 0.0)
    return (found + found.T) / 2


def _checked(x: object) -> np.ndarray:
    samples = finite_array("x", x)
    if samples.ndim < 2 or 0 in samples.shape:
        raise ValueError(
            f"`x` must have shape `(samples, *spatial)`. Received: shape {samples.shape}"
        )
    return samples.reshape(len(samples), -1)
