"""The hidden grid of images whose pixels are in an unknown order."""

import math
from dataclasses import dataclass

import numpy as np

from keras_lconv._typing import Stream
from keras_lconv._validation import fraction, positive_ints
from keras_lconv.discovery.pixels.lattice import embed, prune
from keras_lconv.discovery.pixels.moments import Moments, moments_of
from keras_lconv.discovery.pixels.neighbors import mutual_pairs, neighbor_table
from keras_lconv.discovery.pixels.partial_correlation import partial_correlations
from keras_lconv.discovery.pixels.placement import (
    MARGIN,
    grow,
    neighboring_cells,
    placed_in_best_window,
)
from keras_lconv.discovery.pixels.report import GridReport, ring_shares

NEIGHBORS = 4

# The shrinkage is raised to these values while a core holds less than this part of the
# pixels. For very smooth images the inverse covariance is large even at distances of two
# pixels.
SHRINKAGES = (0.0, 0.03, 0.1, 0.3)
LARGE_CORE = 0.8

# The largest number of cells for each pixel in a given shape, because all places of the
# core in it are tried.
MOST_CELLS = 4

# All data have a few squares. In a grid the squares are connected.
LEAST_CORE = 0.2


def infer_grid(
    x: Stream,
    *,
    shape: tuple[int, int] | None = None,
    min_correlation: float = 0.1,
    verbose: bool | None = None,
) -> GridReport:
    """Finds the grid of images whose pixels are in an unknown order.

    1. A graph: it joins pixels that are among the four with the largest partial
       correlations of each other (`infer_neighbors`).
    2. Its core: edges that lie on no square of the graph, and weak edges on one square, are
       dropped, because they join pixels that are not neighbours. The part connected by
       squares is laid out in the plane by distances along the edges. Each edge then becomes
       a unit step along an axis, edges that contradict the others are dropped, and the core
       lies on a lattice.
    3. The rest: a pixel with two neighbours about an empty cell belongs there. So the core
       grows, for each position that it may have in the whole grid.
    4. Pixels are moved as long as the sum of the partial correlations of all neighbours
       grows, by linear assignments. The position with the largest sum is chosen.

    It needs images that are mostly smooth from pixel to pixel, and more of them than
    pixels. It cannot distinguish mirror images and quarter turns, and cannot find the ends
    of the grid beyond the pixels that vary.

    Args:
        x: Data `(samples, d)` or `(samples, *spatial)`, whose positions are in any order.
            Take the mean over channels first. Or batches of such data, which need not fit
            into memory: a `tf.data.Dataset`, a `DataLoader`, a `PyDataset`, any iterable or
            a generator function, which is read once. Of a batch `(x, y)` the first counts.
            `GridSums` shares the batches out to workers.
        shape: Height and width of the grid, with up to four cells a pixel. By default their
            product is `d` and the grid holds the found patch. If no such numbers exist
            because pixels are missing, the grid is as large as the found patch.
        min_correlation: The smallest partial correlation of neighbours.
        verbose: Whether to show a progress bar. By default for many samples.

    Returns:
        A `GridReport`: the cell of each pixel, tables of neighbours, and the map of data
        onto the grid. Its `confidence` is low if the data have no grid.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If a value or a shape does not fit, `x` hardly varies, or it has no
            patch of a grid at all.

    Example:
    ```python
    import numpy as np
    from keras_lconv.discovery import infer_grid
    from keras_lconv.generators import NeighborGenerators
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    images = gaussian_filter(rng.normal(size=(3000, 8, 8)), (0, 1, 1))
    scrambled = images.reshape(3000, 64)[:, rng.permutation(64)]
    grid = infer_grid(scrambled)
    assert grid.shape == (8, 8)
    assert grid.confidence > 0.9
    generators = NeighborGenerators(2, grid.neighbors(size=3))
    ```
    """
    asked = Asked.checked(shape, min_correlation)
    return grid_of(moments_of(x, verbose), asked)


@dataclass(frozen=True)
class Asked:
    """The arguments for a grid: its shape if it is known, and the least correlation."""

    shape: tuple[int, int] | None
    least: float

    @classmethod
    def checked(cls, shape: object, min_correlation: object) -> "Asked":
        """Checks the arguments of `infer_grid`."""
        least = fraction("min_correlation", min_correlation)
        return cls(None if shape is None else _checked_shape(shape), least)


