"""What an algebra of matrices leaves invariant: vectors, eigenspaces, norms on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

# Matrices commute, or are symmetric or antisymmetric, up to this, relative to their size.
PRECISION = 1e-6
# Eigenvalues of a positive operator below this, relative to the largest, are zero.
ZERO = 1e-10
# Eigenvalues that differ by less, relative to the largest, are equal up to rounding.
EQUAL = 1e-9


@dataclass(frozen=True)
class Eigenspaces:
    """Orthogonal subspaces, each an eigenspace of several operators at once.

    Attributes:
        basis: Orthonormal columns `(d, p)`, those of the first subspace first.
        sizes: Dimensions of the subspaces, `(m,)`.
        eigenvalues: Those of each operator, `(m, r)`, in lexicographic order.
    """

    basis: np.ndarray
    sizes: np.ndarray
    eigenvalues: np.ndarray

    def split(self) -> list[np.ndarray]:
        """The bases of the subspaces."""
        return np.split(self.basis, np.cumsum(self.sizes)[:-1], axis=1)

    def first(self, number: int) -> "Eigenspaces":
        """The first subspaces only."""
        sizes = self.sizes[:number]
        return Eigenspaces(
            self.basis[:, : int(sizes.sum())], sizes, self.eigenvalues[:number]
        )


def commutator_size(a: np.ndarray, b: np.ndarray) -> float:
    """`|ab - ba|` in units of `|a| |b|`, in the Frobenius norm times `sqrt(d)`."""
    scale = np.linalg.norm(a) * np.linalg.norm(b) / np.sqrt(len(a))
    return float(np.linalg.norm(a @ b - b @ a) / scale) if scale else 0.0


def asymmetry(matrix: np.ndarray, sign: int) -> float:
    """`|A - sign A^T| / |A|`: zero for symmetric (1) or antisymmetric (-1) matrices."""
    size = np.linalg.norm(matrix)
    return float(np.linalg.norm(matrix - sign * matrix.T) / size) if size else 0.0


def commute(matrices: np.ndarray) -> bool:
    """Whether all matrices commute with each other."""
    return all(commutator_size(a, b) <= PRECISION for a, b in combinations(matrices, 2))


def invariant_functionals(matrices: np.ndarray, tolerance: float) -> np.ndarray:
    """The left null space of all matrices.

    Args:
        matrices: Array `(k, d, d)`.
        tolerance: Singular values up to this, relative to the largest, are zero.

    Returns:
        Orthonormal columns `(d, m)`. They do not depend on how the space was found: the
        positions that tell most about it come first, in the order of the grid.
    """
    from scipy.linalg import qr

    gram = sum(matrix @ matrix.T for matrix in matrices)
    values, vectors = np.linalg.eigh(gram)
    largest = np.sqrt(max(values[-1], 0.0))
    # Roots of eigenvalues lose half of the digits: what may be zero is looked at again.
    candidates = vectors[:, np.sqrt(np.maximum(values, 0.0)) <= 1e-3 * largest]
    if not candidates.shape[1]:
        return candidates
    images = np.concatenate([matrix.T @ candidates for matrix in matrices])
    _, sizes, rows = np.linalg.svd(images, full_matrices=False)
    space = candidates @ rows[sizes <= tolerance * largest].T
    if not space.shape[1]:
        return space
    projector = space @ space.T
    pivots = qr(projector, mode="r", pivoting=True)[1][: space.shape[1]]
    basis, triangle = np.linalg.qr(projector[:, np.sort(pivots)])
    return basis * np.sign(np.diag(triangle))


def refined(spaces: Eigenspaces, operator: np.ndarray) -> Eigenspaces:
    """The eigenspaces of a further symmetric operator in known ones, which it keeps.

    Args:
        spaces: The known eigenspaces.
        operator: A matrix `(d, d)` that commutes with the operators of these.

    Returns:
        Eigenspaces, by growing eigenvalue of the operators before, then of this one.
    """
    # Once for all spaces: each is then a block of columns.
    turned = spaces.basis.T @ operator @ spaces.basis
    gap = EQUAL * float(np.linalg.norm(turned))
    basis = np.empty_like(spaces.basis)
    sizes, eigenvalues = [], []
    blocks = np.split(np.arange(len(turned)), np.cumsum(spaces.sizes)[:-1])
    for columns, known in zip(blocks, spaces.eigenvalues, strict=True):
        block = turned[np.ix_(columns, columns)]
        values, vectors = np.linalg.eigh((block + block.T) / 2)
        basis[:, columns] = spaces.basis[:, columns] @ vectors
        for cluster in clusters(values, gap):
            sizes.append(len(cluster))
            eigenvalues.append([*known, values[cluster].mean()])
    return Eigenspaces(basis, np.array(sizes), np.array(eigenvalues))


def side_by_side(found: Sequence[Eigenspaces]) -> Eigenspaces:
    """The eigenspaces of all, by growing eigenvalue of the first operator."""
    spaces = [
        (eigenvalues, space)
        for each in found
        for eigenvalues, space in zip(each.eigenvalues, each.split(), strict=True)
    ]
    # Stable: for equal frequencies one operator comes after the other.
    spaces.sort(key=lambda pair: round(float(pair[0][0]), 6))
    return Eigenspaces(
        np.concatenate([space for _, space in spaces], axis=1),
        np.array([space.shape[1] for _, space in spaces]),
        np.array([eigenvalues for eigenvalues, _ in spaces]),
    )


def frequency_spaces(casimir: np.ndarray, tolerance: float) -> Eigenspaces:
    """The eigenspaces of `sqrt(C)` for a positive operator, with close eigenvalues as one.

    For one generator it is `|L|`, whose eigenvalues are the frequencies of the action.

    Args:
        casimir: `C`, a matrix `(d, d)`.
        tolerance: Eigenvalues that differ by less, relative to the largest, are equal.

    Returns:
        Eigenspaces, by growing frequency.
    """
    values, vectors = np.linalg.eigh((casimir + casimir.T) / 2)
    largest = max(values[-1], 0.0)
    roots = np.sqrt(np.where(values <= ZERO * largest, 0.0, values))
    found = clusters(roots, tolerance * float(np.sqrt(largest)))
    return Eigenspaces(
        vectors,
        np.array([len(cluster) for cluster in found]),
        np.array([[roots[cluster].mean()] for cluster in found]),
    )


def average_over_orbit(
    operator: np.ndarray, generator: np.ndarray, spaces: Eigenspaces
) -> np.ndarray:
    """The part of a symmetric operator that commutes with one antisymmetric generator.

    On an eigenspace of `L^2` a generator is `L = w J` with `J^2 = -1`. The average of
    `exp(tL) R exp(-tL)` over all `t` is `(R - J R J) / 2` there, and zero between
    eigenspaces of different frequencies `w`.

    Args:
        operator: `R`, a symmetric matrix `(d, d)`.
        generator: `L`, an antisymmetric matrix `(d, d)`.
        spaces: The eigenspaces of `-L^2`.

    Returns:
        Matrix `(d, d)`.
    """
    basis = spaces.basis
    turned, turns = basis.T @ operator @ basis, basis.T @ generator @ basis
    size = PRECISION * np.linalg.norm(generator) / np.sqrt(len(generator))
    average = np.zeros_like(turned)
    for columns in np.split(np.arange(len(basis)), np.cumsum(spaces.sizes)[:-1]):
        window = np.ix_(columns, columns)
        block, turn = turned[window], turns[window]
        if np.linalg.norm(turn) > size:
            # The closest orthogonal matrix, since frequencies may differ a little.
            left, _, right = np.linalg.svd(turn)
            quarter = left @ right
            block = (block - quarter @ block @ quarter) / 2
        average[window] = block
    return basis @ average @ basis.T


def clusters(values: np.ndarray, gap: float) -> list[np.ndarray]:
    """Indices of sorted values, split where neighbours differ by more than `gap`."""
    cuts = np.nonzero(np.diff(values) > gap)[0] + 1
    return np.split(np.arange(len(values)), cuts)
