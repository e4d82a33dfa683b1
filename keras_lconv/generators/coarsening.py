"""Generators on every n-th position or on averages of blocks, if they are exact there."""

import functools

import numpy as np

from keras_lconv.generators.base import Generators
from keras_lconv.generators.families.field import VectorFieldGenerators
from keras_lconv.generators.families.shift import ShiftGenerators

# Relative to the largest velocity. A field that differs by more is of another kind.
FIELD_TOLERANCE = 1e-5


@functools.singledispatch
def coarsened(
    generators: Generators,
    steps: tuple[int, ...],
    poolings: list[np.ndarray],
    *,
    averaged: bool,
) -> Generators | None:
    """The generators on a coarse grid, for families that are not made of matrices.

    Args:
        generators: Built generators on the fine grid.
        steps: The size of the blocks along each axis.
        poolings: The matrix `(n', n)` of the pooling along each axis.
        averaged: Whether blocks are averaged, or their first position is kept.

    Returns:
        Generators on the coarse grid, or `None` if none are exact. Families without a
        function of their own return `None`.
    """
    return None


@coarsened.register
def _coarsened_shifts(
    generators: ShiftGenerators,
    steps: tuple[int, ...],
    poolings: list[np.ndarray],
    *,
    averaged: bool,
) -> ShiftGenerators | None:
    # Every n-th position forms a grid, even if the last block is not full.
    fits = _is_filled(steps, poolings) or (not averaged and generators.boundary == "zero")
    offsets = np.array(generators.offsets)
    if not fits or np.any(offsets % np.array(steps)):
        return None
    return ShiftGenerators(offsets // np.array(steps), boundary=generators.boundary)


@coarsened.register
def _coarsened_fields(
    generators: VectorFieldGenerators,
    steps: tuple[int, ...],
    poolings: list[np.ndarray],
    *,
    averaged: bool,
) -> VectorFieldGenerators | None:
    # The mean over a block equals the value at its centre for affine fields only. A torus
    # stays a torus only if blocks fill it.
    is_filled = _is_filled(steps, poolings)
    if averaged and not (is_filled and generators.field in ("linear", "affine")):
        return None
    if generators.derivative == "fourier" and not is_filled:
        return None
    values = generators.vector_fields().astype("float64")
    for axis, pooling in enumerate(poolings, start=1):
        values = np.moveaxis(np.tensordot(pooling, values, (1, axis)), 0, axis)
    values = values / np.array(steps)
    # The coarse grid may have a different centre.
    kinds = {"linear": ("linear", "affine")}.get(generators.field, (generators.field,))
    for kind in kinds:
        found = VectorFieldGenerators.from_values(
            values, kind, derivative=generators.derivative
        )
        found.build((None, *values.shape[1:-1], 1))
        error = np.max(np.abs(found.vector_fields() - values))
        if error <= FIELD_TOLERANCE * np.max(np.abs(values)):
            break
    return found


def _is_filled(steps: tuple[int, ...], poolings: list[np.ndarray]) -> bool:
    """Whether all blocks are full."""
    pairs = zip(steps, poolings, strict=True)
    return all(pooling.shape[1] % step == 0 for step, pooling in pairs)
