"""Is a grid that was found as sure as it says?"""

import numpy as np
from scipy.ndimage import gaussian_filter

from keras_lconv.discovery import infer_grid

# What the pixels of the tasks are like. Of the last four no square grid is right: what is
# sure of one is wrong.
KINDS = (
    "smooth",
    "blurred",
    "few",
    "noisy",
    "border",
    "ring",
    "hexagons",
    "channels",
    "no grid",
)
# So many of the pixels that vary must be on their cells, up to turns and shifts.
RIGHT = 0.95


def grid_task(seed):
    """The kind, samples of scrambled pixels, and their cells if they lie on a grid."""
    rng = np.random.default_rng(seed)
    kind = KINDS[seed % len(KINDS)]
    shape = tuple(int(n) for n in rng.integers(6, 12, 2))
    number = int(np.prod(shape)) * int(rng.integers(8, 16))
    width, noise, mode = rng.uniform(0.7, 1.1), 0.1, "reflect"
    if kind == "blurred":
        width = rng.uniform(1.2, 2.5)
    if kind == "few":
        number = int(np.prod(shape) * rng.uniform(0.5, 3))
    if kind == "noisy":
        noise = rng.uniform(0.2, 1)
    if kind == "ring":
        mode = ("reflect", "reflect", "wrap")
    images = gaussian_filter(
        rng.normal(size=(number, *shape)), (0, width, width), mode=mode
    )
    images = images / images.std() + noise * rng.normal(size=images.shape)
    cells = np.stack(np.unravel_index(np.arange(images[0].size), shape), axis=1)
    if kind == "ring":
        cells = None
    if kind == "border":
        images[:, :2] = images[:, :, -1:] = 0.0
    if kind == "hexagons":
        images, cells = _hexagons(shape, number, width, noise, rng), None
    if kind == "channels":
        mixed = [images + 0.5 * rng.normal(size=images.shape) for _ in range(3)]
        images, cells = np.stack(mixed, axis=-1), None
    if kind == "no grid":
        size = images[0].size
        mixing = np.eye(size) + 0.3 * (rng.random((size, size)) < 3 / size)
        images, cells = rng.normal(size=(number, size)) @ mixing, None
    x = images.reshape(number, -1)
    order = rng.permutation(x.shape[1])
    cells = None if cells is None else cells[order]
    return kind, x[:, order], cells


def _hexagons(shape, number, width, noise, rng):
    """Smooth noise at the points of a triangular lattice, each with six neighbours."""
    rows, columns = np.indices(shape)
    points = np.stack([columns + 0.5 * (rows % 2), rows * np.sqrt(3) / 2], axis=-1)
    points = points.reshape(-1, 2)
    distances = np.linalg.norm(points[:, None] - points, axis=-1)
    smooth = rng.normal(size=(number, len(points))) @ np.exp(
        -((distances / width) ** 2) / 2
    )
    return smooth / smooth.std() + noise * rng.normal(size=smooth.shape)


def is_right(grid, cells):
    """Whether pixels are on their cells, up to mirror images, turns and shifts."""
    if cells is None:
        return False
    known = grid.varies
    for turn in range(8):
        own = grid.cells[known & grid.placed]
        own = own[:, ::-1] if turn % 2 else own
        own = own * np.array([1 - 2 * (turn // 2 % 2), 1 - 2 * (turn // 4)])
        shifts = own - cells[known & grid.placed]
        counts = np.unique(shifts, axis=0, return_counts=True)[1]
        if len(counts) and counts.max() >= RIGHT * np.sum(known):
            return True
    return False


def grids(full, first_seed=0):
    """Is a grid with a confidence above 0.9 right in 95% of the cases?"""
    tables = {kind: np.zeros(4, dtype=int) for kind in (*KINDS, "all")}
    for seed in range(first_seed, first_seed + (180 if full else 63)):
        kind, x, cells = grid_task(seed)
        try:
            grid = infer_grid(x)
        except ValueError:
            right = sure = False
        else:
            right, sure = is_right(grid, cells), grid.confidence > 0.9
        for name in (kind, "all"):
            tables[name] += np.array([1, right, sure, sure and right])
    names = ("tasks", "right", "sure", "sure and right")
    return [
        {"pixels": kind, **dict(zip(names, map(int, row), strict=True))}
        for kind, row in tables.items()
    ]
