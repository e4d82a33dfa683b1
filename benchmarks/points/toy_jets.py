"""Jets of a toy generator: one prong, as of quarks and gluons, or two, as of a W boson.

A jet starts at rest with a mass, and its heaviest piece decays again and again,
isotropically in its own rest frame, into two pieces with shares `u` and `w` of its mass:

- one prong: `u` is drawn from (0.6, 0.98), `w` below `0.6 (1 - u)`. The mass of the jet is
  drawn between 40 and 160 GeV, uniformly in its logarithm.
- two prongs: the first decay has both shares in (0.05, 0.25), and a mass of 80 GeV with a
  Gaussian width of 8 GeV. All others are as with one prong.

Decays end at 10 to 40 pieces. Energies of the pieces then become the lengths of their
momenta, since constituents are light. At last the jet gets a transverse momentum of 400 to
600 GeV, any azimuth, and a pseudorapidity between -1 and 1.

The law of the pieces in the rest frame does not depend on the frame: labels, and what tells
them apart, are the same after any boost.
"""

from typing import NamedTuple

import numpy as np

FEWEST, MOST = 10, 40


class Jets(NamedTuple):
    """Jets in GeV.

    Args:
        momenta: Of constituents `(px, py, pz, E)`, `(jets, 40, 4)`, zero where there are
            none.
        exist: 1 where there is a constituent, `(jets, 40, 1)`.
        labels: 1 for two prongs, `(jets,)`.
    """

    momenta: np.ndarray
    exist: np.ndarray
    labels: np.ndarray

    def part(self, start: int, stop: int) -> "Jets":
        """Some of the jets."""
        return Jets(*(each[start:stop] for each in self))

    def boosted(self, rapidity: float, seed: int) -> "Jets":
        """Each jet with a boost along a direction of its own, of a given rapidity."""
        rng = np.random.default_rng(seed)
        moves = boosts(np.sinh(rapidity) * directions(rng, len(self.labels)))
        wide = self.momenta.astype("float64")
        moved = np.einsum("bij,bnj->bni", moves, wide)
        return self._replace(momenta=moved.astype("float32"))


def directions(rng, number: int) -> np.ndarray:
    """Random unit vectors `(number, 3)`."""
    found = rng.normal(size=(number, 3))
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def boosts(speeds: np.ndarray) -> np.ndarray:
    """Matrices `(b, 4, 4)` that give what is at rest four-velocities `(speeds, gamma)`."""
    gamma = np.sqrt(1 + np.sum(speeds**2, axis=1))
    found = np.zeros((len(speeds), 4, 4))
    outer = speeds[:, :, None] * speeds[:, None]
    found[:, :3, :3] = np.eye(3) + outer / (1 + gamma)[:, None, None]
    found[:, :3, 3] = found[:, 3, :3] = speeds
    found[:, 3, 3] = gamma
    return found


def generate(number: int, seed: int) -> Jets:
    """Draws jets, as many of one kind as of the other.

    Args:
        number: How many.
        seed: Of all draws.
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(number) % 2
    heavy = 80 + 8 * rng.normal(size=number)
    mass = np.where(labels == 1, heavy, np.exp(rng.uniform(*np.log([40, 160]), number)))
    pieces = _decayed(rng, mass, labels)
    pieces[..., 3] = np.linalg.norm(pieces[..., :3], axis=-1)
    total = pieces.sum(axis=1)
    at_rest = boosts(-total[:, :3] / _mass(total)[:, None])
    transverse = rng.uniform(400, 600, number)
    azimuth, rapidity = rng.uniform(-np.pi, np.pi, number), rng.uniform(-1, 1, number)
    momentum = transverse[:, None] * np.stack(
        [np.cos(azimuth), np.sin(azimuth), np.sinh(rapidity)], axis=1
    )
    moves = boosts(momentum / _mass(total)[:, None]) @ at_rest
    momenta = np.einsum("bij,bnj->bni", moves, pieces)
    exist = pieces[..., 3:] > 0
    return Jets(momenta.astype("float32"), exist.astype("float32"), labels)


def _mass(momenta):
    return np.sqrt(momenta[:, 3] ** 2 - np.sum(momenta[:, :3] ** 2, axis=1))


def _decayed(rng, mass, labels):
    """The pieces of jets at rest, `(jets, 40, 4)`."""
    number = len(mass)
    targets = rng.integers(FEWEST, MOST + 1, number)
    pieces, masses = np.zeros((number, MOST, 4)), np.zeros((number, MOST))
    pieces[:, 0, 3] = masses[:, 0] = mass
    for count in range(1, MOST):
        rows = np.flatnonzero(targets > count)
        heaviest = np.argmax(masses[rows], axis=1)
        shares = _shares(rng, (count == 1) & (labels[rows] == 1))
        parent, m = pieces[rows, heaviest], masses[rows, heaviest]
        first, second = shares * m
        momentum = _decay_momentum(m, first, second)[:, None] * directions(rng, len(rows))
        moves = boosts(parent[:, :3] / m[:, None])
        for sign, light, place in ((1, first, heaviest), (-1, second, count)):
            energy = np.sqrt(light**2 + np.sum(momentum**2, axis=1))
            piece = np.concatenate([sign * momentum, energy[:, None]], axis=1)
            pieces[rows, place] = np.einsum("bij,bj->bi", moves, piece)
            masses[rows, place] = light
    return pieces


def _shares(rng, is_two):
    """Shares of the mass, `(2, jets)`."""
    u = rng.uniform(0.6, 0.98, len(is_two))
    w = rng.uniform(0, 0.6, len(is_two)) * (1 - u)
    return np.where(is_two, rng.uniform(0.05, 0.25, (2, len(is_two))), [u, w])


def _decay_momentum(m, first, second):
    """The momentum of two pieces in the rest frame of what decays."""
    return np.sqrt((m**2 - (first + second) ** 2) * (m**2 - (first - second) ** 2)) / (
        2 * m
    )
