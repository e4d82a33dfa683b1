"""What was found, in numbers, words and pictures."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_lconv.algebra import LieAlgebra
from keras_lconv.generators import MatrixGenerators

# Pictures of so many generators at most.
MOST_PICTURES = 12


@dataclass(frozen=True, eq=False)
class SymmetryReport:
    """The symmetries that `find_symmetries` found, and how sure they are.

    Args:
        algebra: The symmetries, a `LieAlgebra` of matrices `(v, v)`; of dimension 0 if
            there are none. `algebra.identify()` names it.
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
            are zero on them, which says nothing.
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
        if self.output is not None:
            lines.append(f"the output was taken to transform as: {self.output}")
        if self.fit_error is not None:
            lines.append(f"error of the fit on new samples: {self.fit_error:.2%}")
        if len(self.unidentified):
            lines.append(
                f"unidentified: {len(self.unidentified)} of {self.algebra.matrix_size} "
                "directions, in which the samples do not vary"
            )
        return "\n".join(lines)

    def to_generators(self, **kwargs: Any) -> MatrixGenerators:
        """The symmetries as fixed generators on whole inputs, for `LConv` and pooling.

        Args:
            **kwargs: What `MatrixGenerators` takes, as `trainable`.

        Returns:
            `MatrixGenerators` of shape `(k, n, n)`.

        Raises:
            ValueError: If there is no symmetry.
        """
        if not self.dimension:
            raise ValueError("There are no generators: no symmetry was found")
        repeat = np.eye(self.blocks)
        matrices = [np.kron(repeat, matrix) for matrix in self.algebra.basis]
        return MatrixGenerators(np.array(matrices), **kwargs)

    def plot(self) -> Any:
        """Draws the spectrum with its gap, and the generators in a canonical basis.

        Returns:
            The figure.
        """
        import matplotlib.pyplot as plt

        from keras_lconv.visualization import plot_matrix, plot_spectrum

        basis = self.algebra.basis
        if self.dimension:
            basis = self.algebra.canonical_basis()[:MOST_PICTURES]
        columns = 2 + (len(basis) + 1) // 2
        figure = plt.figure(figsize=(2.2 * columns, 4.4), layout="constrained")
        grid = figure.add_gridspec(2, columns)
        spectrum = figure.add_subplot(grid[:, :2])
        plot_spectrum(self.singular_values, self.dimension, spectrum)
        for number, matrix in enumerate(basis):
            axes = figure.add_subplot(grid[number % 2, 2 + number // 2])
            plot_matrix(matrix, axes, f"$L_{{{number + 1}}}$")
        return figure
