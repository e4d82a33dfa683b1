"""The symmetries of the action of a layer: the Killing fields of its density."""

from dataclasses import dataclass

import numpy as np

from keras_lconv._typing import Figure
from keras_lconv.algebra import LieAlgebra
from keras_lconv.algebra.sparse_basis import sparse_basis
from keras_lconv.discovery.kinds import TOLERANCE, formula_of
from keras_lconv.generators import VectorFieldGenerators
from keras_lconv.generators.polynomials import as_matrices, centred_points, radius, units
from keras_lconv.report import Report

# The number of positions whose equations are formed at once.
CHUNK = 256


@dataclass(frozen=True, eq=False, repr=False)
class ActionSymmetries(Report):
    """Symmetries `K f = -xi^a d_a f + M f` of a density `|Q[f]|^2`, as a basis.

    Each changes the density by a divergence, `-d_a (xi^a |Q[f]|^2)`, and so has a conserved
    current. `Lagrangian.noether_current` takes the report.

    Args:
        fields: Affine fields `xi` in grid steps, `(k, ndim, ndim + 1)`: the value at the
            centre of the grid, then the matrix.
        matrices: Matrices `M` on the channels, as a column, `(k, c, c)`.
        singular_values: Singular values of the equations, from the smallest to the largest,
            relative to the largest. Those of the symmetries are zero.
        shape: The grid.

    Attributes:
        dimension: Number `k` of symmetries.
        algebra: The `LieAlgebra` of the pairs `(xi, M)`; `None` without symmetries.

    Example:
    ```python
    import numpy as np
    from keras_lconv import LConv
    from keras_lconv.generators import translation
    from keras_lconv.physics import Lagrangian

    layer = LConv(3, translation(), use_bias=False)
    layer.build((None, 16, 16, 1))
    layer.kernel.assign(np.diag([0.5, 1.0, 1.0])[:, None, :])
    symmetries = Lagrangian(layer).symmetries()
    print(symmetries)  # the two translations and the rotation
    assert symmetries.algebra.identify().name == "se(2)"
    ```
    """

    fields: np.ndarray
    matrices: np.ndarray
    singular_values: np.ndarray
    shape: tuple[int, ...]

    @property
    def dimension(self) -> int:
        """Number of symmetries."""
        return len(self.fields)

    @property
    def algebra(self) -> LieAlgebra | None:
        """The Lie algebra of the pairs of fields and matrices, if there are any."""
        if not self.dimension:
            return None
        fields = as_matrices(self.fields, "affine")
        n, c = fields.shape[-1], self.matrices.shape[-1]
        pairs = np.zeros((self.dimension, n + c, n + c))
        pairs[:, :n, :n], pairs[:, n:, n:] = fields, self.matrices
        return LieAlgebra(pairs)

    def to_generators(self, derivative: str = "spectral") -> VectorFieldGenerators:
        """The part `-xi^a d_a` as generators on the grid.

        Args:
            derivative: As for `VectorFieldGenerators`.

        Returns:
            Fixed `VectorFieldGenerators`.

        Raises:
            ValueError: If there are no symmetries.
        """
        if not self.dimension:
            raise ValueError("There are no generators: no symmetry was found")
        return VectorFieldGenerators(
            self.dimension,
            derivative=derivative,
            coefficients=self.fields,
            trainable=False,
        )

    def summary(self) -> str:
        """Number of symmetries, and each as a field and a matrix on channels."""
        lines = [f"{self.dimension} symmetries of the action"]
        names = [f"x{axis}" for axis in range(len(self.shape))]
        scales = np.full(len(self.shape), radius(self.shape))
        for field, matrix in zip(self.fields, self.matrices, strict=True):
            largest = max(np.abs(field).max(), np.abs(matrix).max())
            words = []
            if np.abs(field).max() > 1e-9 * largest:
                words.append(formula_of(np.roll(field, -1, axis=1), names, scales))
            if np.abs(matrix).max() > 1e-9 * largest:
                words.append(f"channels {np.round(matrix, 3).tolist()}")
            lines.append("  " + ", ".join(words))
        return "\n".join(lines)

    def plot(self) -> Figure:
        """Draws the singular values.

        Returns:
            The figure.
        """
        import matplotlib.pyplot as plt

        figure, ax = plt.subplots(figsize=(5, 4), layout="constrained")
        smallest = np.finfo("float64").eps
        ax.semilogy(np.maximum(self.singular_values, smallest), "o")
        ax.set(xlabel="direction", ylabel="singular value, relative to the largest")
        return figure


