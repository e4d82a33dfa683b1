"""Point symmetries of equations that textbooks list, and the prolongation behind them."""

import importlib.util
import pathlib
import sys

import numpy as np
import pytest
import sympy
from keras import ops

from keras_lconv.discovery import find_point_symmetries
from keras_lconv.discovery.equations.jets import JetSpace
from keras_lconv.discovery.equations.prolongation import monomial_series, prolonged

ROOT = pathlib.Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location(
    "textbook", ROOT / "benchmarks/equations/textbook.py"
)
textbook = sys.modules["textbook"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(textbook)

SLOW = "Navier-Stokes in 2-D"
ROWS = [
    pytest.param(name, marks=[pytest.mark.nightly] * (name == SLOW))
    for name in textbook.TABLE
]


@pytest.mark.backend_free
def test_prolongation_of_second_order_is_the_classical_formula():
    """Written out for one variable of each kind, for all monomials x^a u^b up to 3."""
    space = JetSpace(("x",), ("u",), 2)
    jets = np.random.default_rng(0).normal(size=(5, 4))
    x, u, u_x, u_xx = jets.T
    powers = np.array([[a, b] for a in range(4) for b in range(4)])
    moved = prolonged(space, jets, monomial_series(space, jets, powers))[:, -1]

    def derivative(a, b, p, q):
        """`d^p/dx^p d^q/du^q x^a u^b`."""
        factor = np.prod(np.arange(a - p + 1, a + 1)) * np.prod(np.arange(b - q + 1, b + 1))
        return factor * x ** max(a - p, 0) * u ** max(b - q, 0) if factor else 0 * x

    for number, (a, b) in enumerate(powers):
        m = {(p, q): derivative(a, b, p, q) for p in range(3) for q in range(3)}
        of_phi = m[2, 0] + 2 * m[1, 1] * u_x + m[0, 2] * u_x**2 + m[0, 1] * u_xx
        of_xi = -m[2, 0] * u_x - 2 * m[1, 1] * u_x**2 - m[0, 2] * u_x**3
        of_xi -= (2 * m[1, 0] + 3 * m[0, 1] * u_x) * u_xx
        np.testing.assert_allclose(moved[:, 1, number], of_phi, atol=1e-12)
        np.testing.assert_allclose(moved[:, 0, number], of_xi, atol=1e-12)


@pytest.mark.backend_free
@pytest.mark.parametrize("name", ROWS)
def test_symmetries_are_those_of_the_textbook(name):
    row = textbook.TABLE[name]
    report = find_point_symmetries(row.equation, degree=row.degree, **row.options)
    generators, added = (
        textbook.fields_of(text, list(report.variables))
        for text in (row.generators, row.added)
    )
    assert len(report.generators) == len(generators)
    assert len(report.superposition) == len(added)
    found = report.generators.joined(report.superposition)
    assert textbook.angle(found, generators.joined(added))[0] < 1e-6
    assert report.confidence > 0.99
    if row.algebra:
        assert report.name == row.algebra


@pytest.mark.backend_free
def test_a_generic_equation_has_no_symmetry():
    report = find_point_symmetries(
        lambda t, x, u, u_t, u_xx: u_t - (2 + np.sin(x) + t) * u_xx - x * u**2 - t**2
    )
    assert report.dimension == 0
    assert report.formulas == []
    assert "none of degree at most 2" in report.summary()


@pytest.mark.backend_free
def test_units_and_offsets_do_not_matter():
    """Heat in other units, about another point: the generators of the same equation."""
    conductivity = 1e-3
    ranges = {"t": (99.0, 101.0), "x": (-0.1, 0.1), "u": (290.0, 310.0), "u_t": (-9.0, 9.0)}
    ranges |= {"u_x": (-100.0, 100.0), "u_xx": (-9e3, 9e3)}
    report = find_point_symmetries(
        lambda u_t, u_xx: u_t - conductivity * u_xx, ranges=ranges
    )
    expected = textbook.fields_of(
        "d/dt, d/dx, 2 t d/dt + x d/dx, u d/du, 0.002 t d/dx - x u d/du, d/du, x d/du, "
        "0.002 t d/du + x^2 d/du",
        ["t", "x", "u"],
    )
    found = report.generators.joined(report.superposition)
    assert (len(report.generators), len(report.superposition)) == (5, 3)
    assert textbook.angle(found, expected, report.scales)[0] < 1e-4


@pytest.mark.backend_free
@pytest.mark.parametrize("conductivity", [1e-7, 1e-5, 1e6])
def test_units_of_an_equation_need_no_ranges(conductivity):
    """`t -> t / k` makes heat of any conductivity the same, with the same symmetries."""
    report = find_point_symmetries(lambda u_t, u_xx: u_t - conductivity * u_xx)
    twice = f"{2 * conductivity:.7f}"
    expected = textbook.fields_of(
        f"d/dt, d/dx, 2 t d/dt + x d/dx, u d/du, {twice} t d/dx - x u d/du, d/du, x d/du, "
        f"{twice} t d/du + x^2 d/du",
        ["t", "x", "u"],
    )
    found = report.generators.joined(report.superposition)
    assert (len(report.generators), len(report.superposition)) == (5, 3)
    assert len(report.trivial) == 0
    assert textbook.angle(found, expected, report.scales)[0] < 1e-6


@pytest.mark.backend_free
def test_small_terms_break_symmetries():
    """Free motion has eight symmetries, an oscillator, however slow or fast, has two."""
    for weak in (1e-10, 1e-30, 1e28):
        report = find_point_symmetries(lambda u, u_tt, weak=weak: u_tt + weak * u)
        assert report.formulas == ["d/dt", "u d/du"]
    speed = 299_792_458.0
    report = find_point_symmetries(lambda u_tt, u_xx: u_tt - speed**2 * u_xx)
    assert (len(report.generators), len(report.superposition)) == (7, 5)


@pytest.mark.backend_free
def test_ranges_that_are_given_are_kept():
    """Slow heat in jets that hardly see `u_t`: translations in time are not trivial."""
    ranges = {"t": (0, 1), "x": (0, 1), "u": (0, 1), "u_x": (-1, 1), "u_xx": (-1, 1)}
    report = find_point_symmetries(lambda u_t, u_xx: u_t - 1e-5 * u_xx, ranges=ranges)
    assert "d/dt" in report.formulas
    assert len(report.trivial) == 0
    np.testing.assert_allclose(report.scales[:2], 1 / np.sqrt(12), rtol=0.1)


@pytest.mark.backend_free
def test_poles_of_coefficients_leave_the_order_alone():
    """`y'' + y'/x = 0` for jets on both sides of `x = 0`, and `y'' = y^-3`."""
    report = find_point_symmetries(lambda x, y, y_x, y_xx: y_xx + y_x / x)
    assert report.formulas == ["d/dy", "x d/dx", "y d/dy", "x y d/dx"]
    assert len(report.trivial) == 0
    report = find_point_symmetries(lambda y, y_xx: y_xx - y**-3)
    assert report.name == "sl(2,R)"


@pytest.mark.backend_free
def test_fields_along_the_solutions_are_set_apart():
    """Any function times d/dt + F d/dz moves each solution of z_t = F(z) into itself."""
    report = find_point_symmetries(lambda x, x_t: x_t - x**2)
    assert len(report.trivial) == 1
    along = textbook.fields_of("d/dt + x^2 d/dx", ["t", "x"])
    assert textbook.angle(report.trivial, along)[0] < 1e-6
    assert "moves into itself" in report.summary()


@pytest.mark.backend_free
def test_equations_of_lower_order_are_differentiated():
    """Of u_x = u_y^2 and u_xy = 0 solutions are a + b y + b^2 x, so that u_yy = 0, too."""
    report = find_point_symmetries(lambda u_x, u_y, u_xy: (u_x - u_y**2, u_xy))
    scaling = textbook.fields_of("2 x d/dx + y d/dy", list(report.variables))
    assert "2 x d/dx + y d/dy" in report.formulas
    values = report.generators.joined(scaling).coefficients
    rows = values.reshape(len(values), -1)
    assert np.linalg.matrix_rank(rows, 1e-6) == len(report.generators) == 6


@pytest.mark.backend_free
def test_expressions_of_sympy_are_equations():
    t, x, speed = sympy.symbols("t x c")
    u = sympy.Function("u")(t, x)
    equation = sympy.Eq(u.diff(t, 2), speed**2 * u.diff(x, 2) - u**3).subs(speed, 1)
    report = find_point_symmetries(equation)
    assert report.independent == ("t", "x")
    expected = textbook.TABLE["cubic Klein-Gordon"].generators
    expected = textbook.fields_of(expected, list(report.variables))
    assert textbook.angle(report.generators, expected)[0] < 1e-6
    conservative = u.diff(t) + sympy.Derivative(u**2 / 2, x) - u.diff(x, 2)
    assert find_point_symmetries(conservative).name == "saff(2)"  # Burgers' equation
    u_xy, u = sympy.symbols("u_xy u")
    assert find_point_symmetries(u_xy - sympy.sin(u)).dimension == 3


@pytest.mark.thorough
def test_the_backend_differentiates_functions_of_its_operations():
    report = find_point_symmetries(lambda u, u_xy: u_xy - ops.exp(u))
    assert report.name == "so(2,2)"
    expected = textbook.fields_of(textbook.TABLE["Liouville"].generators, ["x", "y", "u"])
    assert textbook.angle(report.generators, expected)[0] < 1e-4


KINKS = {
    "where": lambda u, u_t, u_xx: u_t - np.where(u > 0, 1.0, 2.0) * u_xx,
    "abs": lambda u_t, u_x, u_xx: u_t - np.abs(u_x) * u_xx,
    "maximum": lambda u, u_t, u_xx: u_t - np.maximum(u, 0.1) * u_xx,
    "relu": lambda u, u_t, u_xx: u_t - ops.relu(u) * u_xx,
}
SMOOTH = {
    "steep": lambda u, u_t, u_xx: u_t - np.tanh(20 * u) * u_xx,
    "pole": lambda u, u_t, u_xx: u_t - u_xx / u,
    "root": lambda u, u_t, u_xx: u_t - np.sqrt(u) * u_xx,
    "exponential": lambda u, u_t, u_xx: u_t - ops.exp(u) * u_xx,
}


@pytest.mark.thorough
@pytest.mark.parametrize("case", KINKS | SMOOTH)
def test_kinks_and_jumps_are_told(case):
    report = find_point_symmetries((KINKS | SMOOTH)[case])
    assert ("kinks or jumps" in report.summary()) == (case in KINKS)
    assert (report.confidence <= 0.5) == (case in KINKS)


@pytest.mark.backend_free
def test_one_side_of_a_jump_is_smooth():
    report = find_point_symmetries(KINKS["where"], ranges={"u": (0.5, 1.0)})
    assert report.dimension == 8
    assert report.notes == ()


@pytest.mark.backend_free
def test_the_spectrum_is_drawn():
    pytest.importorskip("matplotlib")
    assert find_point_symmetries(lambda u_xx: u_xx).plot().axes
