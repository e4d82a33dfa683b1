"""Symmetries that are vector fields, in numbers, words and pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from keras_lconv._typing import ArrayLike, Figure
from keras_lconv._validation import finite_array, positive_number
from keras_lconv.algebra import Identification, LieAlgebra, VectorFields
from keras_lconv.algebra.lie_algebra import LARGEST_TO_NAME
from keras_lconv.discovery.fields.augmentation import FieldAugmentation
from keras_lconv.discovery.fields.library import LibraryFields
from keras_lconv.discovery.report import MOST_PICTURES, SymmetryReport
from keras_lconv.generators import Generators

# Fields with a closure error up to the first number are closed, as far as derivatives in
# float32 tell. Then numbers up to the second one are zero.
EXACT_CLOSURE, EXACT_TOLERANCE = 1e-4, 1e-3
# The number of points at which the size of a field is estimated.
DRAWS = 256


@dataclass(frozen=True, eq=False, repr=False)
class FieldReport(SymmetryReport):
    """The symmetries that `find_symmetries` found among fields that are not affine.

    The list contains symmetries from which all others follow. If a function does not change
    along a field, it does not change along a product of any function and the field either:
    such multiples are counted in `num_solutions` and not listed. A field that is zero on
    all samples does not count.

    Args:
        basis: The coefficients of the fields.
        kind: As for `SymmetryReport`.
        output: As for `SymmetryReport`.
        blocks: As for `SymmetryReport`.
        singular_values: Singular values for the largest degree with a clear answer.
        gap: As for `SymmetryReport`.
        confidence: As for `SymmetryReport`.
        errors: As for `SymmetryReport`.
        unidentified: As for `SymmetryReport`.
        scalars: As for `SymmetryReport`.
        generators: `None`.
        sensitivities: `None`.
        model: As for `SymmetryReport`.
        fit_error: As for `SymmetryReport`.
        searched: As for `SymmetryReport`.
        independent: `None`.
        centre: `None`.
        standard: `None`.
        levels: None of them.
        is_determined: As for `SymmetryReport`.
        names: As for `SymmetryReport`.
        scales: As for `SymmetryReport`.
        notes: As for `SymmetryReport`.
        discrete: As for `SymmetryReport`.
        fields: The symmetries, as fields of `x - origin` for a vector `x`.
        in_standard: The same in standard coordinates, which determine the name.
        num_solutions: Number of independent fields that are symmetries, with all multiples
            of the listed ones.
        origin: The origin of the fields, `(v,)`: zero, except for components that are far
            from it.
        vanishing: Polynomials that vanish on the samples, in symbols. Samples on a surface
            contain no information about fields that vanish there.

    Example:
    ```python
    import numpy as np
    from keras_lconv.discovery import find_symmetries

    x = np.random.default_rng(0).normal(size=(400, 2))
    report = find_symmetries(
        lambda x: x[:, 0] ** 3 - x[:, 1] ** 2, x, search="polynomial", degree=2
    )
    assert report.formulas() == ["2 x1 d/dx0 + 3 x0^2 d/dx1"]
    moved = report.flow(x, 0.1)
    assert np.allclose(moved[:, 0] ** 3 - moved[:, 1] ** 2, x[:, 0] ** 3 - x[:, 1] ** 2)
    ```
    """

    fields: VectorFields | LibraryFields | None = None
    in_standard: VectorFields | LibraryFields | None = None
    num_solutions: int = 0
    origin: np.ndarray | None = None
    vanishing: tuple[str, ...] = ()

    @property
    def algebra(self) -> LieAlgebra:
        """Not available: there is no algebra of matrices. `identify` names that of the
        fields.

        Raises:
            ValueError: Always.
        """
        raise ValueError(
            "Fields that are not affine have no algebra of matrices. Use "
            "`report.identify()` for its name, and `report.fields` for the brackets"
        )

    @cached_property
    def name(self) -> str:
        """The name of the algebra of the listed fields, or `"not closed"`."""
        return self.identify().name if self.dimension else "0"

    def identify(self) -> Identification:
        """The name of the algebra of the listed fields with its reasons."""
        fields = self.in_standard
        if fields is None or not self.dimension:
            raise ValueError("There is no algebra: no symmetry was found")
        if self.dimension > LARGEST_TO_NAME:
            error = fields.closure_error
            what = f"dimension {self.dimension}, too large to name"
            return Identification("undetermined", (), what, False, 0.0, 0.0, error)
        is_exact = fields.closure_error < EXACT_CLOSURE
        return fields.identify(EXACT_TOLERANCE if is_exact else None)

    def formulas(self, names: Sequence[str] | None = None) -> list[str]:
        """The fields in symbols, such as `"2 t d/dx - x u d/du"`.

        Args:
            names: Names of the components of a vector; functions of a library have their
                own.
        """
        if self.fields is None:
            return []
        if isinstance(self.fields, LibraryFields):
            return self.fields.formulas(self._unseen)
        names = self._component_names() if names is None else names
        return self.fields.formulas(names, self._units, self._unseen, self.origin)

    def flow(self, x: ArrayLike, t: ArrayLike) -> np.ndarray:
        """Samples after the time 1 along `sum_i t_i v_i`.

        Args:
            x: Samples `(batch, n)`, like those of the search. Scalars do not move.
            t: A parameter for each field, or one number for one field.

        Returns:
            Array `(batch, n)`. Samples with a vector that reaches infinity have NaN.

        Raises:
            ValueError: If there is no symmetry, or shapes do not fit.
        """
        if self.fields is None or not self.dimension or self.origin is None:
            raise ValueError("There is no flow: no symmetry was found")
        samples, v = finite_array("x", x), len(self.origin)
        size = self.scalars + self.blocks * v
        if samples.ndim != 2 or samples.shape[1] != size:
            raise ValueError(
                f"`x` must have shape `(batch, {size})`. Received: shape {samples.shape}"
            )
        vectors = samples[:, self.scalars :].reshape(-1, v)
        moved = self.fields.flow(vectors - self.origin, t) + self.origin
        return np.column_stack(
            [samples[:, : self.scalars], moved.reshape(len(samples), -1)]
        )

    def to_augmentation(self, distance: float = 0.3, **kwargs: Any) -> FieldAugmentation:
        """A Keras layer that moves samples along the flow of the symmetries, in training.

        Args:
            distance: The largest distance that a single field moves vectors, approximately,
                in units of the spread of the data.
            **kwargs: Arguments of `FieldAugmentation`, such as `steps` or `seed`.

        Returns:
            A `FieldAugmentation`.

        Raises:
            ValueError: If there is no symmetry, or the fields are those of a library.
        """
        distance = positive_number("distance", distance)
        if not isinstance(self.fields, VectorFields) or not self.dimension:
            raise ValueError(
                "There is no augmentation: no polynomial symmetry was found. Fields of a "
                "library have `report.flow`"
            )
        assert self.origin is not None
        # The approximate speed, for normal data with this spread.
        draws = np.random.default_rng(0).normal(size=(DRAWS, len(self.origin)))
        speeds = self.fields(draws * self._units) / self._units
        sizes = np.sqrt(np.mean(np.sum(speeds**2, axis=2), axis=0))
        return FieldAugmentation(
            powers=self.fields.powers,
            coefficients=self.fields.coefficients / sizes[:, None, None],
            max_time=distance,
            blocks=self.blocks,
            scalars=self.scalars,
            origin=self.origin,
            **kwargs,
        )

    def to_generators(self, **kwargs: Any) -> Generators:
        """Not available: there are no generators on vectors.

        Raises:
            ValueError: Always.
        """
        raise ValueError(
            "Fields that are not affine have no matrices as generators. Use `report.flow` "
            "to move samples, or `search='affine'` to find generators"
        )

    def plot(self) -> Figure:
        """Draws the spectrum with its gap, and fields of the plane as arrows.

        Returns:
            The figure.
        """
        import matplotlib.pyplot as plt

        from keras_lconv.visualization import plot_spectrum

        is_plane = self.origin is not None and len(self.origin) == 2
        number = min(self.dimension, MOST_PICTURES) if is_plane else 0
        figure, axes = plt.subplots(
            1,
            1 + number,
            figsize=(4.8 + 3 * number, 4),
            layout="constrained",
            squeeze=False,
        )
        plot_spectrum(self.singular_values, self.num_solutions, axes[0, 0])
        line = np.linspace(-2, 2, 15)
        grid = np.stack(np.meshgrid(line, line), axis=-1).reshape(-1, 2)
        for index in range(number):
            assert self.fields is not None
            arrows = self.fields(grid * self._units)[:, index] / self._units
            # Long arrows would hide the others.
            lengths = np.linalg.norm(arrows, axis=1, keepdims=True)
            arrows = arrows / np.sqrt(np.maximum(lengths, 1e-12))
            axes[0, 1 + index].quiver(*grid.T, *arrows.T)
            axes[0, 1 + index].set_title(self.formulas()[index], fontsize="small")
        return figure

    # ------------------------------------------------------------------ words

    def summary(self) -> str:
        """The result in words."""
        lines = [super().summary()]
        if self.vanishing:
            lines.append(
                "the samples lie on a surface. Fields that vanish there are left out:"
            )
            lines += [f"  {text} = 0" for text in self.vanishing]
        return "\n".join(lines)

    @property
    def _num_null(self) -> int:
        return self.num_solutions

    def _headline(self, size: int, where: str) -> list[str]:
        found = self.identify()
        lines = [f"{self.kind}: {self._listed_in_words()} of {size} searched{where}"]
        if found.name == "not closed":
            lines.append(
                "the listed fields are not closed under brackets: these have larger "
                f"degrees (closure error {found.closure_error:.1e})"
            )
        else:
            lines.append(f"their algebra: {found}, closure error {found.closure_error:.1e}")
        return lines

    def _listed_in_words(self) -> str:
        listed = f"{self.dimension} field{'s' if self.dimension > 1 else ''}"
        further = self.num_solutions - self.dimension
        if further > 0:
            listed += f", and {further} multiples of them by functions,"
        return listed

    def _generators_in_words(self) -> list[str]:
        return [f"  {text}" for text in self.formulas()[:MOST_PICTURES]]
