"""Subspaces on grids that are too large for matrices on all positions.

For a fixed number of invariants, time and memory are linear in the number of positions.
"""

import math

import numpy as np

from keras_lconv._memory import require_memory
from keras_lconv.algebra.eigenspaces import ZERO, Eigenspaces, clusters
from keras_lconv.generators import Generators, VectorFieldGenerators
from keras_lconv.generators.derivatives import derivative_matrix

FEWER = "Take fewer invariants (`num_invariants`), or pool to fewer positions first"
# The default number of invariants on rings.
NUM_ON_RINGS = 256
# Angular orders go up to this multiple of the radius of a ring, in positions. A wave of
# order `2 r` on a ring of radius `r` has a wavelength of pi positions.
ORDERS_PER_RADIUS = 2.0
# The width of a ring, in distances between rings, and the least width, in positions.
WIDTH, LEAST_WIDTH = 0.5, 0.6


def is_along_axes(generators: Generators) -> bool:
    """Whether generators are the translations along each axis of a grid."""
    return isinstance(generators, VectorFieldGenerators) and generators.are_translations


def translation_spaces(
    generators: Generators, number: int | None, tolerance: float
) -> Eigenspaces:
    """The first eigenspaces of the squared length of the gradient, by growing eigenvalue.

    It is a sum of operators along the axes, so products of their eigenvectors are its
    eigenvectors.

    Args:
        generators: The translations along each axis.
        number: Number of eigenspaces, by default all.
        tolerance: Roots of eigenvalues that differ by less, relative to the largest, are
            equal.
    """
    shape = tuple(generators.spatial_shape or ())
    slopes = [derivative_matrix(size, generators.derivative) for size in shape]
    along = [np.linalg.eigh(D.T @ D) for D in slopes]
    total = np.zeros(())
    for values, _ in along:
        total = np.add.outer(total, values)
    order = np.argsort(total, axis=None, kind="stable")
    values, largest = total.ravel()[order], float(np.max(total))
    roots = np.sqrt(np.where(values <= ZERO * largest, 0.0, values))
    members = clusters(roots, tolerance * math.sqrt(largest))[:number]
    kept = order[: members[-1][-1] + 1]
    what = f"The first {len(members)} invariants of translations on {roots.size} positions"
    require_memory(what, 3 * roots.size * len(kept), FEWER)
    basis = np.ones((1, len(kept)))
    for (_, vectors), own in zip(along, np.unravel_index(kept, shape), strict=True):
        product = basis[:, None] * vectors[:, own]
        basis = product.reshape(-1, len(kept))
    return Eigenspaces(
        basis,
        np.array([len(each) for each in members]),
        np.array([[roots[each].mean()] for each in members]),
    )


def ring_spaces(
    generators: Generators, number: int | None, is_linear: bool, owner: str
) -> Eigenspaces:
    """Waves around rings about the centre of an image, by growing order, then radius.

    The rings are Gaussians of the radius, evaluated at the positions. Turns of the plane
    mix the two waves of an order with each other, up to the error of sums over a grid.
    Quarter turns and flips do so exactly.

    Args:
        generators: The rotation of the plane.
        number: Number of invariants, by default 256, or as many as the image has.
        is_linear: Whether only order zero is needed.
        owner: The name of the layer, for messages.

    Returns:
        Subspaces with the eigenvalues `(order, radius^2)`.
    """
    _require_rotation(generators, owner)
    shape = tuple(generators.spatial_shape or ())
    axes = [np.arange(size) - (size - 1) / 2 for size in shape]
    row, column = (each.ravel() for each in np.meshgrid(*axes, indexing="ij"))
    radius, angle = np.hypot(row, column), np.arctan2(column, row)
    outermost = (min(shape) - 1) / 2
    asked = number or NUM_ON_RINGS
    most = max(1, int(outermost))
    num_rings = min(most, asked if is_linear else math.isqrt(asked))
    step = outermost / num_rings
    rings = step * (np.arange(num_rings) + 0.5)
    limits = 0 * rings if is_linear else np.floor(ORDERS_PER_RADIUS * rings)
    pairs = [
        (order, ring)
        for order in range(int(limits[-1]) + 1)
        for ring in range(num_rings)
        if order <= limits[ring]
    ][:asked]
    what = f"{len(pairs)} invariants on rings of {radius.size} positions"
    require_memory(f"{owner} with {what}", 2 * radius.size * 2 * len(pairs), FEWER)
    width = max(WIDTH * step, LEAST_WIDTH)
    bells = np.exp(-(((radius[:, None] - rings) / width) ** 2) / 2)
    bells /= np.linalg.norm(bells, axis=0)
    columns = []
    for order, ring in pairs:
        # The mean square of waves is a half. Both waves of an order have one scale. The
        # centre has no angle.
        waves = [np.ones_like(angle)]
        if order:
            scale = math.sqrt(2) * (radius > 0)
            waves = [scale * f(order * angle) for f in (np.cos, np.sin)]
        columns += [bells[:, ring] * wave for wave in waves]
    return Eigenspaces(
        np.stack(columns, axis=1),
        np.array([1 + (order > 0) for order, _ in pairs]),
        np.array([(float(order), rings[ring] ** 2) for order, ring in pairs]),
    )


def _require_rotation(generators: Generators, owner: str) -> None:
    if isinstance(generators, VectorFieldGenerators) and not generators.is_learned:
        fields = generators.representation()
        # The coefficients of the rotation as a linear field, or as an affine one.
        if fields.shape in ((1, 2, 2), (1, 3, 3)):
            turn = fields[0]
            size = np.linalg.norm(turn)
            if size > 0 and np.linalg.norm(turn + turn.T) <= 1e-12 * size:
                return
    raise ValueError(
        f"`method='rings'` of {owner} needs the rotation of an image about its centre, "
        f"'rotation'. Received: generators {generators.name!r}. Use `method='matrix'` for "
        "others"
    )
