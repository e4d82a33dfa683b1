"""Places pairs of neighbours on the square lattice, if they fit."""

import itertools

import numpy as np

# An edge on a single square is kept if its strength is above this quantile.
WEAK_QUANTILE = 0.1

# Stress majorisation stops when the relative fall of the stress is smaller.
STRESS_TOLERANCE, STRESS_STEPS = 1e-4, 100

# An edge this far from a unit step contradicts the others.
CONTRADICTION = 0.25
STRAIGHTENING_STEPS = 5


def prune(pairs: np.ndarray, strength: np.ndarray) -> np.ndarray:
    """The pairs without shortcuts.

    An edge of a grid belongs to two squares, at the border to one. A shortcut belongs to
    none, or by chance to one, and is mostly weak.

    Args:
        pairs: `(m, 2)`, with `i < j`.
        strength: `(m,)`.

    Returns:
        Some of the pairs.
    """
    if not len(pairs):
        return pairs
    strong = strength >= np.quantile(strength, WEAK_QUANTILE)
    while True:
        squares = _squares(pairs)
        counts = np.bincount(squares.ravel(), minlength=len(pairs))
        keep = (counts >= 2) | ((counts == 1) & strong)
        if keep.all():
            return pairs
        pairs, strong = pairs[keep], strong[keep]


def rigid_part(pairs: np.ndarray) -> np.ndarray:
    """The pairs on the largest patch of squares that are connected by edges.

    Parts that are connected by a corner or a chain of edges could be turned, so they are
    left out.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    squares = _squares(pairs)
    if not len(squares):
        return pairs[:0]
    rows = np.repeat(np.arange(len(squares)), 4)
    incidence = csr_array((np.ones(squares.size), (rows, squares.ravel())))
    patches = connected_components(incidence @ incidence.T)[1]
    return pairs[np.unique(squares[patches == np.bincount(patches).argmax()])]


def _squares(pairs: np.ndarray) -> np.ndarray:
    """All 4-cycles, `(q, 4)`: the numbers of their edges."""
    around: dict[int, set[int]] = {}
    edges = [tuple(pair) for pair in pairs.tolist()]
    for i, j in edges:
        around.setdefault(i, set()).add(j)
        around.setdefault(j, set()).add(i)
    number = {edge: n for n, edge in enumerate(edges)}
    found = set()
    for middle in around.values():
        # Two neighbours `a, c` of one point close a square with each further common
        # neighbour.
        for a, c in itertools.combinations(sorted(middle), 2):
            for b, d in itertools.combinations(sorted(around[a] & around[c]), 2):
                cycle = [(a, b), (b, c), (c, d), (d, a)]
                found.add(frozenset(number[min(e), max(e)] for e in cycle))
    return np.array([sorted(square) for square in found], dtype=int).reshape(-1, 4)


def embed(pairs: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Points of the lattice for the rigid part of a graph.

    A layout in the plane determines the axis and direction of each edge. Least squares give
    the positions with these unit steps. Edges that contradict the others, and points that
    fold onto others, are dropped until all fit.

    Args:
        pairs: `(m, 2)`.
        size: Number of points.

    Returns:
        The layout `(size, 2)`, NaN for points without a place, and the integer cells
        `(size, 2)`, -1 for points without a cell.
    """
    layout = np.full((size, 2), np.nan)
    cells = np.full((size, 2), -1)
    pairs = rigid_part(pairs)
    if not len(pairs):
        return layout, cells
    points, local = np.unique(pairs, return_inverse=True)
    layout[points] = _along_axes(_stress_layout(local.reshape(-1, 2)), local)
    positions = layout.copy()
    while len(pairs):
        points, local = np.unique(pairs, return_inverse=True)
        local = local.reshape(-1, 2)
        positions[points], residuals = _straighten(positions[points], local)
        fits = residuals < CONTRADICTION
        if fits.all():
            found = np.round(positions[points] - positions[points[0]]).astype(int)
            same = np.unique(found, axis=0, return_inverse=True, return_counts=True)
            alone = same[2][same[1].ravel()] == 1
            if alone.all():
                cells[points] = found - found.min(axis=0)
                break
            fits = alone[local].all(axis=1)
        pairs = rigid_part(pairs[fits])
    return layout, cells


