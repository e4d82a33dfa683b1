"""The equations for matrices that act on vectors."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_lconv._validation import finite_array, one_of
from keras_lconv.algebra import LieAlgebra
from keras_lconv.discovery._null_space import NormalMatrices
from keras_lconv.discovery.report import SymmetryReport, on_whole_input

OUTPUTS = ("free", "same", "tensor2")

# Directions in which data vary less, relative to the largest, are not reached by them.
SMALLEST_VARIATION = 1e-4


@dataclass(frozen=True)
class _Frame:
    """Orthonormal matrices `(q, v, v)` to search among, mixtures `(q, p)` of given ones."""

    matrices: np.ndarray
    mixture: np.ndarray


class VectorEquations:
    """`J(x) L x = K F(x)` for matrices `L`, on samples `(batch, scalars + blocks * v)`.

    Args:
        x: Samples `(batch, n)`.
        kind: `"invariance"`, where `K = 0`, or `"equivariance"`.
        blocks: Number of vectors in a sample.
        scalars: Number of components before them, which do not transform.
        ambient: Matrices to search among, or `None` for all.
        output: What `K` is.
    """

    def __init__(
        self, x: np.ndarray, kind: str, blocks: int, scalars: int, ambient: Any, output: Any
    ):
        self.samples = _checked_samples(x, blocks, scalars)
        self._kind, self._blocks, self._scalars = kind, blocks, scalars
        vectors = self._vectors(self.samples)
        self._reach, self._unreached = _reached_directions(vectors)
        self._frame = _ambient_frame(ambient, vectors.shape[-1], self._reach)
        self._given_output = output
        self._output = output if isinstance(output, str) else "matrices"
        self._is_free = kind == "equivariance" and self._output == "free"
        self._actions: np.ndarray | None = None
        self._normal: NormalMatrices | None = None
        self.depends_on_input = False

    @property
    def num_searched(self) -> int:
        """The dimension of what is searched."""
        return len(self._frame.matrices)

    def _vectors(self, x: np.ndarray) -> np.ndarray:
        """The vectors `(..., blocks, v)` in arrays `(..., n)`."""
        return x[..., self._scalars :].reshape(*x.shape[:-1], self._blocks, -1)

    def add(self, x: np.ndarray, values: np.ndarray, derivatives: np.ndarray) -> None:
        """Adds the equations of samples.

        Args:
            x: Samples `(batch, n)`.
            values: `F(x)`, `(batch, *outputs)`.
            derivatives: `J(x)`, `(batch, m, n)`.
        """
        values = values.reshape(len(values), -1)
        if self._normal is None:
            self._start(values.shape[1])
        x, derivatives = self._vectors(x), self._vectors(derivatives)
        # What multiplies `L_ab` in `J L x`, summed over blocks.
        factors = np.einsum("smna,snb->smab", derivatives, x, optimize=True)
        rows = np.einsum("smab,qab->smq", factors, self._frame.matrices, optimize=True)
        squares = np.sum(factors**2, axis=(2, 3))
        self.depends_on_input |= bool(np.any(squares > 0))
        if self._actions is not None:
            moved = np.einsum("qmn,sn->smq", self._actions, values, optimize=True)
            rows = rows - moved
            squares = squares + np.sum(moved**2, axis=2)
        if self._is_free:
            # The equations of a sample share `K`, and so their scale.
            squares = np.repeat(
                np.mean(squares, axis=1, keepdims=True), squares.shape[1], axis=1
            )
        # Of size 1 they would all count alike, also where a function is flat, and what a
        # network makes of it there is noise. As they are, a few large ones would count
        # alone. This is half way: an equation counts by its size.
        weights = np.sqrt(squares)
        scale = np.sqrt(1 / np.where(weights > 0, weights, 1.0))
        # A random matrix of factors has as much of its square in every direction.
        expected = np.sum(weights, axis=1) / self._reach.shape[1] ** 2
        eliminated = values * scale[:, :1] if self._is_free else None
        assert self._normal is not None
        self._normal.add(rows * scale[..., None], expected, eliminated)

    def _start(self, size: int) -> None:
        self._normal = NormalMatrices(self.num_searched, size if self._is_free else 0)
        if self._kind == "equivariance" and not self._is_free:
            shape = (self._blocks, self._frame.matrices.shape[1])
            self._actions = _output_actions(
                self._frame, self._given_output, self._scalars, shape, size
            )

    def report(self, dimension: int | None) -> SymmetryReport:
        """What the equations of all samples say."""
        assert self._normal is not None
        space = self._normal.solve(dimension)
        return SymmetryReport(
            algebra=LieAlgebra(np.tensordot(space.basis.T, self._frame.matrices, 1)),
            kind=self._kind,
            output=self._output if self._kind == "equivariance" else None,
            blocks=self._blocks,
            scalars=self._scalars,
            singular_values=space.singular_values,
            gap=space.gap,
            confidence=space.confidence,
            errors=space.errors,
            unidentified=self._unreached,
        )


def _checked_samples(samples: np.ndarray, blocks: int, scalars: int) -> np.ndarray:
    if samples.ndim != 2 or 0 in samples.shape:
        raise ValueError(
            "`x` must have shape `(batch, n)`, or `(batch, *spatial, channels)` for "
            f"images. Received: shape {samples.shape}"
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


def _reached_directions(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal directions `(v, r)` that vectors reach, and `(v - r, v)` of no vector."""
    vectors = samples.reshape(-1, samples.shape[-1])
    values, directions = np.linalg.eigh(vectors.T @ vectors)
    reached = values > SMALLEST_VARIATION**2 * values[-1]
    return directions[:, reached], directions[:, ~reached].T


