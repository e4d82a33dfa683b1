"""The point symmetries of equations, in numbers, words and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._typing import Figure
from keras_lconv._validation import finite_array
from keras_lconv.algebra import Identification, VectorFields
from keras_lconv.discovery.equations.grid_motions import keeping_space
from keras_lconv.discovery.equations.names import names_of
from keras_lconv.discovery.equations.regression import FittedEquation
from keras_lconv.discovery.equations.samples import Grid, read_grid
from keras_lconv.discovery.equations.transport import moved_along
from keras_lconv.discovery.equations.windows import SolutionWindows
from keras_lconv.discovery.fields.library import LibraryFields
from keras_lconv.report import Report

# Terms of formulas up to so many error bars, or to rounding, are left out.
ERROR_BARS, ROUNDING = 2.0, 1e-6
# An equation that misses its data by more is a doubtful witness.
LARGE_FIT_ERROR = 0.1


@dataclass(frozen=True, eq=False, repr=False)
class PointSymmetryReport(Report):
    """The point symmetries that `find_point_symmetries` found, and how sure they are.

    Args:
        generators: The symmetries as vector fields on the variables, those of
            `independent` first, in the units of the equation; without the two kinds that
            follow. There may be none. They are `algebra.VectorFields`, or where functions
            occur have its calls, `flow`, `formulas` and `identify`.
        superposition: Of a linear equation the fields `b(x) d/du` that add a solution `b`,
            as far as `b` is a polynomial. All solutions together are infinitely many.
        trivial: Fields along which all solutions move into themselves, as of equations
            of first order `F(x) . d/dx`. Any function times these is another one.
        independent: Names of the independent variables.
        dependent: Names of the dependent variables.
        degree: The highest degree of the components that were searched.
        order: The order of the equation.
        singular_values: Those of the symmetry condition, growing; 1 is what a random
            equation gives.
        gap: The ratio of the first value that is not zero to the last that is.
        confidence: Between 0 and 1: how sure the dimension is.
        errors: For each solution of the condition an error bar, in radians.
        scales: The spread of each variable in the jets, the unit of coefficients.
        origin: The mean of each variable in the jets.
        functions: Names of the functions that components may contain.
        equations: What was fitted to data; empty where the equation was given.
        fit_error: What the equations leave of the derivatives that they are solved for, on
            data that they were not fitted to; `None` where the equation was given.
        notes: What else there is to say.

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
    functions: tuple[str, ...] = ()
    equations: tuple[FittedEquation, ...] = ()
    fit_error: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def dimension(self) -> int:
        """How many independent symmetries there are up to the degree, without trivial ones.

        Those of superposition count.
        """
        return len(self.generators) + len(self.superposition)

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of all variables, in the order of the components of fields."""
        return self.independent + self.dependent

    @property
    def formulas(self) -> list[str]:
        """The generators in symbols, as `"2 t d/dx - x u d/du"`."""
        return self._in_words(self.generators)

    @property
    def name(self) -> str:
        """The name of the algebra of the generators, as far as it has one."""
        return self.identify().name if len(self.generators) else "0"

    def identify(self) -> Identification:
        """The name of the algebra of the generators with its reasons.

        Up to a degree the symmetries may be no algebra, since brackets have a higher one:
        the name is then `"not closed"`.

        Returns:
            An `Identification`.
        """
        return self._standard.identify()

    @cached_property
    def _standard(self) -> VectorFields | LibraryFields:
        """The generators in units in which all variables have mean 0 and spread 1.

        Those of a library are compared in such units at points.
        """
        if isinstance(self.generators, LibraryFields):
            return self.generators
        return self.generators.in_coordinates(
            np.diag(self.scales), self.origin, np.diag(1 / self.scales)
        )

    def _in_words(self, fields: VectorFields | LibraryFields) -> list[str]:
        if isinstance(fields, LibraryFields):
            return fields.formulas(self.doubt)
        return fields.formulas(self.variables, self.scales, self.doubt)

    @property
    def doubt(self) -> float:
        """Terms up to this size, beside 1, may be zero."""
        return max(ROUNDING, ERROR_BARS * float(np.max(self.errors, initial=0.0)))

    def transform(
        self,
        fields: Mapping[str, ArrayLike],
        coordinates: Mapping[str, ArrayLike],
        parameters: ArrayLike,
        *,
        periodic: Sequence[str] = (),
    ) -> dict[str, np.ndarray]:
        """New solutions from old ones, on the same grid: what to augment data with.

        Args:
            fields: Solutions, by name, as for `find_point_symmetries`.
            coordinates: The points of the grid along each axis, by name.
            parameters: How far to go along each of the generators, `(k,)`: the solutions
                go along their sum for the time 1.
            periodic: Names of the axes along which fields are periodic. Maps that keep no
                period, as scalings, are right away from its ends only.

        Returns:
            Arrays `(runs, *grid)`, by name; NaN at points that come from outside of the
            grid, and where the graph would fold.

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
        grid = self._own_grid(fields, coordinates, periodic)
        t = finite_array("parameters", parameters)
        if t.shape != (len(self.generators),):
            raise ValueError(
                f"`parameters` must hold one for each of the {len(self.generators)} "
                f"generators. Received: shape {t.shape}"
            )
        moved = moved_along(self.generators, t, grid)
        return dict(zip(self.dependent, moved, strict=True))

    def _own_grid(
        self,
        fields: Mapping[str, ArrayLike],
        coordinates: Mapping[str, ArrayLike],
        periodic: Sequence[str],
    ) -> Grid:
        """Fields of the variables of the equation, on a grid."""
        grid = read_grid(fields, coordinates, names_of("periodic", periodic))
        if grid.independent != self.independent or grid.dependent != self.dependent:
            raise ValueError(
                f"`fields` must be {', '.join(self.dependent)}, and `coordinates` "
                f"{', '.join(self.independent)}, in this order. Received: "
                f"{', '.join(grid.dependent)}, and {', '.join(grid.independent)}"
            )
        return grid

    def to_augmentation(
        self,
        fields: Mapping[str, ArrayLike],
        coordinates: Mapping[str, ArrayLike],
        *,
        periodic: Sequence[str] = (),
        **kwargs: Any,
    ) -> SolutionWindows:
        """Batches to train a surrogate solver on, of solutions moved along the symmetries.

        Those symmetries are taken, with those of superposition, that keep space: of a
        periodic axis such as do not contain its coordinate, and of another one such as
        vanish at its ends. Whether they keep what else holds at the ends, as a given
        value there, is not known.

        Args:
            fields: Solutions, by name, as for `find_point_symmetries`; the same or others.
            coordinates: The points of the grid along each axis, by name.
            periodic: Names of the axes along which fields are periodic.
            **kwargs: What `SolutionWindows` takes, as `inputs`, `step` or `distance`.

        Returns:
            A `SolutionWindows`, for `fit` of a Keras model.

        Raises:
            TypeError: If an argument has a wrong type.
            ValueError: If names or shapes do not fit, no symmetry keeps space, or the
                symmetries are no polynomials.

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
        grid = self._own_grid(fields, coordinates, periodic)
        generators, superposition = self.generators, self.superposition
        if isinstance(generators, LibraryFields) or isinstance(
            superposition, LibraryFields
        ):
            raise ValueError(
                "`to_augmentation` expects polynomial symmetries. Find them without "
                f"functions in `search`. Received: {', '.join(self.formulas)}"
            )
        everything = generators.joined(superposition)
        kept = keeping_space(everything, grid, self.doubt)
        if not len(kept):
            raise ValueError(
                "No symmetry keeps space: motions take points from outside of the grid. "
                "`report.transform` tells which. Received: "
                f"{', '.join(self.formulas) or 'no symmetry'}, and periodic={periodic!r}"
            )
        return SolutionWindows(
            fields=fields,
            coordinates=coordinates,
            generators=kept,
            periodic=periodic,
            **kwargs,
        )

    # ------------------------------------------------------------------ words

    def summary(self) -> str:
        """The result in words."""
        searched = f"{len(self.singular_values)} dimensions searched"
        if len(self.generators):
            lines = [
                f"point symmetries: {self.identify()}, dimension {len(self.generators)}, "
                f"of degree at most {self.degree} ({searched})"
            ]
        else:
            lines = [f"point symmetries: none of degree at most {self.degree} ({searched})"]
        for equation in self.equations:
            lines.append(f"fitted equation: {equation}")
        if self.fit_error is not None and self.fit_error > LARGE_FIT_ERROR:
            lines.append(
                "that error is much: noise, too coarse a grid, or terms that are no "
                "products of fields and derivatives; `library` may have functions, or an "
                "`equation` may be given"
            )
        lines.append(f"gap {self.gap:.3g}, confidence {self.confidence:.2f}")
        lines += [f"  {text}" for text in self.formulas]
        if len(self.generators) and self.name == "not closed":
            lines.append("no algebra: some brackets have a higher degree than was searched")
        if len(self.superposition):
            unknown = ", ".join(self.independent)
            lines.append(
                f"and infinitely many b({unknown}) d/d{self.dependent[0]} that add a "
                f"solution b, of which {len(self.superposition)} up to this degree:"
                if len(self.dependent) == 1
                else f"and infinitely many fields of {unknown} that add a solution, of "
                f"which {len(self.superposition)} up to this degree:"
            )
            lines += [f"  {text}" for text in self._in_words(self.superposition)]
        if len(self.trivial):
            lines.append("fields along which every solution moves into itself, set apart:")
            lines += [f"  {text}" for text in self._in_words(self.trivial)]
        if self.equations and len(self.errors):
            degrees = np.degrees(np.max(self.errors))
            lines.append(f"generators known to {degrees:.2g} degrees, from the data")
        others = (
            f"with other functions than {', '.join(self.functions)}"
            if self.functions
            else "no polynomials"
        )
        lines.append(f"not searched: components of degree above {self.degree}, or {others}")
        return "\n".join([*lines, *self.notes])

    def plot(self) -> Figure:
        """Draws the spectrum with its gap, and the coefficients of the generators.

        Rows are the variables, columns the monomials, both in units of the spread.

        Returns:
            The figure.
        """
        from keras_lconv.visualization import plot_result

        found = len(self.errors)
        return plot_result(self.singular_values, found, list(self._standard.coefficients))
