"""The equations for maps of the vectors in a table.

Everything is computed in standard coordinates: vectors with the mean zero, where maps are
affine, and with second moments of 1. So nothing depends on the units, the offsets or the
linear coordinates of the data.
"""

import dataclasses
import math

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._typing import GeneratorsLike
from keras_lconv._validation import finite_array
from keras_lconv.discovery.functions.table_report import Assumptions, symmetry_report
from keras_lconv.discovery.functions.weights import congruent, weights_of
from keras_lconv.discovery.map_space import MapSpace, all_maps, maps_among
from keras_lconv.discovery.null_space import NormalMatrices, NullSpace
from keras_lconv.discovery.report import SymmetryReport
from keras_lconv.discovery.standard import (
    SMALLEST_VARIATION,
    has_clear_mean,
    standard_coordinates,
)

OUTPUTS = ("free", "same", "tensor2")

# Of all directions: where derivatives are smaller, a function does not depend on them.
SMALLEST_SLOPE = 1e-3
# Functions that were fitted to the same data err more than they differ, by some factor.
LARGE_DOUBT = 3.0
# An output whose changes are smaller, relative to its values, is constant.
SMALLEST_CHANGE = 1e-6
TINY = float(np.finfo("float64").tiny)


class TableEquations:
    """`J(x) (A x + b) = K F(x)` for affine maps, on samples `(batch, scalars + blocks v)`.

    Args:
        x: Samples `(batch, n)`, each of them once.
        kind: `"invariance"`, where `K = 0`, or `"equivariance"`.
        blocks: Number of vectors in a sample.
        scalars: Number of components before them, which do not transform.
        search: Where to search.
        output: What `K` is.
        names: Names of the components of a vector, or `None`.
    """

    def __init__(
        self,
        x: np.ndarray,
        kind: str,
        blocks: int,
        scalars: int,
        search: GeneratorsLike | None,
        output: ArrayLike,
        names: tuple[str, ...] | None = None,
    ):
        self.samples = _checked_samples(x, blocks, scalars)
        self._kind, self._blocks, self._scalars = kind, blocks, scalars
        self._names = names
        vectors = self._vectors(self.samples).reshape(-1, x[:, scalars:].shape[1] // blocks)
        if search is None:
            search = "affine" if has_clear_mean(vectors) else "linear"
        self._given_space = maps_among(search, vectors.shape[1])
        self._is_affine = not self._given_space.is_linear
        self._all = search if isinstance(search, str) else None
        self._standard = standard_coordinates(vectors, self._is_affine)
        self._space, self._mixture = self._standard_space()
        self._output = output if isinstance(output, str) else "matrices"
        self._given_output = None
        if self._output == "matrices":
            self._given_output = finite_array("output", output)
        self._is_free = kind == "equivariance" and self._output == "free"
        self._batches: list[tuple[np.ndarray, ...]] = []
        self.depends_on_input = False

    def _standard_space(self) -> tuple[MapSpace, np.ndarray]:
        """What is searched in standard coordinates, and as mixtures `(q, p)`."""
        rank = len(self._standard.whiten)
        if self._all:
            space = all_maps(rank, self._is_affine)
            raw = self._standard.raw(space.elements)
            raw = raw if self._is_affine else raw[..., :-1]
            return space, raw.reshape(space.size, -1)
        inside = self._standard.maps(self._given_space.elements)
        flat = inside.reshape(len(inside), -1)
        norms = np.maximum(np.linalg.norm(flat, axis=1), TINY)
        left, values, rows = np.linalg.svd(flat / norms[:, None], full_matrices=False)
        kept = values > 1e-10 * max(values[0], TINY)
        mixture = (left[:, kept] / values[kept]).T / norms
        return MapSpace(rows[kept].reshape(-1, *inside.shape[1:])), mixture

    @property
    def num_searched(self) -> int:
        """The dimension of what is searched."""
        return self._space.size

    def require_outputs(self, size: int) -> None:
        """Raises unless `output` says how so many outputs move."""
        v = self._given_space.vector_size
        needed = {"same": self.samples.shape[1], "tensor2": v * v}.get(self._output, size)
        if self._kind == "equivariance" and size != needed:
            raise ValueError(
                f"output={self._output!r} needs a function with {needed} outputs, for "
                f"{self._blocks} vectors of size {v}. Received: {size} outputs"
            )
        expected = (self._given_space.size, size, size)
        if self._given_output is not None and self._given_output.shape != expected:
            raise ValueError(
                f"`output` must be one of {OUTPUTS}, or matrices of shape {expected}: one "
                f"for each matrix of `search`. Received: shape {self._given_output.shape}"
            )

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

    def report(self, dimension: int | None, fit_error: float = 0.0) -> SymmetryReport:
        """What the equations of all samples say."""
        vectors, values, slopes, noise = (
            np.concatenate(parts) for parts in zip(*self._batches, strict=True)
        )
        total = float(np.sum(slopes**2))
        doubt = math.sqrt(float(np.sum(noise)) / total) if total else 0.0
        space = self._solved(vectors, values, slopes, dimension, doubt, fit_error)
        standard = np.tensordot(space.solutions.T, self._space.elements, 1)
        report = symmetry_report(
            space,
            standard,
            self._standard,
            Assumptions(
                kind=self._kind,
                output=self._output if self._kind == "equivariance" else None,
                blocks=self._blocks,
                scalars=self._scalars,
                is_affine=self._is_affine,
                is_algebra=self._all is not None,
                searched=self._searched_in_words(),
                names=self._names,
            ),
        )
        hidden = self._hidden(slopes, values)
        if not len(hidden):
            return report
        return dataclasses.replace(
            report, confidence=0.0, notes=(_hidden_in_words(hidden),)
        )

    def _hidden(self, slopes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Numbers of the outputs that change, but too little beside their values."""
        sizes, changing = _changes(slopes, values)
        # Where all are so small, all count.
        some_count = np.any(changing) if self._kind == "invariance" else self._is_free
        return np.flatnonzero((sizes > 0) & ~changing & some_count)

    def _searched_in_words(self) -> str:
        if self._all == "affine":
            return "affine maps"
        return "linear maps" if self._all else "maps in the given span"

    def _solved(
        self,
        vectors: np.ndarray,
        values: np.ndarray,
        slopes: np.ndarray,
        dimension: int | None,
        doubt: float,
        fit_error: float,
    ) -> NullSpace:
        """The null space, from all vectors `u` and slopes in standard coordinates.

        Args:
            vectors: The vectors `(batch, blocks, r)`.
            values: The outputs `(batch, m)`.
            slopes: The derivatives `(batch, m, blocks, r)`.
            dimension: The dimension, if it is known.
            doubt: The relative error of the slopes.
            fit_error: That of the values.
        """
        one = np.ones((*vectors.shape[:-1], 1))
        extended = np.concatenate([vectors, one], axis=2) if self._is_affine else vectors
        moved = None
        if self._kind == "invariance":
            slopes = _same_scale(slopes, values)
        else:
            slopes, moved, values = self._with_outputs(slopes, values)
        weights, sizes, slope_moments, moments = weights_of(
            extended,
            slopes,
            moved,
            self._kind == "equivariance",
            max(SMALLEST_SLOPE, LARGE_DOUBT * doubt),
        )
        elements = (
            self._space.elements if self._is_affine else self._space.elements[..., :-1]
        )
        flat = elements.reshape(len(elements), -1)
        unit = congruent(elements, slope_moments, moments)
        normal = NormalMatrices(
            len(flat),
            values.shape[1] if self._is_free else 0,
            slopes.shape[1],
            unit,
        )
        num_per_batch = max(1, int(2e7 // (slopes.shape[1] * flat.shape[1])))
        # In multiples of the groups, which are dealt out in turn.
        for start in range(0, len(vectors), num_per_batch):
            rows = slice(start, start + num_per_batch)
            factors = np.einsum(
                "smbi,sbj->smij", slopes[rows], extended[rows], optimize=True
            ).reshape(len(vectors[rows]), slopes.shape[1], -1)
            equations = factors @ flat.T
            roots = np.sqrt(weights[rows])
            also = None
            if moved is not None:
                equations = equations - moved[rows]
                also = moved[rows] * roots[..., None]
            normal.add(
                equations * roots[..., None],
                np.sum(weights[rows] * sizes[rows], axis=1) / flat.shape[1],
                values[rows] * roots[:, :1] if self._is_free else None,
                also,
            )
        return normal.solve(dimension, LARGE_DOUBT * doubt, fit_error)

    # ---------------------------------------------------------------- equivariance

    def _with_outputs(
        self, slopes: np.ndarray, values: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None, np.ndarray]:
        """Slopes, what `K` makes of the outputs, and the outputs, in standard units."""
        scaling = self._output_coordinates(values)
        slopes = np.einsum("nm,smbi->snbi", scaling, slopes, optimize=True)
        if self._is_free:
            values = values @ scaling.T
            if self._is_affine:
                values = np.pad(values, ((0, 0), (0, 1)), constant_values=1.0)
            return slopes, None, values
        return slopes, self._moved(values, scaling), values

    def _output_coordinates(self, values: np.ndarray) -> np.ndarray:
        """A matrix that brings outputs `(batch, m)` to standard units."""
        blocks, scalars, size = self._blocks, self._scalars, values.shape[1]
        v = self._given_space.vector_size
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

    def _moved(self, values: np.ndarray, scaling: np.ndarray) -> np.ndarray:
        """What `K` of each element makes of outputs `(batch, m)`: `(batch, m, q)`."""
        v, size = self._given_space.vector_size, values.shape[1]
        raw = self._standard.raw(self._space.elements)
        if self._output == "same":
            moved = np.zeros((len(values), size, len(raw)))
            acted = MapSpace(raw).act(self._vectors(values))
            moved[:, self._scalars :] = acted.reshape(len(values), -1, len(raw))
            return np.einsum("nm,smq->snq", scaling, moved, optimize=True)
        if self._output == "tensor2":
            identity, linear = np.eye(v), raw[..., :-1]
            # `L F + F L^T`, for `F` flattened by rows.
            actions = np.kron(linear, identity) + np.kron(identity, linear)
        else:
            assert self._given_output is not None
            actions = np.tensordot(self._mixture, self._given_output, 1)
        return np.einsum("nm,qml,sl->snq", scaling, actions, values, optimize=True)


def _same_scale(slopes: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Slopes `(batch, m, blocks, r)` of outputs in units of their own mean size.

    Outputs that hardly change are left out.
    """
    sizes, changing = _changes(slopes, values)
    if not np.any(changing):
        return slopes
    return slopes[:, changing] / sizes[changing, None, None]


def _changes(slopes: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean sizes of the slopes of outputs, `(m,)`, and whether they are no rounding."""
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
