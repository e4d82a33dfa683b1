"""The left-invariant fields on positions and frames, in sampled coordinates of a group."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._layout import flatten, unflatten
from keras_lconv._typing import ArrayLike, Shape, Tensor
from keras_lconv._validation import boolean, one_of
from keras_lconv.algebra import LieAlgebra
from keras_lconv.generators.base import Generators
from keras_lconv.generators.contraction import (
    contract,
    contraction_cost,
    cost,
    result_bytes,
)
from keras_lconv.generators.cost import BYTES, Cost
from keras_lconv.generators.dense_form import require_room
from keras_lconv.generators.derivatives import DERIVATIVES, LineDerivative, on_grid
from keras_lconv.generators.exponential import linear_combination
from keras_lconv.generators.frames import FrameCoordinates


@keras.saving.register_keras_serializable(package="keras_lconv")
class LeftInvariantGenerators(Generators):
    """The left-invariant fields of a group of affine motions, on positions and frames.

    The group has all translations of `n` coordinates, and the linear maps
    `h(s) = exp(s_1 A_1 + ... + s_m A_m)` of `m` matrices `A_i` that commute. Its element
    `(s, x)` moves a point `y` to `h(s) y + x`: it is a position `x` with a frame `h(s)`.
    Features `(s_1, ..., s_m, *positions)` have an axis for each coordinate `s_i`, with
    samples at equal steps from `s_i = 0` on. There are two kinds of fields, along the axes
    of the frame and to other frames:

    - `L_a = -sum_b h(s)_ba d_b`, for each of the `n` axes;
    - `L_(n + i) = -d/ds_i`, for each of the `m` matrices.

    Rotations of the plane give SE(2) and the fields of `SE2Generators`. Rotations and
    scalings give the similarity group, and scalings of a line the affine group of wavelets.

    **Equivariance.** The group acts on features from the left, by
    `(g F)(s, x) = F(s - s_g, h(s_g)^-1 (x - x_g))`. The fields act from the right, each in
    its own frame. So they commute with the whole group, but not with each other:
    `[L_(n + i), L_a] = -sum_c (A_i)_ca L_c`. An `LConv` with them is equivariant with any
    weights. On the grid this is exact for translations (on a periodic grid, or for content
    away from the border) and for whole steps along coordinates `s_i` that are circles, if
    `h(s)` maps the grid of positions to itself. Along a line, such as sizes, whole steps
    lose the samples at the ends. If `h(s)` maps grid points between others, there is also
    an error of sampling, which falls with the resolution.

    Args:
        algebra: The matrices `A_i`, `(m, n, n)`, or a `LieAlgebra` of these.
        steps: The distance of two samples of `s_i`: one for each `i`, or one for all.
            `None` makes a coordinate a circle, and its samples divide the period equally,
            `2 pi` for rotations. Other coordinates are lines.
        derivative: Derivatives along positions: `"spectral"` (zero outside of the grid,
            most accurate), `"fourier"` (periodic) or `"central"` (central differences,
            cheapest). Along `s_i` it is the Fourier derivative on circles, and central
            differences on lines, where each end affects only its neighbour.
        **kwargs: `name`, `dtype`.

    Input shape:
        `(batch, *coordinates, *positions, channels)`, as `GroupLift` returns: `m` axes, and
        then `n`.

    Output shape:
        `(batch, *coordinates, *positions, n + m, channels)`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If the matrices do not commute or are linearly dependent, a coordinate
            without a step is not a circle, `derivative` is unknown, or the input has
            another number of axes.

    Example:
    ```python
    import numpy as np
    from keras_lconv.generators import LeftInvariantGenerators

    turn, zoom = [[0.0, -1.0], [1.0, 0.0]], np.eye(2)
    generators = LeftInvariantGenerators([turn, zoom], steps=(None, np.log(2) / 2))
    f = np.random.default_rng(0).normal(size=(1, 8, 4, 9, 9, 2))
    assert tuple(generators(f).shape) == (1, 8, 4, 9, 9, 4, 2)
    assert generators.algebra().dimension == 4
    ```

    Reference:
        E. Bekkers, "B-spline CNNs on Lie groups", ICLR 2020. D. Worrall, M. Welling, "Deep
        scale-spaces: equivariance over scale", NeurIPS 2019.
    """

    def __init__(
        self,
        algebra: ArrayLike,
        *,
        steps: float | Sequence[float | None] | None = None,
        derivative: str = "spectral",
        **kwargs: Any,
    ):
        self.coordinates = FrameCoordinates(algebra, steps)
        num, ndim = self.coordinates.number, self.coordinates.ndim
        self.derivative = one_of("derivative", derivative, DERIVATIVES)
        # The fields are never learned, even if a configuration holds the default.
        boolean("trainable", kwargs.pop("trainable", False))
        super().__init__(ndim + num, trainable=False, **kwargs)

    @property
    def num_coordinates(self) -> int:
        """The number `m` of coordinates of frames, the first axes of features."""
        return self.coordinates.number

    @property
    def ndim(self) -> int:
        """The number `n` of axes of positions."""
        return self.coordinates.ndim

    @property
    def _layout(self) -> str:
        """The layout of features, for messages."""
        coordinates = ", ".join(f"s_{i + 1}" for i in range(self.num_coordinates))
        positions = ", ".join(f"x_{a + 1}" for a in range(self.ndim))
        return f"(batch, {coordinates}, {positions}, channels), as `GroupLift` returns them"

    def frames(self, num_samples: tuple[int, ...]) -> np.ndarray:
        """The matrices `h(s)` at all samples.

        Args:
            num_samples: The number of samples of each coordinate.

        Returns:
            An array `(*num_samples, n, n)` of float64.

        Raises:
            ValueError: If there is not one number for each coordinate.

        Example:
        ```python
        import numpy as np
        from keras_lconv.generators import SE2Generators

        assert np.allclose(SE2Generators().frames((4,))[1], [[0, -1], [1, 0]])
        ```
        """
        return self.coordinates.frames(num_samples)

    def _factors(self, num_samples: tuple[int, ...]) -> np.ndarray:
        """Factors `(samples, n + m, m + n)` of the derivatives along axes in each `L_i`."""
        frames = self.frames(num_samples).reshape(-1, self.ndim, self.ndim)
        num, ndim = self.num_coordinates, self.ndim
        factors = np.zeros((len(frames), ndim + num, num + ndim))
        factors[:, :ndim, num:] = -np.swapaxes(frames, 1, 2)
        # Converts grid steps to the unit of the coordinate.
        steps = self.coordinates.steps_of(self._line_sizes(num_samples))
        factors[:, ndim:, :num] = -np.diag(1 / steps)
        return factors

    def _line_sizes(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The number of samples on each line along which an axis is differentiated."""
        return shape

    def build(self, input_shape: Shape) -> None:
        """Prepares the derivatives along all axes."""
        super().build(input_shape)
        shape = self.require_built("build")
        if len(shape) != self.num_coordinates + self.ndim:
            raise ValueError(
                f"{self.name!r} acts on features of shape {self._layout}. "
                f"Received: an input with the {len(shape)} spatial axes {shape}"
            )
        kinds = ["central" if step else "fourier" for step in self.coordinates.steps]
        kinds += [self.derivative] * self.ndim
        self._derivatives = tuple(map(LineDerivative, self._line_sizes(shape), kinds))
        self._factor_values = self._factors(shape[: self.num_coordinates])

    def factors_in(self, dtype: str) -> Tensor:
        """Factors `(samples, n + m, m + n)` of the derivatives along axes in each `L_i`."""
        return ops.convert_to_tensor(self._factor_values, dtype=dtype)

    # ---------------------------------------------------------- derivatives

    def _slope(self, f: Tensor, axis: int) -> Tensor:
        """The derivative of `(batch, *spatial, ...)` along a spatial axis, from 0."""
        derivative = self._derivatives[axis]
        shape = f.shape[1:]
        # A line may be only a part of its axis.
        parts = shape[axis] // derivative.size
        lines = (*shape[:axis], parts, derivative.size, *shape[axis + 1 :])
        slopes = derivative.along(ops.reshape(f, (-1, *lines)), axis + 2)
        return ops.reshape(slopes, (-1, *shape))

    def gradient(self, f: Tensor) -> Tensor:
        """Derivatives along all axes of flat features.

        Args:
            f: Tensor `(batch, d, channels)`.

        Returns:
            Tensor `(batch, samples, positions, m + n, channels)`.
        """
        f = unflatten(f, self.require_built("gradient"))
        slopes = [self._slope(f, axis) for axis in range(self.num_generators)]
        return self._by_frame(ops.stack(slopes, axis=-2))

    def divergence(self, z: Tensor) -> Tensor:
        """The sum of the derivative of `z[..., a, :]` along each axis `a`.

        Args:
            z: Tensor `(batch, samples, positions, m + n, channels)`.

        Returns:
            Tensor `(batch, d, channels)`.
        """
        z = ops.reshape(z, (-1, *self.require_built("divergence"), *z.shape[3:]))
        first, *rest = (self._slope(z[..., a, :], a) for a in range(self.num_generators))
        return flatten(sum(rest, first))

    def _by_frame(self, f: Tensor) -> Tensor:
        shape = self.require_built("apply")
        m = self.num_coordinates
        sizes = (math.prod(shape[:m]), math.prod(shape[m:]))
        return ops.reshape(f, (-1, *sizes, *f.shape[-2:]))

    def apply(self, f: Tensor) -> Tensor:
        """All Lie derivatives `L_i f`, of shape `(batch, d, n + m, channels)`."""
        moved = ops.einsum("jia,bjpac->bjpic", self.factors_in(f.dtype), self.gradient(f))
        return ops.reshape(moved, (-1, f.shape[1], *moved.shape[3:]))

    def combine(self, z: Tensor) -> Tensor:
        """The sum `sum_i L_i z_i`, of shape `(batch, d, channels)`."""
        factors = self.factors_in(z.dtype)
        z = self._by_frame(z)
        return self.divergence(ops.einsum("jia,bjpic->bjpac", factors, z))

    # ------------------------------------------------------------ what is known

    @property
    def is_antisymmetric(self) -> bool:
        """True: a derivative is antisymmetric, and commutes with factors that do not depend
        on its axis.
        """
        return True

    def initial_norm_bounds(self) -> np.ndarray:
        """Bounds of the spectral norms, of shape `(n + m,)`."""
        self.require_built("initial_norm_bounds")
        # Derivatives along different axes commute, so at each sample the norms add up.
        norms = np.array([D.norm for D in self._derivatives])
        return (np.abs(self._factor_values) @ norms).max(axis=0)

    def norm_bounds(self) -> Tensor:
        """Bounds of the spectral norms, a tensor `(n + m,)`."""
        return ops.convert_to_tensor(self.initial_norm_bounds(), dtype=self.variable_dtype)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for the derivatives of one value, along all axes."""
        return sum(D.multiply_adds for D in self._derivatives)

    def matrices(self) -> np.ndarray:
        """The generators as matrices in NumPy, `(n + m, d, d)`."""
        require_room(self, "matrices")
        shape = self.require_built("matrices")
        size = math.prod(shape)
        matrices = np.zeros((self.num_generators, size, size))
        for axis, derivative in enumerate(self._derivatives):
            factors = self._factor_values[:, :, axis]
            factors = np.repeat(factors, size // len(factors), axis=0)
            parts = np.eye(shape[axis] // derivative.size)
            matrix = np.kron(parts, derivative.matrix)
            matrices += factors.T[..., None] * on_grid(matrix, shape, axis)
        return matrices

    def representation(self) -> np.ndarray:
        """Matrices `(n + m, n + 1, n + 1)` with the brackets of the fields."""
        ndim = self.ndim
        matrices = np.zeros((self.num_generators, ndim + 1, ndim + 1))
        matrices[:ndim, :ndim, ndim] = np.eye(ndim)
        # Under multiplication from the right the positions move the other way.
        matrices[ndim:, :ndim, :ndim] = -self.coordinates.matrices
        return matrices

    def algebra(self, tolerance: float | None = None) -> LieAlgebra:
        """The Lie algebra of the fields, as matrices of affine motions.

        On a finite grid the brackets close up to the error of derivatives along the
        coordinates of frames.

        Args:
            tolerance: Threshold for zero, as for `LieAlgebra`.

        Returns:
            A `LieAlgebra` of dimension `n + m`.

        Example:
        ```python
        from keras_lconv.generators import SE2Generators

        assert SE2Generators().algebra().identify().name == "se(2)"
        ```
        """
        return LieAlgebra(self.representation(), tolerance)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        config = super().get_config()
        del config["trainable"], config["frozen"]
        return {
            **config,
            "algebra": self.coordinates.matrices.tolist(),
            "steps": self.coordinates.steps,
            "derivative": self.derivative,
        }


@contract.register
def _contract(
    generators: LeftInvariantGenerators, f: Tensor, kernel: Tensor, order: str
) -> Tensor:
    # The frame of each sample turns the small kernel rather than the features: `sum_a (d_a
    # f) K_a(s)`, with `K_a` a sum of `W_i`.
    turned = ops.einsum("jia,icf->jacf", generators.factors_in(kernel.dtype), kernel)
    num, axes, channels, filters = turned.shape
    if order == "generators_first":
        slopes = generators.gradient(f)
        slopes = ops.reshape(slopes, (-1, *slopes.shape[1:3], axes * channels))
        turned = ops.reshape(turned, (num, axes * channels, filters))
        mixed = ops.einsum("bjpq,jqf->bjpf", slopes, turned)
        return ops.reshape(mixed, (-1, generators.size, filters))
    f = ops.reshape(f, (-1, num, generators.size // num, channels))
    return generators.divergence(ops.einsum("bjpc,jacf->bjpaf", f, turned))


@contraction_cost.register
def _contraction_cost(
    generators: LeftInvariantGenerators, order: str, channels: int, filters: int
) -> Cost:
    size, axes = generators.size, generators.num_generators
    differentiated = channels if order == "generators_first" else filters
    products = differentiated * generators.multiply_adds + axes * channels * filters
    return Cost(size * products, BYTES * size * (axes * differentiated + filters))


@cost.register
def _cost(
    generators: LeftInvariantGenerators, channels: int, operation: str = "apply"
) -> Cost:
    # One derivative along each axis, and one multiply-add for each factor of the frames.
    values, axes = generators.size * channels, generators.num_generators
    results = result_bytes(generators, channels, operation)
    products = values * (generators.multiply_adds + axes**2)
    return Cost(products, axes * BYTES * values + results)


@linear_combination.register
def _linear_combination(
    generators: LeftInvariantGenerators, t: Tensor
) -> Callable[[Tensor], Tensor]:
    # The derivative along one field.
    formula = "k,jka->ja" if len(t.shape) == 1 else "bk,jka->bja"
    field = ops.einsum(formula, t, generators.factors_in(t.dtype))
    if len(t.shape) == 1:
        field = field[None]
    field = field[:, :, None, :, None]

    def act(f: Tensor) -> Tensor:
        moved = ops.sum(field * generators.gradient(f), axis=-2)
        return ops.reshape(moved, (-1, f.shape[1], f.shape[2]))

    return act
