"""The point symmetries of equations, with the methods for users."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._typing import Figure
from keras_lconv.algebra import Identification, VectorFields
from keras_lconv.discovery.equations.currents import ConservedCurrent
from keras_lconv.discovery.equations.motions import grid_of, keeping_grid, moved
from keras_lconv.discovery.equations.noether import Solutions, conserved_currents
from keras_lconv.discovery.equations.regression import FittedEquation
from keras_lconv.discovery.equations.windows import SolutionWindows
from keras_lconv.discovery.equations.words import formulas_of, summary_of
from keras_lconv.discovery.fields.library import LibraryFields
from keras_lconv.report import Report

# Formulas leave out terms up to this many error bars, or up to rounding. Terms above the
# last number are shown, whatever the error bars are.
ERROR_BARS, ROUNDING, LARGEST_DOUBT = 2.0, 1e-6, 0.3
# Symmetries of the action change it by less than this, relative to its terms.
EXACT_CURRENTS = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class PointSymmetryReport(Report):
    """The point symmetries that `find_point_symmetries` found, with their confidence.

    Args:
        generators: The symmetries as vector fields on the variables, those of `independent`
            first, in the units of the equation; without superposition and trivial fields.
            There may be none. They are `algebra.VectorFields`, or, if functions occur, an
            object with its methods, `flow`, `formulas` and `identify`.
        superposition: For a linear equation the fields `b(x) d/du` that add a polynomial
            solution `b`. There are infinitely many solutions.
        trivial: Fields along which all solutions move into themselves, such as
            `F(x) . d/dx` for equations of first order. Any function times such a field is
            another one.
        independent: Names of the independent variables.
        dependent: Names of the dependent variables.
        degree: The highest degree of the components that were searched.
        order: The order of the equation.
        singular_values: Singular values of the symmetry condition, growing; 1 is the value
            of a random equation.
        gap: The ratio of the first value that is not zero to the last that is.
        confidence: Between 0 and 1: how clear the dimension is.
        errors: For each solution of the condition an error bar, in radians.
        scales: The spread of each variable in the jets, the unit of coefficients.
        origin: The mean of each variable in the jets.
        solutions: Jets of solutions, at which the condition was evaluated.
        functions: Names of the functions that components may contain.
        equations: The equations that were fitted to data; empty if the equation was given.
        fit_error: The relative error of the equations for the derivatives that they are
            solved for, on data that they were not fitted to; for an equation that was given
            with data, its error there; `None` without data.
        notes: Further remarks.

    Example:
    ```python
    from keras_lconv.discovery import find_point_symmetries

    report = find_point_symmetries(lambda u_t, u_xx: u_t - u_xx, degree=3)
    assert report.name == "sl(2,R) ⋉ heisenberg(3)"
    assert "2 t d/dx - x u d/du" in report.formulas
    print(report.summary())
    ```
    """

    generators: VectorFields | LibraryFields
    superposition: VectorFields | LibraryFields
    trivial: VectorFields | LibraryFields
    independent: tuple[str, ...]
    dependent: tuple[str, ...]
    degree: int
    order: int
    singular_values: np.ndarray
    gap: float
    confidence: float
    errors: np.ndarray
    scales: np.ndarray
    origin: np.ndarray
    solutions: Solutions | None = None
    functions: tuple[str, ...] = ()
    equations: tuple[FittedEquation, ...] = ()
    fit_error: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def dimension(self) -> int:
        """Number of independent symmetries up to the degree, without trivial ones.

        Symmetries of superposition count.
        """
        return len(self.generators) + len(self.superposition)

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of all variables, in the order of the components of fields."""
        return self.independent + self.dependent

    @property
    def formulas(self) -> list[str]:
        """The generators in symbols, such as `"2 t d/dx - x u d/du"`."""
        return formulas_of(self, self.generators)

    @property
    def name(self) -> str:
        """The name of the algebra of the generators, as far as it has one."""
        return self.identify().name if len(self.generators) else "0"

    def identify(self) -> Identification:
        """The name of the algebra of the generators with its reasons.

        The symmetries up to a degree may not form an algebra, because brackets may have a
        higher degree: the name is then `"not closed"`.

        Returns:
            An `Identification`.
        """
        return self._standard.identify()

    @cached_property
    def _standard(self) -> VectorFields | LibraryFields:
        """The generators in units in which all variables have mean 0 and spread 1.

        Fields of a library are compared in such units at points.
        """
        if isinstance(self.generators, LibraryFields):
            return self.generators
        return self.generators.in_coordinates(
            np.diag(self.scales), self.origin, np.diag(1 / self.scales)
        )

    @property
    def doubt(self) -> float:
        """Terms up to this size, beside 1, may be zero."""
        doubt = ERROR_BARS * float(np.max(self.errors, initial=0.0))
        return min(max(ROUNDING, doubt), LARGEST_DOUBT)

    def transform(
        self,
        fields: Mapping[str, ArrayLike],
        coordinates: Mapping[str, ArrayLike],
        parameters: ArrayLike,
        *,
        periodic: Sequence[str] = (),
    ) -> dict[str, np.ndarray]:
        """New solutions from old ones, on the same grid.

        Args:
            fields: Solutions, by name, as for `find_point_symmetries`.
            coordinates: The points of the grid along each axis, by name.
            parameters: The parameter of each generator, `(k,)`: solutions move along the
                sum for the time 1.
            periodic: Names of the axes along which fields are periodic. Results of maps
                that do not keep the period, such as scalings, are right away from its ends
                only.

        Returns:
            Arrays `(runs, *grid)`, by name; NaN at points that come from outside of the
            grid, and at points where the graph would fold.

        Raises:
            TypeError: If an argument has a wrong type.
            ValueError: If names or shapes do not fit.

        Example:
        ```python
        import numpy as np
        from keras_lconv.discovery import find_point_symmetries

        report = find_point_symmetries(lambda u_t, u_xx: u_t - u_xx)
        t, x = np.linspace(0, 1, 20), np.linspace(-3, 3, 40)
        grid = {"fields": {"u": np.ones((20, 40))}, "coordinates": {"t": t, "x": x}}
        galilei = [formula == "2 t d/dx - x u d/du" for formula in report.formulas]
        moved = report.transform(**grid, parameters=0.1 * np.array(galilei))["u"][0]
        expected = np.exp(0.01 * t[:, None] - 0.1 * x)
        assert np.allclose(moved[1:-1, 5:-5], expected[1:-1, 5:-5])
        ```
        """
        grid = grid_of(self, fields, coordinates, periodic)
        return moved(self, parameters, grid)

    def conserved_currents(self, lagrangian: Any) -> list[ConservedCurrent]:
        """The conserved currents that follow from the symmetries, by Noether's theorem.

        Symmetries keep the action of a Lagrangian density `L(x, u, u_a)` if they change it
        by a total divergence, `pr v(L) + L D_a xi^a = D_a K^a(x, u)`. Their combinations
        with this property, together with the polynomials `K`, are one null space.
        Superposition is included.

        Args:
            lagrangian: A function of variables and first derivatives whose arguments name
                them, such as `lambda u_t, u_x: (u_t**2 - u_x**2) / 2`, or an expression of
                SymPy. The equation must follow from it.

        Returns:
            A list of `ConservedCurrent`, each with its total divergence on solutions.

        Raises:
            TypeError: If `lagrangian` is not a function.
            ValueError: If it does not fit the equation, or has other arguments.

        Example:
        ```python
        from keras_lconv.discovery import find_point_symmetries

        report = find_point_symmetries(lambda u, u_tt, u_xx: u_tt - u_xx + u**3)
        currents = report.conserved_currents(
            lambda u, u_t, u_x: (u_t**2 - u_x**2) / 2 - u**4 / 4
        )
        densities = {each.symmetry: each.formulas[0] for each in currents}
        assert densities["d/dt"] == "u^4 + 2 u_t^2 + 2 u_x^2"  # four times the energy
        assert densities["d/dx"] == "u_t u_x"  # the momentum
        ```
        """
        if self.solutions is None or not self.dimension:
            return []
        both = [each for each in (self.generators, self.superposition) if len(each)]
        formulas = [text for each in both for text in formulas_of(self, each)]

        def fields(points: np.ndarray) -> np.ndarray:
            return np.concatenate([each(points) for each in both], axis=1)

        limit = max(
            EXACT_CURRENTS, self.doubt, *(each.fit_error for each in self.equations)
        )
        return conserved_currents(fields, formulas, lagrangian, self.solutions, limit)

    def to_augmentation(
        self,
        fields: Mapping[str, ArrayLike],
        coordinates: Mapping[str, ArrayLike],
        *,
        periodic: Sequence[str] = (),
        **kwargs: Any,
    ) -> SolutionWindows:
        """Batches of solutions moved along the symmetries, to train a surrogate solver.

        It uses the symmetries, with superposition, that keep space: those without the
        coordinate of a periodic axis, and those that vanish at the ends of another axis. It
        does not check other conditions at the ends, such as given values.

        Args:
            fields: Solutions, by name, as for `find_point_symmetries`; the same or others.
            coordinates: The points of the grid along each axis, by name.
            periodic: Names of the axes along which fields are periodic.
            **kwargs: Arguments of `SolutionWindows`, such as `inputs`, `step` or
                `distance`.

        Returns:
            A `SolutionWindows`, for `fit` of a Keras model.

        Raises:
            TypeError: If an argument has a wrong type.
            ValueError: If names or shapes do not fit, no symmetry keeps space, or the
                symmetries are not polynomials.

        Example:
        ```python
        import numpy as np
        from keras_lconv.discovery import find_point_symmetries

        report = find_point_symmetries(lambda u_t, u_xx: u_t - u_xx)
        t, x = np.linspace(0, 1, 40), 2 * np.pi * np.arange(32) / 32
        wave = np.exp(-t)[:, None] * np.sin(x)
        data = report.to_augmentation(
            {"u": wave}, {"t": t, "x": x}, periodic=["x"], step=4
        )
        assert set(data.formulas) == {"d/dt", "d/dx", "u d/du", "d/du"}
        earlier, later = data[0]
        mean = np.mean(earlier, axis=1, keepdims=True)
        assert np.allclose(later - mean, np.exp(-t[4]) * (earlier - mean), atol=1e-5)
        ```
        """
        kept = keeping_grid(self, grid_of(self, fields, coordinates, periodic))
        return SolutionWindows(
            fields=fields,
            coordinates=coordinates,
            generators=kept,
            periodic=periodic,
            **kwargs,
        )

    def summary(self) -> str:
        """The result in words."""
        return summary_of(self)

    def plot(self) -> Figure:
        """Draws the spectrum with its gap, and the coefficients of the generators.

        Rows are the variables, columns the monomials, both in units of the spread.

        Returns:
            The figure.
        """
        from keras_lconv.visualization import plot_result

        found = len(self.errors)
        return plot_result(self.singular_values, found, list(self._standard.coefficients))