def _ambient_frame(ambient: Any, size: int, reach: np.ndarray) -> _Frame:
    if ambient is None:
        matrices = np.eye(size * size).reshape(-1, size, size)
    else:
        matrices = finite_array("ambient", ambient)
        if matrices.ndim != 3 or matrices.shape[1:] != (size, size) or not len(matrices):
            raise ValueError(
                f"`ambient` must be matrices of shape `(p, {size}, {size})`, for vectors "
                f"of size {size}. Received: shape {matrices.shape}"
            )
    projector = reach @ reach.T
    inside = (projector @ matrices @ projector).reshape(len(matrices), -1)
    left, values, rows = np.linalg.svd(inside, full_matrices=False)
    kept = values > 1e-10 * values[0]
    return _Frame(rows[kept].reshape(-1, size, size), (left[:, kept] / values[kept]).T)


def _output_actions(
    frame: _Frame, output: Any, scalars: int, input_shape: tuple[int, int], size: int
) -> np.ndarray:
    """The matrices `K` on flat outputs for each matrix of the frame, `(q, m, m)`."""
    blocks, vector = input_shape
    identity = np.eye(vector)
    if isinstance(output, str):
        one_of("output", output, OUTPUTS)
        needed = {"same": scalars + blocks * vector, "tensor2": vector * vector}[output]
        if size != needed:
            raise ValueError(
                f"output={output!r} needs a function with {needed} outputs, for {blocks} "
                f"vectors of size {vector}. Received: {size} outputs"
            )
        if output == "same":
            return np.array([on_whole_input(m, blocks, scalars) for m in frame.matrices])
        # `L F + F L^T`, for `F` flattened by rows.
        return np.array(
            [np.kron(m, identity) + np.kron(identity, m) for m in frame.matrices]
        )
    matrices = finite_array("output", output)
    expected = (frame.mixture.shape[1], size, size)
    if matrices.shape != expected:
        raise ValueError(
            f"`output` must be one of {OUTPUTS}, or matrices of shape {expected}: one for "
            f"each matrix of `ambient`. Received: shape {matrices.shape}"
        )
    return np.tensordot(frame.mixture, matrices, 1)
