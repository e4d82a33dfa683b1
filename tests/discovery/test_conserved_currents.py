"""Noether's theorem: which symmetries keep an action, and the currents that follow."""

import numpy as np
import pytest
import sympy

from keras_lconv.discovery import find_point_symmetries

pytestmark = pytest.mark.backend_free


def densities(report, lagrangian):
    """The density of each current, by symmetry, and a check of its divergence."""
    currents = report.conserved_currents(lagrangian)
    assert all(current.error < 1e-9 for current in currents)
    return {each.symmetry: each.formulas[0] for each in currents}


def test_energy_momentum_and_boost_of_a_field():
    """The scaling of u'' = -u^3 is a symmetry of the equation, and not of its action."""
    report = find_point_symmetries(lambda u, u_tt, u_xx: u_tt - u_xx + u**3)
    assert "t d/dt + x d/dx - u d/du" in report.formulas

    def lagrangian(u, u_t, u_x):
        return (u_t**2 - u_x**2) / 2 - u**4 / 4

    assert densities(report, lagrangian) == {
        "d/dt": "u^4 + 2 u_t^2 + 2 u_x^2",
        "d/dx": "u_t u_x",
        "t d/dx + x d/dt": "x u^4 + 4 t u_t u_x + 2 x u_t^2 + 2 x u_x^2",
    }
    energy = report.conserved_currents(lagrangian)[0]
    assert energy.formulas[1] == "-4 u_t u_x"
    jets = np.random.default_rng(0).normal(size=(3, 5))
    u, u_t, u_x = jets.T[2:]
    expected = np.stack([u**4 + 2 * u_t**2 + 2 * u_x**2, -4 * u_t * u_x], axis=1)
    order = [("t", "x", "u", "u_t", "u_x").index(name) for name in energy.names]
    np.testing.assert_allclose(energy(jets[:, order]), expected, rtol=1e-9)


def test_symmetries_up_to_a_divergence():
    """t d/du of the wave equation changes the Lagrangian by the divergence of u."""
    report = find_point_symmetries(lambda u_tt, u_xx: u_tt - u_xx)
    found = densities(report, lambda u_t, u_x: (u_t**2 - u_x**2) / 2)
    assert found["t d/du"] == "t u_t - u"
    assert found["d/du"] == "u_t"
    assert "u d/du" not in found
    assert len(found) == 11


def test_mixtures_of_symmetries_keep_an_action():
    """Two scalings of a free particle do not, and one mixture does."""
    report = find_point_symmetries(lambda u_tt: u_tt)
    found = densities(report, lambda u_t: u_t**2 / 2)
    assert found["2 (t d/dt) + (u d/du)"] == "t u_t^2 - u u_t"
    assert set(found.values()) == {
        "u_t^2", "u_t", "t u_t - u", "t u_t^2 - u u_t", "t^2 u_t^2 - 2 t u u_t + u^2"
    }  # fmt: skip


def test_what_is_no_polynomial_is_told_with_the_lagrangian_or_functions():
    u, u_t, u_x = sympy.symbols("u u_t u_x")
    report = find_point_symmetries(lambda u, u_tt, u_xx: u_tt - u_xx + np.sin(u))
    found = densities(report, (u_t**2 - u_x**2) / 2 + sympy.cos(u))
    assert found["d/dt"] == "u_t^2 - L"
    waves = {"sin t": lambda t: np.sin(t), "cos t": lambda t: np.cos(t)}
    report = find_point_symmetries(lambda u, u_tt: u_tt + u, search=waves)
    found = densities(report, lambda u, u_t: (u_t**2 - u**2) / 2)
    assert found["sin t d/du"] == "u_t sin t - u cos t"


def test_systems_of_first_and_second_order():
    """The norm, momentum, energy and boosts of the cubic equation of Schroedinger."""

    def schroedinger(u, v, u_t, v_t, u_xx, v_xx):
        size = u**2 + v**2
        return u_t + v_xx + size * v, u_xx - v_t + size * u

    def lagrangian(u, v, u_t, v_t, u_x, v_x):
        kinetic = (v * u_t - u * v_t - u_x**2 - v_x**2) / 2
        return kinetic + (u**2 + v**2) ** 2 / 4

    found = densities(find_point_symmetries(schroedinger), lagrangian)
    assert found["u d/dv - v d/du"] == "u^2 + v^2"
    assert found["d/dx"] == "u v_x - u_x v"
    assert found["d/dt"] == "u^4 + 2 u^2 v^2 + v^4 - 2 u_x^2 - 2 v_x^2"
    assert len(found) == 4


def test_currents_are_conserved_along_simulated_data():
    """Kepler, from a trajectory: angular momentum, and the energy."""
    from scipy.integrate import solve_ivp

    def equation(u, v, u_tt, v_tt):
        cube = (u**2 + v**2) ** 1.5
        return u_tt + u / cube, v_tt + v / cube

    report = find_point_symmetries(equation, ranges={"u": (0.5, 1.5), "v": (0.5, 1.5)})
    currents = report.conserved_currents(
        lambda u, v, u_t, v_t: (u_t**2 + v_t**2) / 2 + (u**2 + v**2) ** -0.5
    )
    assert {each.symmetry for each in currents} == {"d/dt", "u d/dv - v d/du"}
    times = np.linspace(0, 5, 50)
    path = solve_ivp(
        lambda t, z: (*z[2:], *(-z[:2] / np.sum(z[:2] ** 2) ** 1.5)),
        (0, 5), [1, 0.2, 0.1, 1.1], "DOP853", times, rtol=1e-11, atol=1e-11,
    ).y  # fmt: skip
    known = dict(zip(["t", "u", "v", "u_t", "v_t"], [times, *path], strict=True))
    for current in currents:
        values = current(np.stack([known[name] for name in current.names], axis=1))[:, 0]
        assert np.std(values) < 1e-7 * np.mean(np.abs(values))


def test_a_lagrangian_of_another_equation_is_refused():
    report = find_point_symmetries(lambda u, u_tt, u_xx: u_tt - u_xx + u**3)
    wrong = {
        "must be the equation of the report": lambda u, u_t, u_x: (
            (u_t**2 - 2 * u_x**2) / 2 - u**4 / 4
        ),
        "must be a function of": lambda u, w: u * w,
        "must have one value": lambda u_t, u_x: (u_t, u_x),
    }
    for message, lagrangian in wrong.items():
        with pytest.raises(ValueError, match=message):
            report.conserved_currents(lagrangian)
    with pytest.raises(TypeError, match="`lagrangian` must hold functions"):
        report.conserved_currents(3)
    first = find_point_symmetries(lambda u, u_t: u_t - u)
    with pytest.raises(ValueError, match="second order"):
        first.conserved_currents(lambda u, u_t: u * u_t)
    with pytest.raises(ValueError, match="`jets` must be values of"):
        report.conserved_currents(lambda u, u_t, u_x: (u_t**2 - u_x**2) / 2 - u**4 / 4)[0](
            np.zeros((2, 3))
        )
