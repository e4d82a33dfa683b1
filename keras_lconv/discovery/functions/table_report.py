"""The report about affine maps of vectors, from a null space."""

from dataclasses import dataclass

import numpy as np

from keras_lconv.algebra import LieAlgebra
from keras_lconv.algebra.lie_algebra import LARGEST_TO_NAME
from keras_lconv.discovery.gap import nested_dimensions
from keras_lconv.discovery.level import Level
from keras_lconv.discovery.null_space import NullSpace
from keras_lconv.discovery.report import SymmetryReport
from keras_lconv.discovery.standard import Standard, fixed_point, free_directions

# A span with a larger closure error is no algebra.
LARGEST_CLOSURE_ERROR = 0.3
# Spans with a closure error up to this are named with the tolerance.
EXACT_CLOSURE, EXACT_TOLERANCE = 1e-5, 1e-3


@dataclass(frozen=True)
class Assumptions:
    """The question and its assumptions.

    Args:
        kind: `"invariance"` or `"equivariance"`.
        output: The assumption about the output.
        blocks: Number of vectors in an input.
        scalars: Number of components before them.
        is_affine: Whether maps have translations.
        is_algebra: Whether the search space is closed under brackets.
        searched: A description of the search space.
        names: Names of the components of a vector.
    """

    kind: str
    output: str | None
    blocks: int
    scalars: int
    is_affine: bool
    is_algebra: bool
    searched: str
    names: tuple[str, ...] | None


def symmetry_report(
    space: NullSpace,
    maps: np.ndarray,
    coordinates: Standard,
    assumed: Assumptions,
) -> SymmetryReport:
    """The report about affine maps of vectors.

    Args:
        space: The null space.
        maps: All solutions as maps `[A | b]` in standard coordinates, `(q, r, r + 1)`.
        coordinates: The standard coordinates.
        assumed: The question.

    Returns:
        A `SymmetryReport`.
    """
    k = space.dimension
    found = maps[:k]
    centre = None
    if assumed.is_affine and k:
        origin = fixed_point(found)
        if origin is not None:
            centre = coordinates.mean + coordinates.restore @ origin
    standard = _named_algebra(_matrices(found, assumed.is_affine))
    # An output that moves with its inputs depends on directions, even if all maps are
    # symmetries.
    alone = found if assumed.kind == "invariance" else found[:0]
    return SymmetryReport(
        basis=_matrices(coordinates.raw(found), assumed.is_affine),
        kind=assumed.kind,
        output=assumed.output,
        blocks=assumed.blocks,
        scalars=assumed.scalars,
        singular_values=space.singular_values,
        gap=space.gap,
        confidence=space.confidence * (_closed(standard) if assumed.is_algebra else 1.0),
        errors=space.errors,
        unidentified=coordinates.unreached,
        searched=assumed.searched,
        independent=free_directions(alone) @ coordinates.restore.T,
        centre=centre,
        standard=standard,
        levels=_levels(space, maps, assumed.is_affine, standard),
        is_determined=space.is_determined,
        names=assumed.names,
        scales=coordinates.scales,
    )


def _matrices(maps: np.ndarray, is_affine: bool) -> np.ndarray:
    """Maps `[A | b]` as square matrices, with a row of zeros if there is a `b`."""
    return np.pad(maps, ((0, 0), (0, 1), (0, 0))) if is_affine else maps[..., :-1]


def _named_algebra(matrices: np.ndarray) -> LieAlgebra:
    """An algebra with a tolerance that suits derivatives in float32.

    An affine span can be closed to rounding while its matrices are known to a few digits.
    """
    algebra = LieAlgebra(matrices)
    is_small = algebra.dimension <= LARGEST_TO_NAME
    if is_small and algebra.closure_error < EXACT_CLOSURE:
        return LieAlgebra(matrices, tolerance=EXACT_TOLERANCE)
    return algebra


def _closed(algebra: LieAlgebra) -> float:
    """A factor of the confidence from the closure error, because symmetries form an
    algebra.
    """
    if algebra.dimension < 2:
        return 1.0
    return max(0.0, 1 - (algebra.closure_error / LARGEST_CLOSURE_ERROR) ** 2)


def _levels(
    space: NullSpace, maps: np.ndarray, is_affine: bool, found: LieAlgebra
) -> tuple[Level, ...]:
    if not space.is_determined:
        return ()
    levels = []
    for dimension in nested_dimensions(space.singular_values):
        algebra = found
        if dimension != found.dimension:
            algebra = _named_algebra(_matrices(maps[:dimension], is_affine))
        if algebra.closure_error <= LARGEST_CLOSURE_ERROR:
            levels.append(Level(algebra, float(space.singular_values[dimension - 1])))
    return tuple(levels)
