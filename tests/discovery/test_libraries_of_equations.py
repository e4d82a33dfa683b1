"""Functions of a library: in the fields, in the fitted equation, and their derivatives."""

import numpy as np
import pytest
import sympy
from scipy.integrate import solve_ivp

from keras_lconv.discovery import find_point_symmetries
from keras_lconv.discovery.equations.jets import JetSpace
from keras_lconv.discovery.equations.taylor import SUPPORTED, Taylor

pytestmark = pytest.mark.backend_free
WAVES = {
    "sin t": lambda t: np.sin(t),
    "cos t": lambda t: np.cos(t),
    "sin 2t": lambda t: np.sin(2 * t),
    "cos 2t": lambda t: np.cos(2 * t),
}
# SymPy's functions that have another name in NumPy, or none.
OTHERWISE = {
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "arcsinh": "asinh",
    "arctanh": "atanh", "arccosh": "acosh", "absolute": "Abs", "expm1": "exp(x) - 1",
    "log1p": "log(1 + x)", "log2": "log(x) / log(2)", "log10": "log(x) / log(10)",
    "exp2": "2**x", "square": "x**2", "reciprocal": "1 / x", "negative": "-x",
    "positive": "x", "cbrt": "x**Rational(1, 3)",
}  # fmt: skip


@pytest.mark.parametrize("function", [f for f in SUPPORTED if f.nin == 1], ids=str)
def test_functions_are_differentiated_exactly(function):
    """Of x^2 y + c, to fourth order in both variables, beside SymPy."""
    space = JetSpace(("x", "y"), (), 4)
    point, offset = (0.8, 0.6), 1.5 if function is np.arccosh else 0.1
    series = np.zeros((2, 1, len(space.indices)))
    series[:, 0, 0] = point
    series[0, 0, 1] = series[1, 0, 2] = 1.0
    x, y = (Taylor(space, each) for each in series)
    found = function(x**2 * y + offset).coefficients[0] * space.factorials
    name = function.__name__
    text = OTHERWISE.get(name, name)
    inner = sympy.Symbol("x", positive=True)
    outer = sympy.sympify(text if "x" in text.replace("exp", "") else f"{text}(x)",
                          locals={"x": inner})  # fmt: skip
    a, b = sympy.symbols("a b", positive=True)
    expected = outer.subs(inner, a**2 * b + sympy.Float(offset))
    for value, (n, m) in zip(found, space.indices, strict=True):
        truth = expected.diff(a, int(n)).diff(b, int(m)).subs({a: point[0], b: point[1]})
        assert value == pytest.approx(float(truth), rel=1e-10, abs=1e-11)


def test_operations_are_differentiated_exactly():
    space = JetSpace(("x",), (), 3)
    h = Taylor(space, np.array([[0.5, 1.0, 0.0, 0.0]]))
    quotient = ((1 - h) / (2 * h)).coefficients[0]
    np.testing.assert_allclose(quotient, [0.5, -2, 4, -8])
    np.testing.assert_allclose((h**3).coefficients[0], [0.125, 0.75, 1.5, 1.0])
    np.testing.assert_allclose((h**0).coefficients[0], [1, 0, 0, 0])
    powers = np.log(2.0) ** np.arange(4) * np.sqrt(2) / np.array([1, 1, 2, 6])
    np.testing.assert_allclose((2**h).coefficients[0], powers)
    length = np.hypot(3 * h, 4 * h).coefficients[0]
    np.testing.assert_allclose(length, [2.5, 5, 0, 0], atol=1e-12)
    np.testing.assert_allclose((h**h).coefficients, np.exp(h * np.log(h)).coefficients)
    zero = Taylor(space, np.array([[0.0, 1.0, 0.0, 0.0]]))
    np.testing.assert_allclose((zero**2).coefficients[0], [0, 0, 1, 0])


