"""Pairs of images that are related by a map of space."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._memory import require_memory
from keras_lconv._validation import finite_array, not_negative, positive_int

# The fields v(x) = A x + b of named maps of images, as [A | b].
FIELDS = {
    "rotation": [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]],
    "scaling": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
    "shear": [[0.0, 1.0, 0.0], [0.0, 0.0, 0.0]],
    "translation": [[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]],
}


def image_pairs(
    num_samples: int,
    size: int = 20,
    field: Any = "rotation",
    parameters: ArrayLike = (-0.5, 0.5),
    images: ArrayLike | None = None,
    seed: int | None = None,
    noise: float = 0.0,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Images `x` and transformed images `y = exp(sum_i t_i L_i) x`.

    The images are resampled with bilinear interpolation, as image software does, and are
    zero outside. So `y` equals the action of the generators only approximately.

    Args:
        num_samples: Number of pairs.
        size: Height and width of the images.
        field: The vector field `v(x) = A x + b` in centred coordinates and grid steps:
            a name (`"rotation"`, `"scaling"`, `"shear"`, `"translation"`), or
            `[A | b]`, of shape `(2, 3)`. For `k` fields at once a list of names, or an
            array `(k, 2, 3)`.
        parameters: Range `(low, high)` of the uniformly distributed parameters `t` (for
            rotations: radians), or one for each field, `(k, 2)`.
        images: Images `x`, of shape `(num_samples, size, size)`. By default white
            noise: independent standard normal pixels.
        seed: Seed of all random numbers.
        noise: Standard deviation of normal noise that is added to both images.

    Returns:
        `(x, y, t)`: float32 arrays of shapes `(num_samples, size, size, 1)` twice and
        `(num_samples,)`, or `(num_samples, k)` for a list of fields.

    Raises:
        TypeError: If `num_samples` or `size` is not an integer.
        ValueError: If an argument has another shape, or a name is unknown.

    Example:
    ```python
    from keras_lconv.datasets import image_pairs

    x, y, t = image_pairs(100, size=7, field="rotation", seed=0)
    assert x.shape == y.shape == (100, 7, 7, 1)
    ```

    Reference:
        N. Dehmamy et al., "Automatic Symmetry Discovery with Lie Algebra Convolutional
        Network", NeurIPS 2021, which learns rotations from such pairs.
    """
    from scipy.linalg import expm
    from scipy.ndimage import affine_transform

    num_samples = positive_int("num_samples", num_samples)
    size = positive_int("size", size)
    require_memory(
        f"num_samples={num_samples} pairs of images with size={size}",
        4 * num_samples * size**2,
        "Fewer or smaller pairs need less",
    )
    fields, is_single = _field_matrices(field)
    generators = np.pad(fields, ((0, 0), (0, 1), (0, 0)))
    limits = finite_array("parameters", parameters)
    if limits.shape not in ((2,), (len(fields), 2)):
        raise ValueError(
            "`parameters` must be a range (low, high), or one for each of the "
            f"{len(fields)} fields. Received: {parameters!r}"
        )
    noise = not_negative("noise", noise)
    rng = np.random.default_rng(seed)
    t = rng.uniform(limits[..., 0], limits[..., 1], (num_samples, len(fields)))
    if images is None:
        images = rng.standard_normal((num_samples, size, size))
    x = finite_array("images", images)
    if x.shape != (num_samples, size, size):
        raise ValueError(
            f"`images` must have shape {(num_samples, size, size)}. "
            f"Received: shape {x.shape}"
        )

    centre = np.full(2, (size - 1) / 2)
    y = np.empty_like(x)
    for n in range(num_samples):
        # The content at a point of `y` comes from the place of the flow at an earlier time.
        inverse = expm(-np.tensordot(t[n], generators, 1))
        matrix, shift = inverse[:2, :2], inverse[:2, 2]
        offset = centre + shift - matrix @ centre
        y[n] = affine_transform(x[n], matrix, offset, order=1, mode="grid-constant")
    if noise:
        x, y = (image + noise * rng.standard_normal(image.shape) for image in (x, y))
    t = t[:, 0] if is_single else t
    return x[..., None].astype("f4"), y[..., None].astype("f4"), t.astype("f4")


def _field_matrices(field: Any) -> tuple[np.ndarray, bool]:
    """Fields `(k, 2, 3)`, and whether one was given by itself."""
    is_listed = isinstance(field, (list, tuple)) or getattr(field, "ndim", 0) > 0
    if is_listed and len(field) and (isinstance(field[0], str) or np.ndim(field[0]) == 2):
        return np.array([_field_matrix(each) for each in field]), False
    return _field_matrix(field)[None], True


def _field_matrix(field: Any) -> np.ndarray:
    if isinstance(field, str):
        if field not in FIELDS:
            raise ValueError(
                f"`field` must be one of {sorted(FIELDS)}, or an array of shape "
                f"(2, 3). Received: field={field!r}"
            )
        return np.array(FIELDS[field])
    matrix = finite_array("field", field)
    if matrix.shape != (2, 3):
        raise ValueError(
            f"`field` must be [A | b], of shape (2, 3). Received: shape {matrix.shape}"
        )
    return matrix
