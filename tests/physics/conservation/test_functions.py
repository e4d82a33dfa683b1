"""Conserved polynomials of coordinates and of given functions of these."""

import numpy as np
import pytest

from keras_lconv.physics import find_conserved_quantities, fit_conserved_quantities
from keras_lconv.physics.conservation.sparse import sparse_terms

pytestmark = pytest.mark.backend_free

COSINE = {"cos q": lambda z: np.cos(z[:, 0])}
INVERSE = {"1/|q|": lambda z: 1 / np.linalg.norm(z[:, :2], axis=1)}
SPRINGS = {
    "a": lambda z: np.exp(z[:, 0] - z[:, 1]),
    "b": lambda z: np.exp(z[:, 1] - z[:, 2]),
}
RING = {**SPRINGS, "c": lambda z: np.exp(z[:, 2] - z[:, 0])}


def henon_heiles(z):
    x, y = z[:, 0], z[:, 1]
    return np.sum(z**2, axis=1) / 2 + x**2 * y - y**3 / 3


def kepler(z):
    return np.sum(z[:, 2:] ** 2, axis=1) / 2 - INVERSE["1/|q|"](z)


def toda(springs):
    return lambda z: np.sum(z[:, 3:] ** 2, axis=1) / 2 + sum(f(z) for f in springs.values())


def points(number, spreads, seed=0):
    return np.random.default_rng(seed).normal(size=(number, len(spreads))) * spreads


def runs(field, starts, time=10.0, kept=60, steps=10):
    """Trajectories `(trajectories, times, n)` by Runge-Kutta of order 4."""
    z, h, found = starts, time / kept / steps, [starts]
    for _ in range(kept):
        for _ in range(steps):
            a = field(z)
            b = field(z + h / 2 * a)
            c = field(z + h / 2 * b)
            z = z + h / 6 * (a + 2 * b + 2 * c + field(z + h * c))
        found.append(z)
    return np.stack(found, axis=1)


def formulas(report):
    return [each.formula() for each in report.quantities]


def test_henon_heiles():
    report = find_conserved_quantities(
        henon_heiles, points(400, [1.0] * 4), search="polynomial", degree=4
    )
    assert formulas(report) == ["6 q1^2 q2 - 2 q2^3 + 3 q1^2 + 3 q2^2 + 3 p1^2 + 3 p2^2"]
    assert report.num_solutions == 1
    z = points(5, [1.0] * 4, seed=1)
    ratio = report.quantities[0](z) / henon_heiles(z)
    assert np.allclose(ratio, ratio[0], rtol=1e-6)


def test_pendulum_needs_its_cosine():
    def energy(z):
        return z[:, 1] ** 2 / 2 - np.cos(z[:, 0])

    z = points(400, [1.5, 1.5])
    found = find_conserved_quantities(energy, z, search=COSINE)
    assert formulas(found) == ["p1^2 - 2 cos q"]
    assert found.plot().axes[0].get_title() == "dimension 1"
    assert len(find_conserved_quantities(energy, z, search="polynomial")) == 0


def test_what_follows_from_others_is_no_quantity():
    z = points(600, [1.0] * 4)
    z = z[np.linalg.norm(z[:, :2], axis=1) > 0.3]
    report = find_conserved_quantities(kepler, z, search=INVERSE, degree=3)
    # The Runge-Lenz vector has two components, of which one follows up to its sign.
    assert set(formulas(report)) == {
        "q1 p2 - q2 p1",
        "p1^2 + p2^2 - 2 1/|q|",
        "q1 p2^2 - q2 p1 p2 - q1 1/|q|",
    }
    other = "q1 p1 p2 - q2 p1^2 + q2 1/|q|"
    assert [each.formula() for each in report.dependent] == [other]
    assert other in report.summary()


@pytest.mark.parametrize("springs", [SPRINGS, RING], ids=["open", "periodic"])
def test_toda(springs):
    z = points(500, [0.5] * 3 + [1.0] * 3)
    report = find_conserved_quantities(toda(springs), z, search=springs, degree=3)
    assert len(report) == 3
    # Momentum, energy and a cubic one, which one more trajectory keeps.
    exact = [np.sum(z[:, 3:], axis=1), toda(springs)(z)]
    p = z[:, 3:]
    cubic = np.prod(p, axis=1) - p[:, 2] * SPRINGS["a"](z) - p[:, 0] * SPRINGS["b"](z)
    if "c" in springs:
        cubic = cubic - p[:, 1] * RING["c"](z)
    exact.append(cubic)
    products = [exact[0] ** 2, exact[0] ** 3, exact[0] * exact[1], np.ones(len(z))]
    basis = np.stack([*exact, *products], axis=1)
    for quantity in report.quantities:
        values = quantity(z)
        rest = values - basis @ np.linalg.lstsq(basis, values, rcond=None)[0]
        assert np.std(rest) < 1e-3 * np.std(values)


def noisy(orbits, noise, seed=1):
    spread = np.std(orbits, axis=(0, 1))
    return orbits + noise * spread * np.random.default_rng(seed).normal(size=orbits.shape)


