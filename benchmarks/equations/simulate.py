"""Solutions of evolution equations on a periodic domain of length 20, from random Fourier
series: the tasks of LieNLSD (ICML 2025), made anew from their formulas.
"""

import numpy as np
from scipy.integrate import solve_ivp

LENGTH = 20.0


def waves(n, dimensions):
    """Wave numbers along each axis of a periodic grid."""
    k = 2 * np.pi * np.fft.fftfreq(n, LENGTH / n)
    return np.meshgrid(*[k] * dimensions, indexing="ij")


def random_field(rng, n, dimensions, modes=3, terms=6):
    """A sum of sines of low wave numbers, with random phases and sizes."""
    x = np.arange(n) * LENGTH / n
    points = np.meshgrid(*[x] * dimensions, indexing="ij")
    field = np.zeros((n,) * dimensions)
    for _ in range(terms):
        number = rng.integers(-modes, modes + 1, size=dimensions)
        number[0] = rng.integers(1, modes + 1)
        phase = rng.uniform(0, 2 * np.pi)
        angle = sum(2 * np.pi * m / LENGTH * p for m, p in zip(number, points, strict=True))
        field += rng.uniform(-0.5, 0.5) * np.sin(angle + phase)
    return field


def evolve(linear, nonlinear, start, times, step):
    """Solves `d/dt a = linear a + nonlinear(a)` for Fourier coefficients.

    Runge-Kutta of order 4 on `exp(-linear t) a`, so that stiff linear parts are exact.
    """
    state, now, found = start, times[0], [start]
    for time in times[1:]:
        count = max(1, int(np.ceil((time - now) / step - 1e-9)))
        h = (time - now) / count
        half = np.exp(linear * h / 2)
        for _ in range(count):
            a = nonlinear(state)
            b = nonlinear(half * (state + h / 2 * a))
            c = nonlinear(half * state + h / 2 * b)
            d = nonlinear(half**2 * state + h * half * c)
            first = half**2 * (state + h / 6 * a)
            state = first + h / 3 * half * (b + c) + h / 6 * d
        now = time
        found.append(state)
    return np.array(found)


def smooth(k, n):
    """Which modes are kept, two thirds of them, so that products do not fold back."""
    limit = np.pi * n / LENGTH * 2 / 3
    return np.prod([np.abs(each) < limit for each in k], axis=0)


def heat(rng, times, n=128):
    k = waves(n, 1)[0]
    start = np.fft.fft(random_field(rng, n, 1))
    return [np.fft.ifft(np.exp(-(k**2) * t) * start).real for t in times]


def potential_burgers(rng, times, n=128):
    """Exact: the exponential of a solution solves the heat equation."""
    k = waves(n, 1)[0]
    start = np.fft.fft(np.exp(random_field(rng, n, 1)))
    return [np.log(np.fft.ifft(np.exp(-(k**2) * t) * start).real) for t in times]


def korteweg_de_vries(rng, times, n=128):
    return solve_korteweg_de_vries(random_field(rng, n, 1), times)


def solve_korteweg_de_vries(start, times):
    """Solutions `(times, ..., n)` from fields `(..., n)` on a periodic grid."""
    k = waves(start.shape[-1], 1)[0]
    kept = smooth([k], start.shape[-1])

    def nonlinear(a):
        u = np.fft.ifft(a).real
        return -0.5j * k * kept * np.fft.fft(u**2)

    found = evolve(1j * k**3, nonlinear, np.fft.fft(start) * kept, times, 2e-3)
    return np.fft.ifft(found).real


def wave(rng, times, n=48):
    kx, ky = waves(n, 2)
    frequency = np.sqrt(kx**2 + ky**2)
    u, v = (np.fft.fft2(random_field(rng, n, 2)) for _ in range(2))
    slope = 1 / np.where(frequency > 0, frequency, 1.0)

    def at(t):
        sine = np.where(frequency > 0, slope * np.sin(frequency * t), t)
        return np.fft.ifft2(u * np.cos(frequency * t) + v * sine).real

    return [at(t) for t in times]


