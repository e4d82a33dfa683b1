"""The equations for affine maps of the vectors in a table."""

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._typing import GeneratorsLike
from keras_lconv.discovery.functions.table_report import Assumptions, symmetry_report
from keras_lconv.discovery.functions.vector_equations import (
    OUTPUTS,
    TINY,
    VectorEquations,
)
from keras_lconv.discovery.map_space import MapSpace, all_maps, maps_among
from keras_lconv.discovery.report import SymmetryReport
from keras_lconv.discovery.standard import has_clear_mean


class TableEquations(VectorEquations):
    """`J(x) (A x + b) = K F(x)` for affine maps.

    Args:
        x: Samples `(batch, n)`, each of them once.
        kind: `"invariance"`, where `K = 0`, or `"equivariance"`.
        blocks: Number of vectors in a sample.
        scalars: Number of components before them, which do not transform.
        search: Where to search.
        output: The kind of `K`.
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
        super().__init__(x, kind, blocks, scalars, output, names)
        vectors = self._all_vectors
        if search is None:
            search = "affine" if has_clear_mean(vectors) else "linear"
        self._given_space = maps_among(search, vectors.shape[1])
        self._set_coordinates(not self._given_space.is_linear)
        self._all = search if isinstance(search, str) else None
        self._space, self._mixture = self._standard_space()

    def _standard_space(self) -> tuple[MapSpace, np.ndarray]:
        """The search space in standard coordinates, and as mixtures `(q, p)`."""
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
        """The dimension of the search."""
        return self._space.size

    def require_outputs(self, size: int) -> None:
        """Raises an error unless `output` determines how this number of outputs moves."""
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

    def report(self, dimension: int | None, fit_error: float = 0.0) -> SymmetryReport:
        """The report from the equations of all samples."""
        space, changes, counted = self._solved(dimension, fit_error)
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
        return self._judged(report, changes, counted)

    @property
    def _elements(self) -> np.ndarray:
        elements = self._space.elements
        return elements if self._is_affine else elements[..., :-1]

    def _extended(self, vectors: np.ndarray) -> np.ndarray:
        inside = self._in_standard(vectors)
        one = np.ones((*inside.shape[:-1], 1))
        return np.concatenate([inside, one], axis=-1) if self._is_affine else inside

    def _searched_in_words(self) -> str:
        if self._all == "affine":
            return "affine maps"
        return "linear maps" if self._all else "maps in the given span"

    def _moved(self, values: np.ndarray, scaling: np.ndarray) -> np.ndarray:
        """The outputs `(batch, m)` after `K` of each element, `(batch, m, q)`."""
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
