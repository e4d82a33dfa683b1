"""Jets of a toy generator: one prong, as of quarks and gluons, or two, as of a W boson.

A jet is a mass at rest, whose heaviest piece decays again and again, isotropically in its
own rest frame, into two pieces with shares of its mass:

- one prong: the larger share `u` is drawn from (0.4, 0.98), the other from
  `(0, 0.6 (1 - u))`: one piece stays heavy;
- two prongs: the first decay has both shares in (0.05, 0.4): both pieces are lighter, and
  fly apart faster. All other decays are as with one prong.

Decays end at 10 to 40 pieces. Their energies become the lengths of their momenta, since
constituents are light, and all are scaled to the mass of the jet, from 60 to 110 GeV
whatever the label. At last the jet gets a transverse momentum of 400 to 600 GeV, any
azimuth, and a pseudorapidity between -1 and 1.

Masses, numbers of constituents and motions have the same law for both labels. What tells
labels apart is how the pieces move in the rest frame of the jet, so it is the same after
any boost.
"""

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

FEWEST, MOST = 10, 40


class Jets(NamedTuple):
    """Jets in GeV.

    Args:
        momenta: Of constituents `(px, py, pz, E)`, `(jets, 40, 4)`, zero where there are
            none.
        exist: 1 where there is a constituent, `(jets, 40, 1)`.
        labels: 1 for two prongs, `(jets,)`.
        masses: Masses of jets, rounded as files store them, `(jets,)`.
    """

    momenta: np.ndarray
    exist: np.ndarray
    labels: np.ndarray
    masses: np.ndarray

    def part(self, start: int, stop: int) -> "Jets":
        """Some of the jets."""
        return Jets(*(each[start:stop] for each in self))

    def boosted(self, rapidities: np.ndarray | float, seed: int) -> "Jets":
        """Each jet with a boost of such a rapidity, along a direction of its own."""
        rng = np.random.default_rng(seed)
        along = directions(rng, len(self.labels))
        moves = boosts(along * np.sinh(np.reshape(rapidities, (-1, 1))))
        moved = np.einsum("bij,bnj->bni", moves, self.momenta.astype("float64"))
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


def invariant_mass(momenta: np.ndarray) -> np.ndarray:
    """The masses of momenta `(..., 4)`."""
    return np.sqrt(momenta[..., 3] ** 2 - np.sum(momenta[..., :3] ** 2, axis=-1))


def generate(number: int, seed: int) -> Jets:
    """Draws jets, as many of one kind as of the other.

    Args:
        number: How many.
        seed: Of all draws.
    """
    rng = np.random.default_rng(seed)
    labels = np.arange(number) % 2
    mass = np.exp(rng.uniform(*np.log([60, 110]), number))
    pieces = _decayed(rng, mass, labels)
    pieces[..., 3] = np.linalg.norm(pieces[..., :3], axis=-1)
    total = pieces.sum(axis=1)
    at_rest = boosts(-total[:, :3] / invariant_mass(total)[:, None])
    units = (mass / invariant_mass(total))[:, None, None]
    transverse = rng.uniform(400, 600, number)
    azimuth, rapidity = rng.uniform(-np.pi, np.pi, number), rng.uniform(-1, 1, number)
    momentum = transverse[:, None] * np.stack(
        [np.cos(azimuth), np.sin(azimuth), np.sinh(rapidity)], axis=1
    )
    moves = boosts(momentum / mass[:, None]) @ at_rest
    momenta = units * np.einsum("bij,bnj->bni", moves, pieces)
    exist = pieces[..., 3:] > 0
    given = (each.astype("float32") for each in (momenta, exist, labels, mass))
    return Jets(*given)


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
    u = rng.uniform(0.4, 0.98, len(is_two))
    w = rng.uniform(0, 0.6, len(is_two)) * (1 - u)
    return np.where(is_two, rng.uniform(0.05, 0.4, (2, len(is_two))), [u, w])


def _decay_momentum(m, first, second):
    """The momentum of two pieces in the rest frame of what decays."""
    square = (m**2 - (first + second) ** 2) * (m**2 - (first - second) ** 2)
    return np.sqrt(square) / (2 * m)


def area(scores: np.ndarray, labels: np.ndarray) -> float:
    """The area under the curve of true over false positives."""
    ranks, positive = rankdata(scores), labels == 1
    wins = ranks[positive].sum() - positive.sum() * (positive.sum() + 1) / 2
    return float(wins / (positive.sum() * (~positive).sum()))
