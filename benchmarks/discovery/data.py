"""Data with known symmetries."""

import numpy as np


def o5(number, noise, seed=0):
    """Two vectors of five components, and a function that O(5) leaves invariant."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(number, 10))
    lengths = np.linalg.norm(x.reshape(-1, 2, 5), axis=2)
    overlaps = np.sum(x[:, :5] * x[:, 5:], axis=1)
    y = np.sin(lengths[:, 0]) - lengths[:, 1] ** 3 / 2 + overlaps / lengths.prod(axis=1)
    return x, y + noise * np.std(y) * rng.normal(size=number)


def sphere(number, flipped, seed=0):
    """Labels: inside or outside of a sphere."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(number, 3))
    inside = np.sum(x**2, axis=1) < 2.4
    return x, np.where(rng.random(number) < flipped, ~inside, inside)


def dijets(number, noise, seed=0):
    """Four-momenta of two jets each, and the mass of both: energies over two decades.

    Transverse momenta fall as a power, two jets nearly balance each other, and each has a
    mass of its own, a tenth of its transverse momentum on average.
    """
    rng = np.random.default_rng(seed)
    leading = 20 * (1 - rng.random(number) * (1 - 1e-3)) ** (-1 / 3)
    momenta = np.stack([leading, leading * rng.uniform(0.5, 1, number)], axis=1)
    rapidities = np.clip(rng.normal(scale=1.2, size=(number, 2)), -2.5, 2.5)
    angles = rng.uniform(0, 2 * np.pi, (number, 1)) + np.array([0, np.pi])
    angles = angles + rng.normal(scale=0.3, size=(number, 2))
    masses = 0.1 * momenta * np.exp(0.4 * rng.normal(size=(number, 2)))
    parts = np.stack(
        [momenta * np.cos(angles), momenta * np.sin(angles), momenta * np.sinh(rapidities)],
        axis=2,
    )
    energies = np.sqrt(np.sum(parts**2, axis=2) + masses**2)
    vectors = np.concatenate([parts, energies[..., None]], axis=2)
    total = vectors.sum(axis=1)
    mass = np.sqrt(total[:, 3] ** 2 - np.sum(total[:, :3] ** 2, axis=1))
    return vectors.reshape(number, 8), mass * (1 + noise * rng.normal(size=number))


def counts(number, background, seed=0):
    """Events that a detector counts about a point, more of them nearby."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(number, 2))
    return x, rng.poisson(background + 40 * np.exp(-np.sum(x**2, axis=1) / 2))


def ideal_gas(number, noise, seed=0):
    """Moles, temperatures and volumes, and the pressure."""
    rng = np.random.default_rng(seed)
    x = rng.uniform([0.5, 250, 0.01], [3, 400, 0.08], (number, 3))
    pressure = 8.314 * x[:, 0] * x[:, 1] / x[:, 2]
    return x, pressure * (1 + noise * rng.normal(size=number))


def pendulum(number, noise, seed=0):
    """Length, gravity, mass and amplitude of a pendulum, and its period."""
    rng = np.random.default_rng(seed)
    x = rng.uniform([0.2, 1.6, 0.1, 0.02], [2, 25, 3, 0.5], (number, 4))
    period = 2 * np.pi * np.sqrt(x[:, 0] / x[:, 1]) * (1 + x[:, 3] ** 2 / 16)
    return x, period * (1 + noise * rng.normal(size=number))
