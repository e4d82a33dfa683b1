"""Ready generators on grids: the fixed vector fields that have a name.

Each function returns `VectorFieldGenerators` that are not learned. The sign is such
that `exp(t L)` moves the content of an image along the field `v`:
`(exp(t L) f)(x) = f(exp(-t A) x)` for `v(x) = A x`.
"""

import itertools
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from keras_lconv._validation import MOST_AXES, finite_array, positive_int
from keras_lconv.algebra.constructors.classical import unit
from keras_lconv.generators.families.field import VectorFieldGenerators

Spacing: TypeAlias = float | Sequence[float]


def _fixed(
    coefficients: np.ndarray, derivative: str, spacing: Spacing = 1.0, **kwargs: Any
) -> VectorFieldGenerators:
    """Fixed generators from fields `(k, ndim, p)` of coordinates in the unit of
    `spacing`.
    """
    ndim = coefficients.shape[1]
    field = "linear" if coefficients.shape[2] == ndim else "affine"
    steps = _steps(spacing, ndim)
    # In an affine field the constant comes first. It is not a coordinate.
    coordinates = np.ones(coefficients.shape[2])
    coordinates[-ndim:] = steps
    coefficients = coefficients * coordinates / steps[:, None]
    return VectorFieldGenerators(
        len(coefficients),
        field=field,
        derivative=derivative,
        coefficients=coefficients,
        trainable=False,
        **kwargs,
    )


def _steps(spacing: Spacing, ndim: int) -> np.ndarray:
    """The distance between neighbours along each axis, `(ndim,)`."""
    steps = finite_array("spacing", spacing)
    if steps.shape not in ((), (ndim,)) or not np.all(steps > 0):
        raise ValueError(
            "`spacing` must be a positive number, or one positive number for each of the "
            f"{ndim} axes. Received: spacing={spacing!r}"
        )
    return np.broadcast_to(steps, (ndim,))


def translation(
    ndim: int = 2,
    *,
    spacing: Spacing = 1.0,
    derivative: str = "spectral",
    **kwargs: Any,
) -> VectorFieldGenerators:
    """Translations along each spatial axis: `L_a = -d/dx^a`.

    `exp(t L_a)` moves content by `t` grid steps towards larger index. On a periodic grid
    (`derivative="fourier"`) of odd sizes a whole number of steps is `numpy.roll`. On an
    even number of positions this holds for images without the highest frequency,
    `1, -1, 1, ...`: its derivative is zero at all of them, so it does not move.

    Args:
        ndim: Number of spatial axes.
        spacing: The distance between neighbours along each axis, a positive number or one
            for each axis, for voxels that are not cubes. Parameters are lengths in this
            unit.
        derivative: `"spectral"`, `"fourier"` or `"central"`.
        **kwargs: `name`, `dtype`.

    Returns:
        Fixed generators, one for each axis.

    Example:
    ```python
    import numpy as np
    from keras_lconv.generators import translation

    image = np.random.default_rng(0).normal(size=(1, 7, 7, 1)).astype("float32")
    moved = translation(derivative="fourier").transform(image, [2.0, 0.0])
    assert np.allclose(moved, np.roll(image, 2, axis=1), atol=1e-5)
    ```
    """
    ndim = positive_int("ndim", ndim, most=MOST_AXES)
    coefficients = np.zeros((ndim, ndim, ndim + 1))
    coefficients[..., 0] = np.eye(ndim)
    return _fixed(coefficients, derivative, spacing, **kwargs)


