"""Charged bodies in space: where they are, how fast, and where they come to.

Five bodies with charges 1 or -1 attract and repel each other by the inverse square of their
distance. Positions start as normal numbers, velocities with length 0.5. The first 3,100
steps of 0.001 lead to the input, and 1,000 more to the target: frames 30 and 40 of the
experiment of V. Satorras, E. Hoogeboom, M. Welling, "E(n) equivariant graph neural
networks", ICML 2021, whose frame 0 is step 100.
"""

from typing import NamedTuple

import numpy as np

BODIES, STEP, BEFORE, AFTER = 5, 1e-3, 3100, 1000
LARGEST_FORCE = 100.0
# So many samples move at once, and stay in the cache of the processor.
TOGETHER = 250
FIRST, SECOND = np.triu_indices(BODIES, 1)
# Of pairs and bodies: what a pair does to its first body, the second feels turned round.
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
    """Draws samples and moves them.

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
    ends = [
        _both_ends(*(each[..., i : i + TOGETHER] for each in (x, v, products)), before)
        for i in range(0, samples, TOGETHER)
    ]
    x, v, after = (np.concatenate(each, axis=-1) for each in zip(*ends, strict=True))
    arrays = (charges[None], x, v, after)
    return Motion(*(np.moveaxis(each, (2, 1), (0, 1)).astype("float32") for each in arrays))


def _both_ends(x, v, products, before):
    """Positions and velocities of the input, and positions of the target."""
    x, v = moved(x, v, products, before)
    return x, v, moved(x, v, products, AFTER)[0]
