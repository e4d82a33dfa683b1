"""Equations whose point symmetries stand in textbooks, with these written out.

P. J. Olver, "Applications of Lie Groups to Differential Equations" (1993); N. H. Ibragimov
(ed.), "CRC Handbook of Lie Group Analysis of Differential Equations", volumes 1 and 2. Of
algebras that are infinite, or hold functions that are no polynomials, the part up to the
degree that is searched is listed.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_lconv.algebra import VectorFields


@dataclass
class Textbook:
    """An equation and its symmetries.

    Args:
        name: The name.
        equation: A function of the jet.
        generators: A basis of the symmetries, as formulas, those of superposition apart.
        added: Solutions `b` up to the degree, of linear partial equations, as formulas.
        degree: The degree that is searched.
        algebra: The name of the algebra, where it has a short one.
        options: What else `find_point_symmetries` takes.
    """

    name: str
    equation: Any
    generators: str
    added: str = ""
    degree: int = 2
    algebra: str | None = None
    options: dict = field(default_factory=dict)


def fields_of(formulas, variables):
    """Vector fields from formulas such as `2 t d/dx - x u d/du`, one after a comma."""
    terms = {}
    texts = [text for text in formulas.split(",") if text.strip()]
    for number, text in enumerate(texts):
        for sign, term in re.findall(r"([+-]?)\s*((?:[^\s+-]+\s+)*d/d\w+)", text):
            *factors, target = term.split()
            value, power = -1.0 if sign == "-" else 1.0, [0] * len(variables)
            for factor in factors:
                base, _, times = factor.partition("^")
                if base in variables:
                    power[variables.index(base)] += int(times or 1)
                else:
                    value *= float(base)
            key = (number, variables.index(target.removeprefix("d/d")), tuple(power))
            terms[key] = terms.get(key, 0.0) + value
    powers = sorted({key[2] for key in terms}) or [(0,) * len(variables)]
    coefficients = np.zeros((len(texts), len(variables), len(powers)))
    for (number, target, power), value in terms.items():
        coefficients[number, target, powers.index(power)] = value
    return VectorFields(np.array(powers), coefficients)


def angle(found, expected, units=None):
    """The largest principal angle, in radians, and the Grassmann distance, of two spans."""
    both = found.joined(expected)
    units = np.ones(found.size) if units is None else units
    scales = np.prod(units**both.powers, axis=1) / units[:, None]
    rows = (both.coefficients * scales).reshape(len(both), -1)
    from scipy.linalg import subspace_angles

    left, right = rows[: len(found)], rows[len(found) :]
    if len(left) != len(right):
        return np.pi / 2, np.inf
    angles = subspace_angles(left.T, right.T)
    return float(np.max(angles)), float(np.linalg.norm(angles))


GALILEI = "d/dt, d/dx, d/du + t d/dx"


def burgers(u, u_t, u_x, u_xx):
    return u_t + u * u_x - u_xx


def liouville(u, u_xy):
    return u_xy - np.exp(u)


def monge_ampere(u_xx, u_xy, u_yy):
    return u_xx * u_yy - u_xy**2


def minimal_surface(u_x, u_y, u_xx, u_xy, u_yy):
    return (1 + u_y**2) * u_xx - 2 * u_x * u_y * u_xy + (1 + u_x**2) * u_yy


def cubic_schroedinger(u, v, u_t, v_t, u_xx, v_xx):
    size = u**2 + v**2
    return u_t + v_xx + size * v, v_t - u_xx - size * u


def lambda_omega(u, v, u_t, v_t, u_xx, u_yy, v_xx, v_yy):
    size = u**2 + v**2
    return (
        u_t - u_xx - u_yy - (1 - size) * u - size * v,
        v_t - v_xx - v_yy - (1 - size) * v + size * u,
    )


def gas_dynamics(r, w, p, r_t, r_x, w_t, w_x, p_t, p_x):
    return r_t + w * r_x + r * w_x, r * (w_t + w * w_x) + p_x, p_t + w * p_x + 1.4 * p * w_x


def kepler(x, y, x_tt, y_tt):
    cube = (x**2 + y**2) ** 1.5
    return x_tt + x / cube, y_tt + y / cube


def lorenz(x, y, z, x_t, y_t, z_t):
    return x_t - 10 * (y - x), y_t - x * (28 - z) + y, z_t - x * y + 8 / 3 * z


def navier_stokes(
    u, v, u_t, u_x, u_y, v_t, v_x, v_y, p_x, p_y, u_xx, u_yy, v_xx, v_yy
):  # fmt: skip
    return (
        u_t + u * u_x + v * u_y + p_x - u_xx - u_yy,
        v_t + u * v_x + v * v_y + p_y - v_xx - v_yy,
        u_x + v_y,
    )


def euler_flow(u_x, u_y, u_xxt, u_yyt, u_xxx, u_xxy, u_xyy, u_yyy):
    return u_xxt + u_yyt + u_y * (u_xxx + u_xyy) - u_x * (u_xxy + u_yyy)


WIDE = dict.fromkeys("xy", (-20, 20)) | {"z": (0, 40)}
WIDE |= {f"{name}_t": (-100, 100) for name in "xyz"}

ORDINARY = [
    Textbook(
        "free particle",
        lambda u_tt: u_tt,
        "d/dt, d/du, t d/dt, u d/dt, t d/du, u d/du, t^2 d/dt + t u d/du, "
        "t u d/dt + u^2 d/du",
        algebra="sl(3,R)",
    ),
    Textbook(
        "third derivative zero",
        lambda u_xxx: u_xxx,
        "d/dx, d/du, x d/dx, u d/du, x d/du, x^2 d/du, x^2 d/dx + 2 x u d/du",
    ),
    Textbook("harmonic oscillator", lambda t, u, u_tt: u_tt + u, "d/dt, u d/du"),
    Textbook("pendulum", lambda u, u_tt: u_tt + np.sin(u), "d/dt"),
    Textbook("Emden-Fowler", lambda u, u_tt: u_tt + u**3, "d/dt, t d/dt - u d/du"),
    Textbook(
        "Lane-Emden of index 5",
        lambda x, u, u_x, u_xx: x * u_xx + 2 * u_x + x * u**5,
        "2 x d/dx - u d/du",
    ),
    Textbook(
        "Ermakov",
        lambda u, u_xx: u_xx - u**-3.0,
        "d/dx, 2 x d/dx + u d/du, x^2 d/dx + x u d/du",
        algebra="sl(2,R)",
        options={"ranges": {"u": (0.5, 2.0)}},
    ),
    Textbook("Blasius", lambda u, u_xx, u_xxx: u_xxx + u * u_xx, "d/dx, x d/dx - u d/du"),
    Textbook(
        "Chazy",
        lambda u, u_x, u_xx, u_xxx: u_xxx - 2 * u * u_xx + 3 * u_x**2,
        "d/dx, x d/dx - u d/du, x^2 d/dx - 2 x u d/du - 6 d/du",
        algebra="sl(2,R)",
    ),
    Textbook(
        "Schwarzian derivative zero",
        lambda u_x, u_xx, u_xxx: 2 * u_x * u_xxx - 3 * u_xx**2,
        "d/dx, x d/dx, x^2 d/dx, d/du, u d/du, u^2 d/du",
        algebra="so(2,2)",
    ),
    Textbook("Lorenz", lorenz, "d/dt", options={"ranges": WIDE}),
    Textbook(
        "Kepler in the plane",
        kepler,
        "d/dt, x d/dy - y d/dx, 3 t d/dt + 2 x d/dx + 2 y d/dy",
        options={"ranges": {"x": (0.5, 2.0), "y": (0.5, 2.0)}},
    ),
]

EVOLUTION = [
    Textbook(
        "heat",
        lambda u_t, u_xx: u_t - u_xx,
        "d/dt, d/dx, 2 t d/dt + x d/dx, u d/du, 2 t d/dx - x u d/du, "
        "4 t^2 d/dt + 4 t x d/dx - 2 t u d/du - x^2 u d/du",
        added="d/du, x d/du, 2 t d/du + x^2 d/du, 6 t x d/du + x^3 d/du",
        degree=3,
        algebra="sl(2,R) ⋉ heisenberg(3)",
    ),
    Textbook(
        "Burgers",
        burgers,
        f"{GALILEI}, 2 t d/dt + x d/dx - u d/du, t^2 d/dt + t x d/dx + x d/du - t u d/du",
        algebra="saff(2)",
    ),
    Textbook(
        "potential Burgers",
        lambda u_t, u_x, u_xx: u_t - u_xx - u_x**2,
        "d/dt, d/dx, d/du, 2 t d/dt + x d/dx, 2 t d/dx - x d/du, "
        "4 t^2 d/dt + 4 t x d/dx - 2 t d/du - x^2 d/du",
        algebra="sl(2,R) ⋉ heisenberg(3)",
    ),
    Textbook(
        "Korteweg-de Vries",
        lambda u, u_t, u_x, u_xxx: u_t + u * u_x + u_xxx,
        f"{GALILEI}, 3 t d/dt + x d/dx - 2 u d/du",
    ),
    Textbook(
        "modified Korteweg-de Vries",
        lambda u, u_t, u_x, u_xxx: u_t + u**2 * u_x + u_xxx,
        "d/dt, d/dx, 3 t d/dt + x d/dx - u d/du",
    ),
    Textbook(
        "potential Korteweg-de Vries",
        lambda u_t, u_x, u_xxx: u_t + 3 * u_x**2 + u_xxx,
        "d/dt, d/dx, d/du, 3 t d/dt + x d/dx - u d/du, 6 t d/dx + x d/du",
    ),
    Textbook(
        "Harry Dym",
        lambda u, u_t, u_xxx: u_t - u**3 * u_xxx,
        "d/dt, d/dx, 3 t d/dt - u d/du, x d/dx + u d/du, x^2 d/dx + 2 x u d/du",
        algebra="sl(2,R) + aff(1)",
    ),
    Textbook(
        "diffusion u^2",
        lambda u, u_t, u_x, u_xx: u_t - u**2 * u_xx - 2 * u * u_x**2,
        "d/dt, d/dx, 2 t d/dt + x d/dx, x d/dx + u d/du",
    ),
    Textbook(
        "diffusion u^(-4/3)",
        lambda u, u_t, u_x, u_xx: (
            u_t - u ** (-4 / 3) * u_xx + 4 / 3 * u ** (-7 / 3) * u_x**2
        ),
        "d/dt, d/dx, 4 t d/dt + 3 u d/du, 2 x d/dx - 3 u d/du, x^2 d/dx - 3 x u d/du",
        algebra="sl(2,R) + aff(1)",
        options={"ranges": {"u": (0.5, 2.0)}},
    ),
    Textbook(
        "diffusion exp(u)",
        lambda u, u_t, u_x, u_xx: u_t - np.exp(u) * (u_xx + u_x**2),
        "d/dt, d/dx, 2 t d/dt + x d/dx, x d/dx + 2 d/du",
    ),
    Textbook(
        "Fisher", lambda u, u_t, u_xx: u_t - u_xx - u * (1 - u), "d/dt, d/dx", algebra="R^2"
    ),
    Textbook(
        "Kuramoto-Sivashinsky",
        lambda u, u_t, u_x, u_xx, u_xxxx: u_t + u * u_x + u_xx + u_xxxx,
        GALILEI,
        algebra="heisenberg(3)",
    ),
    Textbook(
        "Benjamin-Bona-Mahony",
        lambda u, u_t, u_x, u_xxt: u_t + u_x + u * u_x - u_xxt,
        "d/dt, d/dx, t d/dt - u d/du - d/du",
    ),
    Textbook(
        "Camassa-Holm",
        lambda u, u_t, u_x, u_xx, u_xxt, u_xxx: (
            u_t - u_xxt + 3 * u * u_x - 2 * u_x * u_xx - u * u_xxx
        ),
        "d/dt, d/dx, t d/dt - u d/du",
    ),
    Textbook(
        "Black-Scholes",
        lambda x, u, u_t, u_x, u_xx: u_t + x**2 * u_xx / 2 + x * u_x / 2 - u / 2,
        "d/dt, x d/dx, u d/du",
        added="x d/du",
    ),
    Textbook(
        "cubic Schroedinger",
        cubic_schroedinger,
        "d/dt, d/dx, u d/dv - v d/du, 2 t d/dt + x d/dx - u d/du - v d/dv, "
        "2 t d/dx + x u d/dv - x v d/du",
    ),
    Textbook(
        "reaction-diffusion lambda-omega",
        lambda_omega,
        "d/dt, d/dx, d/dy, x d/dy - y d/dx, u d/dv - v d/du",
        algebra="se(2) + R^2",
    ),
]

FIELDS = [
    Textbook(
        "wave in 1-D",
        lambda u_xy: u_xy,
        "d/dx, x d/dx, x^2 d/dx, d/dy, y d/dy, y^2 d/dy, u d/du",
        added="d/du, x d/du, y d/du, x^2 d/du, y^2 d/du",
        algebra="sl(2,R) + sl(2,R) + R",
    ),
    Textbook(
        "wave in 2-D",
        lambda u_tt, u_xx, u_yy: u_tt - u_xx - u_yy,
        "d/dt, d/dx, d/dy, x d/dy - y d/dx, t d/dx + x d/dt, t d/dy + y d/dt, u d/du, "
        "t d/dt + x d/dx + y d/dy, "
        "t^2 d/dt + x^2 d/dt + y^2 d/dt + 2 t x d/dx + 2 t y d/dy - t u d/du, "
        "2 t x d/dt + t^2 d/dx + x^2 d/dx - y^2 d/dx + 2 x y d/dy - x u d/du, "
        "2 t y d/dt + 2 x y d/dx + t^2 d/dy - x^2 d/dy + y^2 d/dy - y u d/du",
        added="d/du, t d/du, x d/du, y d/du, t x d/du, t y d/du, x y d/du, "
        "t^2 d/du + x^2 d/du, x^2 d/du - y^2 d/du",
        algebra="so(3,2) + R",
    ),
    Textbook(
        "Laplace in 2-D",
        lambda u_xx, u_yy: u_xx + u_yy,
        "d/dx, d/dy, x d/dx + y d/dy, x d/dy - y d/dx, u d/du, "
        "x^2 d/dx - y^2 d/dx + 2 x y d/dy, 2 x y d/dx + y^2 d/dy - x^2 d/dy",
        added="d/du, x d/du, y d/du, x y d/du, x^2 d/du - y^2 d/du",
        algebra="so(3,1) + R",
    ),
    Textbook(
        "Liouville",
        liouville,
        "d/dx, d/dy, x d/dx - d/du, y d/dy - d/du, x^2 d/dx - 2 x d/du, "
        "y^2 d/dy - 2 y d/du",
        algebra="so(2,2)",
    ),
    Textbook(
        "sine-Gordon",
        lambda u, u_xy: u_xy - np.sin(u),
        "d/dx, d/dy, x d/dx - y d/dy",
        algebra="iso(1,1)",
    ),
    Textbook(
        "Klein-Gordon",
        lambda u, u_tt, u_xx: u_tt - u_xx + u,
        "d/dt, d/dx, t d/dx + x d/dt, u d/du",
        algebra="iso(1,1) + R",
    ),
    Textbook(
        "cubic Klein-Gordon",
        lambda u, u_tt, u_xx: u_tt - u_xx + u**3,
        "d/dt, d/dx, t d/dx + x d/dt, t d/dt + x d/dx - u d/du",
    ),
    Textbook(
        "Boussinesq",
        lambda u, u_x, u_tt, u_xx, u_xxxx: u_tt + u * u_xx + u_x**2 + u_xxxx,
        "d/dt, d/dx, 2 t d/dt + x d/dx - 2 u d/du",
    ),
    Textbook(
        "Boltzmann-like (Tjon-Wu)",
        lambda u, u_x, u_tx: u_tx + u_x + u**2,
        "d/dt, d/dx, x d/dx - u d/du",
        options={"independent": ["t", "x"]},
    ),
    Textbook(
        "Monge-Ampere",
        monge_ampere,
        "d/dx, d/dy, d/du, x d/dx, y d/dx, u d/dx, x d/dy, y d/dy, u d/dy, x d/du, "
        "y d/du, u d/du, x^2 d/dx + x y d/dy + x u d/du, x y d/dx + y^2 d/dy + y u d/du, "
        "x u d/dx + y u d/dy + u^2 d/du",
        algebra="sl(4,R)",
    ),
    Textbook(
        "minimal surfaces",
        minimal_surface,
        "d/dx, d/dy, d/du, x d/dy - y d/dx, x d/du - u d/dx, y d/du - u d/dy, "
        "x d/dx + y d/dy + u d/du",
        algebra="sim(3)",
    ),
    Textbook(
        "eikonal",
        lambda u_x, u_y: u_x**2 + u_y**2 - 1,
        "d/dx, d/dy, d/du, x d/dy - y d/dx, x d/du + u d/dx, y d/du + u d/dy, "
        "x d/dx + y d/dy + u d/du, "
        "x^2 d/dx - y^2 d/dx + u^2 d/dx + 2 x y d/dy + 2 x u d/du, "
        "2 x y d/dx + y^2 d/dy - x^2 d/dy + u^2 d/dy + 2 y u d/du, "
        "2 x u d/dx + 2 y u d/dy + x^2 d/du + y^2 d/du + u^2 d/du",
        algebra="so(3,2)",
    ),
    Textbook(
        "gas dynamics",
        gas_dynamics,
        "d/dt, d/dx, t d/dt + x d/dx, d/dw + t d/dx, r d/dr + p d/dp, "
        "t d/dt - w d/dw + 2 r d/dr",
        options={"ranges": {"r": (0.5, 2.0), "p": (0.5, 2.0)}},
    ),
    Textbook(
        "Navier-Stokes in 2-D",
        navier_stokes,
        "d/dt, d/dx, d/dy, 2 t d/dt + x d/dx + y d/dy - u d/du - v d/dv - 2 p d/dp, "
        "x d/dy - y d/dx + u d/dv - v d/du, t d/dx + d/du, t d/dy + d/dv, "
        "t^2 d/dx + 2 t d/du - 2 x d/dp, t^2 d/dy + 2 t d/dv - 2 y d/dp, "
        "d/dp, t d/dp, t^2 d/dp",
    ),
    Textbook(
        "Euler in 2-D, by the stream function",
        euler_flow,
        "d/dt, d/dx, d/dy, d/du, t d/du, t^2 d/du, x d/dx + y d/dy + 2 u d/du, "
        "t d/dt - u d/du, x d/dy - y d/dx, "
        "2 t x d/dy - 2 t y d/dx - x^2 d/du - y^2 d/du, "
        "t d/dx + y d/du, t d/dy - x d/du, t^2 d/dx + 2 t y d/du, t^2 d/dy - 2 t x d/du",
        options={"independent": ["t", "x", "y"]},
    ),
]

TABLE = {row.name: row for row in ORDINARY + EVOLUTION + FIELDS}
