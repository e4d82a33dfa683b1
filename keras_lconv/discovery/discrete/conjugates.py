"""Reflections and rotations in any direction: the search in a class of conjugate maps.

All reflections are conjugate, `h = S h_0 S^-1`, and so are all rotations by one angle in
one plane. Within the class a map moves by `h -> exp(X) h exp(-X)`. The change of a function
`F(h y) - F(y)` then moves by `<X, g (h y)^T - (h^T g) y^T>`, with `g` the slopes at `h y`.
Damped Gauss-Newton steps minimize this change in least squares, from the best of many
starts. Some starts are eigenvectors of the second moments of the slopes: if the
distribution of the samples is symmetric as well, a reflection maps these moments to
themselves, so the normal of its mirror is an eigenvector.
"""

from collections.abc import Callable
from itertools import combinations

import numpy as np

from keras_lconv.discovery.discrete.elements import turned

# Up to this size maps are conjugated by any matrix, above it by orthogonal ones.
LARGEST_OBLIQUE = 6
RANDOM_MAPS, MOST_STARTS, APART = 400, 24, 0.2
STEPS, FIRST_STEPS = 25, 8
# After the first steps, starts are dropped if they are worse than this part of a random
# map. A map is settled if it improves by less than a part, or is as exact as float32 can
# tell.
HOPELESS, SLOW, EXACT = 0.35, 0.995, 1e-6
LONGEST_STEP, LARGEST_DAMPING = 0.5, 1e4
# How far starts are from being orthogonal.
SHEAR = 0.3
TINY = 1e-300

# A function from maps `(m, r, r)` to changes `(m, s)`, slopes `(m, s, blocks, r)` at moved
# samples, and the samples `(m, s, blocks, r)`.
Changes = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
# The residual of derivatives `(m, s, p)` after the fit of a law of outputs.
Projection = Callable[[np.ndarray], np.ndarray]


def starts(order: int, slope_moments: np.ndarray, seed: int) -> np.ndarray:
    """Random maps of a class, `(m, r, r)`, many more than the search starts from.

    Args:
        order: 1 for reflections, `n` for rotations by `2 pi / n`.
        slope_moments: Second moments of slopes.
        seed: The seed of random directions.
    """
    size, width = len(slope_moments), 1 if order == 1 else 2
    rng = np.random.default_rng(seed)
    axes = np.linalg.eigh(slope_moments)[1]
    frames = [axes[:, list(chosen)] for chosen in combinations(range(size), width)]
    frames += list(rng.normal(size=(RANDOM_MAPS, size, width)))
    found = np.array([turned(frame, np.linalg.pinv(frame), order) for frame in frames])
    if size <= LARGEST_OBLIQUE:
        # Half of them are not orthogonal.
        oblique = found[-RANDOM_MAPS // 2 :]
        change = np.eye(size) + SHEAR * rng.normal(size=oblique.shape)
        found[-RANDOM_MAPS // 2 :] = change @ oblique @ np.linalg.inv(change)
    return found


def chosen_starts(maps: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """The starts of the search: the best maps that are not close to each other."""
    kept: list[np.ndarray] = []
    for number in np.argsort(errors, kind="stable"):
        if all(np.max(np.abs(maps[number] - other)) > APART for other in kept):
            kept.append(maps[number])
        if len(kept) == MOST_STARTS:
            break
    return np.array(kept)


def nearest_symmetries(
    maps: np.ndarray, changes: Changes, project: Projection
) -> np.ndarray:
    """Conjugates of the maps that change the function less.

    Args:
        maps: The starts, `(m, r, r)`.
        changes: How much maps change the function.
        project: Takes the part of a change that counts.

    Returns:
        Array `(m', r, r)` of the maps that came near to a symmetry.
    """
    from scipy.linalg import expm

    tangents = _tangents(maps.shape[1])
    damping = np.full(len(maps), 1e-2)
    residuals, jacobian = _linearized(maps, changes, tangents, project)
    done: list[np.ndarray] = []
    for step in range(STEPS):
        costs = np.mean(residuals**2, axis=1)
        gradient = np.einsum("msp,ms->mp", jacobian, residuals)
        normal = jacobian.swapaxes(1, 2) @ jacobian
        sizes = np.trace(normal, axis1=1, axis2=2) / normal.shape[1]
        diagonal = (damping * sizes + TINY)[:, None, None] * np.eye(normal.shape[1])
        moves = np.linalg.solve(normal + diagonal, -gradient[..., None])[..., 0]
        lengths = np.linalg.norm(moves, axis=1, keepdims=True)
        moves = moves / np.maximum(1.0, lengths / LONGEST_STEP)
        directions = np.tensordot(moves, tangents, 1)
        forth = expm(directions)
        tried = forth @ maps @ np.linalg.inv(forth)
        new_residuals, new_jacobian = _linearized(tried, changes, tangents, project)
        new_costs = np.mean(new_residuals**2, axis=1)
        better = new_costs < costs
        damping = np.where(better, np.maximum(damping / 4, 1e-8), damping * 5)
        maps = np.where(better[:, None, None], tried, maps)
        residuals = np.where(better[:, None], new_residuals, residuals)
        jacobian = np.where(better[:, None, None], new_jacobian, jacobian)
        new_costs = np.minimum(new_costs, costs)
        settled = better & (new_costs > SLOW * costs) | (damping > LARGEST_DAMPING)
        settled |= new_costs < EXACT**2
        hopeless = new_costs > (HOPELESS if step > FIRST_STEPS else np.inf) ** 2
        done.append(maps[settled & ~hopeless])
        active = ~(settled | hopeless)
        if not np.any(active):
            break
        maps, residuals, jacobian = maps[active], residuals[active], jacobian[active]
        damping = damping[active]
    else:
        done.append(maps)
    return np.concatenate(done)


def _linearized(
    maps: np.ndarray, changes: Changes, tangents: np.ndarray, project: Projection
) -> tuple[np.ndarray, np.ndarray]:
    """Changes `(m, s)`, and their derivatives `(m, s, p)` along the tangents."""
    residuals, slopes, samples = changes(maps)
    moved = np.einsum("mij,msbj->msbi", maps, samples)
    pulled = np.einsum("mji,msbj->msbi", maps, slopes)
    products = np.einsum("msbi,msbj->msij", slopes, moved, optimize=True)
    products -= np.einsum("msbi,msbj->msij", pulled, samples, optimize=True)
    flat = products.reshape(*residuals.shape, -1)
    return residuals, project(flat @ tangents.reshape(len(tangents), -1).T)


def _tangents(size: int) -> np.ndarray:
    """The directions of conjugation: all matrices, or for large sizes the antisymmetric
    ones.
    """
    if size <= LARGEST_OBLIQUE:
        return np.eye(size * size).reshape(-1, size, size)
    first, second = np.triu_indices(size, 1)
    basis = np.zeros((len(first), size, size))
    numbers = np.arange(len(first))
    basis[numbers, first, second], basis[numbers, second, first] = 1.0, -1.0
    return basis
