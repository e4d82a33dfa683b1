"""Point symmetries from data: derivatives, the equation, and what follows from it."""

import importlib.util
import pathlib
import sys

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from keras_lconv.algebra.monomials import exponents_up_to
from keras_lconv.discovery import find_point_symmetries
from keras_lconv.discovery.equations.jets import JetSpace
from keras_lconv.discovery.equations.regression import Candidates, fit_equation
from keras_lconv.discovery.equations.smoothing import fit_axis

pytestmark = pytest.mark.backend_free
ROOT = pathlib.Path(__file__).parents[2]


def load(name):
    """A module of the benchmark of equations."""
    path = ROOT / "benchmarks/equations" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


textbook, simulate = load("textbook"), load("simulate")


def distance(report, formulas):
    """The Grassmann distance of all symmetries that were found from those expected."""
    expected = textbook.fields_of(formulas, list(report.variables))
    found = report.generators.joined(report.superposition)
    assert len(found) == len(expected)
    return textbook.angle(found, expected, report.scales)[1]


@pytest.mark.parametrize("is_periodic", [False, True])
def test_derivatives_are_exact_without_noise_and_smooth_with_it(is_periodic):
    rng = np.random.default_rng(0)
    x = np.arange(60) / 60
    if not is_periodic:
        x = np.sort(x + rng.uniform(-0.004, 0.004, 60))
    values = np.exp(np.sin(2 * np.pi * x))[:, None]
    inner = slice(None) if is_periodic else slice(6, -6)
    c, s = np.cos(2 * np.pi * x), np.sin(2 * np.pi * x)
    second = (4 * np.pi**2 * (c**2 - s) * values[:, 0])[inner]
    exact = fit_axis(values, 0, x, is_periodic)
    assert np.max(np.abs(exact(values, 0, 2)[inner, 0] - second)) < 1e-4 * np.std(second)
    noisy = values + 0.01 * rng.normal(size=values.shape)
    fit = fit_axis(noisy, 0, x, is_periodic)
    assert fit.number < exact.number / 2
    assert np.std(fit(noisy, 0, 2)[inner, 0] - second) < 0.1 * np.std(second)


def test_the_terms_of_an_equation_are_chosen_in_noise_and_in_any_unit():
    """Also a weak one, and not the near copy of another."""
    rng = np.random.default_rng(0)
    space = JetSpace(("t",), tuple("abcdefgh"), 1)
    columns = [1 + 2 * number for number in range(1, 8)]
    jets = rng.normal(size=(800, space.size))
    b, c, d, e = (jets[:, column] for column in columns[:4])
    e[:] = b + 0.1 * e
    powers = exponents_up_to(7, 2)
    for unit in (1.0, 1e4):
        jets[:, 2] = 2 * b - 0.5 * c**2 + 0.05 * b * d + 0.02 * rng.normal(size=800)
        scaled = jets.copy()
        scaled[:, 2] *= unit
        tried = Candidates(space.names, scaled, space.orders, columns, powers)
        equation = fit_equation(tried, 2)
        assert set(equation.terms) == {"b", "c^2", "b d"}
        expected = {"b": 2 * unit, "c^2": -0.5 * unit, "b d": 0.05 * unit}
        for term, found, bar in zip(
            equation.terms, equation.coefficients, equation.errors, strict=True
        ):
            assert abs(found - expected[term]) < 5 * bar
        assert equation.fit_error < 0.02


def test_a_simulated_equation_has_its_symmetries():
    """Potential Burgers, on a grid with noise of 1%: equation, algebra and span."""
    row = textbook.TABLE["potential Burgers"]
    times = np.linspace(0, 2, 81)
    fields, axes = simulate.simulate(simulate.potential_burgers, ["u"], times, 4, 0.01)
    report = find_point_symmetries(fields=fields, coordinates=axes, periodic=["x"])
    (equation,) = report.equations
    assert equation.terms == ("u_xx", "u_x^2")
    assert np.all(np.abs(equation.coefficients - 1) < 5 * equation.errors + 5e-3)
    assert distance(report, row.generators) < 1.3e-3
    assert report.name == row.algebra
    assert report.confidence > 0.9
    assert "fitted equation: u_t = " in report.summary()


def test_noise_does_not_change_the_number_of_symmetries():
    """Third derivatives of the KdV equation, where noise is largest."""
    times = np.linspace(0, 2, 101)
    fields, axes = simulate.simulate(simulate.korteweg_de_vries, ["u"], times, 3, 0.01)
    report = find_point_symmetries(fields=fields, coordinates=axes, periodic=["x"])
    assert report.equations[0].terms == ("u_xxx", "u u_x")
    assert distance(report, textbook.TABLE["Korteweg-de Vries"].generators) < 1e-2
    assert np.max(report.errors) > 1e-4