def schroedinger(rng, times, n=128):
    k = waves(n, 1)[0]
    kept = smooth([k], n)

    def nonlinear(a):
        psi = np.fft.ifft(a)
        return 1j * kept * np.fft.fft(np.abs(psi) ** 2 * psi)

    psi = random_field(rng, n, 1) + 1j * random_field(rng, n, 1)
    found = np.fft.ifft(evolve(-1j * k**2, nonlinear, np.fft.fft(psi) * kept, times, 2e-3))
    return found.real, found.imag


def reaction_diffusion(rng, times, n=64):
    kx, ky = waves(n, 2)
    kept = smooth([kx, ky], n)

    def nonlinear(a):
        z = np.fft.ifft2(a)
        return kept * np.fft.fft2((1 - np.abs(z) ** 2 - 1j * np.abs(z) ** 2) * z)

    z = random_field(rng, n, 2, 2) + 1j * random_field(rng, n, 2, 2)
    start = np.fft.fft2(z) * kept
    found = np.fft.ifft2(evolve(-0.1 * (kx**2 + ky**2), nonlinear, start, times, 5e-3))
    return found.real, found.imag


def integrated(field, start, times):
    """A trajectory of an ordinary equation, `(variables, times)`."""
    exact = {"rtol": 1e-11, "atol": 1e-11}
    return solve_ivp(field, times[[0, -1]], start, "DOP853", times, **exact).y


def lorenz(rng, times):
    def field(t, z):
        x, y, w = z
        return 10 * (y - x), x * (28 - w) - y, x * y - 8 / 3 * w

    return integrated(field, rng.normal(size=3) * 5 + [0, 0, 25], times)


def pendulum(rng, times):
    start = [rng.uniform(-2, 2), rng.uniform(-1, 1)]
    return integrated(lambda t, z: (z[1], -np.sin(z[0])), start, times)[:1]


def free_particle(rng, times):
    return [rng.normal() + rng.normal() * times]


def harmonic_oscillator(rng, times):
    return [rng.normal() * np.cos(times) + rng.normal() * np.sin(times)]


def emden_fowler(rng, times):
    start = rng.uniform(0.5, 1.5, 2)
    return integrated(lambda t, z: (z[1], -(z[0] ** 3)), start, times)[:1]


def kepler(rng, times):
    """Orbits of any eccentricity up to about a third, all in one direction."""
    radius, angle = rng.uniform(0.8, 1.5), rng.uniform(0, 2 * np.pi)
    speed = rng.uniform(0.85, 1.15) / np.sqrt(radius)
    c, s = np.cos(angle), np.sin(angle)
    start = [radius * c, radius * s, -speed * s, speed * c]

    def field(t, z):
        return (*z[2:], *(-z[:2] / np.sum(z[:2] ** 2) ** 1.5))

    return integrated(field, start, times)[:2]


def simulate(solver, names, times, runs, noise=0.0, seed=0):
    """Fields of some runs, with the coordinates of the grid.

    Args:
        solver: One of the functions above.
        names: Names of the fields.
        times: Points of time.
        runs: Number of initial values.
        noise: Standard deviation of the noise, relative to that of each field.
        seed: Of the random numbers.
    """
    rng = np.random.default_rng(seed)
    solved = [solver(rng, times) for _ in range(runs)]
    if len(names) == 1 and np.ndim(solved[0]) > 1 and len(solved[0]) == len(times):
        solved = [(np.array(each),) for each in solved]
    values = {name: np.array([run[i] for run in solved]) for i, name in enumerate(names)}
    if noise:
        for name, each in values.items():
            values[name] = each + noise * np.std(each) * rng.normal(size=each.shape)
    shape = next(iter(values.values())).shape[2:]
    axes = {"xyz"[i]: np.arange(n) * LENGTH / n for i, n in enumerate(shape)}
    return values, {"t": times, **axes}