def action_symmetries(
    fields: np.ndarray,
    mix: np.ndarray,
    weights: np.ndarray,
    bias: np.ndarray,
    tolerance: float,
) -> ActionSymmetries:
    """The affine fields and matrices that change `|Q f|^2` by a divergence only.

    With the slopes `p_a = d_a f` the residual is `r = f W_0 - p_a m^a + b` with
    `m^a = sum_i v_i^a W_i`: a row of jets `(f, p, 1)` times a matrix `N(x)`. A symmetry
    changes `r` at the moved point by the jets times `dN`, linear in `(xi, M)`, and is one
    if `dN N^T + N dN^T + (div xi) N N^T = 0` at each point.

    Args:
        fields: `v_i`, an array `(k, *spatial, ndim)`.
        mix: `W_0`, `(c, filters)`.
        weights: `W_i`, `(k, c, filters)`.
        bias: `(filters,)`.
        tolerance: Singular values below are zero, relative to the largest.

    Returns:
        `ActionSymmetries`.

    Raises:
        ValueError: If an axis of the grid has fewer than 3 points.
    """
    shape, ndim = fields.shape[1:-1], fields.shape[-1]
    if min(shape) < 3:
        raise ValueError(
            "Symmetries of an action need at least 3 points along each axis of the grid. "
            f"Received: a grid of shape {tuple(shape)}"
        )
    slopes = np.stack(
        [np.gradient(fields, axis=axis + 1, edge_order=2) for axis in range(ndim)], axis=-1
    )
    flat, slopes = (
        fields.reshape(len(fields), -1, ndim),
        slopes.reshape(len(fields), -1, ndim, ndim),
    )
    length = radius(shape)
    points = centred_points(shape)
    # Unknowns: the affine fields in units of the radius, and the entries of `M`.
    size, c = ndim * (ndim + 1), len(mix)
    gram = np.zeros((size + c * c,) * 2)
    for start in range(0, len(points), CHUNK):
        part = slice(start, start + CHUNK)
        moving = np.einsum("kna,kcf->nacf", flat[:, part], weights)
        changing = np.einsum("knad,kcf->ndacf", slopes[:, part], weights)
        rows = _equations(points[part] / length, length, moving, changing, mix, bias)
        gram += rows @ rows.T
    values, vectors = np.linalg.eigh(gram)
    singular = np.sqrt(np.maximum(values, 0))
    singular /= max(singular[-1], np.finfo("float64").tiny)
    found = vectors[:, singular <= tolerance].T
    if len(found):
        found = sparse_basis(found[..., None], max(tolerance, 1e-9))[..., 0]
    coefficients = found[:, :size].reshape(-1, ndim, ndim + 1) * units("affine", shape)
    factors = np.array([_factor(field) for field in coefficients])[:, None, None]
    return ActionSymmetries(
        coefficients * factors,
        found[:, size:].reshape(-1, c, c) * factors,
        singular,
        tuple(shape),
    )


def _factor(field: np.ndarray) -> float:
    """The factor that makes the largest coefficient of a field 1, with the sign of its
    formula.
    """
    terms = np.roll(field, -1, axis=1).T.ravel()
    largest = np.max(np.abs(terms))
    if largest == 0:
        return 1.0
    first = terms[np.abs(terms) > TOLERANCE * largest][0]
    return float(np.sign(first) / largest)


def _equations(
    points: np.ndarray,
    length: float,
    moving: np.ndarray,
    changing: np.ndarray,
    mix: np.ndarray,
    bias: np.ndarray,
) -> np.ndarray:
    """For each unknown `dN N^T + N dN^T + (div xi) N N^T` at some points, `(p, ...)`.

    Args:
        points: Coordinates in units of the radius, `(n, ndim)`.
        length: The radius in grid steps.
        moving: `m^a`, `(n, a, c, filters)`.
        changing: `d_d m^a` for each grid step, `(n, d, a, c, filters)`.
        mix: `W_0`.
        bias: The bias.
    """
    number, ndim = points.shape
    c, filters = mix.shape

    def jets(
        of_values: np.ndarray, of_slopes: np.ndarray, of_one: np.ndarray
    ) -> np.ndarray:
        """The matrices `N`, `(n, (1 + ndim) c + 1, filters)`."""
        blocks = (
            np.broadcast_to(of_values, (number, c, filters)),
            -of_slopes.reshape(number, ndim * c, filters),
            np.broadcast_to(of_one, (number, 1, filters)),
        )
        return np.concatenate(blocks, axis=1)

    matrix = jets(mix, moving, bias)
    square = matrix @ np.swapaxes(matrix, 1, 2)
    still = np.zeros_like(mix), np.zeros_like(bias)
    rows = []
    for a in range(ndim):
        for power in range(ndim + 1):
            # The field whose component along the axis `a` is `r` or `r x_b / r`.
            change = changing[:, a] * length
            divergence = 0.0
            if power:
                change = change * points[:, power - 1, None, None, None]
                # `d_b xi^a` mixes the slopes.
                change[:, a] = change[:, a] - moving[:, power - 1]
                divergence = float(power - 1 == a)
            moved = jets(still[0], change, still[1]) @ np.swapaxes(matrix, 1, 2)
            rows.append(moved + np.swapaxes(moved, 1, 2) + divergence * square)
    for target in range(c):
        for source in range(c):
            unit = np.zeros((c, c))
            unit[target, source] = 1.0
            mixed = jets(unit.T @ mix, unit.T @ moving, still[1])
            mixed = mixed @ np.swapaxes(matrix, 1, 2)
            rows.append(mixed + np.swapaxes(mixed, 1, 2))
    return np.stack(rows).reshape(len(rows), -1)