def test_trajectories_with_unequal_steps_in_any_units():
    """u'' = -u^3 in minutes and metres: time is shifted, and stretched with the size."""

    def quartic(_, z):
        return z[1], -(z[0] ** 3)

    rng = np.random.default_rng(0)
    times = np.sort(np.concatenate([[0.0, 8.0], rng.uniform(0, 8, 238)]))
    paths = [
        solve_ivp(quartic, (0, 8), start, "DOP853", times, rtol=1e-10)
        for start in rng.uniform(0.5, 1.5, (4, 2))
    ]
    for second, metre in ((1.0, 1.0), (60.0, 1e3)):
        values = metre * np.array([path.y[0] for path in paths])
        report = find_point_symmetries(
            fields={"u": values}, coordinates={"t": times / second}
        )
        assert report.equations[0].left == "u_tt"
        assert report.equations[0].terms == ("u^3",)
        assert distance(report, "d/dt, t d/dt - u d/du") < 1e-4


def test_errors_of_coefficients_do_not_hide_a_symmetry():
    """A turn needs equal coefficients, which a fit to noise does not give."""

    def central(_, z):
        size = z[0] ** 2 + z[1] ** 2
        return z[2], z[3], -z[0] * size, -z[1] * size

    rng = np.random.default_rng(0)
    times = np.linspace(0, 8, 400)
    paths = [
        solve_ivp(central, (0, 8), start, "DOP853", times, rtol=1e-10).y[:2]
        for start in rng.normal(size=(4, 4))
    ]
    paths = np.array(paths) + 0.01 * rng.normal(size=(4, 2, 400))
    report = find_point_symmetries(
        fields={"u": paths[:, 0], "v": paths[:, 1]}, coordinates={"t": times}
    )
    truth = "d/dt, u d/dv - v d/du, t d/dt - u d/du - v d/dv"
    assert distance(report, truth) < 2e-2
    assert report.singular_values[2] > 1e-5


def test_a_given_equation_is_asked_where_the_data_are():
    x = np.linspace(1, 3, 40)
    report = find_point_symmetries(
        lambda u, u_xx: u_xx - u**-3.0,
        fields={"u": np.sqrt(1 + x**2)},
        coordinates={"x": x},
    )
    assert report.name == "sl(2,R)"
    assert report.equations == ()


SPACE = 2 * np.pi * np.arange(32) / 32


def heat_on_a_ring(times, waves, noise=0.0):
    """Solutions of `u_t = u_xx` from random sums of some waves."""
    rng = np.random.default_rng(0)
    shapes = [np.exp(-(k**2) * times)[:, None] * np.sin(k * SPACE + k) for k in waves]
    u = np.tensordot(rng.normal(size=(3, len(waves))), shapes, 1)
    return {"u": u + noise * np.std(u) * rng.normal(size=u.shape)}


def asked(fields, times, equation=None):
    axes = {"t": times, "x": SPACE}
    return find_point_symmetries(equation, fields=fields, coordinates=axes, periodic=["x"])


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("waves", [[1], [1, 2, 3]])
def test_one_wave_obeys_several_equations(waves, noise):
    """`sin x` has `u_xx = -u`: how fast it decays does not tell one from the other."""
    times = np.linspace(0, 1, 60)
    report = asked(heat_on_a_ring(times, waves, noise), times)
    (equation,) = report.equations
    if waves == [1]:
        found = {equation.terms, *(each.terms for each in equation.rivals)}
        assert {("u",), ("u_xx",)} <= found
        assert report.confidence < 0.5
        assert "other equations fit the data equally well" in report.summary()
    else:
        assert equation.terms == ("u_xx",)
        assert equation.rivals == ()
        assert report.confidence > 0.9


def test_one_soliton_moves_and_solves_korteweg_de_vries():
    """`u_t = -c u_x` is true of it as well."""
    times, places = np.linspace(0, 1, 60), np.linspace(-10, 10, 120)
    k = 0.6
    u = 2 * k**2 / np.cosh(k * (places - 4 * k**2 * times[:, None] + 1)) ** 2
    report = find_point_symmetries(fields={"u": u}, coordinates={"t": times, "x": places})
    (equation,) = report.equations
    found = [equation.terms, *(each.terms for each in equation.rivals)]
    assert ("u_x",) in found
    assert ("u_xxx", "u u_x") in found
    assert len(set(found)) == len(found)
    assert report.confidence < 0.1


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("rate", [1.0, 1.2, -1.0])
def test_a_given_equation_that_the_fields_miss_is_told(rate, noise):
    times = np.linspace(0, 1, 60)
    fields = heat_on_a_ring(times, [1, 2, 3], noise)
    report = asked(fields, times, lambda u_t, u_xx: u_t - rate * u_xx)
    assert report.dimension == 8
    if rate == 1:
        assert report.fit_error < 1e-6 + 2 * noise
        assert report.confidence > 0.95
    else:
        assert report.fit_error > 0.1
        assert report.confidence <= 0.5
        assert "the fields miss the given equation" in report.summary()


@pytest.mark.parametrize("noise", [0.0, 0.01])
def test_motion_without_a_force_has_the_projective_algebra(noise):
    """A left side far below the size that speeds suggest is zero, even with noise."""
    rng, times = np.random.default_rng(0), np.linspace(0, 10, 201)
    u = rng.normal(size=(5, 1)) + rng.normal(size=(5, 1)) * times
    u = u + noise * np.std(u) * rng.normal(size=u.shape)
    report = find_point_symmetries(fields={"u": u}, coordinates={"t": times})
    assert report.equations[0].left == "u_tt"
    assert report.equations[0].terms == ()
    assert report.name == "sl(3,R)"
    assert report.confidence > 0.9


