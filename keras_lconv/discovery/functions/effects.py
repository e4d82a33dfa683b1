"""Columns of a table that have no measurable effect on the outputs."""

from collections.abc import Sequence

import keras
import numpy as np
from keras import ops

# A column may have no effect if its effect is within this many error bars.
ERROR_BARS = 2.0


def seemingly_idle(
    model: keras.Model, x: np.ndarray, targets: np.ndarray, members: int, held_out: int
) -> tuple[int, ...]:
    """Numbers of the columns whose effect is smaller than the error of the networks.

    Each network is evaluated at samples outside of its training data, with a column at its
    mean.

    Args:
        model: From `(batch, n)` to `(batch, members, *outputs)`.
        x: Samples `(batch, n)`.
        targets: Their targets, `(batch, *outputs)`.
        members: Number of networks. Each leaves out its own samples.
        held_out: The number of these.
    """
    rows = np.arange(members * held_out)
    own = rows // held_out

    def squares(samples: np.ndarray) -> np.ndarray:
        predicted = ops.convert_to_numpy(model(samples[rows], training=False))
        return np.sum(
            (
                predicted[rows, own].reshape(len(rows), -1)
                - targets[rows].reshape(len(rows), -1)
            )
            ** 2,
            axis=1,
        )

    least, found = squares(x), []
    for column in np.flatnonzero(np.ptp(x, axis=0) > 0):
        changed = x.copy()
        changed[:, column] = np.mean(x[:, column])
        growth = squares(changed) - least
        doubt = float(np.std(growth)) / np.sqrt(len(rows))
        if np.mean(growth) < min(float(np.mean(least)), ERROR_BARS * doubt):
            found.append(int(column))
    return tuple(found)


def without(x: np.ndarray, columns: Sequence[int]) -> np.ndarray:
    """The samples with zeros in some columns."""
    x = x.copy()
    x[:, list(columns)] = 0.0
    return x