def grid_of(moments: Moments, asked: Asked) -> GridReport:
    """The grid of samples with given moments."""
    shape, least = asked.shape, asked.least
    found, varies, needed = moments.correlations()
    if shape is not None and math.prod(shape) > MOST_CELLS * len(varies):
        raise ValueError(
            f"`shape` must have at most {MOST_CELLS} cells for each of the {len(varies)} "
            f"pixels of `x`. Received: shape={shape}"
        )
    pixels = np.flatnonzero(varies)
    cores = []
    for shrinkage in SHRINKAGES:
        partial = partial_correlations(found, varies, max(shrinkage, needed))
        cores.append(_core(partial, pixels, least))
        if cores[-1].num_placed > LARGE_CORE * len(pixels):
            break
    core = max(cores, key=lambda core: core.num_placed)
    size = len(varies)
    if core.num_placed < LEAST_CORE * len(pixels):
        raise ValueError(
            f"`x` must have a grid. The pixels with partial correlations above {least:g} "
            f"make {len(core.data_pairs)} pairs, but the largest patch of squares holds "
            f"only {core.num_placed} pixels. Received: data with {size} pixels, of which "
            f"{len(pixels)} vary. Pixels with several channels have no grid (take their "
            "mean), nor have hexagonal grids and rings"
        )
    shapes = _possible_shapes(core.occupants.shape, size, shape)
    occupants = placed_in_best_window(core.occupants, shapes, core.weights, pixels, least)
    if shape is None and occupants.size != size:
        occupants = _trimmed(occupants)
    occupants = _most_ordered(occupants, shape)
    neighbor_pairs, cells = neighboring_cells(occupants), _cells(occupants, size)
    closed = max(ring_shares(cells, occupants.shape, core.data_pairs))
    return GridReport(
        cells,
        occupants.shape,
        neighbor_pairs,
        core.data_pairs,
        core.layout,
        varies,
        _jaccard_index(neighbor_pairs, core.data_pairs, size) * (1 - min(closed, 1.0)),
    )


@dataclass(frozen=True, eq=False)
class _Core:
    """The certain part of a grid, and the data from which it was found.

    Args:
        weights: Partial correlations `(d + 1, d + 1)`, zeros in the last row and column.
        data_pairs: The pairs with a partial correlation, `(l, 2)`.
        layout: Points in the plane, `(d, 2)`.
        occupants: The pixels on the cells, -1 for none.
    """

    weights: np.ndarray
    data_pairs: np.ndarray
    layout: np.ndarray
    occupants: np.ndarray

    @property
    def num_placed(self) -> int:
        return int(np.sum(self.occupants >= 0))


def _core(partial: np.ndarray, pixels: np.ndarray, least: float) -> _Core:
    data_pairs = mutual_pairs(neighbor_table(partial, NEIGHBORS, least))
    pairs = prune(data_pairs, partial[tuple(data_pairs.T)])
    layout, cells = embed(pairs, len(partial))
    weights = np.pad(partial, ((0, 1), (0, 1)))
    # Within its own borders a core grows in one way only.
    occupants = grow(_occupants(cells), weights, pixels, least, supports=2)
    return _Core(weights, data_pairs, layout, occupants)


def _checked_shape(shape: object) -> tuple[int, int]:
    sizes = positive_ints("shape", shape)
    if len(sizes) != 2:
        raise ValueError(f"`shape` must be (height, width). Received: shape={shape!r}")
    return sizes[0], sizes[1]


def _possible_shapes(
    core: tuple[int, int], size: int, shape: tuple[int, int] | None
) -> list[tuple[int, int]]:
    """Shapes of a grid that contains the core. A given shape may be transposed."""
    if shape is not None:
        wanted = {shape, shape[::-1]}
    else:
        heights = range(1, size + 1)
        wanted = {(n, size // n) for n in heights if size % n == 0}
    fitting = [s for s in sorted(wanted) if s[0] >= core[0] and s[1] >= core[1]]
    if shape is not None and not fitting:
        raise ValueError(
            f"`shape` must contain the patch of {core[0]} x {core[1]} pixels that was "
            f"found. Received: shape={shape}"
        )
    return fitting or [(core[0] + 2 * MARGIN, core[1] + 2 * MARGIN)]


def _occupants(cells: np.ndarray) -> np.ndarray:
    """The pixel on each cell, -1 for none."""
    placed = np.flatnonzero(cells[:, 0] >= 0)
    occupants = np.full(cells.max(axis=0) + 1, -1)
    occupants[tuple(cells[placed].T)] = placed
    return occupants


def _cells(occupants: np.ndarray, size: int) -> np.ndarray:
    """The cell of each pixel, -1 for none."""
    cells = np.full((size, 2), -1)
    filled = np.argwhere(occupants >= 0)
    cells[occupants[tuple(filled.T)]] = filled
    return cells


def _trimmed(occupants: np.ndarray) -> np.ndarray:
    """The occupants without empty lines at the border."""
    filled = np.argwhere(occupants >= 0)
    (top, left), (bottom, right) = filled.min(axis=0), filled.max(axis=0)
    return occupants[top : bottom + 1, left : right + 1]


def _most_ordered(
    occupants: np.ndarray, shape: tuple[int, int] | None = None
) -> np.ndarray:
    """The one of the eight mirror images and turns that is closest to the order of the
    input.

    The data cannot distinguish them. But pixels that were in order should stay so.
    """
    turned = [np.rot90(occupants, n) for n in range(4)]
    turned += [image.T for image in turned]

    def disorder(image: np.ndarray) -> float:
        pixels = image.ravel()
        where = np.flatnonzero(pixels >= 0)
        return -float(np.dot(where - where.mean(), pixels[where]))

    return min((t for t in turned if shape in (None, t.shape)), key=disorder)


def _jaccard_index(first: np.ndarray, second: np.ndarray, size: int) -> float:
    """Number of common pairs over the number of all."""
    codes = [pairs @ np.array([size, 1]) for pairs in (first, second)]
    return len(np.intersect1d(*codes)) / max(len(np.union1d(*codes)), 1)