def rotation(
    ndim: int = 2,
    *,
    spacing: Spacing = 1.0,
    derivative: str = "spectral",
    **kwargs: Any,
) -> VectorFieldGenerators:
    """Rotations about the centre of the grid: the algebra so(n).

    For an image, `L = x_1 d/dx_0 - x_0 d/dx_1`, signed so that `exp(pi/2 L)` is
    `numpy.rot90` in the first two spatial axes. In `n` dimensions there is a generator
    for each plane `(a, b)` with `a < b`, which turns axis `a` towards axis `b`.

    Args:
        ndim: Number of spatial axes, at least 2.
        spacing: The distance between neighbours along each axis, a positive number or one
            for each axis, for voxels that are not cubes. Rotations keep distances in this
            unit.
        derivative: `"spectral"`, `"fourier"` or `"central"`.
        **kwargs: `name`, `dtype`.

    Returns:
        Fixed generators, `n (n - 1) / 2` of them. Parameters are angles in radians.

    Raises:
        ValueError: If there is no plane to rotate in.

    Example:
    ```python
    import numpy as np
    from keras_lconv.generators import rotation

    x = np.linspace(-2, 2, 15)
    image = np.exp(-np.add.outer(2 * (x - 0.3) ** 2, 3 * x**2))[None, ..., None]
    turned = rotation().transform(image, np.pi / 2)
    assert np.allclose(turned, np.rot90(image, axes=(1, 2)), atol=1e-3)
    ```
    """
    ndim = positive_int("ndim", ndim, most=MOST_AXES)
    if ndim < 2:
        raise ValueError(f"`ndim` must be at least 2. Received: ndim={ndim}")
    planes = itertools.combinations(range(ndim), 2)
    matrices = [unit(ndim, b, a) - unit(ndim, a, b) for a, b in planes]
    return _fixed(np.array(matrices), derivative, spacing, **kwargs)


def scaling(
    ndim: int = 2, *, derivative: str = "spectral", **kwargs: Any
) -> VectorFieldGenerators:
    """Scaling about the centre of the grid: `v(x) = x`.

    `exp(t L)` magnifies by `exp(t)`, for any distances between positions.

    Args:
        ndim: Number of spatial axes.
        derivative: `"spectral"`, `"fourier"` or `"central"`.
        **kwargs: `name`, `dtype`.

    Returns:
        Fixed generators, one.
    """
    ndim = positive_int("ndim", ndim, most=MOST_AXES)
    return _fixed(np.eye(ndim)[None], derivative, **kwargs)


def shear(
    ndim: int = 2,
    *,
    spacing: Spacing = 1.0,
    derivative: str = "spectral",
    **kwargs: Any,
) -> VectorFieldGenerators:
    """Shears: `v^a(x) = x_b` for each pair of different axes `(a, b)`.

    Args:
        ndim: Number of spatial axes, at least 2.
        spacing: The distance between neighbours along each axis, a positive number or one
            for each axis, for voxels that are not cubes. `x` is in this unit.
        derivative: `"spectral"`, `"fourier"` or `"central"`.
        **kwargs: `name`, `dtype`.

    Returns:
        Fixed generators, `n (n - 1)` of them, ordered by `a`, then `b`.

    Raises:
        ValueError: If there is no pair of axes.
    """
    ndim = positive_int("ndim", ndim, most=MOST_AXES)
    if ndim < 2:
        raise ValueError(f"`ndim` must be at least 2. Received: ndim={ndim}")
    pairs = itertools.permutations(range(ndim), 2)
    matrices = [unit(ndim, a, b) for a, b in pairs]
    return _fixed(np.array(matrices), derivative, spacing, **kwargs)


def affine(
    ndim: int = 2,
    *,
    spacing: Spacing = 1.0,
    derivative: str = "spectral",
    **kwargs: Any,
) -> VectorFieldGenerators:
    """All affine maps of space: the algebra aff(n).

    Args:
        ndim: Number of spatial axes.
        spacing: The distance between neighbours along each axis, a positive number or one
            for each axis, for voxels that are not cubes. `x` and lengths are in this unit.
        derivative: `"spectral"`, `"fourier"` or `"central"`.
        **kwargs: `name`, `dtype`.

    Returns:
        Fixed generators, `n + n^2` of them: the translations along each axis, then
        `v^a(x) = x_b` for all pairs `(a, b)`, ordered by `a`, then `b`.
    """
    ndim = positive_int("ndim", ndim, most=MOST_AXES)
    size = ndim * (ndim + 1)
    fields = np.eye(size).reshape(size, ndim, ndim + 1)
    # Unit fields with a constant component come first.
    is_translation = fields[..., 0].any(axis=1)
    coefficients = np.concatenate([fields[is_translation], fields[~is_translation]])
    return _fixed(coefficients, derivative, spacing, **kwargs)
