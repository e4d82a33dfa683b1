"""A grid that was found in data, and how well it fits them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_lconv._typing import Data, Figure
from keras_lconv.generators import grid_neighbors
from keras_lconv.layers import Rearrange
from keras_lconv.report import Report

# Below this confidence a grid is little more than a guess.
LEAST_CONFIDENCE = 0.5
# An axis is a ring if this share of its lines close.
RING = 0.3


def ring_shares(
    cells: np.ndarray, shape: tuple[int, int], pairs: np.ndarray
) -> tuple[float, float]:
    """The share of the lines along each axis whose two ends are a pair."""
    first, second = cells[pairs[:, 0]], cells[pairs[:, 1]]
    is_placed = np.all((first >= 0) & (second >= 0), axis=1)
    found = []
    for axis in range(2):
        apart = np.abs(first[:, axis] - second[:, axis])
        same_line = first[:, 1 - axis] == second[:, 1 - axis]
        closing = is_placed & same_line & (apart == shape[axis] - 1)
        # In lines of two pixels the ends are neighbours anyway.
        found.append(float(np.sum(closing)) / shape[1 - axis] if shape[axis] > 2 else 0.0)
    return found[0], found[1]


@dataclass(frozen=True, eq=False, repr=False)
class GridReport(Report):
    """The grid that `infer_grid` found, with its confidence.

    Data cannot distinguish a grid from its mirror images and quarter turns. The result is
    one of these eight, the one closest to the order of the input. If a grid has an empty
    border, the position inside it is unknown, too.

    Args:
        cells: Row and column of each pixel, `(d, 2)`, -1 for pixels that could not be
            placed.
        shape: Height and width of the grid.
        neighbor_pairs: Pixels on neighbouring cells, `(m, 2)`: the result as a graph.
        data_pairs: Pixels that are among the four nearest of each other, `(l, 2)`, by
            partial correlations alone.
        layout: Points in the plane `(d, 2)` from distances in that graph, where the grid
            was started from. NaN for pixels that were placed later.
        varies: Mask `(d,)` of the pixels that vary enough to be placed.
        confidence: Between 0 and 1: the pairs that are both in `neighbor_pairs` and in
            `data_pairs`, over those that are in either (the Jaccard index), times the part
            of the lines that do not close to a ring.

    Example:
    ```python
    import numpy as np
    from keras_lconv.discovery import infer_grid
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(0)
    images = gaussian_filter(rng.normal(size=(3000, 6, 8)), (0, 1, 1))
    scrambled = images.reshape(3000, 48)[:, rng.permutation(48)]
    grid = infer_grid(scrambled)
    print(grid.summary())
    recovered = grid.unscramble(scrambled)
    assert sorted(recovered.shape[1:]) == [6, 8]
    ```
    """

    cells: np.ndarray
    shape: tuple[int, int]
    neighbor_pairs: np.ndarray
    data_pairs: np.ndarray
    layout: np.ndarray
    varies: np.ndarray
    confidence: float

    @property
    def ring_shares(self) -> tuple[float, float]:
        """Along each axis the fraction of lines whose two ends are neighbours in the data.

        It is 0 on a grid, and 1 if an axis closes to a ring, which is cut open here.
        """
        return ring_shares(self.cells, self.shape, self.data_pairs)

    @property
    def placed(self) -> np.ndarray:
        """Mask `(d,)` of the pixels that have a cell."""
        return self.cells[:, 0] >= 0

    @property
    def order(self) -> np.ndarray:
        """The pixel on each cell, `(height * width,)` in C order, -1 for none.

        Pixels without a known place are put on the remaining cells, one after the other, so
        that their values are not lost. If there are more such pixels than cells, the last
        ones have no cell.
        """
        order = self._placed_order()
        empty, left = np.flatnonzero(order < 0), np.flatnonzero(~self.placed)
        number = min(len(empty), len(left))
        order[empty[:number]] = left[:number]
        return order

    def _placed_order(self) -> np.ndarray:
        order = np.full(self.shape[0] * self.shape[1], -1)
        numbers = np.ravel_multi_index(tuple(self.cells[self.placed].T), self.shape)
        order[numbers] = np.flatnonzero(self.placed)
        return order

    def neighbors(self, size: int | Sequence[int] = 3) -> np.ndarray:
        """The table of neighbours on the grid, for data in their original order.

        Args:
            size: Size of the window, as for `grid_neighbors`.

        Returns:
            Integer table `(d, n)` for `NeighborGenerators`: for each pixel the pixels in
            the window about it, -1 where there is none, and for pixels that were not
            placed.
        """
        window = grid_neighbors(self.shape, size)
        # -1 points to the last entry, which is -1.
        table = np.append(self._placed_order(), -1)[window]
        numbers = np.ravel_multi_index(tuple(self.cells.T), self.shape, mode="clip")
        return np.where(self.placed[:, None], table[numbers], -1)

    def unscramble(self, x: Data) -> np.ndarray:
        """Data on the grid that was found.

        Args:
            x: Array `(samples, *spatial)` or `(samples, *spatial, channels)`, with the
                pixels in the order that `infer_grid` was given.

        Returns:
            Array `(samples, height, width)` or `(samples, height, width, channels)`, zero
            on cells without a pixel. Pixels that were not placed are on the remaining cells
            (see `order`).

        Raises:
            ValueError: If `x` has another number of pixels.
        """
        array, size = np.asarray(x), len(self.cells)
        if array.ndim > 1 and np.prod(array.shape[1:]) == size:
            channels: tuple[int, ...] = ()
        elif array.ndim > 2 and np.prod(array.shape[1:-1]) == size:
            channels = (array.shape[-1],)
        else:
            raise ValueError(
                f"`x` must have shape `(samples, *spatial)` with {size} pixels, or a "
                f"further axis of channels. Received: shape {array.shape}"
            )
        flat = array.reshape(len(array), size, *channels)
        order = self.order
        found = flat[:, np.maximum(order, 0)]
        found[:, order < 0] = 0
        return found.reshape(len(array), *self.shape, *channels)

    def to_layer(self, **kwargs: Any) -> Rearrange:
        """`unscramble` as a layer, to put before others such as `LConv` or `Conv2D`.

        Args:
            **kwargs: Other arguments of `Rearrange`, such as `data_format` and `name`.

        Returns:
            A `Rearrange` layer.

        Example:
        ```python
        import keras
        import numpy as np
        from keras_lconv import LConv
        from keras_lconv.discovery import infer_grid
        from scipy.ndimage import gaussian_filter

        rng = np.random.default_rng(0)
        images = gaussian_filter(rng.normal(size=(3000, 7, 7)), (0, 1, 1))
        scrambled = images.reshape(3000, 49)[:, rng.permutation(49)]
        layer = infer_grid(scrambled).to_layer()
        model = keras.Sequential([keras.Input((49,)), layer, LConv(4, "rotation")])
        assert model.output_shape == (None, 7, 7, 4)
        ```
        """
        return Rearrange(self.order, output_dim=self.shape, **kwargs)

    def summary(self) -> str:
        """The result in words."""
        size, placed = len(self.cells), int(self.placed.sum())
        lines = [
            f"grid of {self.shape[0]} x {self.shape[1]}: {placed} of {size} pixels placed",
            f"{len(self.neighbor_pairs)} pairs of neighbours, confidence "
            f"{self.confidence:.2f}",
        ]
        if self.confidence < LEAST_CONFIDENCE:
            lines.append("the data hardly have a grid: do not rely on it")
        for axis, share in zip(("columns", "rows"), self.ring_shares, strict=True):
            if share > RING:
                lines.append(f"{share:.0%} of the {axis} close to a ring, cut open here")
        if constant := int(np.sum(~self.varies)):
            lines.append(f"{constant} pixels hardly vary, and contain no information")
        if unknown := int(np.sum(self.varies & ~self.placed)):
            lines.append(f"{unknown} pixels vary, but were not placed")
        lines.append("known up to mirror images and quarter turns")
        return "\n".join(lines)

    def plot(self) -> Figure:
        """Draws the graph of the data, as first laid out and on the grid that was found.

        Returns:
            The figure.
        """
        import matplotlib.pyplot as plt

        from keras_lconv.visualization import plot_graph

        figure, axes = plt.subplots(1, 2, figsize=(10, 5), layout="constrained")
        plot_graph(self.layout, self.data_pairs, axes[0], "laid out by distances")
        on_grid = np.where(self.placed[:, None], self.cells, np.nan)
        title = f"on the grid: {self.placed.sum()} of {len(self.cells)} pixels"
        plot_graph(on_grid, self.data_pairs, axes[1], title)
        return figure
