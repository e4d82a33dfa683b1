"""A basis of a span of matrices that a person can read."""

import math

import numpy as np

# A pivot is the first entry that is at least this part of the largest one.
PIVOT = 0.5
# Entries up to this, where the largest is 1, do not decide the sign.
ROUNDING = 1e-6


def sparse_basis(frame: np.ndarray, tolerance: float) -> np.ndarray:
    """The reduced echelon form of an orthonormal frame, with large pivots.

    Args:
        frame: Orthonormal matrices `(k, m, n)`.
        tolerance: Entries up to this size, where the largest is 1, become zero.

    Returns:
        Array `(k, m, n)`: in the order of the pivots, with the largest entry 1 and the last
        nonzero entry positive.
    """
    rows = frame.reshape(len(frame), math.prod(frame.shape[1:]))
    pivots = large_pivots(rows)
    rows = np.linalg.solve(rows[:, pivots], rows) if pivots else rows
    rows = rows / np.max(np.abs(rows), axis=1, initial=1e-300, keepdims=True)
    rows[np.abs(rows) <= tolerance] = 0.0
    for row in rows:
        # With a small tolerance, rounding may leave entries that must not decide.
        large = np.flatnonzero(np.abs(row) > ROUNDING)
        row *= np.sign(row[large[-1]])
    return rows.reshape(frame.shape) + 0.0  # no negative zeros


def large_pivots(rows: np.ndarray) -> list[int]:
    """Columns that are sufficiently independent, the first ones among equals."""
    left = rows.copy()
    pivots = []
    for _ in range(len(rows)):
        norms = np.linalg.norm(left, axis=0)
        pivot = int(np.argmax(norms >= PIVOT * np.max(norms)))
        direction = left[:, pivot] / norms[pivot]
        left = left - np.outer(direction, direction @ left)
        pivots.append(pivot)
    return sorted(pivots)
