"""Conserved quantities from noisy trajectories: are their formulas right?"""

import numpy as np

from keras_lconv.physics import fit_conserved_quantities

TRAJECTORIES, TIMES, DURATION, STEPS = 60, 60, 10.0, 20


def inverse_distance(z):
    return 1 / np.linalg.norm(z[:, :2], axis=1)


def stretched(first, second):
    return lambda z: np.exp(z[:, first] - z[:, second])


CHAIN = {"a": stretched(0, 1), "b": stretched(1, 2)}
RING = {**CHAIN, "c": stretched(2, 0)}


def henon_heiles(z):
    x, y, p, q = z.T
    return np.stack([p, q, -x - 2 * x * y, -y - x**2 + y**2], axis=1)


def pendulum(z):
    return np.stack([z[:, 1], -np.sin(z[:, 0])], axis=1)


def kepler(z):
    return np.hstack([z[:, 2:], -z[:, :2] * inverse_distance(z)[:, None] ** 3])


def chain(z):
    a, b = (f(z) for f in CHAIN.values())
    return np.column_stack([z[:, 3:], -a, a - b, b])


def ring(z):
    a, b, c = (f(z) for f in RING.values())
    return np.column_stack([z[:, 3:], c - a, a - b, b - c])


def lotka_volterra(z):
    """The logarithms of prey and predators."""
    return np.stack([1 - np.exp(z[:, 1]), np.exp(z[:, 0]) - 1], axis=1)


def top(w):
    """Free, with moments of inertia 1, 2 and 3."""
    return np.stack([-w[:, 1] * w[:, 2], w[:, 2] * w[:, 0], -w[:, 0] * w[:, 1] / 3], axis=1)


def orbits_of_stars(rng):
    """Bound orbits, some of them in the other direction."""
    q = rng.normal(size=(TRAJECTORIES, 2))
    q *= rng.uniform(0.7, 1.4, (TRAJECTORIES, 1)) / np.linalg.norm(q, axis=1)[:, None]
    across = np.stack([-q[:, 1], q[:, 0]], axis=1)
    across /= np.linalg.norm(q, axis=1)[:, None] ** 1.5
    speed = rng.uniform(0.8, 1.1, (TRAJECTORIES, 1))
    speed *= rng.choice([-1, 1], (TRAJECTORIES, 1))
    return np.hstack([q, across * speed + 0.1 * rng.normal(size=q.shape)])


def normal(size, spread):
    return lambda rng: spread * rng.normal(size=(TRAJECTORIES, size))


# The motion, its start, the search, and formulas of all conserved quantities.
MOTIONS = {
    "Henon-Heiles": (
        henon_heiles,
        lambda rng: rng.uniform(-0.3, 0.3, (TRAJECTORIES, 4)),
        {"search": "polynomial"},
        [{"6 x1^2 x2 - 2 x2^3 + 3 x1^2 + 3 x2^2 + 3 x3^2 + 3 x4^2"}],
    ),
    "pendulum": (
        pendulum,
        lambda rng: rng.uniform(-1, 1, (TRAJECTORIES, 2)) * [2, 1],
        {"search": {"cos q": lambda z: np.cos(z[:, 0])}},
        [{"x2^2 - 2 cos q"}],
    ),
    "Kepler": (
        kepler,
        orbits_of_stars,
        {"search": {"1/|q|": inverse_distance}, "degree": 3},
        [
            {"x3^2 + x4^2 - 2 1/|q|"},
            {"x1 x4 - x2 x3"},
            {
                "x1 x4^2 - x2 x3 x4 - x1 1/|q|",
                "x1 x3 x4 - x2 x3^2 + x2 1/|q|",
            },
        ],
    ),
    "Toda, open": (
        chain,
        normal(6, 0.5),
        {"search": CHAIN, "degree": 3},
        [
            {"x4 + x5 + x6"},
            {"x4^2 + x5^2 + x6^2 + 2 a + 2 b", "x4 x5 + x4 x6 + x5 x6 - a - b"},
            {"x4 x5 x6 - x4 b - x6 a"},
        ],
    ),
    "Toda, periodic": (
        ring,
        normal(6, 0.5),
        {"search": RING, "degree": 3},
        [
            {"x4 + x5 + x6"},
            {"x4^2 + x5^2 + x6^2 + 2 a + 2 b + 2 c", "x4 x5 + x4 x6 + x5 x6 - a - b - c"},
            {
                "x4 x5 x6 - x4 b - x5 c - x6 a",
                "x4^3 + x5^3 + x6^3 + 3 x4 a + 3 x4 c + 3 x5 a + 3 x5 b + 3 x6 b + 3 x6 c",
            },
        ],
    ),
    "Lotka-Volterra": (
        lotka_volterra,
        normal(2, 0.7),
        {"search": {"e^u": lambda z: np.exp(z[:, 0]), "e^v": lambda z: np.exp(z[:, 1])}},
        [{"x1 + x2 - e^u - e^v"}],
    ),
    "Euler's top": (
        top,
        normal(3, 1.0),
        {"search": "polynomial"},
        [{"x1^2 + x2^2"}, {"x2^2 + 3 x3^2"}],
    ),
}


def trajectories(field, starts):
    """By Runge-Kutta of order 4, `(trajectories, times, n)`."""
    z, h, found = starts, DURATION / TIMES / STEPS, [starts]
    for _ in range(TIMES):
        for _ in range(STEPS):
            a = field(z)
            b = field(z + h / 2 * a)
            c = field(z + h / 2 * b)
            z = z + h / 6 * (a + 2 * b + 2 * c + field(z + h * c))
        found.append(z)
    return np.stack(found, axis=1)


def conserved(full):
    """Right formulas, as shares of the reported ones and of all."""
    rows = []
    for name, (field, starts, asked, truth) in MOTIONS.items():
        for noise in (0.0, 0.001, 0.01):
            told, right, sure, sure_and_right, confidences = 0, 0, 0, 0, []
            for seed in range(10 if full else 3):
                rng = np.random.default_rng(seed)
                z = trajectories(field, starts(rng))
                z = z + noise * np.std(z, axis=(0, 1)) * rng.normal(size=z.shape)
                report = fit_conserved_quantities(z, **asked)
                formulas = [each.formula() for each in report.quantities]
                good = sum(any(f in same for same in truth) for f in formulas)
                told, right = told + len(formulas), right + good
                is_right = good == len(formulas) == len(truth)
                sure += report.confidence > 0.9
                sure_and_right += report.confidence > 0.9 and is_right
                confidences.append(report.confidence)
            rows.append(
                {
                    "motion": name,
                    "noise": noise,
                    "conserved": len(truth) * len(confidences),
                    "told": told,
                    "formulas right": right,
                    "sure": sure,
                    "sure and all right": sure_and_right,
                    "confidence": f"{min(confidences):.2f} to {max(confidences):.2f}",
                }
            )
    return rows
