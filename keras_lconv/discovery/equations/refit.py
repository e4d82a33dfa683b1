"""Fields with fewer terms that lie nearly in the span of given ones."""

import numpy as np

from keras_lconv.algebra import VectorFields
from keras_lconv.discovery.equations.condition import Condition
from keras_lconv.discovery.equations.regression import elimination

# Fields with fewer terms must be as independent of each other, up to this factor.
SPREAD = 0.1
# Singular values below this part of the largest are rounding.
DEPENDENT = 1e-14


def refitted(fields: VectorFields, condition: Condition, limit: float) -> VectorFields:
    """Each field with as few terms as possible, while it stays in the span of all.

    If terms are nearly dependent, some can replace those of a symmetry, and a basis of a
    null space contains them all.

    Args:
        fields: Symmetries in the units of the data.
        condition: The condition that they solve.
        limit: The largest part of its motion of jets by which a field may leave the span.
    """
    found, moved = fields.coefficients.copy(), condition.moves(fields)
    span, independent = np.linalg.qr(moved)[0], _independence(moved)
    for number, field in enumerate(fields.coefficients):
        places = np.argwhere(field)
        others = np.delete(fields.coefficients, number, axis=0)
        # Each field keeps a term that no other field has.
        own = ~np.any(others[:, places[:, 0], places[:, 1]], axis=0)
        single = np.zeros((len(places), *field.shape))
        single[(range(len(places)), *places.T)] = 1.0
        moves = condition.moves(VectorFields(fields.powers, single))
        sizes = np.abs(field[tuple(places.T)]) * np.linalg.norm(moves, axis=0)
        if len(places) < 2 or not np.any(own & (sizes > 0)):
            continue
        pivot = int(np.argmax(np.where(own, sizes, 0.0)))
        mixture = _sparsest(moves - span @ (span.T @ moves), moves, pivot, limit)
        if mixture is None:
            continue
        other = moved.copy()
        other[:, number] = moves @ mixture
        if _independence(other) >= SPREAD * independent:
            moved = other
            found[number] = np.tensordot(mixture * field[tuple(places[pivot])], single, 1)
    return VectorFields(fields.powers, found)


def own_parts(fields: VectorFields, condition: Condition) -> np.ndarray:
    """The part of each field outside of the span of the others, `(k,)`, at most 1.

    Args:
        fields: Independent fields, in the units of the data.
        condition: It tells how they move jets.
    """
    moved = condition.moves(fields)
    moved = moved / np.linalg.norm(moved, axis=0)
    return 1 / np.linalg.norm(np.linalg.pinv(moved, rcond=DEPENDENT), axis=1)


def _independence(columns: np.ndarray) -> float:
    """The smallest singular value of columns of norm 1."""
    sizes = np.linalg.svd(columns / np.linalg.norm(columns, axis=0), compute_uv=False)
    return float(sizes[-1])


def _sparsest(
    left: np.ndarray, moves: np.ndarray, pivot: int, limit: float
) -> np.ndarray | None:
    """The mixture with the fewest terms that stays in a span, with coefficient 1 of the
    pivot.

    Args:
        left: The part of each term outside of the span, `(r, terms)`.
        moves: The motion of each term, `(r, terms)`.
        pivot: Number of a term.
        limit: The largest part of the motion of a mixture outside of the span.
    """
    norms = np.linalg.norm(moves, axis=0)
    others = [n for n in range(len(norms)) if n != pivot and norms[n] > 0]
    columns, target = left[:, others] / norms[others], -left[:, pivot] / norms[pivot]
    for support in elimination(columns, target):
        own = np.array([others[n] for n in support], dtype=int)
        solved = np.linalg.lstsq(columns[:, support], target, rcond=None)[0]
        mixture = np.zeros(len(norms))
        mixture[own], mixture[pivot] = solved * norms[pivot] / norms[own], 1.0
        if np.linalg.norm(left @ mixture) <= limit * np.linalg.norm(moves @ mixture):
            return mixture
    return None
