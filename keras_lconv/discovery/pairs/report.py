"""The result of `fit_generators`."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_lconv._typing import Figure
from keras_lconv.algebra import LieAlgebra
from keras_lconv.generators import Generators, VectorFieldGenerators
from keras_lconv.report import Report

# If more of the difference of pairs remains, the generators alone do not explain it.
LARGE_FIT_ERROR = 0.3
# In radians. Fields that are closer to affine ones count as affine.
AFFINE_ANGLE = 0.2


@dataclass(frozen=True, eq=False, repr=False)
class GeneratorReport(Report):
    """The generators that `fit_generators` found, with their confidence.

    Args:
        generators: The generators, fixed; `None` if there are none.
        parameters: Parameters of each pair, `(batch, k)`, found or given.
        coefficients: The generators as combinations of what was searched, `(k, p)`. For
            vector fields: of monomials, in units of half of the grid's width.
        singular_values: The noise divided by the sizes of the motions along principal
            directions of all `p` searched dimensions, growing. Small values belong to
            generators, and 1 is noise. `None` if parameters are known, or a pair has no
            more equations than unknowns.
        gap: The ratio of the first value that is noise to the last that is not.
        confidence: From 0 to 1: how clear the dimension is. It is the fraction of subsets
            of the pairs that give the same dimension, times `1 - 1 / gap`, and less if a
            large part of the difference of the pairs remains. It is at most 0.5 if a pair
            has no more equations than unknowns and parameters are not known, because other
            generators may then fit equally well. It is 1 if parameters are known.
        errors: An error bar of each generator, in radians: how far it would turn with other
            pairs. It does not include errors common to all pairs.
        residuals: For each pair the distance between `exp(t . L) x` and `y`, relative to
            that of `x` and `y`, at the finest level of detail.
        fit_error: The same for all pairs together.
        searched: Number of dimensions that were searched.

    Example:
    ```python
    import numpy as np
    from scipy.linalg import expm
    from keras_lconv.discovery import fit_generators

    rng = np.random.default_rng(0)
    generator = np.array([[0.0, -1.0], [1.0, 0.0]])
    x, t = rng.normal(size=(50, 2)), rng.uniform(-1, 1, 50)
    y = np.einsum("sij,sj->si", expm(t[:, None, None] * generator), x)
    report = fit_generators(x, y, parameters=t)
    assert np.allclose(report.generators.matrices(), generator, atol=1e-6)
    ```
    """

    generators: Generators | None
    parameters: np.ndarray
    coefficients: np.ndarray
    singular_values: np.ndarray | None
    gap: float | None
    confidence: float
    errors: np.ndarray
    residuals: np.ndarray
    fit_error: float
    searched: int

    @property
    def dimension(self) -> int:
        """The number of generators."""
        return len(self.coefficients)

    @property
    def algebra(self) -> LieAlgebra:
        """The Lie algebra that the generators span.

        Quadratic fields do not close under brackets. If the fields are affine up to 0.2
        radians, it is the algebra of the nearest affine fields, otherwise that of the
        matrices on the grid.

        Raises:
            ValueError: If there are no generators, or they are linearly dependent.
        """
        generators = self._required()
        fields = self._affine_fields()
        if fields is not None:
            return fields.algebra()
        return LieAlgebra(generators.matrices())

    def _affine_fields(self) -> Generators | None:
        """The nearest affine fields, if the fields are nearly affine."""
        generators = self._required()
        values = generators.vector_fields()
        if values is None:
            return None
        if len(generators.representation()[0]) <= values.shape[-1] + 1:
            return generators
        frame = np.linalg.qr(values.reshape(len(values), -1).T)[0].T
        if len(frame) < len(values):
            return None
        affine = VectorFieldGenerators.from_values(frame.reshape(values.shape), "affine")
        affine.build((None, *values.shape[1:-1], 1))
        rest = frame - affine.vector_fields().reshape(frame.shape)
        if np.linalg.norm(rest, 2) > np.sin(AFFINE_ANGLE):
            return None
        return affine

    def summary(self) -> str:
        """The result in words."""
        if not self.dimension:
            lines = [f"no generators among {self.searched} dimensions searched"]
        else:
            is_named = self._affine_fields() or self._required().vector_fields() is None
            name = (
                str(self.algebra.identify()) if is_named else "fields that are not affine"
            )
            lines = [f"{name}, dimension {self.dimension} of {self.searched} searched"]
        gap = "" if self.gap is None else f"gap {self.gap:.3g}, "
        lines.append(f"{gap}confidence {self.confidence:.2f}")
        if self.dimension:
            degrees = np.degrees(np.max(self.errors))
            lines.append(f"generators known to {degrees:.2g} degrees, from the samples")
        lines.append(
            f"unexplained part of the difference of the pairs: {self.fit_error:.2%}"
        )
        if self.fit_error > LARGE_FIT_ERROR:
            is_grid = self.dimension and self._required().vector_fields() is not None
            others = "content that left the grid" if is_grid else "a centre elsewhere"
            lines.append(f"this is large: noise, other motions, or {others}")
        return "\n".join(lines)

    def to_generators(self, **kwargs: Any) -> Generators:
        """New generators with these values.

        Args:
            **kwargs: Arguments of the generators, such as `trainable`.

        Returns:
            `VectorFieldGenerators` or `MatrixGenerators`.

        Raises:
            ValueError: If there are none.
        """
        generators = self._required()
        config = {**generators.get_config(), **kwargs}
        if "name" not in kwargs:
            del config["name"]
        return type(generators).from_config(config)

    def assign_to(self, generators: Generators) -> None:
        """Gives learned generators these values, to start training.

        Args:
            generators: `VectorFieldGenerators` with the field of the search, or
                `DenseGenerators`, as many as in the report.

        Raises:
            ValueError: If there are none, or weights have other shapes.
        """
        found = self._required()
        shape = found.spatial_shape or ()
        generators.build_for((None, *shape, 1), "`assign_to`")
        expected, own = ([tuple(w.shape) for w in g.weights] for g in (found, generators))
        fields = [getattr(g, "field", None) for g in (found, generators)]
        if expected != own or fields[0] != fields[1]:
            raise ValueError(
                f"`generators` must have weights of shapes {expected}, and the kind of the "
                f"search. Received: {generators.name!r} with {own}"
            )
        generators.set_weights(found.get_weights())

    def plot(self) -> Figure:
        """Draws the spectrum with its gap, and the generators, on images as arrows.

        Returns:
            The figure.
        """
        from keras_lconv.visualization import plot_result

        found: Any = [] if self.generators is None else self.generators
        return plot_result(self.singular_values, self.dimension, found)

    def _required(self) -> Generators:
        if self.generators is None:
            raise ValueError(
                "There are no generators, because none were found. Give a "
                "known `dimension`, or search among others"
            )
        return self.generators
