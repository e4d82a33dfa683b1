"""The equations for fields that move the vectors in a table.

Everything is computed in standard coordinates: vectors with the mean zero, where fields
have translations, and with second moments of 1. So nothing depends on the units, the
offsets or the linear coordinates of the data.
"""

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._validation import finite_array
from keras_lconv.discovery.functions.weights import congruent, weights_of
from keras_lconv.discovery.null_space import NormalMatrices, NullSpace
from keras_lconv.discovery.report import SymmetryReport
from keras_lconv.discovery.standard import SMALLEST_VARIATION, standard_coordinates

OUTPUTS = ("free", "same", "tensor2")

# Of all directions: where derivatives are smaller, a function does not depend on them.
SMALLEST_SLOPE = 1e-3
# Functions that were fitted to the same data err more than they differ, by some factor.
LARGE_DOUBT = 3.0
# An output whose changes are smaller, relative to its values, is constant.
SMALLEST_CHANGE = 1e-6
TINY = float(np.finfo("float64").tiny)


class VectorEquations:
    """`J(x) v(x) = K F(x)` for fields `v`, on samples `(batch, scalars + blocks v)`.

    Args:
        x: Samples `(batch, n)`, each of them once.
        kind: `"invariance"`, where `K = 0`, or `"equivariance"`.
        blocks: Number of vectors in a sample.
        scalars: Number of components before them, which do not transform.
        output: What `K` is.
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
        """What the equations of all samples say."""
        raise NotImplementedError

    @property
    def num_searched(self) -> int:
        """The dimension of the search."""
        raise NotImplementedError

    def require_outputs(self, size: int) -> None:
        """Raises unless `output` says how so many outputs move."""
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
            each: Those of several functions that should be the same, `(k, batch, m, n)`.
        """
        values = values.reshape(len(values), -1)
        self.require_outputs(values.shape[1])
        vectors = (self._vectors(x) - self._standard.mean) @ self._standard.whiten.T
        slopes = self._vectors(derivatives) @ self._standard.restore
        self.depends_on_input |= bool(np.any(slopes))
        noise = np.zeros(len(x))
        if each is not None:
            apart = self._vectors(each - derivatives) @ self._standard.restore
            # The variance of their mean.
            factor = 1 / (len(each) * (len(each) - 1))
            noise = factor * np.sum(apart**2, axis=(0, 2, 3, 4))
        self._batches.append((vectors, values, slopes, noise))

    def _judged(
        self, report: SymmetryReport, slopes: np.ndarray, values: np.ndarray
    ) -> SymmetryReport:
        """The report, without confidence where outputs change too little."""
        sizes, changing = _changes(slopes, values)
        # Where all are so small, all count.
        some_count = np.any(changing) if self._kind == "invariance" else self._is_free
        hidden = np.flatnonzero((sizes > 0) & ~changing & some_count)
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

    def _null_space(
        self,
        elements: np.ndarray,
        extended: np.ndarray,
        slopes: np.ndarray,
        values: np.ndarray | None,
        moved: np.ndarray | None,
        doubt: float,
        **asked: Any,
    ) -> NullSpace:
        """The null space of equations for fields `v = E f`.

        Args:
            elements: The matrices `E` that are searched, `(p, r, w)`.
            extended: Functions of the vectors, `f`, `(batch, blocks, w)`.
            slopes: The derivatives `(batch, m, blocks, r)` in standard coordinates.
            values: The outputs `(batch, n)`, if any `K` will do.
            moved: What `K` of each element makes of them, `(batch, m, p)`, if it is known.
            doubt: The relative error of the slopes.
            **asked: The dimension, if it is known, and the error of a fit.
        """
        weights, sizes, slope_moments, moments = weights_of(
            extended,
            slopes,
            moved,
            values is not None or moved is not None,
            max(SMALLEST_SLOPE, LARGE_DOUBT * doubt),
        )
        flat = elements.reshape(len(elements), -1)
        unit = congruent(elements, slope_moments, moments)
        normal = NormalMatrices(
            len(flat),
            0 if values is None else values.shape[1],
            slopes.shape[1],
            unit,
        )
        num_per_batch = max(1, int(2e7 // (slopes.shape[1] * flat.shape[1])))
        # In multiples of the groups, which are dealt out in turn.
        for start in range(0, len(extended), num_per_batch):
            rows = slice(start, start + num_per_batch)
            factors = np.einsum(
                "smbi,sbj->smij", slopes[rows], extended[rows], optimize=True
            ).reshape(len(extended[rows]), slopes.shape[1], -1)
            equations = factors @ flat.T
            roots = np.sqrt(weights[rows])
            also = None
            if moved is not None:
                equations = equations - moved[rows]
                also = moved[rows] * roots[..., None]
            normal.add(
                equations * roots[..., None],
                np.sum(weights[rows] * sizes[rows], axis=1) / flat.shape[1],
                None if values is None else values[rows] * roots[:, :1],
                also,
            )
        return normal.solve(noise=LARGE_DOUBT * doubt, **asked)

    def _moved(self, values: np.ndarray, scaling: np.ndarray) -> np.ndarray:
        """What `K` of each element makes of outputs `(batch, m)`: `(batch, m, p)`."""
        raise NotImplementedError

    def _with_outputs(
        self, slopes: np.ndarray, values: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
        """Slopes, what `K` makes of outputs, and these if it is free, in standard units."""
        if self._kind == "invariance":
            return _same_scale(slopes, values), None, None
        scaling = self._output_coordinates(values)
        slopes = np.einsum("nm,smbi->snbi", scaling, slopes, optimize=True)
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


def _same_scale(slopes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Slopes `(batch, m, blocks, r)` of outputs in units of their own mean size.

    Outputs that hardly change are left out.
    """
    sizes, changing = _changes(slopes, values)
    if not np.any(changing):
        return slopes
    return slopes[:, changing] / sizes[changing, None, None]


def _changes(slopes: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean sizes of the slopes of outputs, `(m,)`, and whether they are not rounding."""
    sizes = np.sqrt(np.mean(np.sum(slopes**2, axis=(2, 3)), axis=0))
    return sizes, sizes > SMALLEST_CHANGE * np.max(np.abs(values), axis=0)


def _hidden_in_words(numbers: np.ndarray) -> str:
    which = ", ".join(map(str, numbers))
    return (
        f"outputs that do not count: {which} (beside their values changes may be rounding; "
        "subtract the mean inside of `function`, or leave out what is constant)"
    )


def _checked_samples(samples: np.ndarray, blocks: int, scalars: int) -> np.ndarray:
    if samples.ndim != 2 or 0 in samples.shape or len(samples) < 2:
        raise ValueError(
            "`x` must have shape `(batch, n)`, or `(batch, *spatial, channels)` for "
            "images, with two samples that differ at least. "
            f"Received: shape {samples.shape}"
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
