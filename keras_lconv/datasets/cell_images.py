"""Images of cells in any orientation, for classification."""

import numpy as np

from keras_lconv._memory import require_memory
from keras_lconv._validation import count, not_negative, optional, positive_int

FEWEST_LOBES = 2
NUM_CLASSES = 4


def cell_images(
    num_samples: int,
    size: int = 24,
    max_shift: float = 3.0,
    noise: float = 0.25,
    seed: int | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Generated images of cells with two to five lobes, and the numbers of lobes.

    A cell has any orientation, place, size and brightness. Its edge is at the radius
    `r (1 + a cos(n phi + phi_0))` with `n` lobes. `r` is drawn from 0.2 to 0.3 times the
    size of the image, `a` from 0.15 to 0.3, the brightness from 0.5 to 1.

    Args:
        num_samples: Number of images.
        size: Height and width of the images.
        max_shift: Largest distance of a cell from the centre along each axis, in pixels.
        noise: Standard deviation of normal noise.
        seed: Seed of all random numbers.

    Returns:
        `(images, labels)`: a float32 array `(num_samples, size, size, 1)`, and integers
        from 0 to 3, `(num_samples,)`, the number of lobes minus two.

    Raises:
        TypeError: If `num_samples` or `size` is not an integer.
        ValueError: If an argument is negative or not finite, or the images take more
            memory than there is.

    Example:
    ```python
    from keras_lconv.datasets import cell_images

    images, labels = cell_images(100, seed=0)
    assert images.shape == (100, 24, 24, 1) and set(labels) == {0, 1, 2, 3}
    ```
    """
    num_samples = positive_int("num_samples", num_samples)
    size = positive_int("size", size)
    require_memory(
        f"num_samples={num_samples} images with size={size}",
        8 * num_samples * size**2,
        "Fewer or smaller images need less",
    )
    max_shift = not_negative("max_shift", max_shift)
    noise = not_negative("noise", noise)
    rng = np.random.default_rng(optional(count, "seed", seed))
    labels = rng.integers(NUM_CLASSES, size=num_samples)
    shape = (num_samples, 1, 1)
    ticks = np.arange(size) - (size - 1) / 2
    y = ticks[:, None] - rng.uniform(-max_shift, max_shift, shape)
    x = ticks - rng.uniform(-max_shift, max_shift, shape)
    radius = size * rng.uniform(0.2, 0.3, shape)
    depth = rng.uniform(0.15, 0.3, shape)
    brightness = rng.uniform(0.5, 1.0, shape)
    start = rng.uniform(0, 2 * np.pi, shape)
    lobes = labels[:, None, None] + FEWEST_LOBES
    edge = radius * (1 + depth * np.cos(lobes * np.arctan2(y, x) + start))
    # From one to zero within about a pixel.
    images = brightness / (1 + np.exp(2 * np.clip(np.hypot(y, x) - edge, -30, 30)))
    images = images + noise * rng.normal(size=images.shape)
    return images[..., None].astype("float32"), labels