def test_the_harmonic_oscillator_has_eight_symmetries():
    report = find_point_symmetries(lambda u, u_tt: u_tt + u, search=WAVES)
    assert report.name == "sl(3,R)"
    assert set(report.formulas) == {
        "d/dt",
        "u d/du",
        "sin t d/du",
        "cos t d/du",
        "sin 2t d/dt + u cos 2t d/du",
        "u sin 2t d/du - cos 2t d/dt",
        "u sin t d/dt + u^2 cos t d/du",
        "u^2 sin t d/du - u cos t d/dt",
    }
    assert report.confidence > 0.99
    assert "or with other functions than sin t, cos t" in report.summary()
    # The last fields turn a solution into another one.
    t = np.linspace(0, 1, 40)
    moving = [0.2 * (text == "u sin t d/dt + u^2 cos t d/du") for text in report.formulas]
    (moved,) = report.transform({"u": 0.3 * np.cos(t)}, {"t": t}, moving)["u"]
    inner = np.isfinite(moved)
    basis = np.stack([np.cos(t), np.sin(t)], axis=1)[inner]
    left = np.linalg.lstsq(basis, moved[inner], rcond=None)
    assert np.sum(inner) > 30
    assert np.max(np.abs(basis @ left[0] - moved[inner])) < 1e-6
    assert np.max(np.abs(moved[inner] - 0.3 * np.cos(t)[inner])) > 1e-3


def test_functions_that_depend_on_each_other_are_no_symmetries():
    squares = {"s": lambda t: np.sin(t) ** 2, "c": lambda t: np.cos(t) ** 2}
    both = {**{name: WAVES[name] for name in ("sin t", "cos t")}, **squares}
    both["sc"] = lambda t: np.sin(t) * np.cos(t)
    report = find_point_symmetries(lambda u, u_tt: u_tt + u, search=both)
    assert report.name == "sl(3,R)"
    assert "s d/dt + u sc d/du" in report.formulas


def test_terms_that_nearly_depend_on_each_other_are_told_apart():
    """Black-Scholes, where log s, its products and the powers of s are alike to 1e-6."""

    def black_scholes(s, v, v_t, v_s, v_ss):
        return v_t + 0.02 * s**2 * v_ss + 0.05 * s * v_s - 0.05 * v

    report = find_point_symmetries(
        black_scholes,
        search={"log s": lambda s: np.log(s)},
        degree=3,
        ranges={"s": (0.5, 4.0)},
        independent=["t", "s"],
    )
    assert report.formulas == [
        "d/dt",
        "s d/ds",
        "v d/dv",
        "t d/dt + 0.015 t s d/ds + 0.05 t v d/dv + 0.5 s log s d/ds",
        "0.04 t s d/ds - 0.03 t v d/dv + v log s d/dv",
    ]
    assert len(report.superposition) == 2


def test_solutions_of_a_library_are_superposition():
    t, x = sympy.symbols("t x")
    report = find_point_symmetries(
        lambda u_t, u_xx: u_t - u_xx, search={"w": sympy.exp(-t) * sympy.sin(x)}
    )
    assert len(report.generators) == 5
    assert "w d/du" in report.superposition.formulas()


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_a_pendulum_is_told_with_a_sine(noise):
    """Not with the powers that are like it, nor with other functions of the library."""
    rng, t = np.random.default_rng(0), np.linspace(0, 10, 401)
    runs = [
        solve_ivp(lambda t, z: (z[1], -4 * np.sin(z[0])), (0, 10), start, "DOP853", t,
                  rtol=1e-9, atol=1e-9).y[0]
        for start in rng.uniform(-2, 2, (4, 2))
    ]  # fmt: skip
    u = np.array(runs) + noise * rng.normal(size=(4, 401))
    report = find_point_symmetries(
        fields={"u": u},
        coordinates={"t": t},
        library={"sin u": lambda u: np.sin(u), "cos u": sympy.cos(sympy.Symbol("u")),
                 "t": lambda t: t},
    )  # fmt: skip
    (equation,) = report.equations
    assert equation.terms == ("sin u",)
    assert equation.coefficients[0] == pytest.approx(-4, rel=1e-6 + noise)
    assert report.formulas == ["d/dt"]
