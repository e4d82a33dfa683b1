"""Representations as sums of irreducible ones."""

from dataclasses import dataclass

import numpy as np

from keras_lconv.algebra.eigenspaces import clusters
from keras_lconv.algebra.forms import invariant_forms, positive_form
from keras_lconv.algebra.intertwiners import intertwiners
from keras_lconv.algebra.representation import Representation

# The kinds of irreducible parts over the real numbers, by the dimension of their maps to
# themselves.
KINDS = {1: "real", 2: "complex", 4: "quaternionic"}

# Eigenvalues of a random commuting map that differ by less are equal.
EQUAL = 1e-7
# A map between parts that are not isomorphic is zero up to this error.
RESIDUE = 1e-6

NO_SUM = (
    "{!r} is not seen to be a sum of irreducible representations: the group is not compact,"
    " and the maps that commute with it are not closed under transposition, or it leaves a "
    "subspace that has no complement. Representations of solvable groups and translations "
    "are no such sums; for so(p, q), sl(n) and the like choose a basis in which they have "
    "their usual matrices"
)


@dataclass(frozen=True)
class IrreduciblePart:
    """A representation that is irreducible over the real numbers, and its copies.

    Args:
        representation: The irreducible `Representation`, of size `d`.
        multiplicity: Number of copies.
        kind: `"real"`, `"complex"` or `"quaternionic"`: the type of its maps to itself.
        basis: Array `(multiplicity, n, d)`: columns that span each copy, in which the group
            acts by the matrices of `representation`.
    """

    representation: Representation
    multiplicity: int
    kind: str
    basis: np.ndarray


def irreducible_parts(representation: Representation) -> tuple[IrreduciblePart, ...]:
    """The parts of `Representation.irreducible_parts`."""
    change, commuting, is_compact = _symmetric_commutant(representation)
    spaces = _generic_eigenspaces(commuting)
    found: list[list[np.ndarray]] = []
    for space in spaces:
        for copies in found:
            moved = _isomorphic(copies[0], space, commuting)
            if moved is not None:
                copies.append(moved)
                break
        else:
            found.append([space])
    parts = [_part(representation, change, copies, commuting) for copies in found]
    if not (is_compact or all(_is_irreducible(part) for part in parts)):
        raise ValueError(NO_SUM.format(representation))
    return tuple(sorted(parts, key=lambda part: part.representation.size))


def _symmetric_commutant(
    representation: Representation,
) -> tuple[np.ndarray, np.ndarray, bool]:
    """A change of basis, and the commuting maps in it, if they are closed under
    transposition.
    """
    size = representation.size
    is_compact = representation.is_orthogonal
    change = np.eye(size)
    if not representation.is_orthogonal:
        form = positive_form(invariant_forms(representation))
        if form is not None:
            is_compact = True
            # Coordinates `y = M^(1/2) x` are orthonormal in the invariant product.
            values, vectors = np.linalg.eigh(form)
            change = (vectors / np.sqrt(values)) @ vectors.T
    commuting = (
        np.linalg.inv(change) @ intertwiners(representation, representation) @ change
    )
    rows = np.linalg.qr(commuting.reshape(len(commuting), -1).T)[0]
    transposed = commuting.swapaxes(1, 2).reshape(len(commuting), -1).T
    outside = transposed - rows @ (rows.T @ transposed)
    if np.linalg.norm(outside) > RESIDUE * np.linalg.norm(transposed):
        raise ValueError(NO_SUM.format(representation))
    return change, rows.T.reshape(commuting.shape), is_compact


def _generic_eigenspaces(commuting: np.ndarray) -> list[np.ndarray]:
    """Eigenspaces of a symmetric commuting map in general position: orthonormal columns."""
    weights = np.random.default_rng(0).normal(size=len(commuting))
    matrix = np.tensordot(weights, commuting, 1)
    values, vectors = np.linalg.eigh(matrix + matrix.T)
    gap = EQUAL * max(float(np.max(np.abs(values))), 1e-300)
    return [vectors[:, members] for members in clusters(values, gap)]


def _isomorphic(
    first: np.ndarray, second: np.ndarray, commuting: np.ndarray
) -> np.ndarray | None:
    """A basis of the second space in which the group acts as on the first."""
    if first.shape != second.shape:
        return None
    weights = np.random.default_rng(1).normal(size=len(commuting))
    block = second.T @ np.tensordot(weights, commuting, 1) @ first
    # A multiple of an orthogonal matrix by Schur's lemma, or zero.
    size = np.linalg.norm(block) / np.sqrt(len(block))
    return second @ (block / size) if size > RESIDUE else None


def _part(
    representation: Representation,
    change: np.ndarray,
    copies: list[np.ndarray],
    commuting: np.ndarray,
) -> IrreduciblePart:
    frame = copies[0]
    maps = (frame.T @ commuting @ frame).reshape(len(commuting), -1)
    dimension = int(np.linalg.matrix_rank(maps, tol=RESIDUE))
    return IrreduciblePart(
        representation.on(change @ frame, f"part of {representation.name}"),
        len(copies),
        KINDS[dimension],
        np.array([change @ copy for copy in copies]),
    )


def _is_irreducible(part: IrreduciblePart) -> bool:
    """Whether products of the matrices of a part span as many dimensions as possible.

    By Burnside's theorem they span `d^2` dimensions divided by the dimension of the
    commuting maps.
    """
    one = part.representation
    expected = one.size**2 // {kind: number for number, kind in KINDS.items()}[part.kind]
    letters = np.concatenate([one.generators, one.elements])
    letters = letters[np.linalg.norm(letters, axis=(1, 2)) > 0]
    letters = letters / np.linalg.norm(letters, 2, axis=(1, 2))[:, None, None]
    span = np.eye(one.size)[None] / np.sqrt(one.size)
    while True:
        products = np.concatenate([span, *(span @ letter for letter in letters)])
        rows = products.reshape(len(products), -1)
        _, sizes, frame = np.linalg.svd(rows, full_matrices=False)
        found = frame[sizes > RESIDUE * sizes[0]]
        if len(found) == len(span):
            return len(span) == expected
        span = found.reshape(-1, *span.shape[1:])
