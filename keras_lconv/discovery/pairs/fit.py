"""Finds the generators that relate pairs of samples."""

import math

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._ops import to_numpy
from keras_lconv._typing import Data, GeneratorsLike
from keras_lconv._validation import (
    count,
    finite_array,
    not_negative,
    optional,
    positive_int,
    progress,
    spatial_shape,
)
from keras_lconv.discovery.grid_space import GridSpace, generators_among
from keras_lconv.discovery.map_space import maps_among
from keras_lconv.discovery.null_space import NUM_GROUPS, trust
from keras_lconv.discovery.pairs.motion import GridMotion, Motion, VectorMotion
from keras_lconv.discovery.pairs.report import GeneratorReport
from keras_lconv.discovery.pairs.search import (
    Search,
    Solution,
    Start,
    best_start,
    distances_of,
    is_related,
    judged,
)

# The largest number of floats in the normal matrices of all pairs.
MOST_NUMBERS = 2e8
# If a pair has no more equations than unknowns, nothing shows whether other motions fit
# equally well.
UNSEEN = 0.5


def fit_generators(
    x: Data,
    y: Data,
    *,
    search: GeneratorsLike | None = None,
    parameters: ArrayLike | None = None,
    dimension: int | None = None,
    blocks: int = 1,
    smoothing: float = 1.0,
    border: int | None = None,
    verbose: bool = False,
) -> GeneratorReport:
    """Finds the generators `L_i` of pairs `y = exp(sum_i t_i L_i) x`.

    Each pair has its own parameters `t`, known or not. The search is over combinations of
    given generators, `L_i = sum_a W_ia E_a`. The current estimate of `A = sum_i t_i L_i`,
    at first zero, moves both samples of a pair half way towards each other,
    `x' = exp(A / 2) x` and `y' = exp(-A / 2) y`. Up to terms of third order, the remaining
    difference is linear in the correction: `y' - x' = dA (x' + y') / 2`. All pairs together
    are a least squares problem for `A = sum_ia t_i W_ia E_a`. It has a closed form if `t`
    is known, and otherwise is a factorisation of low rank. A few such steps solve it for
    large motions as well: they converge quadratically if `A` and `dA` commute, and linearly
    if they do not. Pairs that fit badly count less.

    On grids the search goes from coarse to fine details. A single generator is followed
    through half a turn for each pair, so parameters may be large.

    If the parameters are not known, the generators are a readable basis of the span that
    was found. Their sign and scale, and the basis if there are several, are a convention.

    Args:
        x: Samples `(batch, *spatial, channels)`, or a table `(batch, n)`.
        y: The transformed samples, of the same shape.
        search: Where to search. For images the kind of a vector field: `"affine"`, the
            default, `"linear"` or `"quadratic"`; for tables `"linear"`, the default, or
            `"affine"`: all such maps. Matrices `(p, d, d)` or a `LieAlgebra`: combinations
            of these, on all `d` positions. Names of fields, or fixed generators of any
            kind: combinations of these.
        parameters: Parameters of each pair, `(batch, k)`, or `(batch,)` for one generator.
            `None`: unknown, and different in each pair. `"common"`: unknown, and the same
            in all pairs; the parameter is then 1, because the scale of a generator is a
            convention.
        dimension: Number of generators, if it is known. By default it is found, or is that
            of `parameters`.
        blocks: Number of vectors in a row of a table, one after the other, which move
            alike.
        smoothing: On grids, the width in grid steps of a Gaussian blur of `x` and `y`,
            because interpolation has errors in the finest details.
        border: On grids, number of points next to each border that are not compared,
            because their content comes from outside. By default a tenth of each side.
        verbose: Whether to show progress.

    Returns:
        A `GeneratorReport`.

    Raises:
        TypeError: If an argument has a wrong type, or `search` holds learned generators.
        ValueError: If a value or a shape does not fit, if `parameters` depend linearly on
            each other, or if a pair has no more equations than there are unknowns and
            `dimension` is not given.

    Example:
    ```python
    from keras_lconv.datasets import image_pairs
    from keras_lconv.discovery import fit_generators

    x, y, angles = image_pairs(200, size=9, field="rotation", seed=0)
    report = fit_generators(x, y)  # the angles are not told
    assert report.dimension == 1
    ```

    Reference:
        N. Dehmamy et al., "Automatic Symmetry Discovery with Lie Algebra Convolutional
        Network", NeurIPS 2021, for the task. B. D. Lucas, T. Kanade, "An
        iterative image registration technique", IJCAI 1981, for registration by
        derivatives from coarse to fine.
    """
    verbose = bool(progress(verbose))
    smoothing = not_negative("smoothing", smoothing)
    border = optional(count, "border", border)
    dimension = optional(count, "dimension", dimension)
    x, y = _checked_pairs(x, y)
    motion = _motion(search, x.shape, blocks, smoothing, border)
    if isinstance(motion, VectorMotion):
        x, y = (_as_vectors(f, blocks) for f in (x, y))
    known = _known_parameters(parameters, len(x))
    if known is not None:
        dimension = _agreed("parameters", known.shape[1], dimension)
    num_equations = motion.observed(x[:1]).size
    if dimension is None and motion.size >= num_equations:
        raise ValueError(
            f"`dimension` must be given if a pair has no more equations ({num_equations}) "
            f"than unknowns ({motion.size}). Received: dimension=None"
        )
    if dimension is not None and not 0 < dimension <= motion.size:
        raise ValueError(
            f"`dimension` must be from 1 to {motion.size}, the dimension of the search. "
            f"Received: dimension={dimension!r}"
        )
    if len(x) * motion.size**2 > MOST_NUMBERS:
        raise ValueError(
            f"`x` and `y` must have at most {int(MOST_NUMBERS / motion.size**2)} pairs for "
            f"{motion.size} unknowns in each. Received: {len(x)} pairs. Take fewer, or "
            "search among fewer generators"
        )
    start = Start() if known is not None else best_start(motion, x, y, dimension)
    state = Search(motion, x, y, known, dimension, start)
    if isinstance(parameters, str) and (common := motion.common(x, y)) is not None:
        state.coefficients = np.tile(common, (len(x), 1))
    equations = state.run(verbose)
    left, before = state.distances(), distances_of(motion, x, y)
    values = gap = None
    confidence, given = 1.0, dimension
    if known is None and motion.size < num_equations:
        dimension, gap, confidence, values = judged(equations, given)
    elif known is None:
        confidence = UNSEEN
    if given is None and dimension and not is_related(motion, x, y, start, dimension):
        dimension, confidence = 0, 0.0
    fit_error = math.sqrt(np.sum(left) / np.sum(before))
    if known is None:
        confidence *= trust(fit_error)
    solution = Solution(motion, equations, known, dimension or 0)
    generators = motion.space.generators(solution.rows) if dimension else None
    return GeneratorReport(
        generators=generators,
        parameters=solution.parameters,
        coefficients=solution.rows,
        singular_values=values,
        gap=gap,
        confidence=confidence,
        errors=solution.errors(),
        residuals=np.sqrt(left / before),
        fit_error=fit_error,
        searched=motion.size,
    )


