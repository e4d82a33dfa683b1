"""Rotated copies of images."""

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._validation import finite_array


def rotate_images(images: ArrayLike, degrees: ArrayLike) -> np.ndarray:
    """Rotates each image about its centre, as `numpy.rot90` does for 90 degrees.

    The images are resampled with bilinear interpolation, as image software does. They keep
    their size: content that leaves the image is lost, and zeros enter.

    Args:
        images: Array `(num, y, x)` or `(num, y, x, channels)`.
        degrees: One angle for each image, `(num,)`, or one for all.

    Returns:
        Array of the shape of `images`, float32.

    Raises:
        TypeError: If an argument is not an array of numbers.
        ValueError: If an argument has another shape.

    Example:
    ```python
    import numpy as np
    from keras_lconv.datasets import rotate_images

    images = np.random.default_rng(0).random((2, 8, 8, 1))
    turned = rotate_images(images, [90, 0])
    assert np.allclose(turned[0], np.rot90(images[0]), atol=1e-6)
    ```
    """
    from scipy import ndimage

    images = finite_array("images", images)
    if images.ndim not in (3, 4):
        raise ValueError(
            "`images` must have shape `(num, y, x)` or `(num, y, x, channels)`. "
            f"Received: shape {images.shape}"
        )
    angles = finite_array("degrees", degrees)
    if angles.shape not in ((), images.shape[:1]):
        raise ValueError(
            f"`degrees` must be one angle, or {len(images)}, one for each image. "
            f"Received: shape {angles.shape}"
        )
    turned = np.empty(images.shape, dtype="float32")
    angles = np.broadcast_to(angles, images.shape[:1])
    # Beyond the border there are zeros, and images fade into them. With "constant" a whole
    # row of pixels would vanish under the smallest turn.
    options = {"reshape": False, "order": 1, "mode": "grid-constant"}
    for image, angle, result in zip(images, angles, turned, strict=True):
        ndimage.rotate(image, angle, output=result, **options)
    return turned
