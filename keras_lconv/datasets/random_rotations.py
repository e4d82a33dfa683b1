"""Batches of images at random angles, for training."""

import reprlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._validation import any_array, finite_array, not_negative
from keras_lconv.datasets.random_batches import RandomBatches
from keras_lconv.datasets.rotate_images import rotate_images


class RandomRotations(RandomBatches):
    """Batches of images, each at a new random angle in each epoch.

    A network that is invariant to quarter turns, such as
    `keras_lconv.models.steerable_classifier`, needs angles up to 45 degrees only. A network
    without a symmetry needs 180 degrees.

    Args:
        images: Array `(num, y, x)` or `(num, y, x, channels)`.
        labels: Array of `num` labels, or of other numbers for each image. For names of
            classes use `np.unique(names, return_inverse=True)`.
        max_degrees: Angles are uniform between minus and plus this angle.
        batch_size: Number of images in a batch. The last one may be smaller.
        shuffle: Whether each epoch has a new order.
        seed: Seed of order and angles. A batch depends only on it, on the epoch and on the
            number of the batch, so `workers` do not change it.
        **kwargs: `workers`, `use_multiprocessing`, `max_queue_size` of
            `keras.utils.PyDataset`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong shape or value.

    Example:
    ```python
    import numpy as np
    from keras_lconv.datasets import RandomRotations

    images = np.random.default_rng(0).random((100, 8, 8, 1))
    data = RandomRotations(images, np.arange(100), max_degrees=45, batch_size=32)
    turned, labels = data[0]
    assert turned.shape == (32, 8, 8, 1) and labels.shape == (32,) and len(data) == 4
    # model.fit(data, epochs=10)
    ```
    """

    def __init__(
        self,
        images: ArrayLike,
        labels: ArrayLike,
        *,
        max_degrees: float = 180.0,
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int = 0,
        **kwargs: Any,
    ):
        self.images = finite_array("images", images).astype("float32")
        if self.images.ndim not in (3, 4):
            raise ValueError(
                "`images` must have shape `(num, y, x)` or `(num, y, x, channels)`. "
                f"Received: shape {self.images.shape}"
            )
        self.labels = any_array("labels", labels)
        if self.labels.shape[:1] != self.images.shape[:1]:
            raise ValueError(
                f"`labels` must hold {len(self.images)} labels, one for each image. "
                f"Received: shape {self.labels.shape}"
            )
        if self.labels.dtype.kind not in "biuf":
            raise TypeError(
                "`labels` must be numbers, because losses need numbers. Received: "
                f"labels={reprlib.repr(labels)}. `names, labels = np.unique(labels, "
                "return_inverse=True)` converts them"
            )
        self.max_degrees = not_negative("max_degrees", max_degrees)
        super().__init__(len(self.images), batch_size, shuffle, seed, **kwargs)

    def _batch(
        self, samples: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        angles = rng.uniform(-self.max_degrees, self.max_degrees, len(samples))
        return rotate_images(self.images[samples], angles), self.labels[samples]