def _checked_pairs(x: Data, y: Data) -> tuple[np.ndarray, np.ndarray]:
    x, y = finite_array("x", to_numpy(x)), finite_array("y", to_numpy(y))
    if x.shape != y.shape or x.ndim < 2 or len(x) < NUM_GROUPS or 0 in x.shape:
        raise ValueError(
            "`x` and `y` must both have the shape `(batch, d)` or `(batch, *spatial, "
            f"channels)`, with at least {NUM_GROUPS} pairs. Received: shapes {x.shape} and "
            f"{y.shape}"
        )
    if np.array_equal(x, y):
        raise ValueError("`y` must differ from `x`. Received: equal samples")
    return x, y


def _known_parameters(parameters: ArrayLike | None, num: int) -> np.ndarray | None:
    if parameters is None:
        return None
    if isinstance(parameters, str):
        if parameters != "common":
            raise ValueError(
                "`parameters` must be `None`, 'common' or an array. "
                f"Received: parameters={parameters!r}"
            )
        return np.ones((num, 1))
    known = finite_array("parameters", parameters)
    known = known[:, None] if known.ndim == 1 else known
    if known.ndim != 2 or len(known) != num or known.shape[1] == 0:
        raise ValueError(
            f"`parameters` must have shape `(batch,)` or `(batch, k)`, with batch={num}. "
            f"Received: shape {np.shape(parameters)}"
        )
    if np.linalg.matrix_rank(known) < known.shape[1]:
        raise ValueError(
            "`parameters` of different generators must be linearly independent. Received: "
            f"rank {np.linalg.matrix_rank(known)} of {known.shape[1]}"
        )
    return known


def _agreed(name: str, stated: int, dimension: int | None) -> int:
    if dimension is not None and dimension != stated:
        raise ValueError(
            f"`dimension` must agree with `{name}`, which has {stated}. Received: "
            f"dimension={dimension!r}"
        )
    return stated


def _motion(
    search: GeneratorsLike | None,
    shape: tuple[int, ...],
    blocks: int,
    smoothing: float,
    border: int | None,
) -> Motion:
    """The search space, and its motions of samples of a shape."""
    size = math.prod(spatial_shape(shape, "fit_generators"))
    if len(shape) == 2:
        if size % positive_int("blocks", blocks):
            raise ValueError(
                f"`blocks` must divide the n={size} columns. Received: blocks={blocks}"
            )
        known = "linear" if search is None else search
        return VectorMotion(maps_among(known, size // blocks))
    if blocks != 1:
        raise ValueError(
            f"`blocks` apply to tables `(batch, n)` only. Received: blocks={blocks!r} with "
            f"samples of shape {shape}"
        )
    found = generators_among(
        "affine" if search is None else search, shape, "fit_generators"
    )
    if found.is_learned:
        raise TypeError(
            "`search` must hold fixed generators, or be a name or matrices. Received: "
            f"learned {type(found).__name__}. To give these the result, use "
            "`report.assign_to(generators)`"
        )
    space = GridSpace(found)
    if space.has_flows:
        return GridMotion(space, smoothing, _border(border, space.shape))
    return VectorMotion(maps_among(found.matrices(), size))


def _as_vectors(f: np.ndarray, blocks: int) -> np.ndarray:
    """Samples as vectors `(batch, blocks, v)`, with channels as vectors that move alike."""
    if f.ndim == 2:
        return f.reshape(len(f), blocks, -1)
    return np.swapaxes(f.reshape(len(f), -1, f.shape[-1]), 1, 2)


def _border(border: int | None, shape: tuple[int, ...]) -> int:
    if border is None:
        return round(min(shape) / 10)
    if 2 * border >= min(shape):
        raise ValueError(
            f"`border` must leave some points of a grid of shape {shape}. Received: "
            f"border={border}"
        )
    return border
