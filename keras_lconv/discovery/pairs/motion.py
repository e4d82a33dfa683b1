"""Motions and comparisons of samples of pairs: exact for vectors, smoothed on grids."""

import math
from collections.abc import Callable

import numpy as np

from keras_lconv.discovery.grid_space import GridSpace
from keras_lconv.discovery.map_space import MapSpace
from keras_lconv.discovery.search_space import SearchSpace

# The number of samples in memory at a time, with all derivatives.
BATCH_SIZE = 512


class Motion:
    """Moves samples by elements of a space. Only the part in `observed` is compared.

    Args:
        space: The search space.
        levels: The amounts of smoothing, from coarse to fine.
    """

    # Whether motions are exact, so that a search can continue down to rounding.
    is_exact = False

    def __init__(self, space: SearchSpace, levels: tuple[float, ...]):
        self.space = space
        self.levels = levels
        self.size = space.size

    def smoothed(self, f: np.ndarray, level: float) -> np.ndarray:
        """Samples without what is smaller than a level."""
        return f

    def observed(self, f: np.ndarray) -> np.ndarray:
        """The numbers to compare, `(batch, m)`, or `(batch, m, p)` of derivatives."""
        raise NotImplementedError

    def act(self, f: np.ndarray) -> np.ndarray:
        """The observed part of all `E_a f`, `(batch, m, p)`."""
        return self.observed(self.space.act(f))

    def move(self, f: np.ndarray, c: np.ndarray) -> np.ndarray:
        """`exp(sum_a c_a E_a) f`, for coefficients `(batch, p)`."""
        return self.space.move(f, c)

    def mover(
        self, c: np.ndarray, shape: tuple[int, ...]
    ) -> Callable[[np.ndarray], np.ndarray]:
        """The same motion `c`, `(1, p)`, for many samples of a shape."""
        return self.space.mover(c, shape)

    def sizes(self, c: np.ndarray) -> np.ndarray:
        """How far `exp(sum_a c_a E_a)` moves, `(batch,)`: pi for a half turn."""
        return self.space.sizes(c)

    def resolution(self, level: float) -> float:
        """The size of a motion over which samples of a level stay similar."""
        raise NotImplementedError

    def common(self, x: np.ndarray, y: np.ndarray) -> np.ndarray | None:
        """Coefficients of one motion from all `x` to all `y`, if it has a closed form."""
        return None


class VectorMotion(Motion):
    """Maps of vectors `(batch, blocks, v)`, by matrix exponentials."""

    is_exact = True

    def __init__(self, space: MapSpace):
        super().__init__(space, (0.0,))
        self._maps = space

    def observed(self, f: np.ndarray) -> np.ndarray:
        """The numbers to compare."""
        return f.reshape(len(f), -1, *f.shape[3:])

    def resolution(self, level: float) -> float:
        """The size of a motion over which samples of a level stay similar."""
        return math.pi / 8

    def common(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Coefficients of one motion from all `x` to all `y`."""
        return self._maps.logarithm(x, y)


class GridMotion(Motion):
    """Flows on a grid, of samples `(batch, *spatial, channels)`.

    Content near the border comes from outside or leaves the grid, so it is not compared.

    Args:
        space: Generators that have flows.
        smoothing: The width of a Gaussian, in grid steps, at the finest level.
        border: Number of grid points next to each border that are left out.
    """

    def __init__(self, space: GridSpace, smoothing: float, border: int):
        # Coarse details guide the search for motions larger than fine details.
        widest = max(space.radius / 3, 2 * smoothing)
        super().__init__(space, (widest, (widest + smoothing) / 2, smoothing))
        self._radius = space.radius
        self._inner = tuple(slice(border, n - border) for n in space.shape)

    def smoothed(self, f: np.ndarray, level: float) -> np.ndarray:
        """Samples without what is smaller than a level."""
        from scipy.ndimage import gaussian_filter

        widths = (0.0, *(level for _ in self._inner), 0.0)
        return gaussian_filter(f, widths, mode="constant")

    def observed(self, f: np.ndarray) -> np.ndarray:
        """The numbers to compare."""
        inner = f[(slice(None), *self._inner)]
        return inner.reshape(len(f), -1, *f.shape[len(self._inner) + 2 :])

    def resolution(self, level: float) -> float:
        """The size of a motion over which samples of a level stay similar."""
        return max(level, 1.0) / self._radius
