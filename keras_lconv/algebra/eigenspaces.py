"""Eigenspaces of operators, and the operators on them that commute with a generator."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_lconv.algebra.invariants import PRECISION

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
        eigenvalues: The eigenvalues of each operator, `(m, r)`, in lexicographic order.
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


def frequency_spaces(casimir: np.ndarray, tolerance: float) -> Eigenspaces:
    """The eigenspaces of `sqrt(C)` for a positive operator, by growing eigenvalue.

    For one generator, `sqrt(C)` is `|L|`. Its eigenvalues are the frequencies of the
    action.

    Args:
        casimir: `C`, a symmetric matrix `(d, d)`.
        tolerance: Eigenvalues that differ by less, relative to the largest, are equal.
    """
    values, vectors = np.linalg.eigh((casimir + casimir.T) / 2)
    largest = max(values[-1], 0.0)
    roots = np.sqrt(np.where(values <= ZERO * largest, 0.0, values))
    members = clusters(roots, tolerance * float(np.sqrt(largest)))
    return Eigenspaces(
        vectors,
        np.array([len(cluster) for cluster in members]),
        np.array([[roots[cluster].mean()] for cluster in members]),
    )


def refined(spaces: Eigenspaces, blocks: Sequence[np.ndarray]) -> Eigenspaces:
    """The eigenspaces of another operator within given ones, by growing eigenvalue.

    Args:
        spaces: Eigenspaces that the operator maps to themselves.
        blocks: The operator on each, in the basis of the space: symmetric matrices.
    """
    gap = EQUAL * float(np.sqrt(sum(np.sum(block**2) for block in blocks)))
    bases, sizes, eigenvalues = [], [], []
    for basis, known, block in zip(spaces.split(), spaces.eigenvalues, blocks, strict=True):
        values, vectors = np.linalg.eigh((block + block.T) / 2)
        bases.append(basis @ vectors)
        for cluster in clusters(values, gap):
            sizes.append(len(cluster))
            eigenvalues.append([*known, float(values[cluster].mean())])
    return Eigenspaces(np.hstack(bases), np.array(sizes), np.array(eigenvalues))


def blocks_of(operator: np.ndarray, spaces: Eigenspaces) -> list[np.ndarray]:
    """An operator within each space, in its basis."""
    images = np.split(operator @ spaces.basis, np.cumsum(spaces.sizes)[:-1], axis=1)
    return [basis.T @ image for basis, image in zip(spaces.split(), images, strict=True)]


def side_by_side(found: Sequence[Eigenspaces]) -> Eigenspaces:
    """All eigenspaces together, by growing eigenvalue of the first operator."""
    spaces = [
        (eigenvalues, space)
        for each in found
        for eigenvalues, space in zip(each.eigenvalues, each.split(), strict=True)
    ]
    # Stable, so that at equal frequencies the operators keep their order.
    spaces.sort(key=lambda pair: round(float(pair[0][0]), 6))
    return Eigenspaces(
        np.concatenate([space for _, space in spaces], axis=1),
        np.array([space.shape[1] for _, space in spaces]),
        np.array([eigenvalues for eigenvalues, _ in spaces]),
    )


def average_over_orbit(
    operator: np.ndarray, generator: np.ndarray, spaces: Eigenspaces
) -> list[np.ndarray]:
    """The part of a symmetric operator that commutes with one antisymmetric generator.

    On an eigenspace of `L^2` a generator is `L = w J` with `J^2 = -1`. The average of
    `exp(tL) R exp(-tL)` over all `t` is `(R - J R J) / 2` there, and zero between
    eigenspaces of different frequencies `w`.

    Args:
        operator: `R`, a symmetric matrix `(d, d)`.
        generator: `L`, an antisymmetric matrix `(d, d)`.
        spaces: The eigenspaces of `-L^2`.

    Returns:
        The average within each space, in its basis.
    """
    size = PRECISION * np.linalg.norm(generator) / np.sqrt(len(generator))
    averages = []
    pairs = zip(blocks_of(operator, spaces), blocks_of(generator, spaces), strict=True)
    for block, turn in pairs:
        if np.linalg.norm(turn) <= size:
            averages.append(block)
            continue
        # The closest orthogonal matrix, since frequencies may differ a little.
        left, _, right = np.linalg.svd(turn)
        quarter = left @ right
        averages.append((block - quarter @ block @ quarter) / 2)
    return averages


def clusters(values: np.ndarray, gap: float) -> list[np.ndarray]:
    """Indices of sorted values, split where neighbours differ by more than `gap`."""
    cuts = np.nonzero(np.diff(values) > gap)[0] + 1
    return np.split(np.arange(len(values)), cuts)
