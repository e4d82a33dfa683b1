"""The equations for fields that move the vectors in a table.

All computations use standard coordinates: vectors with second moments of 1, and with mean
zero if fields have translations. So nothing depends on the units, the offsets or the linear
coordinates of the data.
"""

import copy
import dataclasses
import math
from typing import Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._validation import finite_array
from keras_lconv.discovery.functions.changes import Changes
from keras_lconv.discovery.functions.system import System
from keras_lconv.discovery.null_space import NullSpace, groups_of
from keras_lconv.discovery.report import SymmetryReport
from keras_lconv.discovery.standard import (
    SMALLEST_VARIATION,
    Reach,
    standard_coordinates,
)

OUTPUTS = ("free", "same", "tensor2")

TINY = float(np.finfo("float64").tiny)
S = TypeVar("S", Changes, Reach)


@dataclasses.dataclass(frozen=True)
class Streamed:
    """Sums over samples that are not kept.

    Args:
        system: Their equations.
        scaling: The scaling of outputs to standard units.
        counted: Whether each output counts.
        changes: How much outputs change, or `None` before the first sample.
        reach: The range of the vectors, or `None` before the first sample.
    """

    system: System
    scaling: np.ndarray
    counted: np.ndarray
    changes: Changes | None
    reach: Reach | None


