"""What was found, in numbers, words and pictures."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_lconv.algebra import LieAlgebra
from keras_lconv.generators import Generators, MatrixGenerators, VectorFieldGenerators

# Pictures of so many generators at most.
MOST_PICTURES = 12

# A network that misses its data by more is a doubtful witness.
LARGE_FIT_ERROR = 0.05


def on_whole_input(matrix: np.ndarray, blocks: int, scalars: int = 0) -> np.ndarray:
    """The matrix on inputs of scalars, which stay as they are, and some vectors."""
    whole = np.kron(np.eye(blocks), matrix)
    return np.pad(whole, ((scalars, 0), (scalars, 0)))


@dataclass(frozen=True, eq=False)
class SymmetryReport:
    """The symmetries that `find_symmetries` found, and how sure they are.

    Args:
        algebra: The symmetries, a `LieAlgebra` of matrices `(v, v)`; of dimension 0 if
            there are none. `algebra.identify()` names it. For images it is that of
            `generators`.
        kind: `"invariance"` or `"equivariance"`.
        output: For equivariance, what was assumed of the output.
        blocks: Number of vectors in an input, which transform alike.
        singular_values: Those of the equations, growing; 1 is what a random equation gives.
        gap: The ratio of the first value that is not zero to the last that is.
        confidence: Between 0 and 1: how clear the dimension is. It is the share of
            subsets of the samples that give the same one, times `1 - 1 / gap`.
        errors: For each of the generators found an error bar, in radians: how far it would
            turn if other samples were drawn. It knows nothing of errors of the function.
        unidentified: Orthonormal directions `(u, v)` that no sample reaches. The generators
            are zero on them, which says nothing. For images mixtures `(u, p)` of the
            generators that were searched, which change no sample.
        scalars: Number of components of an input before the vectors, which do not
            transform.
        generators: For images, the symmetries as generators on the grid; `None` if there
            are none, and for vectors.
        sensitivities: For images, how much the function changes along each direction that
            has a name, as `"rotation"`: 0 if it is invariant, 1 if it changes as along a
            random direction. Directions that change no sample have NaN.
        model: The network that `fit_symmetries` trained, or `None`.
        fit_error: Its error on samples that it was not trained on, relative to the spread
            of the outputs.

    Example:
    ```python
    import numpy as np
    from keras import ops
    from keras_lconv.discovery import find_symmetries

    x = np.random.default_rng(0).normal(size=(200, 4))
    report = find_symmetries(lambda x: ops.sum(x[:, :3] ** 2, axis=1) - x[:, 3] ** 2, x)
    print(report.summary())
    assert report.algebra.identify().name == "so(3,1)"
    ```
    """

    algebra: LieAlgebra
    kind: str
    output: str | None
    blocks: int
    singular_values: np.ndarray
    gap: float
    confidence: float
    errors: np.ndarray
    unidentified: np.ndarray
    scalars: int = 0
    generators: Generators | None = None
    sensitivities: dict[str, float] | None = None
    model: keras.Model | None = None
    fit_error: float | None = None

    @property
    def dimension(self) -> int:
        """The dimension of the algebra."""
        return self.algebra.dimension

    def summary(self) -> str:
        """The result in words."""
        size = len(self.singular_values)
        if self.dimension:
            name = self.algebra.identify()
            lines = [
                f"{self.kind}: {name}, dimension {self.dimension} of {size} searched",
                f"closure error {self.algebra.closure_error:.1e}",
            ]
        else:
            lines = [f"{self.kind}: no symmetry among {size} dimensions searched"]
        lines.append(f"gap {self.gap:.3g}, confidence {self.confidence:.2f}")
        if self.dimension:
            degrees = np.degrees(np.max(self.errors))
            lines.append(f"generators known to {degrees:.2g} degrees, from the samples")
        if self.sensitivities is not None:
            lines.append("change along each direction, in units of a random one:")
            ranked = sorted(self.sensitivities.items(), key=lambda item: item[1])
            lines += [f"  {name}: {value:.2g}" for name, value in ranked]
        if self.output is not None:
            lines.append(f"the output was taken to transform as: {self.output}")
        if self.fit_error is not None:
            lines.append(f"error of the fit on new samples: {self.fit_error:.2%}")
            if self.fit_error > LARGE_FIT_ERROR:
                lines.append(
                    "that is much: more samples, epochs or another `model` may help"
                )
        if len(self.unidentified):
            what = "in which the samples do not vary"
            of = self.unidentified.shape[1]
            if self.sensitivities is not None:
                what = "which change no sample"
            lines.append(
                f"unidentified: {len(self.unidentified)} of {of} directions, {what}"
            )
        return "\n".join(lines)

    def to_generators(self, **kwargs: Any) -> Generators:
        """The symmetries as fixed generators on whole inputs, for `LConv` and pooling.

        Args:
            **kwargs: What the generators take, as `trainable`.

        Returns:
            `MatrixGenerators` of shape `(k, n, n)`, and for images where vector fields were
            searched `VectorFieldGenerators`.

        Raises:
            ValueError: If there is no symmetry.
        """
        if not self.dimension:
            raise ValueError("There are no generators: no symmetry was found")
        if self.generators is not None:
            config = self.generators.get_config()
            del config["name"]
            return type(self.generators).from_config({**config, **kwargs})
        matrices = [
            on_whole_input(matrix, self.blocks, self.scalars)
            for matrix in self.algebra.basis
        ]
        return MatrixGenerators(np.array(matrices), **kwargs)

    def plot(self) -> Any:
        """Draws the spectrum with its gap, and the generators.

        Matrices are those of a canonical basis; fields on images are arrows.

        Returns:
            The figure.
        """
        import matplotlib.pyplot as plt

        from keras_lconv.visualization import plot_matrix, plot_spectrum, plot_vector_field

        pictures: Any = self._fields()
        draw: Any = plot_vector_field
        if pictures is None:
            draw = plot_matrix
            pictures = self.algebra.canonical_basis() if self.dimension else []
        pictures = pictures[:MOST_PICTURES]
        columns = 2 + (len(pictures) + 1) // 2
        figure = plt.figure(figsize=(2.2 * columns, 4.4), layout="constrained")
        grid = figure.add_gridspec(2, columns)
        spectrum = figure.add_subplot(grid[:, :2])
        plot_spectrum(self.singular_values, self.dimension, spectrum)
        for number, picture in enumerate(pictures):
            axes = figure.add_subplot(grid[number % 2, 2 + number // 2])
            draw(picture, axes, f"$L_{{{number + 1}}}$")
        return figure

    def _fields(self) -> np.ndarray | None:
        """Vector fields `(k, height, width, 2)`, if that is what was found."""
        if isinstance(self.generators, VectorFieldGenerators):
            fields = self.generators.vector_fields()
            if fields.shape[-1] == 2:
                return fields
        return None
