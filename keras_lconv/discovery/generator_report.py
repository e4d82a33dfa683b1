"""What pairs of samples told of their generators."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_lconv.algebra import LieAlgebra
from keras_lconv.discovery.report import MOST_PICTURES
from keras_lconv.generators import Generators, MatrixGenerators, VectorFieldGenerators

# In radians: fields that are closer to affine ones count as these.
AFFINE_ANGLE = 0.2


@dataclass(frozen=True, eq=False)
class GeneratorReport:
    """The generators that `fit_generators` found, and how sure they are.

    Args:
        generators: The generators, fixed; `None` if there are none.
        parameters: Those of each pair, `(batch, k)`, found or as given.
        coefficients: The generators as combinations of what was searched, `(k, p)`. For
            vector fields: of monomials, in units of half of the grid's width.
        singular_values: Sizes of the motions along principal directions of all `p` that
            were searched, falling, where 1 is noise. `None` where parameters are
            known, or a pair has fewer equations than unknowns.
        gap: The ratio of the last size that belongs to a generator to the next.
        confidence: Between 0 and 1: how clear the dimension is. It is the share of
            subsets of the pairs that give the same one, times `1 - 1 / gap`; 1 where the
            dimension follows from the arguments alone.
        errors: For each generator an error bar, in radians: how far it would turn if other
            pairs were drawn. It knows nothing of errors that all pairs have.
        residuals: For each pair the distance that is left between `exp(t . L) x` and `y`,
            relative to that of `x` and `y`, at the finest level of detail.
        fit_error: The same of all pairs together.
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
    report = fit_generators(x, y, 1, parameters=t)
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

        Quadratic fields do not close under brackets. Where the ones found are affine up to
        0.2 radians, it is the algebra of the nearest affine fields, and else that of the
        matrices on the grid.

        Raises:
            ValueError: If there are no generators, or they are linearly dependent.
        """
        generators = self._required()
        fields = self._affine_fields()
        if fields is not None:
            return fields.algebra()
        return LieAlgebra(generators.matrices())

    def _affine_fields(self) -> VectorFieldGenerators | None:
        """The fields that were found, made affine, if they nearly are."""
        generators = self._required()
        if not isinstance(generators, VectorFieldGenerators):
            return None
        if generators.field in ("linear", "affine"):
            return generators
        values = generators.vector_fields()
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
            is_named = self._affine_fields() or isinstance(
                self.generators, MatrixGenerators
            )
            name = self.algebra.identify() if is_named else "fields that are not affine"
            lines = [f"{name}, dimension {self.dimension} of {self.searched} searched"]
        if self.gap is not None:
            lines.append(f"gap {self.gap:.3g}, confidence {self.confidence:.2f}")
        if self.dimension:
            degrees = np.degrees(np.max(self.errors))
            lines.append(f"generators known to {degrees:.2g} degrees, from the samples")
        lines.append(f"left of the difference of the pairs: {self.fit_error:.2%}")
        return "\n".join(lines)

    def to_generators(self, **kwargs: Any) -> Generators:
        """New generators with the values that were found.

        Args:
            **kwargs: What the generators take, as `trainable`.

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

    def plot(self) -> Any:
        """Draws the spectrum with its gap, and the generators: as arrows on images.

        Returns:
            The figure.
        """
        import matplotlib.pyplot as plt

        from keras_lconv.visualization import plot_matrix, plot_spectrum, plot_vector_field

        number = min(self.dimension, MOST_PICTURES)
        first = 0 if self.singular_values is None else 2
        columns = max(first + (number + 1) // 2, 1)
        figure = plt.figure(figsize=(2.6 * columns, 5.2), layout="constrained")
        grid = figure.add_gridspec(2, columns)
        if self.singular_values is not None:
            plot_spectrum(
                self.singular_values, self.dimension, figure.add_subplot(grid[:, :2])
            )
        for n in range(number):
            axes = figure.add_subplot(grid[n % 2, first + n // 2])
            title = f"$L_{{{n + 1}}}$"
            generators = self._required()
            if isinstance(generators, VectorFieldGenerators):
                field = generators.vector_fields()[n]
                if field.shape[-1] == 2:
                    plot_vector_field(field, axes, title)
                    continue
            plot_matrix(generators.matrices()[n], axes, title)
        return figure

    def _required(self) -> Generators:
        if self.generators is None:
            raise ValueError("There are no generators: none were found")
        return self.generators
