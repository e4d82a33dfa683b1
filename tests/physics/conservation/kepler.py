"""The Kepler problem: its Hamiltonian, its orbits, and what they conserve."""

import numpy as np
from keras import ops
from scipy.integrate import solve_ivp


def points(size, num=500, seed=0):
    return np.random.default_rng(seed).normal(size=(num, size))


def kepler(z):
    n = z.shape[1] // 2
    q, p = z[:, :n], z[:, n:]
    return ops.sum(p**2, axis=1) / 2 - 1 / ops.sqrt(ops.sum(q**2, axis=1))


def kepler_orbits(num, ndim, seed, eccentricities=(0.2, 0.6), axes=(0.7, 1.3)):
    """Ellipses in all orientations, integrated to 1e-11."""
    rng = np.random.default_rng(seed)

    def velocity(_, z):
        return np.concatenate([z[ndim:], -z[:ndim] / np.linalg.norm(z[:ndim]) ** 3])

    orbits = []
    for _ in range(num):
        eccentricity, axis = rng.uniform(*eccentricities), rng.uniform(*axes)
        start = np.zeros((2, ndim))
        start[0, 0] = axis * (1 - eccentricity)
        start[1, 1] = np.sqrt((1 + eccentricity) / (1 - eccentricity) / axis)
        start = start @ np.linalg.qr(rng.normal(size=(ndim, ndim)))[0]
        times = np.linspace(0, 10, 60)
        solution = solve_ivp(
            velocity, (0, 10), start.ravel(), "DOP853", times, rtol=1e-11, atol=1e-12
        )
        orbits.append(solution.y.T)
    return np.array(orbits)


def angular_momenta(z):
    """`q x p` for three dimensions, without the library."""
    cross = np.cross(z[..., :3], z[..., 3:])
    return np.stack([cross[..., 2], -cross[..., 1], cross[..., 0]], axis=-1)
