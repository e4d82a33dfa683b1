"""The grid of images, from sums on several workers."""

import copy

from keras_lconv._streams import require_same_kind
from keras_lconv._typing import Data
from keras_lconv.discovery.pixels.grid import Asked, grid_of
from keras_lconv.discovery.pixels.moments import Moments, merged_with, parts_of
from keras_lconv.discovery.pixels.report import GridReport


class GridSums:
    """The sums over images that `infer_grid` needs, to be updated and merged.

    Each worker updates its own sums with its batches, and the merged sums are those of all
    images, up to rounding, in any order. They take 24 bytes for each pair of pixels, for
    any number of images, and can be pickled.

    Args:
        shape: As for `infer_grid`.
        min_correlation: As for `infer_grid`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If a value does not fit.

    Example:
    ```python
    import functools
    import numpy as np
    from keras_lconv.discovery import GridSums
    from scipy.ndimage import gaussian_filter

    def worker(seed):
        noise = np.random.default_rng(seed).normal(size=(800, 6, 6))
        images = gaussian_filter(noise, (0, 1, 1))
        sums = GridSums()
        for batch in np.split(images, 4):
            sums.update(batch)
        return sums

    grid = functools.reduce(GridSums.merge, map(worker, range(3))).result()
    assert grid.shape == (6, 6)
    ```
    """

    def __init__(
        self, *, shape: tuple[int, int] | None = None, min_correlation: float = 0.1
    ):
        self._asked = Asked.checked(shape, min_correlation)
        self._moments: Moments | None = None

    def update(self, x: Data) -> None:
        """Adds images.

        Args:
            x: Array `(samples, d)` or `(samples, *spatial)`.

        Raises:
            TypeError: If `x` is no array of numbers.
            ValueError: If a shape does not fit, or that of images before.
        """
        for part in parts_of(x):
            self._moments = merged_with(self._moments, part)

    def merge(self, other: "GridSums") -> "GridSums":
        """The sums of the images of both, which stay as they are.

        Args:
            other: Sums with the same arguments.

        Returns:
            New sums.

        Raises:
            TypeError: If `other` is no `GridSums`.
            ValueError: If it has other arguments, or images of another size.
        """
        require_same_kind(self, other)
        if other._asked != self._asked:
            raise ValueError(
                f"`other` must have the same arguments. Received: {other._asked} and "
                f"{self._asked}"
            )
        merged = copy.copy(self)
        if self._moments is None:
            merged._moments = other._moments
        elif other._moments is not None:
            merged._moments = self._moments.merged(other._moments)
        return merged

    def result(self) -> GridReport:
        """The grid of all images.

        Returns:
            A `GridReport`.

        Raises:
            ValueError: If there are no images, they hardly vary, or have no grid.
        """
        if self._moments is None:
            raise ValueError("`GridSums` need images: call `update` before `result`")
        return grid_of(self._moments, self._asked)