def test_a_thrown_ball_has_a_constant_in_its_equation():
    """Its 12 symmetries up to degree 2 are those of `y_tt = -9.81` and `x_tt = 0`."""
    rng, times = np.random.default_rng(0), np.linspace(0, 10, 100)
    x, y = 10 * rng.normal(size=(2, 5, 1)) * times
    report = find_point_symmetries(
        fields={"x": x, "y": y - 9.81 / 2 * times**2}, coordinates={"t": times}
    )
    assert [str(each).split("  ")[0] for each in report.equations] == [
        "x_tt = 0",
        "y_tt = - 9.81",
    ]
    known = find_point_symmetries(lambda x_tt, y_tt: (x_tt, y_tt + 9.81))
    assert textbook.angle(report.generators, known.generators, report.scales)[1] < 1e-6
    assert min(report.confidence, known.confidence) > 0.99


@pytest.mark.parametrize("library", [None, {"cos 2t": lambda t: np.cos(2 * t)}])
def test_a_missing_term_is_told(library):
    """A force that depends on time, without it and with it in the library."""
    rng, times = np.random.default_rng(0), np.linspace(0, 10, 200)
    paths = [
        solve_ivp(lambda t, z: (z[1], -(z[0] ** 3) + np.cos(2 * t) / 2), (0, 10), start,
                  "DOP853", times, rtol=1e-9).y[0]
        for start in rng.normal(size=(4, 2))
    ]  # fmt: skip
    report = find_point_symmetries(
        fields={"u": np.array(paths)}, coordinates={"t": times}, library=library
    )
    assert ("a term is missing" in report.summary()) == (library is None)
    if library is None:
        assert report.confidence <= 0.5
    else:
        assert report.dimension == 0
        assert report.confidence > 0.8


@pytest.mark.parametrize("where", ["near", "far"])
def test_variables_far_from_zero_are_told(where):
    """Of heat in seconds since 1970, `t d/du` and `d/du` differ less than rounding."""
    start = {"near": 0.0, "far": 1.7e9}[where]
    t, x = np.linspace(0, 600, 40), 0.1 * np.arange(16) / 16
    waves = [
        np.exp(-1e-6 * (20 * np.pi * k) ** 2 * t)[:, None] * np.sin(20 * np.pi * k * x + k)
        for k in (1, 2, 3)
    ]
    runs = np.random.default_rng(1).normal(size=(3, 3))
    report = find_point_symmetries(
        fields={"u": 293 + np.tensordot(runs, waves, 1)},
        coordinates={"t": t + start, "x": x},
        periodic=["x"],
    )
    if where == "near":
        assert report.formulas[-1] == "2e-06 t d/dx - x u d/du"
        assert report.confidence > 0.99
        assert report.notes == ()
    else:
        assert report.confidence <= 0.5
        assert "Measure t, which is 1.7e+09" in report.summary()


def test_noise_alone_has_no_equation_to_be_sure_of():
    noise = np.random.default_rng(0).normal(size=(4, 40, 32))
    axes = {"t": np.arange(40.0), "x": np.arange(32.0)}
    report = find_point_symmetries(
        fields={"u": noise}, coordinates=axes, periodic=["x"], order=2
    )
    assert report.fit_error > 0.5
    assert report.confidence < 0.5
    assert "this error is large" in report.summary()


def test_solutions_are_moved_to_solutions():
    """A Galilean boost in closed form, and lines that move by their own values."""
    heat = find_point_symmetries(lambda u_t, u_xx: u_t - u_xx)
    t, x = np.linspace(0, 1, 20)[:, None], np.linspace(-3, 3, 40)
    boost = 0.1 * np.array([text == "2 t d/dx - x u d/du" for text in heat.formulas])
    axes = {"t": t[:, 0], "x": x}
    (moved,) = heat.transform({"u": np.exp(-t) * np.sin(x)}, axes, boost)["u"]
    expected = np.exp(-0.1 * x + 0.01 * t - t) * np.sin(x - 0.2 * t)
    known = np.isfinite(moved)
    assert np.mean(known) > 0.95
    np.testing.assert_allclose(moved[known], expected[known], atol=1e-6)

    line = find_point_symmetries(lambda u_xx: u_xx)
    shear = 0.3 * np.array([text == "u d/dx" for text in line.formulas])
    (moved,) = line.transform({"u": 0.5 * x + 1}, {"x": x}, shear)["u"]
    known = np.isfinite(moved)
    assert np.mean(known) > 0.7
    np.testing.assert_allclose(moved[known], ((x - 0.3) / 2.3 + 1)[known], atol=1e-6)
    with pytest.raises(
        ValueError, match="`parameters` must hold one number for each of the 8"
    ):
        line.transform({"u": x}, {"x": x}, [0.1])
    with pytest.raises(ValueError, match="in this order"):
        line.transform({"w": x}, {"x": x}, shear)