def _stress_layout(pairs: np.ndarray) -> np.ndarray:
    """Points in the plane, `(n, 2)`, whose distances are near to those along the edges.

    Stress majorisation with weights `1 / D^2` (E. Gansner, Y. Koren, S. North, "Graph
    drawing by stress majorization", 2004), from classical scaling.
    """
    from scipy.linalg import cho_factor, cho_solve
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import shortest_path

    size = pairs.max() + 1
    # SciPy 1.14 requires this dtype of indices.
    rows, columns = pairs.T.astype("int32")
    graph = csr_array((np.ones(len(pairs)), (rows, columns)), (size, size))
    distances = shortest_path(graph, directed=False, unweighted=True)
    squares = distances**2
    means = squares.mean(axis=0)
    values, vectors = np.linalg.eigh(-(squares - means - means[:, None] + means.mean()) / 2)
    points = vectors[:, -2:] * np.sqrt(np.maximum(values[-2:], 0.0))

    np.fill_diagonal(distances, 1.0)
    weights = distances**-2.0
    np.fill_diagonal(weights, 0.0)
    # The Laplacian of the weights, made invertible on constants.
    laplacian = np.diag(weights.sum(axis=1)) - weights
    factor = cho_factor(laplacian + 1.0 / size)
    before = np.inf
    for _ in range(STRESS_STEPS):
        lengths = np.linalg.norm(points[:, None] - points, axis=-1)
        stress = np.sum(weights * (lengths - distances) ** 2)
        if stress > (1 - STRESS_TOLERANCE) * before:
            break
        before = stress
        pulls = weights * distances / np.where(lengths > 0, lengths, np.inf)
        points = cho_solve(factor, pulls.sum(axis=1)[:, None] * points - pulls @ points)
    return points


def _along_axes(points: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """The points, turned so that the edges go along the axes as well as possible."""
    pairs = pairs.reshape(-1, 2)
    edges = (points[pairs[:, 0]] - points[pairs[:, 1]]) @ np.array([1.0, 1.0j])
    # The mean direction modulo quarter turns.
    angle = np.angle(np.sum((edges / np.maximum(np.abs(edges), 1e-12)) ** 4)) / 4
    turned = (points @ np.array([1.0, 1.0j])) * np.exp(-1j * angle)
    return np.stack([turned.real, turned.imag], axis=1)


def _straighten(points: np.ndarray, pairs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions `(n, 2)` with unit steps along the edges, and the errors of the steps.

    Each edge becomes the nearest unit step, and least squares give the positions. Both are
    repeated with less weight for edges that do not fit.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import splu

    number = np.arange(len(pairs))
    entries = (np.repeat([1.0, -1.0], len(pairs)), (np.tile(number, 2), pairs.T.ravel()))
    # The first point stays at the origin.
    incidence = csr_array(entries, (len(pairs), len(points)))[:, 1:]
    differences = points[pairs[:, 0]] - points[pairs[:, 1]]
    weights = np.ones(len(pairs))
    for _ in range(STRAIGHTENING_STEPS):
        axes = np.abs(differences).argmax(axis=1)
        steps = np.zeros_like(differences)
        steps[number, axes] = np.sign(differences[number, axes])
        weighted = (incidence.T * weights).tocsc()
        moved = splu((weighted @ incidence).tocsc()).solve(weighted @ steps)
        differences = incidence @ moved
        residuals = np.linalg.norm(differences - steps, axis=1)
        weights = 1 / (0.05 + residuals)
    return np.concatenate([np.zeros((1, 2)), moved]), residuals
