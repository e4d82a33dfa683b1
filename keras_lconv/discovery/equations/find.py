"""From an equation to its point symmetries."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_lconv._validation import count, finite_array
from keras_lconv.algebra import VectorFields
from keras_lconv.algebra.monomials import exponents_up_to
from keras_lconv.discovery.equations.condition import Condition
from keras_lconv.discovery.equations.equation import Equations, read_equations
from keras_lconv.discovery.equations.listing import set_apart
from keras_lconv.discovery.equations.names import columns_of
from keras_lconv.discovery.equations.report import PointSymmetryReport
from keras_lconv.discovery.equations.solution_set import SolutionSet

# Jets are drawn between these values, in the units of the equation.
RANGE = (-1.5, 1.5)
# At least so many jets, and so many equations for each unknown.
LEAST_JETS, EQUATIONS_PER_UNKNOWN = 400, 3
# Jets that tell whether an equation is linear.
JETS_OF_LINEARITY = 50
MOST_DEGREE = 8
# Values of exact symmetries are rounding: that of squares, or that of single precision.
EXACT, EXACT_SINGLE = 1e-6, 1e-4


def find_point_symmetries(
    equation: Any,
    *,
    degree: int = 2,
    independent: Sequence[str] | None = None,
    dependent: Sequence[str] | None = None,
    ranges: Mapping[str, Sequence[float]] | None = None,
) -> PointSymmetryReport:
    r"""Finds the point symmetries of a differential equation, or of several.

    A field `v = sum xi^a(x, u) d/dx^a + sum phi^A(x, u) d/du^A` maps solutions to solutions
    if and only if its prolongation, the way in which it moves derivatives, keeps the
    equation: `pr v [Delta] = 0` wherever `Delta = 0`. That is linear in `xi` and `phi`, and
    for polynomials up to a degree one null space. The condition is evaluated at random
    jets that solve the equation, which are found by Newton's method, so that any smooth
    equation will do, also one that no derivative can be taken out of.

    From an equation all is exact up to rounding: what solves the condition nearly is no
    symmetry. Equations of lower order than the highest one in a system are differentiated
    up to that order; what follows from several equations together only is not looked for,
    and may be given as a further one.

    Args:
        equation: What is zero for solutions: a function of NumPy arrays or of `keras.ops`
            whose arguments name variables and derivatives, as
            `lambda u, u_t, u_xx: u_t - u * u_xx`, where arguments with a default value are
            constants. It returns an array, or a tuple of them. Or an expression of SymPy,
            in symbols with such names or in derivatives of functions; or a list of these.
            Orders up to 4.
        degree: The highest degree of the polynomials `xi` and `phi`.
        independent: Names of the independent variables, one to three. By default the
            letters that derivatives are taken by, and whatever has no derivative, in the
            order in which they appear.
        dependent: Names of the dependent variables. By default what has a derivative.
        ranges: Between which values variables and derivatives are drawn, by name, as
            `{"u": (0.5, 2)}` for an equation with a root of `u`; by default -1.5 and 1.5.
            Those of the size that solutions have make the clearest gap.

    Returns:
        A `PointSymmetryReport`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If names do not fit, or few of the jets lead to a solution.

    Example:
    ```python
    from keras_lconv.discovery import find_point_symmetries

    def korteweg_de_vries(u, u_t, u_x, u_xxx):
        return u_t + u * u_x + u_xxx

    report = find_point_symmetries(korteweg_de_vries)
    assert report.dimension == 4
    assert "3 t d/dt + x d/dx - 2 u d/du" in report.formulas
    ```

    Reference:
        P. J. Olver, "Applications of Lie Groups to Differential Equations" (1993), theorems
        2.31 and 2.36.
    """
    degree = count("degree", degree, most=MOST_DEGREE)
    equations = read_equations(equation, independent, dependent)
    low, high = _ranges(ranges, equations)
    return _symmetries_of(equations, low, high, degree)


def _ranges(ranges: Any, equations: Equations) -> tuple[np.ndarray, np.ndarray]:
    """Between which values jets are drawn."""
    space = equations.space
    bounds = np.tile(np.array(RANGE), (space.size, 1))
    if ranges is not None and not isinstance(ranges, Mapping):
        raise TypeError(
            "`ranges` must map names of variables and derivatives to their lowest and "
            f"highest value. Received: {ranges!r} (of type {type(ranges).__name__})"
        )
    for name, value in (ranges or {}).items():
        own = finite_array("ranges", value)
        if own.shape != (2,) or own[0] >= own[1]:
            raise ValueError(
                "`ranges` must hold the lowest and the highest value of each variable. "
                f"Received: {value!r} for {name!r}"
            )
        bounds[columns_of([name], space)[0]] = own
    return bounds[:, 0], bounds[:, 1]


def _symmetries_of(
    equations: Equations, low: np.ndarray, high: np.ndarray, degree: int
) -> PointSymmetryReport:
    space = equations.space
    size = len(space.independent) + len(space.dependent)
    powers = exponents_up_to(size, degree)
    number = EQUATIONS_PER_UNKNOWN * powers.size // equations.size
    rng = np.random.default_rng(0)
    start = rng.uniform(low, high, (max(LEAST_JETS, number), space.size))
    solutions = SolutionSet(equations, start, (high - low) / 2)
    condition = Condition(solutions, solutions.nearest(start), powers)
    is_exact = equations.precision < EXACT
    fields, space_found = condition.solve(EXACT if is_exact else EXACT_SINGLE)
    found = VectorFields(powers, fields)
    units = condition.units
    # Of ordinary equations the solutions that may be added are finitely many.
    is_partial = len(space.independent) > 1
    is_linear = is_partial and solutions.is_linear(start[:JETS_OF_LINEARITY])
    listing = set_apart(
        found,
        condition.trivial(fields),
        len(space.independent),
        is_linear,
        units.origin,
        units.scales,
        EXACT if is_exact else EXACT_SINGLE,
    )
    return PointSymmetryReport(
        *listing,
        independent=space.independent,
        dependent=space.dependent,
        degree=degree,
        order=space.order,
        singular_values=space_found.singular_values,
        gap=space_found.gap,
        confidence=space_found.confidence,
        errors=space_found.errors,
        scales=units.scales,
        origin=units.origin,
        is_linear=is_linear,
    )