class VectorEquations:
    """`J(x) v(x) = K F(x)` for fields `v`, on samples `(batch, scalars + blocks v)`.

    Args:
        x: Samples `(batch, n)`, each of them once.
        kind: `"invariance"`, where `K = 0`, or `"equivariance"`.
        blocks: Number of vectors in a sample.
        scalars: Number of components before them, which do not transform.
        output: The kind of `K`.
        names: Names of the components of a vector, or `None`.
    """

    def __init__(
        self,
        x: np.ndarray,
        kind: str,
        blocks: int,
        scalars: int,
        output: ArrayLike,
        names: tuple[str, ...] | None = None,
    ):
        self.samples = _checked_samples(x, blocks, scalars)
        self._kind, self._blocks, self._scalars = kind, blocks, scalars
        self._names = names
        self._output = output if isinstance(output, str) else "matrices"
        self._given_output = None
        if self._output == "matrices":
            self._given_output = finite_array("output", output)
        self._is_free = kind == "equivariance" and self._output == "free"
        self._batches: list[tuple[np.ndarray, ...]] = []
        self._streamed: Streamed | None = None
        self.depends_on_input = False

    @property
    def _all_vectors(self) -> np.ndarray:
        """The vectors of all samples, `(N, v)`."""
        size = (self.samples.shape[1] - self._scalars) // self._blocks
        return self._vectors(self.samples).reshape(-1, size)

    def _set_coordinates(self, is_affine: bool) -> None:
        """Chooses standard coordinates, with the mean as the origin or without."""
        self._is_affine = is_affine
        self._standard = standard_coordinates(self._all_vectors, is_affine)

    def report(self, dimension: int | None, fit_error: float = 0.0) -> SymmetryReport:
        """The report from the equations of all samples."""
        raise NotImplementedError

    @property
    def num_searched(self) -> int:
        """The dimension of the search."""
        raise NotImplementedError

    def require_outputs(self, size: int) -> None:
        """Raises an error unless `output` determines how this number of outputs moves."""
        raise NotImplementedError

    def _vectors(self, x: np.ndarray) -> np.ndarray:
        """The vectors `(..., blocks, v)` in arrays `(..., n)`."""
        return x[..., self._scalars :].reshape(*x.shape[:-1], self._blocks, -1)

    def add(
        self,
        x: np.ndarray,
        values: np.ndarray,
        derivatives: np.ndarray,
        each: np.ndarray | None = None,
    ) -> None:
        """Adds the equations of samples.

        Args:
            x: Samples `(batch, n)`.
            values: `F(x)`, `(batch, *outputs)`.
            derivatives: `J(x)`, `(batch, m, n)`.
            each: The `J(x)` of several functions that should be equal, `(k, batch, m, n)`.
        """
        values = values.reshape(len(values), -1)
        self.require_outputs(values.shape[1])
        slopes = self._vectors(derivatives) @ self._standard.restore
        self.depends_on_input |= bool(np.any(slopes))
        noise = np.zeros(len(x))
        if each is not None:
            apart = self._vectors(each - derivatives) @ self._standard.restore
            # The variance of their mean.
            factor = 1 / (len(each) * (len(each) - 1))
            noise = factor * np.sum(apart**2, axis=(0, 2, 3, 4))
        if self._streamed is None:
            self._batches.append((self._vectors(x), values, slopes, noise))
            return
        self._add_to(self._streamed, self._vectors(x), slopes, values, groups_of(x))

    # ------------------------------------------------------------------ sums

    def settle(self) -> None:
        """Takes units from the samples so far. These and later samples are not kept."""
        vectors, values, slopes, doubt = self._gathered()
        self._batches.clear()
        self.depends_on_input = False
        changes = Changes.of(slopes, values)
        scaling = self._output_scaling(changes, values)
        parts = self._with_outputs(slopes, values, scaling)
        system = System(self._elements, self._extended(vectors), *parts, doubt)
        self._streamed = Streamed(system, scaling, changes.counted, None, None)

    def _add_to(
        self,
        found: Streamed,
        vectors: np.ndarray,
        slopes: np.ndarray,
        values: np.ndarray,
        groups: np.ndarray,
    ) -> None:
        parts = self._with_outputs(slopes, values, found.scaling)
        found.system.add(self._extended(vectors), *parts, groups)
        changes = Changes.of(slopes, values)
        reach = Reach.of(vectors.reshape(-1, vectors.shape[-1]), self._standard)
        self._streamed = dataclasses.replace(
            found,
            changes=_both(found.changes, changes),
            reach=_both(found.reach, reach),
        )

    def merged(self, other: Self) -> Self:
        """The sums over the samples of both, which have settled on the same units."""
        mine, others = self._streamed, other._streamed
        assert mine is not None
        assert others is not None
        merged = copy.copy(self)
        merged._streamed = dataclasses.replace(
            mine,
            system=mine.system.merged(others.system),
            changes=_both(mine.changes, others.changes),
            reach=_both(mine.reach, others.reach),
        )
        merged.depends_on_input |= other.depends_on_input
        return merged

    def _solved(
        self, dimension: int | None, fit_error: float
    ) -> tuple[NullSpace, Changes, np.ndarray]:
        """The null space over all samples, and whether each output changes, and counts."""
        if self._streamed is not None:
            found = self._streamed
            assert found.changes is not None
            assert found.reach is not None
            found.reach.require_like(self._standard)
            space = found.system.solve(dimension, fit_error)
            return space, found.changes, found.counted
        vectors, values, slopes, doubt = self._gathered()
        changes = Changes.of(slopes, values)
        scaling = self._output_scaling(changes, values)
        extended = self._extended(vectors)
        parts = self._with_outputs(slopes, values, scaling)
        system = System(self._elements, extended, *parts, doubt)
        system.add(extended, *parts)
        return system.solve(dimension, fit_error), changes, changes.counted

    def _judged(
        self, report: SymmetryReport, changes: Changes, counted: np.ndarray
    ) -> SymmetryReport:
        """The report, without confidence if outputs change too little."""
        # If all are this small, all count.
        some_count = np.any(counted) if self._kind == "invariance" else self._is_free
        hidden = np.flatnonzero((changes.sizes > 0) & ~counted & some_count)
        if not len(hidden):
            return report
        notes = (*report.notes, _hidden_in_words(hidden))
        return dataclasses.replace(report, confidence=0.0, notes=notes)

    def _gathered(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
        """All vectors, outputs and slopes, and the relative error of the slopes."""
        vectors, values, slopes, noise = (
            np.concatenate(parts) for parts in zip(*self._batches, strict=True)
        )
        total = float(np.sum(slopes**2))
        doubt = math.sqrt(float(np.sum(noise)) / total) if total else 0.0
        return vectors, values, slopes, doubt

    def _in_standard(self, vectors: np.ndarray) -> np.ndarray:
        """Vectors `(..., v)` in standard coordinates, `(..., r)`."""
        return (vectors - self._standard.mean) @ self._standard.whiten.T

    @property
    def _elements(self) -> np.ndarray:
        """The matrices `E` that are searched, in standard coordinates, `(p, r, w)`."""
        raise NotImplementedError

    def _extended(self, vectors: np.ndarray) -> np.ndarray:
        """The functions `f` of vectors `(..., v)` in the fields, `(..., w)`."""
        raise NotImplementedError

    def _moved(self, values: np.ndarray, scaling: np.ndarray) -> np.ndarray:
        """The outputs `(batch, m)` after `K` of each element, `(batch, m, p)`."""
        raise NotImplementedError

    def _output_scaling(self, changes: Changes, values: np.ndarray) -> np.ndarray:
        """A matrix that brings outputs to standard units.

        For invariance the units are the mean changes of each output, and outputs that
        hardly change are left out.
        """
        if self._kind == "equivariance":
            return self._output_coordinates(values)
        counted, identity = changes.counted, np.eye(len(changes.sizes))
        return (
            identity[counted] / changes.sizes[counted, None]
            if np.any(counted)
            else identity
        )

    def _with_outputs(
        self, slopes: np.ndarray, values: np.ndarray, scaling: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Slopes, the outputs after `K`, and the outputs if `K` is free, in
        standard units.
        """
        slopes = np.einsum("nm,smbi->snbi", scaling, slopes, optimize=True)
        if self._kind == "invariance":
            return slopes, None, None
        if self._is_free:
            values = values @ scaling.T
            if self._is_affine:
                values = np.pad(values, ((0, 0), (0, 1)), constant_values=1.0)
            return slopes, None, values
        return slopes, self._moved(values, scaling), None

    def _output_coordinates(self, values: np.ndarray) -> np.ndarray:
        """A matrix that brings outputs `(batch, m)` to standard units."""
        blocks, scalars, size = self._blocks, self._scalars, values.shape[1]
        v = self._all_vectors.shape[1]
        whole = np.concatenate([self._standard.whiten, self._standard.unreached])
        if self._output == "same" and size == scalars + blocks * v:
            spread = np.sqrt(np.mean(values[:, :scalars] ** 2, axis=0))
            scales = np.where(spread > 0, 1 / np.maximum(spread, TINY), 1.0)
            matrix = np.zeros((size, size))
            matrix[:scalars, :scalars] = np.diag(scales)
            matrix[scalars:, scalars:] = np.kron(np.eye(blocks), whole)
            return matrix
        if self._output == "tensor2" and size == v * v:
            return np.kron(whole, whole)
        spread = np.sqrt(np.mean(values**2, axis=0))
        scales = np.where(spread > 0, 1 / np.maximum(spread, TINY), 1.0)
        scaled = values * scales
        moments, axes = np.linalg.eigh(scaled.T @ scaled / len(scaled))
        roots = np.sqrt(np.maximum(moments, SMALLEST_VARIATION**2 * moments[-1]))
        return (axes / roots).T * scales


def _both(first: S | None, second: S | None) -> S | None:
    """Merged sums, of which one may be empty."""
    if first is None or second is None:
        return second if first is None else first
    return first.merged(second)


def _hidden_in_words(numbers: np.ndarray) -> str:
    which = ", ".join(map(str, numbers))
    return (
        f"outputs that do not count: {which} (relative to their values, changes may be "
        "rounding: subtract the mean inside of `function`, or leave out constant outputs)"
    )


def _checked_samples(samples: np.ndarray, blocks: int, scalars: int) -> np.ndarray:
    if samples.ndim != 2 or 0 in samples.shape or len(samples) < 2:
        raise ValueError(
            "`x` must have shape `(batch, n)`, or `(batch, *spatial, channels)` for "
            f"images, with at least two different samples. Received: shape {samples.shape}"
        )
    size = samples.shape[1] - scalars
    if size <= 0:
        raise ValueError(
            f"`scalars` must leave some of the n={samples.shape[1]} components of `x`. "
            f"Received: scalars={scalars}"
        )
    if size % blocks:
        raise ValueError(
            f"`blocks` must divide the n={size} components of `x`"
            f"{' that are no scalars' if scalars else ''}. Received: blocks={blocks}"
        )
    return samples
