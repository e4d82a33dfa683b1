"""Charged bodies in space: where they are, how fast, and where they come to.

Five bodies with charges 1 or -1 attract and repel each other by the inverse square of their
distance. Positions start as normal numbers, velocities with length 0.5. The first 3,000
steps of 0.001 lead to the input, and 1,000 more to the target, as in the experiment of
V. Satorras, E. Hoogeboom, M. Welling, "E(n) equivariant graph neural networks", ICML 2021.
"""

from typing import NamedTuple

import numpy as np

BODIES, STEP, BEFORE, AFTER = 5, 1e-3, 3000, 1000
LARGEST_FORCE = 100.0
FIRST, SECOND = np.triu_indices(BODIES, 1)
# For pairs and bodies: the force of a pair on its second body is minus that on the first.
SIGNS = np.eye(BODIES)[FIRST] - np.eye(BODIES)[SECOND]


class Motion(NamedTuple):
    """Samples of charged bodies.

    Args:
        charges: Array `(samples, 5, 1)`.
        positions: Array `(samples, 5, 3)`.
        velocities: Array `(samples, 5, 3)`.
        targets: Positions after the time that is asked for, `(samples, 5, 3)`.
    """

    charges: np.ndarray
    positions: np.ndarray
    velocities: np.ndarray
    targets: np.ndarray

    def part(self, start: int, stop: int) -> "Motion":
        """Some of the samples."""
        return Motion(*(each[start:stop] for each in self))


def forces(positions: np.ndarray, products: np.ndarray) -> np.ndarray:
    """Coulomb's forces, none larger than a limit.

    Args:
        positions: Array `(3, 5, samples)`.
        products: The products of the charges of pairs, `(10, samples)`.

    Returns:
        Array `(3, 5, samples)`.
    """
    between = positions[:, FIRST] - positions[:, SECOND]
    square = np.einsum("kps,kps->ps", between, between)
    of_pairs = between * (products / (square * np.sqrt(square)))
    found = np.einsum("pb,kps->kbs", SIGNS, of_pairs, optimize=True)
    return np.clip(found, -LARGEST_FORCE, LARGEST_FORCE)


def moved(positions, velocities, products, steps):
    """Positions and velocities after a number of steps of leapfrog."""
    x, v = positions, velocities
    force = forces(x, products)
    for _ in range(steps):
        v = v + 0.5 * STEP * force
        x = x + STEP * v
        force = forces(x, products)
        v = v + 0.5 * STEP * force
    return x, v


def simulate(samples: int, seed: int, before: int = BEFORE) -> Motion:
    """Draws samples that move together.

    Args:
        samples: How many.
        seed: Of charges, positions and velocities.
        before: Steps that lead to the input.
    """
    rng = np.random.default_rng(seed)
    charges = rng.choice([-1.0, 1.0], (BODIES, samples))
    x, v = rng.normal(size=(2, 3, BODIES, samples))
    v = 0.5 * v / np.linalg.norm(v, axis=0)
    products = charges[FIRST] * charges[SECOND]
    x, v = moved(x, v, products, before)
    after, _ = moved(x, v, products, AFTER)
    arrays = (charges[None], x, v, after)
    return Motion(*(np.moveaxis(each, (2, 1), (0, 1)).astype("float32") for each in arrays))