@pytest.mark.parametrize("noise", [1e-3, 1e-2])
@pytest.mark.parametrize("seed", [0, 1])
def test_noise_gives_formulas_no_other_terms(noise, seed):
    rng = np.random.default_rng(seed)
    swings = runs(
        lambda z: np.stack([z[:, 1], -np.sin(z[:, 0])], axis=1),
        rng.uniform(-1, 1, (60, 2)) * [2, 1],
    )
    report = fit_conserved_quantities(noisy(swings, noise), search=COSINE)
    assert formulas(report) == ["x2^2 - 2 cos q"]
    # Coefficients are within their error bars.
    (found,) = report.quantities
    off = found.coefficients - [-1, 0.5]
    assert np.all(np.abs(off) < 0.01)
    assert np.all(found.errors < 0.01)
    stars = runs(
        lambda z: np.stack(
            [
                z[:, 2],
                z[:, 3],
                -z[:, 0] - 2 * z[:, 0] * z[:, 1],
                -z[:, 1] - z[:, 0] ** 2 + z[:, 1] ** 2,
            ],
            axis=1,
        ),
        rng.uniform(-0.3, 0.3, (60, 4)),
    )
    report = fit_conserved_quantities(noisy(stars, noise), search="polynomial")
    assert formulas(report) == ["6 x1^2 x2 - 2 x2^3 + 3 x1^2 + 3 x2^2 + 3 x3^2 + 3 x4^2"]


def test_functions_that_depend_on_each_other_from_noisy_trajectories():
    """Of the ring of springs `a b c = 1`, and each is nearly a polynomial."""

    def field(z):
        a, b, c = (f(z) for f in RING.values())
        return np.column_stack([z[:, 3:], c - a, a - b, b - c])

    orbits = runs(field, points(40, [0.5] * 6), kept=30)
    report = fit_conserved_quantities(noisy(orbits, 1e-3), search=RING, degree=3)
    assert formulas(report)[0] == "x4 + x5 + x6"
    assert report.confidence < 0.5


def test_terms_that_equations_do_not_ask_for():
    """One needed term lies in few samples, which differ in size a thousand times."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(800, 4)) * 10.0 ** rng.uniform(-1.5, 1.5, (800, 1))
    rows[:, 3] = (2 * rows[:, 0] - rows[:, 1]) + 1e-3 * rng.normal(size=800)
    groups = rows.reshape(8, 100, 4)
    squares = np.swapaxes(groups, 1, 2) @ groups
    expected = squares * np.eye(4)
    found = sparse_terms(
        np.array([2, -1.001, 0.002, -1]), np.eye(4), lambda terms: (squares, expected)
    )
    assert np.allclose(found.coefficients, [1, -0.5, 0, -0.5], atol=1e-3)
    assert found.coefficients[2] == found.errors[2] == 0
    assert np.all(found.errors[[0, 1, 3]] < 1e-3)


def test_predators_and_prey_from_trajectories():
    def field(z):
        return np.stack([z[:, 0] * (1 - z[:, 1]), z[:, 1] * (z[:, 0] - 1.5)], axis=1)

    starts = np.random.default_rng(0).uniform(0.5, 3, size=(40, 2))
    logarithms = {
        "log x1": lambda z: np.log(z[:, 0]),
        "log x2": lambda z: np.log(z[:, 1]),
    }
    paths = runs(field, starts)
    report = fit_conserved_quantities(paths, search=logarithms)
    assert formulas(report) == ["2 x1 + 2 x2 - 3 log x1 - 2 log x2"]
    assert np.max(np.abs(report.drift(paths))) < 1e-4


def test_three_coordinates_need_not_be_canonical():
    inertia = np.array([1.0, 2.0, 3.0])

    def euler(z):
        return np.cross(z, z / inertia)

    report = fit_conserved_quantities(
        runs(euler, points(40, [1.0] * 3)), search="polynomial", degree=3
    )
    assert len(report) == 2
    z = points(9, [1.0] * 3, seed=1)
    basis = np.stack([np.sum(z**2, axis=1), np.sum(z**2 / inertia, axis=1)], axis=1)
    for quantity in report.quantities:
        values = quantity(z)
        assert np.allclose(basis @ np.linalg.lstsq(basis, values)[0], values, atol=1e-5)


def test_none_where_there_is_friction():
    def damped(z):
        return np.stack([z[:, 1], -np.sin(z[:, 0]) - 0.3 * z[:, 1]], axis=1)

    report = fit_conserved_quantities(runs(damped, points(40, [1.0, 1.0])), search=COSINE)
    assert len(report) == 0


def test_what_does_not_fit_is_refused():
    z = points(50, [1.0, 1.0])
    with pytest.raises(ValueError, match="`degree` applies to"):
        find_conserved_quantities(henon_heiles, z, degree=3)
    with pytest.raises(ValueError, match="`degree` must be"):
        fit_conserved_quantities([z, -z], search="polynomial", degree=0)
    with pytest.raises(ValueError, match="`search` must hold functions"):
        find_conserved_quantities(henon_heiles, z, search=[lambda z: z])
    found = find_conserved_quantities(
        lambda z: np.sum(z**4, axis=1), z, search="polynomial", degree=4
    )
    with pytest.raises(ValueError, match="`names` must hold one name for each"):
        found.quantities[0].formula(["q"])
