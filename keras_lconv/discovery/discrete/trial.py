"""How much a function changes when a map moves its inputs."""

from collections.abc import Callable, Iterator
from functools import partial

import keras
import numpy as np
from keras import ops

from keras_lconv._typing import Function
from keras_lconv.algebra.tolerance import rounding
from keras_lconv.discovery.discrete.outputs import Outputs
from keras_lconv.discovery.functions.derivatives import values_of_arrays

# Candidates are tried on few samples first, and on more if they change little there.
LATER, SCREEN = 8, 0.3
# The largest number of rows in a call.
MOST_ROWS, FEWEST_ROWS = 4096, 256


class Trial:
    """Evaluates a function at moved samples.

    Args:
        function: Maps `(batch, n)` to `(batch, ...)`, tensors or arrays.
        samples: Array `(batch, n)`.
        scalars: The number of components that do not move, the first ones.
        centre: The fixed point of all maps: the centre of all vectors of a row, one after
            the other, `(n - scalars,)`.
        takes_arrays: Whether the function takes NumPy arrays.
        outputs_of: Makes `Outputs`, which give the expected outputs, from values `(batch,
            m)` and the rounding of their dtype.

    Raises:
        ValueError: If the function does not depend on its input.
    """

    def __init__(
        self,
        function: Function,
        samples: np.ndarray,
        scalars: int,
        centre: np.ndarray,
        takes_arrays: bool,
        outputs_of: Callable[[np.ndarray, float], Outputs],
    ):
        self._call = (values_of_arrays if takes_arrays else values_of_tensors)(function)
        self.samples, self._scalars, self._centre = samples, scalars, centre
        values = self._values(samples)
        if not np.all(np.isfinite(values)):
            raise ValueError(
                "`function` must have finite values at all samples. Received: some that "
                "are NaN or infinite"
            )
        self.outputs = outputs_of(values.astype("float64"), rounding(values))
        # The change to an unrelated sample: the difference of two samples of spread 1, and
        # its median.
        reference = self.outputs.reference
        other = reference[np.random.default_rng(0).permutation(len(samples))]
        self._median = float(np.median(_lengths(reference - other)))

    def _values(self, rows: np.ndarray) -> np.ndarray:
        values = []
        for part, number in parts_of(rows):
            found = self._call(part)
            if found.shape[:1] != part.shape[:1]:
                raise ValueError(
                    "`function` must return an output for each row, `(batch, ...)`. "
                    f"Received: shape {found.shape} for {len(part)} rows"
                )
            values.append(found[:number].reshape(number, -1))
        return np.concatenate(values)

    def moved(self, matrices: np.ndarray, number: int | None = None) -> np.ndarray:
        """The first samples moved by each map, `(m, number, n)`."""
        rows = self.samples[:number]
        fixed = np.broadcast_to(
            rows[:, : self._scalars], (len(matrices), len(rows), self._scalars)
        )
        vectors = (rows[:, self._scalars :] - self._centre) @ matrices.swapaxes(1, 2)
        return np.concatenate([fixed, vectors + self._centre], axis=2)

    def changes(self, matrices: np.ndarray, number: int) -> np.ndarray:
        """How far outputs are from the expected ones, `(m, number, k)`."""
        return self.outputs.changes(matrices, self.values_at(matrices, number))

    def values_at(self, matrices: np.ndarray, number: int | None = None) -> np.ndarray:
        """Outputs at the first samples moved by each map, `(m, number, outputs)`."""
        moved = self.moved(matrices, number)
        if not len(moved):
            return np.zeros((*moved.shape[:2], self.outputs.values.shape[1]))
        values = self._values(moved.reshape(-1, moved.shape[2])).astype("float64")
        return values.reshape(*moved.shape[:2], -1)

    def errors(self, matrices: np.ndarray) -> np.ndarray:
        """How far each map is from a symmetry: 0 if exact, 1 if outputs are like those of
        unrelated samples.

        This is the root mean square of changes, or their median if that is larger, both in
        units of the changes to unrelated samples. So neither a few large values nor many
        small ones decide alone.

        Args:
            matrices: Array `(m, n - scalars, n - scalars)`.

        Returns:
            Array `(m,)`. A map that fails on the first part of the samples has its error
            there.
        """
        errors = np.zeros(len(matrices))
        alive = np.arange(len(matrices))
        fewest = self.outputs.fewest
        for number in (fewest, LATER * fewest, len(self.samples)):
            number = min(number, len(self.samples))
            for start in range(0, len(alive), max(1, 16 * MOST_ROWS // number)):
                part = alive[start : start + max(1, 16 * MOST_ROWS // number)]
                lengths = _lengths(self.changes(matrices[part], number))
                errors[part] = self._in_units(lengths)
            alive = alive[errors[alive] < SCREEN]
            if not len(alive) or number == len(self.samples):
                break
        return errors

    def _in_units(self, lengths: np.ndarray) -> np.ndarray:
        """Errors from lengths `(m, number)` of changes."""
        with np.errstate(over="ignore", invalid="ignore"):
            mean = np.sqrt(
                np.mean(lengths**2, axis=1) / (2 * self.outputs.reference.shape[1])
            )
            middle = np.median(lengths, axis=1) / max(self._median, 1e-300)
        errors = np.maximum(mean, middle)
        return np.where(np.isfinite(errors), errors, np.inf)


def parts_of(rows: np.ndarray) -> Iterator[tuple[np.ndarray, int]]:
    """Parts of rows, each with the number that count. Copies of the last row pad a part to
    a power of two.

    Backends compile for each shape, so there should be few shapes.
    """
    for start in range(0, len(rows), MOST_ROWS):
        part = rows[start : start + MOST_ROWS]
        missing = max(FEWEST_ROWS, 1 << (len(part) - 1).bit_length()) - len(part)
        yield np.concatenate([part, np.repeat(part[-1:], missing, axis=0)]), len(part)


def _lengths(changes: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        return np.sqrt(np.sum(changes**2, axis=-1))


def values_of_tensors(function: Function) -> Callable[[np.ndarray], np.ndarray]:
    """Values `(batch, ...)` of a function of tensors."""
    if isinstance(function, keras.layers.Layer):
        function = partial(function, training=False)

    def call(rows: np.ndarray) -> np.ndarray:
        tensor = ops.convert_to_tensor(rows, dtype=keras.config.floatx())
        return ops.convert_to_numpy(function(tensor))

    return call
