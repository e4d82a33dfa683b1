"""What `find_point_symmetries` says of wrong arguments: which one, and the way out."""

import math

import numpy as np
import pytest
import sympy
from keras import ops

from keras_lconv.discovery import find_point_symmetries

pytestmark = pytest.mark.backend_free
T, X, U = np.arange(20.0), np.arange(32) * np.pi / 16, np.sin(np.arange(20.0))
EQUATION = {"equation": lambda u, u_tt: u_tt + u}
DATA = {"fields": {"u": U}, "coordinates": {"t": T}}
HEAT = np.exp(-T / 10)[:, None] * np.sin(X)
BOTH = {"fields": {"u": HEAT}, "coordinates": {"t": T, "x": X}, "periodic": ["x"]}


def other(**changes):
    """Heat on a grid, with other arguments."""
    return {**BOTH, **changes}


def branching(u, u_t):
    return u_t if u > 0 else u_t - u


def of_field(equation):
    """An equation of SymPy in `u(t, x)`."""
    return {"equation": equation(sympy.Function("u")(*sympy.symbols("t x")))}


OF_EQUATIONS = {
    "no function": ({"equation": 3}, TypeError, "`equation` must hold functions"),
    "no names": ({"equation": lambda *jet: jet}, ValueError, "must name the coordinates"),
    "no derivative": ({"equation": lambda u: u, "dependent": ["u"], "independent": ["x"]},
                      ValueError, "order 1 to 4"),
    "fifth order": ({"equation": lambda u_xxxxx: u_xxxxx}, ValueError, "order 5"),
    "an unknown name": ({"equation": lambda u_t, w: u_t - w, "independent": ["t"],
                             "dependent": ["u"]}, ValueError, "Received: 'w'"),
    "no solution": ({"equation": lambda u_x: u_x**2 + 1}, ValueError, "give `ranges`"),
    "ranges": ({"equation": lambda u_x: u_x, "ranges": {"u": (1, 0)}}, ValueError,
               "`ranges`"),
    "degree": ({"equation": lambda u_x: u_x, "degree": -1}, ValueError, "`degree`"),
    "a large degree": ({"equation": lambda u_x, v_y, w_z: (u_x, v_y, w_z), "degree": 6},
                       ValueError, "has 5,544 in fields of x, y, z, u, v, w"),
    "complex": ({"equation": lambda u_x: 1j * u_x}, ValueError, "a real number"),
    "a branch": ({"equation": branching}, ValueError, "in place of `if`"),
    "one number": ({"equation": lambda u, u_t: u_t - math.sin(u)}, ValueError,
                   "in place of `math.sin`"),
    "a comparison": ({"equation": lambda u_t, u_x: u_t == u_x}, ValueError,
                     "zero for solutions"),
    "a square": ({"equation": lambda u_t, u_x: (u_t - u_x) ** 2}, ValueError,
                 "take its root"),
    "nothing at all": ({"equation": lambda u_t: 0 * u_t}, ValueError, "must depend on"),
    "two equal sides": ({"equation": sympy.Eq(sympy.Symbol("x"), sympy.Symbol("x"))},
                        ValueError, "two different sides"),
    "much work": ({"equation": lambda u_xxxx, v_yyyy, w_zzzz: (u_xxxx, v_yyyy, w_zzzz),
                   "degree": 4}, ValueError, "takes about 2 minutes"),
    "a missing line": ({"equation": lambda ut, u_xx: ut - u_xx}, ValueError,
                       "Received: ut, in an equation in ut, u_xx"),
    "no such name": ({"equation": lambda u_t: u_t - unheard_of}, ValueError,  # noqa: F821
                     "NameError"),
    "a constant without value": (of_field(lambda u: u.diff("t") - sympy.Symbol("c") * u),
                                 ValueError, "Received: c besides"),
    "a delay": (of_field(lambda u: u.diff("t") - u.subs("t", sympy.Symbol("t") - 1)),
                ValueError, "Delays are not supported"),
    "an unknown function": (of_field(lambda u: u.diff("t") - sympy.Function("g")(u)),
                            ValueError, "explicit ones"),
    "a slope elsewhere": (of_field(lambda u: u.diff("t") - u.diff("x").subs("x", 0)),
                          ValueError, "at the same point"),
    "swapped variables": (of_field(lambda u: u.diff("t") - u.func(*u.args[::-1])),
                          ValueError, "with the same variables"),
}  # fmt: skip
OF_DATA = {
    "nothing": ({}, ValueError, "Give an `equation`"),
    "no coordinates": ({"fields": {"u": U}}, ValueError, "no coordinates"),
    "an array": ({"fields": U, "coordinates": {"t": T}}, TypeError, "must map names"),
    "another shape": ({"fields": {"u": U[:-1]}, "coordinates": {"t": T}}, ValueError,
                      "shape \\(20,\\)"),
    "few points": ({"fields": {"u": U[:5]}, "coordinates": {"t": T[:5]}}, ValueError,
                   "at least 16"),
    "a constant": ({"fields": {"u": 0 * U}, "coordinates": {"t": T}}, ValueError, "vary"),
    "two alike": ({"fields": {"u": U, "v": 3 - 2 * U}, "coordinates": {"t": T}}, ValueError,
                  "u, v, of which one"),
    "unequal steps": ({"fields": {"u": U}, "coordinates": {"t": T**2}, "periodic": ["t"]},
                      ValueError, "equal steps"),
    "no axis": ({"fields": {"u": U}, "coordinates": {"t": T}, "periodic": ["x"]},
                ValueError, "`periodic` must name"),
    "ranges of data": ({"fields": {"u": U}, "coordinates": {"t": T}, "ranges": {}},
                       ValueError, "Received: both"),
    "order": ({"fields": {"u": U}, "coordinates": {"t": T}, "order": 5}, ValueError,
              "order"),
    "order alone": ({"equation": lambda u_t: u_t, "order": 2}, ValueError, "to data"),
    "a gap": ({"fields": {"u": np.where(T == 3, np.nan, U)}, "coordinates": {"t": T}},
              ValueError, "at 1 of 20 points"),
    "dates": ({"fields": {"u": U}, "coordinates": {"t": T.astype("datetime64[s]")}},
              TypeError, "timedelta64"),
    "falling times": ({"fields": {"u": U}, "coordinates": {"t": -T}}, ValueError,
                      "t\\[::-1\\]"),
    "a time twice": ({"fields": {"u": U}, "coordinates": {"t": np.maximum(T, 1)}},
                     ValueError, "leave out points that repeat"),
    "steady fields": (other(fields={"u": np.broadcast_to(np.sin(X), (20, 32))}),
                      ValueError, "the same along 't'"),
    "the first point again": (other(fields={"u": np.concatenate([HEAT, HEAT[:, :1]], 1)},
                                    coordinates={"t": T, "x": np.append(X, 2 * np.pi)}),
                              ValueError, "must not repeat its first point"),
    "no period": (other(fields={"u": HEAT + 0.2 * X * np.sin(T)[:, None]}), ValueError,
                  "Leave it out of `periodic`"),
}  # fmt: skip
OF_LIBRARIES = {
    "a list of functions": ({**EQUATION, "search": [np.sin]}, TypeError, "must map names"),
    "a number as function": ({**EQUATION, "search": {"a": 3}}, TypeError,
                             "`search` must hold functions"),
    "a function of derivatives": ({**EQUATION, "search": {"a": lambda u_t: u_t}},
                                  ValueError, "are among t, u"),
    "no rule": ({**EQUATION, "search": {"a": lambda t: ops.sin(t)}}, ValueError,
                "these functions of NumPy"),
    "without data": ({**EQUATION, "library": {"a": lambda u: u}}, ValueError, "to data"),
    "no value": ({**DATA, "library": {"log": lambda u: np.log(u)}}, ValueError,
                 "values at all points of the data"),
    "no value at jets": ({**EQUATION, "search": {"a": lambda t: np.sqrt(-1 - t**2)}},
                         ValueError, "have values"),
}  # fmt: skip
WRONG = OF_EQUATIONS | OF_DATA | OF_LIBRARIES


@pytest.mark.parametrize("case", WRONG)
def test_errors_name_the_argument(case):
    arguments, kind, message = WRONG[case]
    with pytest.raises(kind, match=message):
        find_point_symmetries(**arguments)


def test_every_case_has_a_name_of_its_own():
    assert len(WRONG) == len(OF_EQUATIONS) + len(OF_DATA) + len(OF_LIBRARIES)
