"""Tables of the neighbours of each position."""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._memory import require_memory
from keras_lconv._validation import (
    for_each_axis,
    integer_array,
    one_of,
    positive_ints,
)
from keras_lconv.generators.families.shift import BOUNDARIES, shifted_positions


def grid_neighbors(
    shape: Sequence[int], size: int | Sequence[int] = 3, boundary: str = "zero"
) -> np.ndarray:
    """The table of neighbours on a grid, in windows like those of a convolution.

    Args:
        shape: Spatial shape of the grid.
        size: Size of the window along each axis: odd numbers, or one for all axes.
        boundary: `"zero"`: positions have no neighbours outside of the grid.
            `"periodic"`: the grid is closed to a torus.

    Returns:
        Integer array `(d, n)`: the positions in the window about each of the
        `d = prod(shape)` positions, itself among them, in C order; -1 where there is
        none.

    Raises:
        TypeError: If a size is not an integer.
        ValueError: If a size is not positive or even, or `boundary` is unknown.

    Example:
    ```python
    from keras_lconv.generators import grid_neighbors

    table = grid_neighbors((2, 3))
    assert table.shape == (6, 9)
    assert table[0].tolist() == [-1, -1, -1, -1, 0, 1, -1, 3, 4]
    ```
    """
    shape = positive_ints("shape", shape)
    sizes = for_each_axis("size", positive_ints("size", size), len(shape))
    if any(n % 2 == 0 for n in sizes):
        raise ValueError(
            f"`size` must be odd, one number or {len(shape)} numbers. "
            f"Received: size={size!r}"
        )
    one_of("boundary", boundary, BOUNDARIES)
    require_memory(
        f"The table of neighbours for shape={shape} and size={sizes}",
        math.prod(shape) * math.prod(sizes),
        "A smaller `size` or a smaller grid needs less",
    )
    windows = (range(-(n // 2), n // 2 + 1) for n in sizes)
    return np.stack(
        [shifted_positions(shape, o, boundary) for o in itertools.product(*windows)], axis=1
    )


def checked_table(neighbors: ArrayLike) -> np.ndarray:
    """Returns `neighbors` as integers `(d, n)`, and raises an error if it is no
    such table.
    """
    table = integer_array("neighbors", neighbors)
    if table.ndim != 2 or 0 in table.shape:
        raise ValueError(
            "`neighbors` must have shape `(d, n)`, with a row for each position. "
            f"Received: shape {table.shape}"
        )
    if table.min() < -1 or table.max() >= len(table):
        raise ValueError(
            f"`neighbors` must be positions from 0 to {len(table) - 1}, or -1 for none. "
            f"Received: entries from {table.min()} to {table.max()}"
        )
    return table


def table_as_shifts(
    table: np.ndarray, shape: tuple[int, ...]
) -> list[tuple[tuple[int, ...], str]] | None:
    """The offset of each column and the boundary, if all columns are shifts of the grid.

    Slices are faster than indices, and their gradients are much faster.
    """
    centre = tuple(n // 2 for n in shape)
    here = int(np.ravel_multi_index(centre, shape))
    found = []
    for column in table.T:
        if column[here] < 0:
            return None
        there = np.unravel_index(column[here], shape)
        offset = tuple(int(b - a) for a, b in zip(centre, there, strict=True))
        for boundary in BOUNDARIES:
            if np.array_equal(column, shifted_positions(shape, offset, boundary)):
                found.append((offset, boundary))
                break
        else:
            return None
    return found
