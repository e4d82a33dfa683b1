"""Solves `K_i W = W L_i`: the constraint that a map commutes with generators."""

from typing import Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._memory import require_memory
from keras_lconv._validation import square_matrices
from keras_lconv.algebra.tolerance import ELEMENT_PRECISION, default_tolerance

# Spaces of maps up to this dimension are searched by an eigendecomposition, in a few
# seconds. Larger ones are searched by iterations that need products with the generators
# only.
LARGEST_DENSE = 2000

# The number of random maps that are projected first. It doubles until they are dependent.
FIRST_BLOCK = 8
MOST_ITERATIONS = 2000
PROJECTION_PRECISION = 1e-12


@runtime_checkable
class Action(Protocol):
    """How a group acts on vectors: `MatrixGroup` and `Representation`."""

    @property
    def generators(self) -> np.ndarray:
        """Matrices `(k, n, n)` of the generators."""

    @property
    def elements(self) -> np.ndarray:
        """Matrices `(m, n, n)` of the further elements."""


# A group, a representation, an algebra, or the matrices of generators.
Acting: TypeAlias = Action | ArrayLike


def action_of(name: str, value: Acting) -> tuple[np.ndarray, np.ndarray]:
    """Matrices of generators `(k, n, n)`, and of further elements `(m, n, n)`."""
    if isinstance(value, Action):
        return value.generators, value.elements
    matrices = square_matrices(name, value)
    return matrices, np.zeros((0, *matrices.shape[1:]))


def tolerance_of(tolerance: float | None, value: Acting) -> float:
    """The given tolerance, or the known error of the matrices that act."""
    if tolerance is None and isinstance(value, Action) and len(value.elements):
        return ELEMENT_PRECISION
    return default_tolerance(tolerance, value)


def defects(maps: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """`K_i W - W L_i` for all maps and generators, `(m, k, n', n)`."""
    return target[None] @ maps[:, None] - maps[:, None] @ source[None]


def candidates(source: np.ndarray, target: np.ndarray, tolerance: float) -> np.ndarray:
    """Orthonormal maps `(c, n', n)` whose span holds the null space.

    This finds the squares of the singular values, with half of the digits. So the `defects`
    of a candidate decide whether it is a solution.
    """
    columns, rows = source.shape[1], target.shape[1]
    right = np.einsum("kab,kcb->ac", source, source)
    left = np.einsum("kba,kbc->ac", target, target)
    mixed = np.einsum("kab,kcd->acbd", target, source, optimize=True)
    mixed = mixed.reshape(rows * columns, rows * columns)
    # The sum of M^T M over M = K (x) 1 - 1 (x) L^T, which acts on W row by row.
    normal = np.kron(left, np.eye(columns)) + np.kron(np.eye(rows), right)
    normal -= mixed + mixed.T
    bound = max(2 * tolerance**2, 1e-6 * np.linalg.norm(normal, 1))
    values, vectors = np.linalg.eigh(normal)
    return vectors.T[values <= bound].reshape(-1, rows, columns)


def projected_candidates(
    source: np.ndarray, target: np.ndarray, tolerance: float
) -> np.ndarray:
    """As `candidates`, by products with the generators only.

    Random maps are projected onto the null space of `A` by least squares, `W - A^+ A W`.
    Once some are dependent there are enough of them.
    """
    rng = np.random.default_rng(0)
    size = target.shape[1] * source.shape[1]
    block = FIRST_BLOCK
    while True:
        block = min(block, size)
        require_memory(
            f"{block} or more linear maps of {source.shape[1]} to {target.shape[1]} "
            "components, which commute with the generators,",
            4 * block * size,
            "More generators, of a larger group, leave fewer maps",
        )
        maps = rng.normal(size=(block, target.shape[1], source.shape[1]))
        maps = np.array([_projected(each, source, target) for each in maps])
        # Leftover rounding grows to order 1 here. Its defect reveals it.
        frame = np.linalg.qr(maps.reshape(block, size).T)[0].T.reshape(maps.shape)
        found = null_maps(frame, source, target, tolerance)
        if len(found) < block or block == size:
            return found
        block *= 2


def null_maps(
    maps: np.ndarray, source: np.ndarray, target: np.ndarray, tolerance: float
) -> np.ndarray:
    """An orthonormal basis of the intertwiners in a span of orthonormal maps."""
    if not maps.size or not len(source):
        return maps
    columns = defects(maps, source, target).reshape(len(maps), -1).T
    if columns.shape[0] > columns.shape[1]:
        columns = np.asarray(np.linalg.qr(columns, mode="r"))
    _, values, right = np.linalg.svd(columns, full_matrices=True)
    small = np.ones(len(maps), dtype=bool)
    small[: len(values)] = values <= tolerance * np.sqrt(len(source))
    return np.tensordot(right[small], maps, 1)


def _projected(start: np.ndarray, source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The orthogonal projection of a map onto the null space."""
    from scipy.sparse.linalg import LinearOperator, lsmr

    adjoint_source = source.swapaxes(1, 2)
    adjoint_target = target.swapaxes(1, 2)

    def defect(flat: np.ndarray) -> np.ndarray:
        return defects(flat.reshape(1, *start.shape), source, target).ravel()

    def adjoint(flat: np.ndarray) -> np.ndarray:
        residual = flat.reshape(len(source), *start.shape)
        return np.sum(adjoint_target @ residual - residual @ adjoint_source, axis=0).ravel()

    operator = LinearOperator(
        (len(source) * start.size, start.size), matvec=defect, rmatvec=adjoint, dtype=float
    )
    step = lsmr(
        operator,
        defect(start.ravel()),
        atol=PROJECTION_PRECISION,
        btol=PROJECTION_PRECISION,
        maxiter=MOST_ITERATIONS,
    )[0]
    return start - step.reshape(start.shape)
