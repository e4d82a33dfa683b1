"""Finds the point symmetries of an equation, or of fields on grids."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._validation import count, finite_array, optional, positive_int
from keras_lconv.discovery.equations.balance import balanced
from keras_lconv.discovery.equations.equation import Equations, read_equations
from keras_lconv.discovery.equations.evolution import equations_of, fit_system
from keras_lconv.discovery.equations.library import LibraryFunction, read_library
from keras_lconv.discovery.equations.misfit import misfit_of
from keras_lconv.discovery.equations.names import MOST_ORDER, columns_of, names_of
from keras_lconv.discovery.equations.report import PointSymmetryReport
from keras_lconv.discovery.equations.samples import read_grid
from keras_lconv.discovery.equations.search import search as search_for
from keras_lconv.discovery.equations.solution_set import SolutionSet
from keras_lconv.discovery.null_space import NUM_GROUPS

# Jets are drawn between these values, in the units of the equation.
RANGE = (-1.5, 1.5)
# The range of variables of a library. On a wider range its functions differ more.
RANGE_OF_FUNCTIONS = (-3.0, 3.0)
MOST_DEGREE = 8
# This many jets tell how much each coordinate matters, and whether solutions are near. If
# not, derivatives are drawn from ranges that are wider by these factors.
JETS_OF_UNITS, WIDER = 100, (1.0, 10.0, 100.0, 1000.0)


def find_point_symmetries(
    equation: Any = None,
    *,
    fields: Mapping[str, ArrayLike] | None = None,
    coordinates: Mapping[str, ArrayLike] | None = None,
    periodic: Sequence[str] = (),
    order: int | None = None,
    library: Mapping[str, Any] | None = None,
    degree: int = 2,
    search: Mapping[str, Any] | None = None,
    independent: Sequence[str] | None = None,
    dependent: Sequence[str] | None = None,
    ranges: Mapping[str, Sequence[float]] | None = None,
) -> PointSymmetryReport:
    r"""Finds the point symmetries of a differential equation, or of several.

    A field `v = sum xi^a(x, u) d/dx^a + sum phi^A(x, u) d/du^A` maps solutions to solutions
    if and only if its prolongation, the way in which it moves derivatives, keeps the
    equation: `pr v [Delta] = 0` wherever `Delta = 0`. This condition is linear in `xi` and
    `phi`, and for polynomials up to a degree the symmetries are one null space. The
    condition is evaluated at random jets that solve the equation. Newton's method finds
    them, so the equation can be any smooth one, also one that cannot be solved for a
    derivative.

    **From an equation** everything is exact up to rounding: an approximate solution of the
    condition is not a symmetry. Equations of lower order than the highest one in a system
    are differentiated up to that order. Consequences of several equations together are not
    derived; give them as further equations.

    **From fields on a grid**, or trajectories, the equation is found first. Derivatives
    come from trigonometric polynomials along periodic axes, and from splines of degree 7
    along others. Generalized cross-validation finds their numbers of parameters, so without
    noise derivatives are as exact as the grid allows. The equation is solved for the first
    or the second derivative by the first coordinate, time. On the right there are a few
    products of up to three fields and their derivatives. The errors of the equation are
    taken into account: values of the condition that change as much from one part of the
    data to another count as zero. Other equations that fit as well, a missing term, and a
    given equation that the fields do not obey lower the confidence, and `notes` name them.

    Args:
        equation: An expression that is zero for solutions: a function of NumPy arrays or of
            `keras.ops` whose arguments name variables and derivatives, such as
            `lambda u, u_t, u_xx: u_t - u * u_xx`, where arguments with a default value are
            constants. It returns an array, or a tuple of them. Or an expression of SymPy,
            in symbols with such names or in derivatives of functions; or a list of these.
            Orders up to 4. With `fields` the default is an equation that is fitted to them.
        fields: Data, by name: an array of the shape of the grid, or `(runs, *grid)` for
            solutions from several initial values, which contain more information.
        coordinates: The points of the grid along each axis, by name, time first; steps may
            differ.
        periodic: Names of the axes along which fields are periodic. All steps are equal,
            also the step from the last point to the first.
        order: The order of the equation that is fitted, up to 4; by default the lowest one
            that fits nearly as well as the best.
        library: Functions that terms of the fitted equation may contain, in addition to
            fields and derivatives, by name, such as
            `{"sin u": lambda u: np.sin(u), "x": lambda x: x}`.
        degree: The highest degree of the polynomials `xi` and `phi`.
        search: Functions in addition to polynomials in `xi` and `phi`, by name, such as
            `{"sin t": lambda t: np.sin(t)}`: polynomials up to `degree` are used alone and
            times each function. The arguments of functions name variables, or they are
            expressions of SymPy. They consist of sums, products, quotients, powers and
            NumPy's elementary functions, and are differentiated by their rules, as are
            those of `library`.
        independent: Names of the independent variables, one to three. By default the
            letters of derivatives, in the order in which they appear, or the arguments of
            functions of SymPy.
        dependent: Names of the dependent variables. By default those with a derivative.
        ranges: Ranges of variables and derivatives, by name, such as `{"u": (0.5, 2)}` for
            an equation with a root of `u`. By default -1.5 to 1.5, or, if some of them have
            little effect there, in units in which all have. Ranges of the size of solutions
            make the clearest gap. For data they are known.

    Returns:
        A `PointSymmetryReport`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If names or shapes do not fit, few of the jets lead to a solution, or
            the search would take minutes.

    Example:
    ```python
    from keras_lconv.discovery import find_point_symmetries

    def korteweg_de_vries(u, u_t, u_x, u_xxx):
        return u_t + u * u_x + u_xxx

    report = find_point_symmetries(korteweg_de_vries)
    assert report.dimension == 4
    assert "3 t d/dt + x d/dx - 2 u d/du" in report.formulas
    ```

    From data:

    ```python
    import numpy as np
    from keras_lconv.discovery import find_point_symmetries

    t, x = np.linspace(0, 1, 60), 2 * np.pi * np.arange(32) / 32
    waves = [np.exp(-(k**2) * t)[:, None] * np.sin(k * x + k) for k in (1, 2, 3)]
    runs = np.random.default_rng(0).normal(size=(4, 3))
    report = find_point_symmetries(
        fields={"u": np.tensordot(runs, waves, 1)},
        coordinates={"t": t, "x": x},
        periodic=["x"],
    )
    assert report.equations[0].terms == ("u_xx",)
    assert "2 t d/dx - x u d/du" in report.formulas
    ```

    Reference:
        P. J. Olver, "Applications of Lie Groups to Differential Equations" (1993), theorems
        2.31 and 2.36. S. Brunton, J. Proctor, J. N. Kutz, "Discovering governing equations
        from data by sparse identification of nonlinear dynamical systems", PNAS 113 (2016).
    """
    degree = count("degree", degree, most=MOST_DEGREE)
    periodic = names_of("periodic", periodic)
    if (fields is None) != (coordinates is None) or (fields is None and equation is None):
        raise ValueError(
            "Give an `equation`, or `fields` with their `coordinates`, or all three. "
            f"Received: equation={equation!r}, and {'no ' if fields is None else ''}fields "
            f"with {'no ' if coordinates is None else ''}coordinates"
        )
    if fields is None:
        if order is not None or periodic or library is not None:
            raise ValueError(
                "`order`, `periodic` and `library` apply to data only. Received: "
                f"order={order!r}, periodic={periodic!r}, library={library!r} without "
                "`fields`"
            )
        equations = read_equations(equation, independent, dependent)
        functions = read_library("search", search, equations.space.variable_names)
        bounds = _ranges(ranges, equations, functions)
        return search_for(equations, *bounds, degree, functions)
    if independent is not None or dependent is not None or ranges is not None:
        raise ValueError(
            "`independent`, `dependent` and `ranges` must not be given with `fields` and "
            "`coordinates`, which determine them. Received: both"
        )
    grid = read_grid(fields, coordinates, periodic)
    grid.require_variation()
    variables = grid.independent + grid.dependent
    functions = read_library("search", search, variables)
    if equation is not None:
        equations = read_equations(equation, grid.independent, grid.dependent)
        bounds = grid.ranges(equations.space)
        missed = misfit_of(equations, grid)
        return search_for(equations, *bounds, degree, functions, missed=missed)
    grid.require_independence()
    own = read_library("library", library, variables)
    system = fit_system(grid, optional(highest_order, "order", order), own)
    equations = equations_of(system, grid, own)
    others = [equations_of(system, grid, own, part) for part in range(NUM_GROUPS)]
    return search_for(
        equations, *grid.ranges(equations.space), degree, functions, system, others
    )


def highest_order(name: str, value: object) -> int:
    """Checks the argument `order`."""
    return positive_int(name, value, most=MOST_ORDER)


def _ranges(
    ranges: Any, equations: Equations, functions: tuple[LibraryFunction, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The values between which jets are drawn."""
    space = equations.space
    bounds = np.tile(np.array(RANGE), (space.size, 1))
    fixed = np.zeros(space.size, dtype=bool)
    taken = columns_of([name for function in functions for name in function.names], space)
    bounds[taken], fixed[taken] = RANGE_OF_FUNCTIONS, True
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
        try:
            column = columns_of([name], space)[0]
        except (ValueError, IndexError, AttributeError):
            raise ValueError(
                f"`ranges` must name {', '.join(space.names)}, or one of these with the "
                f"letters in another order. Received: {name!r}"
            ) from None
        bounds[column], fixed[column] = own, True
    start = np.random.default_rng(0).uniform(size=(JETS_OF_UNITS, space.size))
    bounds = balanced(equations, bounds, fixed, start)
    for factor in WIDER:
        # Solutions of `y_tt = -9.81` are farther away.
        own = np.where(fixed | (space.orders == 0), 1.0, factor)
        low, high = bounds.T * own
        jets = low + (high - low) * start
        if SolutionSet(equations, jets, (high - low) / 2).is_near(jets):
            return low, high
    return bounds[:, 0], bounds[:, 1]
