"""The outputs that a symmetric function has at moved inputs."""

from typing import Any

import numpy as np

from keras_lconv._validation import finite_array
from keras_lconv.discovery.discrete.reduced import Reduced

# An output is lost in rounding if its spread, relative to its values, is below this
# multiple of their rounding over the tolerance.
LOST = 0.3
# Regressors with a smaller share are dependent.
SMALLEST_REGRESSOR = 1e-6
# For outputs with a free law: combinations that vary less, relative to the others, do not
# count, and a map after which one varies less is no symmetry.
SMALLEST_SHARE = 1e-3
# The least number of samples for each output whose law is fitted.
SAMPLES_PER_OUTPUT = 8
# The number of outputs that a search in any direction follows.
MOST_FOLLOWED = 4
FEWEST = 4


class Outputs:
    """Invariant outputs: `F(h x) = F(x)`.

    Args:
        values: `F(x)` at all samples, `(samples, outputs)`.
        smallest: An output whose spread is a smaller part of its values does not count.
    """

    # With fewer samples than this the outputs tell nothing.
    fewest = FEWEST

    def __init__(self, values: np.ndarray, smallest: float):
        self.values = values
        spread, largest = np.std(values, axis=0), np.max(np.abs(values), axis=0)
        self._varies = spread > smallest * largest
        # A constant output is allowed if another output is not constant.
        self.require_seen(np.ptp(values, axis=0) > 0)
        if not np.any(self._varies):
            raise _lost(f"a function with the same value at all {len(values)} samples")
        self._scale = spread[self._varies]

    def require_seen(self, changes: np.ndarray) -> None:
        """Raises an error if rounding hides how an output changes.

        Args:
            changes: Whether each output changes, `(outputs,)`.
        """
        hidden = np.flatnonzero(changes & ~self._varies)
        if len(hidden):
            values = self.values[:, hidden[0]]
            raise _lost(
                f"output {hidden[0]} with values up to {np.max(np.abs(values)):.3g} that "
                f"vary by {np.std(values):.3g}"
            )

    @property
    def reference(self) -> np.ndarray:
        """The outputs that count, with spread 1: `(samples, k)`."""
        return self.values[:, self._varies] / self._scale

    def changes(self, matrices: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """How far outputs are from the expected ones, in units of their spread.

        Args:
            matrices: Maps of rows, `(m, n, n)`.
            moved: `F(h x)` at the first samples, `(m, number, outputs)`.

        Returns:
            Array `(m, number, k)`.
        """
        return moved[..., self._varies] / self._scale - self.reference[: moved.shape[1]]

    def matrices(self, matrices: np.ndarray, moved: np.ndarray) -> np.ndarray | None:
        """The matrices by which outputs move, `(m, outputs, outputs)`, if they do."""
        return None

    # ------------------------------------------------- for a search in any direction

    def followed(self, values: np.ndarray, reduced: Reduced) -> np.ndarray:
        """A few combinations of outputs, rows `(c, outputs)`, of spread 1."""
        scale = np.std(values, axis=0)
        chosen = np.argsort(-scale)[:MOST_FOLLOWED]
        chosen = chosen[scale[chosen] > 1e-6 * scale[chosen[0]]]
        return np.eye(len(scale))[chosen] / scale[chosen, None]

    def expected(self, matrices: np.ndarray, number: int) -> np.ndarray:
        """The expected outputs, `(m, number, outputs)`, or one array for all maps."""
        return self.values[None, :number]

    def pulled(
        self, maps: np.ndarray, followed: np.ndarray, reduced: Reduced, number: int
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """What `expected` changes by, as slopes and what they belong to.

        Args:
            maps: Maps of vectors in reduced coordinates, `(m, r, r)`.
            followed: Combinations of outputs, `(c, outputs)`.
            reduced: These coordinates.
            number: Number of samples.

        Returns:
            Slopes `(c, e, r)` and vectors `(m, number, c, e, r)`, or `None`.
        """
        return None

    def project(self, residuals: np.ndarray) -> np.ndarray:
        """The rest of residuals `(m, number, c)` after the fit of a law of outputs."""
        return residuals


def _lost(received: str) -> ValueError:
    """The message about outputs that rounding hides."""
    return ValueError(
        "`function` must depend on its input: the spread of each output must be well "
        f"above the rounding of its values. Received: {received}. If rounding hides the "
        "spread, subtract the mean inside of the function, or compute in float64. If an "
        "output is constant, leave it out"
    )


class MovedOutputs(Outputs):
    """Outputs that move by a known law: like the vectors, or like matrices.

    Args:
        values: `(samples, outputs)`.
        smallest: As for `Outputs`.
        kind: `"same"` or `"tensor2"`.
        scalars: Number of components that are not moved, the first ones.
        centre: What vectors are moved about, `(v,)`.
        blocks: Number of vectors.
    """

    def __init__(
        self,
        values: np.ndarray,
        smallest: float,
        kind: str,
        *,
        scalars: int,
        centre: np.ndarray,
        blocks: int,
    ):
        super().__init__(values, smallest)
        size = len(centre)
        needed = {"same": scalars + blocks * size, "tensor2": size * size}[kind]
        if values.shape[1] != needed:
            raise ValueError(
                f"output={kind!r} needs a function with {needed} outputs, for {blocks} "
                f"vectors of size {size}. Received: {values.shape[1]} outputs"
            )
        self._kind, self._blocks, self._size = kind, blocks, size
        self._scalars = scalars if kind == "same" else 0
        self._centre = np.zeros(needed)
        if kind == "same":
            self._centre[scalars:] = np.tile(centre, blocks)
        # Constant outputs must agree with the law, too.
        sizes = np.where(self._varies, np.std(values, axis=0), np.abs(values).max(axis=0))
        self._units = np.where(sizes > 0, sizes, np.max(sizes))

    @property
    def reference(self) -> np.ndarray:
        """What counts, in units of its spread: `(samples, k)`."""
        return (self.values - self._centre) / self._units

    def changes(self, matrices: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """How far outputs are from where they should be, `(m, number, k)`."""
        return (moved - self.expected(matrices, moved.shape[1])) / self._units

    def matrices(self, matrices: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """The matrices by which outputs move, `(m, outputs, outputs)`."""
        if self._kind == "tensor2":
            first = matrices[:, : self._size, : self._size]
            return np.array([np.kron(h, h) for h in first])
        size = self._scalars + matrices.shape[1]
        result = np.tile(np.eye(size), (len(matrices), 1, 1))
        result[:, self._scalars :, self._scalars :] = matrices
        return result

    def expected(self, matrices: np.ndarray, number: int) -> np.ndarray:
        """Where they should be, `(m, number, outputs)`."""
        law = self.matrices(matrices, self.values)
        away = self.values[None, :number] - self._centre
        return away @ law.swapaxes(1, 2) + self._centre

    def followed(self, values: np.ndarray, reduced: Reduced) -> np.ndarray:
        """Combinations of outputs, rows `(c, outputs)`, of spread 1."""
        down = reduced.down
        rows = np.kron(down, down)
        if self._kind == "same":
            rows = np.zeros((self._blocks * reduced.size, values.shape[1]))
            rows[:, self._scalars :] = np.kron(np.eye(self._blocks), down)
        rows = rows[: 2 * MOST_FOLLOWED]
        spread = np.std(values @ rows.T, axis=0)
        return rows / np.maximum(spread, 1e-3 * np.max(spread))[:, None]

    def pulled(
        self, maps: np.ndarray, followed: np.ndarray, reduced: Reduced, number: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """What `expected` changes by, as slopes and what they belong to."""
        one, r = np.eye(reduced.size), reduced.size
        # The first outputs are followed, by blocks or by rows of a matrix.
        first, second = np.divmod(np.arange(len(followed)), r)
        lengths = np.linalg.norm(reduced.down, axis=1)
        units = np.linalg.norm(followed, axis=1) / lengths[second]
        away = self.values[:number] - self._centre
        if self._kind == "same":
            vectors = away[:, self._scalars :].reshape(number, self._blocks, -1)
            vectors = (vectors @ reduced.down.T)[:, first]
            slopes = -units[:, None] * one[second]
            shape = (len(maps), number, len(first), 1, r)
            return slopes[:, None], np.broadcast_to(vectors[None, :, :, None], shape)
        # `h T h^T` has a derivative from the left and one from the right.
        units = units / lengths[first]
        tensors = away.reshape(number, self._size, self._size)
        tensors = reduced.down @ tensors @ reduced.down.T
        right = np.einsum("sij,mkj->mski", tensors, maps)[:, :, second]
        left = np.einsum("sji,mkj->mski", tensors, maps)[:, :, first]
        slopes = -units[:, None, None] * np.stack([one[first], one[second]], axis=1)
        return slopes, np.stack([right, left], axis=3)


class GivenOutputs(Outputs):
    """Outputs that move by a given matrix for each map.

    Args:
        values: `(samples, outputs)`.
        smallest: As for `Outputs`.
        maps: The maps of rows, `(m, n, n)`.
        laws: The matrix of each, `(m, outputs, outputs)`.
    """

    def __init__(self, values: np.ndarray, smallest: float, maps: np.ndarray, laws: Any):
        super().__init__(values, smallest)
        self._maps, self._laws = maps, finite_array("output", laws)
        expected = (len(maps), values.shape[1], values.shape[1])
        if self._laws.shape != expected:
            raise ValueError(
                "`output` must be one of ('free', 'same', 'tensor2'), or matrices of shape "
                f"{expected}: one for each matrix of `search`. "
                f"Received: shape {self._laws.shape}"
            )

    def matrices(self, matrices: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """The matrices by which outputs move, `(m, outputs, outputs)`."""
        away = np.abs(self._maps[None] - matrices[:, None]).max(axis=(2, 3))
        return self._laws[np.argmin(away, axis=1)]

    def changes(self, matrices: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """How far outputs are from where they should be, `(m, number, k)`."""
        law = self.matrices(matrices, moved)
        expected = self.values[None, : moved.shape[1]] @ law.swapaxes(1, 2)
        return (moved - expected)[..., self._varies] / self._scale


class FreeOutputs(Outputs):
    """Outputs that move by any matrix, found by a fit: `F(h x) = W F(x)`.

    Args:
        values: `(samples, outputs)`.
        smallest: As for `Outputs`.
        has_offset: Whether an offset is fitted too.
    """

    def __init__(self, values: np.ndarray, smallest: float, has_offset: bool):
        super().__init__(values, smallest)
        scaled = self.values[:, self._varies] / self._scale
        variances, axes = np.linalg.eigh(np.cov(scaled.T).reshape(scaled.shape[1], -1))
        kept = variances > SMALLEST_SHARE**2 * variances[-1]
        self._frame = np.zeros((int(np.sum(kept)), values.shape[1]))
        whiten = (axes[:, kept] / np.sqrt(variances[kept])).T
        self._frame[:, self._varies] = whiten / self._scale
        sizes = np.maximum(np.abs(values).max(axis=0), np.finfo("float32").tiny)
        self._regressors = values / sizes
        if has_offset:
            self._regressors = np.pad(
                self._regressors, ((0, 0), (0, 1)), constant_values=1.0
            )
        self.fewest = SAMPLES_PER_OUTPUT * self._regressors.shape[1]
        if len(values) < self.fewest:
            raise ValueError(
                f"output='free' fits the law of the {values.shape[1]} outputs and needs at "
                f"least {self.fewest} different samples. Received: {len(values)}"
            )

    @property
    def reference(self) -> np.ndarray:
        """What counts, in units of its spread: `(samples, k)`."""
        return self.values @ self._frame.T

    def changes(self, matrices: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """How far outputs are from where they should be, `(m, number, k)`."""
        moved = moved @ self._frame.T
        with np.errstate(over="ignore", invalid="ignore"):
            spread = np.std(moved, axis=1, keepdims=True)
        # An unrelated sample differs by twice the variance. A fit leaves the variance
        # itself.
        changes = np.sqrt(2) * self.project(moved) / np.clip(spread, SMALLEST_SHARE, 1.0)
        return np.where(spread > SMALLEST_SHARE, changes, np.inf)

    def matrices(self, matrices: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """The matrices by which outputs move, `(m, outputs, outputs)`."""
        fitted = np.array(
            [np.linalg.lstsq(self.values, each, rcond=1e-6)[0].T for each in moved]
        )
        return fitted.reshape(len(moved), *[self.values.shape[1]] * 2)

    def followed(self, values: np.ndarray, reduced: Reduced) -> np.ndarray:
        """Combinations of outputs, rows `(c, outputs)`, of spread 1."""
        return self._frame[-MOST_FOLLOWED:]

    def expected(self, matrices: np.ndarray, number: int) -> np.ndarray:
        """Where they should be, `(m, number, outputs)`."""
        return np.zeros((1, number, self.values.shape[1]))

    def project(self, residuals: np.ndarray) -> np.ndarray:
        """What is left of residuals `(m, number, c)` once a law is fitted."""
        left, sizes, _ = np.linalg.svd(
            self._regressors[: residuals.shape[1]], full_matrices=False
        )
        basis = left[:, sizes > SMALLEST_REGRESSOR * sizes[0]]
        return residuals - basis @ (basis.T @ residuals)


def outputs_of(
    values: np.ndarray,
    rounding: float,
    kind: str,
    output: Any,
    *,
    tolerance: float,
    scalars: int,
    centre: np.ndarray,
    blocks: int,
    given: np.ndarray | None,
) -> Outputs:
    """The outputs `(samples, M)` of a function, with the law that symmetries imply.

    Args:
        values: `(samples, M)`.
        rounding: The relative rounding error of their dtype.
        kind: `"invariance"` or `"equivariance"`.
        output: `"free"`, `"same"`, `"tensor2"`, or the matrix of each given map.
        tolerance: The largest error of a symmetry.
        scalars: The number of components that do not move.
        centre: What vectors are moved about, `(v,)`.
        blocks: Number of vectors in a row.
        given: Maps of rows that are given, or `None`.
    """
    smallest = LOST * rounding / max(tolerance, rounding)
    if kind == "invariance":
        return Outputs(values, smallest)
    if isinstance(output, str) and output == "free":
        return FreeOutputs(values, smallest, has_offset=bool(np.any(centre)))
    if isinstance(output, str):
        return MovedOutputs(
            values, smallest, output, scalars=scalars, centre=centre, blocks=blocks
        )
    if given is None:
        raise ValueError(
            "`output` can hold matrices only if `search` holds as many matrices, to which "
            "they belong. Received: kinds of maps in `search`"
        )
    return GivenOutputs(values, smallest, given, output)
