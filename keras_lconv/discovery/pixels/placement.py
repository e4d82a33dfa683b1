"""Places pixels on cells, with a large sum of the correlations of neighbouring cells.

`occupants` are the pixels on the cells of a grid, `(height, width)`, -1 for none. `weights`
are correlations `(d + 1, d + 1)` with zeros in the last row and column, to which -1 points.
"""

from collections.abc import Sequence

import numpy as np

STEPS = np.array([(-1, 0), (1, 0), (0, -1), (0, 1)])
MOST_SWEEPS = 50

# Free cells around a grid whose shape is unknown.
MARGIN = 2


def placed_in_best_window(
    core: np.ndarray,
    shapes: Sequence[tuple[int, int]],
    weights: np.ndarray,
    pixels: np.ndarray,
    least: float,
) -> np.ndarray:
    """The occupants of the grid, among the shapes, that explains the data best.

    The core is a part of a grid at an unknown place. Its position along the rows is decided
    first, then that along the columns. For each position all pixels that find a cell are
    placed, and the position with the largest sum of correlations of neighbours is chosen.

    Args:
        core: Occupants of a part of the grid.
        shapes: Shapes that hold the core.
        weights: The correlations.
        pixels: The pixels that may be placed.
        least: The least correlation of neighbours.

    Returns:
        The occupants.
    """

    def attempt(shape: tuple[int, int], top: int, left: int) -> tuple[float, np.ndarray]:
        occupants = np.full(shape, -1)
        occupants[top : top + core.shape[0], left : left + core.shape[1]] = core
        occupants = grow(occupants, weights, pixels, least)
        occupants = refine(occupants, weights, pixels, least)
        return _objective(occupants, weights), occupants

    best = (-np.inf, core)
    for shape in shapes:
        slack = np.subtract(shape, core.shape)
        middle = int(slack[1]) // 2
        tries = [(attempt(shape, top, middle), top) for top in range(slack[0] + 1)]
        (found, top) = max(tries, key=lambda made: made[0][0])
        others = [
            attempt(shape, top, left) for left in range(slack[1] + 1) if left != middle
        ]
        best = max([best, found, *others], key=lambda made: made[0])
    return best[1]


def grow(
    occupants: np.ndarray,
    weights: np.ndarray,
    pixels: np.ndarray,
    least: float,
    supports: int = 1,
) -> np.ndarray:
    """Places pixels on empty cells, the most certain first.

    A pixel belongs to an empty cell if it is correlated with two occupied cells next to it.
    All such pixels and cells that are each other's best match are matched at once. Only if
    there are none, the best pixel with a single neighbour is placed, and starts a new line.

    Args:
        occupants: The occupants at the start.
        weights: The correlations.
        pixels: The pixels that may be placed.
        least: The least correlation of a pixel with a neighbour.
        supports: The number of correlated neighbours that a pixel must have.

    Returns:
        New occupants.
    """
    occupants = occupants.copy()
    links = (weights > least).astype("float64")
    while True:
        free = np.setdiff1d(pixels, occupants)
        cells = np.argwhere(_has_neighbor(occupants) & (occupants < 0))
        if not len(free) or not len(cells):
            return occupants
        known = _gains(occupants, cells, free, links)
        gains = _gains(occupants, cells, free, weights)
        sure = known >= 2
        gains = np.where(sure if sure.any() else known >= supports, gains, 0.0)
        if gains.max() <= 0:
            return occupants
        suits, suited = gains.argmax(axis=1), gains.argmax(axis=0)
        matched = np.flatnonzero(
            (suited[suits] == np.arange(len(cells))) & (gains.max(axis=1) > 0)
        )
        if not sure.any():
            matched = matched[[gains[matched, suits[matched]].argmax()]]
        occupants[tuple(cells[matched].T)] = free[suits[matched]]


def refine(
    occupants: np.ndarray, weights: np.ndarray, pixels: np.ndarray, least: float
) -> np.ndarray:
    """Moves pixels while the sum of the correlations of neighbours grows.

    Cells of one colour of the chessboard have neighbours of the other colour only. With
    these fixed, the best pixels for the former solve a linear assignment, exactly. The
    colours take turns.

    Args:
        occupants: The occupants at the start.
        weights: The correlations.
        pixels: The pixels that may be placed.
        least: A pixel is removed if the sum of its correlations with its neighbours is
        smaller.

    Returns:
        New occupants.
    """
    from scipy.optimize import linear_sum_assignment

    rows, columns = np.indices(occupants.shape)
    best = _objective(occupants, weights)
    for _ in range(MOST_SWEEPS):
        moved = occupants.copy()
        for colour in range(2):
            moving = (rows + columns) % 2 == colour
            moved[moving] = -1
            free = np.setdiff1d(pixels, moved)
            cells = np.argwhere(moving)
            gains = _gains(moved, cells, free, weights)
            gains = np.where(gains > least, gains, 0.0)
            chosen, taken = linear_sum_assignment(gains, maximize=True)
            useful = gains[chosen, taken] > 0
            moved[tuple(cells[chosen[useful]].T)] = free[taken[useful]]
        reached = _objective(moved, weights)
        if reached <= best + 1e-9:
            return occupants
        occupants, best = moved, reached
    return occupants


def neighboring_cells(occupants: np.ndarray) -> np.ndarray:
    """The pairs of pixels on neighbouring cells, `(m, 2)`, with `i < j`."""
    down = np.stack([occupants[:-1].ravel(), occupants[1:].ravel()], axis=1)
    right = np.stack([occupants[:, :-1].ravel(), occupants[:, 1:].ravel()], axis=1)
    pairs = np.concatenate([down, right])
    pairs = np.sort(pairs[np.all(pairs >= 0, axis=1)], axis=1)
    return pairs[np.lexsort(pairs.T[::-1])]


def _objective(occupants: np.ndarray, weights: np.ndarray) -> float:
    down = weights[occupants[:-1], occupants[1:]].sum()
    return float(down + weights[occupants[:, :-1], occupants[:, 1:]].sum())


def _gains(
    occupants: np.ndarray, cells: np.ndarray, pixels: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """The gain of the sum by each pixel on each cell, `(cells, pixels)`."""
    padded = np.pad(occupants, 1, constant_values=-1)
    around = (padded[tuple((cells + step + 1).T)] for step in STEPS)
    return sum((weights[np.ix_(found, pixels)] for found in around), np.array(0.0))


def _has_neighbor(occupants: np.ndarray) -> np.ndarray:
    filled = np.pad(occupants >= 0, 1)
    return filled[2:, 1:-1] | filled[:-2, 1:-1] | filled[1:-1, 2:] | filled[1:-1, :-2]
