"""Maps that commute with generators which commute with each other.

Normal matrices that commute have joint eigenvectors, `L_i u = lambda_i u`: the algebra acts
on each by a character `lambda`. A map commutes with the algebra if it maps each character
to itself. So no search is needed, and the basis of all maps is never formed: for images of
28 x 28 pixels it would fill gigabytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from keras_lconv.algebra.eigenspaces import clusters
from keras_lconv.algebra.invariants import PRECISION, commutator_size, commute


@dataclass(frozen=True)
class Block:
    """Characters with the same multiplicities.

    Args:
        count: Number of characters.
        outputs: How often each occurs in the output.
        inputs: How often each occurs in the input.
        is_real: Whether maps are real matrices `(outputs, inputs)`. Otherwise they are
            complex, and the character stands for its conjugate too.
    """

    count: int
    outputs: int
    inputs: int
    is_real: bool

    @property
    def num_maps(self) -> int:
        """The dimension of the space of maps."""
        return self.count * self.outputs * self.inputs * (1 if self.is_real else 2)


@dataclass(frozen=True)
class Characters:
    """The characters that two representations share.

    Args:
        source: `(d, r)`: `source.T @ x` are the coordinates of `x`, block by block,
            character by character. Real parts come first, then imaginary ones.
        target: `(d', r')`: from such coordinates to the output.
        blocks: What the blocks are.
    """

    source: np.ndarray
    target: np.ndarray
    blocks: tuple[Block, ...]


def commute_and_are_normal(matrices: np.ndarray) -> bool:
    """Whether matrices have an orthonormal basis of joint eigenvectors."""
    normal = all(commutator_size(matrix, matrix.T) <= PRECISION for matrix in matrices)
    return normal and commute(matrices)


def shared_characters(
    source: np.ndarray, target: np.ndarray, tolerance: float
) -> Characters:
    """The joint eigenvectors of two representations, sorted by characters.

    Args:
        source: Normal matrices `(k, d, d)` that commute.
        target: Normal matrices `(k, d', d')` that commute.
        tolerance: Eigenvalues that differ by less than this, relative to the largest, are
            equal.

    Returns:
        The `Characters`, with blocks for growing multiplicities.
    """
    scale = np.maximum(np.linalg.norm(source, 2, (1, 2)), np.linalg.norm(target, 2, (1, 2)))
    scale[scale == 0] = 1.0
    inputs, outputs = (
        _eigenvectors(matrices / scale[:, None, None]) for matrices in (source, target)
    )
    values = np.concatenate([inputs[0], outputs[0]])
    vectors = (inputs[1], outputs[1])
    number = len(inputs[0])
    found: dict[tuple[bool, int, int], list] = {}
    for members in _equal(values, tolerance):
        pair = [members[members < number], members[members >= number] - number]
        frames = [space[:, chosen] for space, chosen in zip(vectors, pair, strict=True)]
        character = values[members].mean(axis=0)
        # Characters and their conjugates come in pairs, of which one is enough.
        imaginary = character[len(source) :]
        size = np.max(np.abs(imaginary))
        if size > tolerance and imaginary[np.abs(imaginary) > tolerance][0] < 0:
            continue
        if 0 in (len(pair[0]), len(pair[1])):
            continue
        is_real = bool(size <= tolerance)
        if is_real:
            frames = [_real_frame(frame) for frame in frames]
        key = (not is_real, len(pair[1]), len(pair[0]))
        found.setdefault(key, []).append(frames)
    return _assembled(found, source.shape[1], target.shape[1])


def _assembled(found: dict, columns: int, rows: int) -> Characters:
    source, target, blocks = [np.zeros((columns, 0))], [np.zeros((rows, 0))], []
    for (is_complex, outputs, inputs), frames in sorted(found.items(), key=lambda x: x[0]):
        blocks.append(Block(len(frames), outputs, inputs, not is_complex))
        for right, left in frames:
            if is_complex:
                # Coordinates are `u^* x`; the conjugates add the complex conjugate.
                source += [right.real, -right.imag]
                target += [2 * left.real, -2 * left.imag]
            else:
                source.append(right)
                target.append(left)
    return Characters(np.hstack(source), np.hstack(target), tuple(blocks))


def _eigenvectors(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Joint eigenvalues `(d, 2k)`, real parts first, and eigenvectors `(d, d)`."""
    weights = np.random.default_rng(0).uniform(1, 2, size=(2, len(matrices)))
    even = (matrices + matrices.swapaxes(1, 2)) / 2
    odd = (matrices - matrices.swapaxes(1, 2)) / 2
    # A Hermitian matrix in general position, which has no other eigenvectors.
    hermitian = np.tensordot(weights[0], even, 1) - 1j * np.tensordot(weights[1], odd, 1)
    _, vectors = np.linalg.eigh(hermitian)
    values = np.einsum("da,kda->ak", vectors.conj(), matrices @ vectors)
    return np.hstack([values.real, values.imag]), vectors


def _equal(values: np.ndarray, tolerance: float) -> Sequence[np.ndarray]:
    """Indices of rows that are equal in every entry."""
    groups = [np.arange(len(values))]
    for column in values.T:
        groups = [
            group[np.argsort(column[group])[part]]
            for group in groups
            for part in clusters(np.sort(column[group]), tolerance)
        ]
    return groups


def _real_frame(frame: np.ndarray) -> np.ndarray:
    """A real orthonormal basis of a space that is its own conjugate."""
    parts = np.hstack([frame.real, frame.imag])
    return np.linalg.svd(parts, full_matrices=False)[0][:, : frame.shape[1]]
