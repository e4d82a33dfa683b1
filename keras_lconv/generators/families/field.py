"""Generators as vector fields on a grid."""

import math
from collections.abc import Callable
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from keras_lconv._typing import ArrayLike, Constraint, Regularizer, Shape, Tensor
from keras_lconv._validation import MOST_GENERATORS, finite_array, one_of, positive_int
from keras_lconv.algebra import LieAlgebra
from keras_lconv.generators.axis_products import derivative_along_axes
from keras_lconv.generators.base import Generators
from keras_lconv.generators.contraction import cost, result_bytes
from keras_lconv.generators.cost import BYTES, Cost
from keras_lconv.generators.dense_form import require_room
from keras_lconv.generators.derivatives import DERIVATIVES, Gradient
from keras_lconv.generators.exponential import (
    linear_combination,
    operator_norm,
    traced_norm_bound,
)
from keras_lconv.generators.families.factored import INITIAL_NORM
from keras_lconv.generators.field_basis import (
    FieldBasis,
    check_fit,
    checked_coefficients,
    nearest_coefficients,
)
from keras_lconv.generators.polynomials import DEGREES, as_matrices, exponents, units

FIELDS = (*DEGREES, "free")


@keras.saving.register_keras_serializable(package="keras_lconv")
class VectorFieldGenerators(Generators):
    """Generators of maps of space: `L_i = -sum_a v_i^a(x) d/dx^a`.

    `exp(t L_i)` moves the content of an image along the flow of the vector field `v_i`: for
    a linear field `v(x) = A x` it is `(exp(t L) f)(x) = f(exp(-t A) x)`. A field has a
    handful of numbers, a matrix has `d^2`. So a field can be learned from little data, and
    it acts without a `d x d` matrix.

    Coordinates are centred, `x = index - (n - 1) / 2`, on every spatial axis.

    The weight `coefficients` holds the fields in units of half of the grid's width,
    `r = max(n - 1) / 2`: `v^a = r sum_p coefficients[i, a, p] m_p(x / r)`. The linear part
    is then the matrix `A` itself. All entries move the border of the grid by similar
    distances, so they are learned at similar speed.

    Args:
        num: Number `k` of generators.
        field: Monomials `m_p` of the components. `"linear"`: `x_1, ..., x_n` (the algebra
            gl(n)); `"affine"`: also `1` (aff(n)); `"quadratic"`: also `x_a x_b` with
            `a <= b`; `"free"`: any field, one number for each component and grid point.
        derivative: `"spectral"` (zero outside of the grid, most accurate), `"fourier"`
            (periodic) or `"central"` (central differences, cheapest).
        coefficients: Given fields in units of grid steps, `(k, ndim, p)` with the monomials
            in the order above: `1`, then linear, then quadratic. By default they are random
            and small, so a layer starts near a mix of channels.
        regularizer: Regularizer of `coefficients`.
        constraint: Constraint on `coefficients`.
        **kwargs: `trainable`, `name`, `dtype`.

    Input shape:
        `(batch, *spatial, channels)` with any number of spatial axes, or `(batch, d)`.

    Output shape:
        `(batch, *spatial, k, channels)`.

    Raises:
        TypeError: If `num` is not an integer, or `coefficients` are not an array of real
            numbers.
        ValueError: If `num` is not positive, `field` or `derivative` is unknown, or
            `coefficients` do not fit `num`, `field` or the input.

    Example:
    ```python
    import numpy as np
    from keras_lconv.generators import VectorFieldGenerators

    generators = VectorFieldGenerators(2, field="affine")
    derivatives = generators(np.ones((4, 20, 20, 3)))
    assert tuple(derivatives.shape) == (4, 20, 20, 2, 3)
    assert tuple(generators.coefficients.shape) == (2, 2, 3)
    ```
    """

    def __init__(
        self,
        num: int,
        field: str = "affine",
        *,
        derivative: str = "spectral",
        coefficients: ArrayLike | None = None,
        regularizer: Regularizer = None,
        constraint: Constraint = None,
        **kwargs: Any,
    ):
        super().__init__(positive_int("num", num, most=MOST_GENERATORS), **kwargs)
        self.field = one_of("field", field, FIELDS)
        self.derivative = one_of("derivative", derivative, DERIVATIVES)
        self._given = checked_coefficients(coefficients, num, field)
        self.regularizer = keras.regularizers.get(regularizer)
        self.constraint = keras.constraints.get(constraint)

    @classmethod
    def from_coefficients(
        cls,
        coefficients: ArrayLike,
        shape: tuple[int, ...],
        field: str = "affine",
        **kwargs: Any,
    ) -> Self:
        """Fixed generators from coefficients in units of half of the grid's width.

        Args:
            coefficients: Array `(k, ndim, p)`, as the weight `coefficients` holds them.
            shape: Spatial shape of the grid.
            field: Kind of the field, a polynomial one.
            **kwargs: `derivative` and other arguments of the class; `trainable` is `False`
                by default.

        Returns:
            `VectorFieldGenerators` with these `coefficients`, for this grid.

        Raises:
            ValueError: If `coefficients` have another shape, or `field` is unknown.

        Example:
        ```python
        import numpy as np
        from keras_lconv.generators import VectorFieldGenerators

        turn = [[[0.0, -1.0], [1.0, 0.0]]]
        generators = VectorFieldGenerators.from_coefficients(turn, (8, 8), "linear")
        generators.build((None, 8, 8, 1))
        assert np.allclose(generators.coefficients, turn)
        ```
        """
        one_of("field", field, tuple(DEGREES))
        array = finite_array("coefficients", coefficients)
        given = array * units(field, tuple(shape))
        return cls(len(array), field, coefficients=given, **{"trainable": False, **kwargs})

    @classmethod
    def from_values(cls, values: ArrayLike, field: str = "affine", **kwargs: Any) -> Self:
        """Fixed generators from values of their fields at the points of a grid.

        Args:
            values: Array `(k, *spatial, ndim)`, in grid steps, as `vector_fields` returns.
            field: Kind of the field. The result is the nearest field of this kind by least
                squares.
            **kwargs: `derivative` and other arguments of the class; `trainable` is `False`
                by default.

        Returns:
            `VectorFieldGenerators` with these `coefficients`.

        Raises:
            ValueError: If `values` have another shape, or `field` is unknown.

        Example:
        ```python
        import numpy as np
        from keras_lconv.generators import VectorFieldGenerators

        downwards = np.broadcast_to([1.0, 0.0], (1, 8, 8, 2))
        generators = VectorFieldGenerators.from_values(downwards)
        assert generators.algebra().dimension == 1
        ```
        """
        one_of("field", field, FIELDS)
        given = nearest_coefficients(values, field)
        return cls(len(given), field, coefficients=given, **{"trainable": False, **kwargs})

    def build(self, input_shape: Shape) -> None:
        """Creates `coefficients`, of shape `(k, ndim, p)`."""
        super().build(input_shape)
        shape = self.require_built("build")
        self._basis = FieldBasis(self.field, shape)
        self._gradient = Gradient(shape, self.derivative)
        expected = (self.num_generators, len(shape), self._basis.size)
        if self._given is not None:
            check_fit(self.name, self._given.shape, expected, shape)
        self.coefficients = self.add_weight(
            name="coefficients",
            shape=expected,
            initializer=self._initializer(len(shape)),
            regularizer=self.regularizer,
            constraint=self.constraint,
            trainable=self.is_learned,
        )

    def _initializer(self, ndim: int) -> keras.initializers.Initializer:
        if self._given is not None:
            values = self._given / self._basis.units
            return lambda shape, dtype=None: ops.convert_to_tensor(values, dtype=dtype)
        stddev = self._basis.initial_stddev(INITIAL_NORM, ndim)
        return keras.initializers.RandomNormal(stddev=stddev)

    def initial_norm_bounds(self) -> np.ndarray:
        """Bounds of the spectral norms at the start of training, of shape `(k,)`."""
        if self._given is None:
            return np.full(self.num_generators, INITIAL_NORM)
        return np.abs(self._given_fields()).max(axis=-1) @ self._gradient.norms

    def norm_bounds(self) -> Tensor:
        """Bounds `sum_a max_x |v^a(x)| |d/dx^a|` of the spectral norms, a tensor `(k,)`."""
        return self.field_norms(self.fields(self.variable_dtype))

    def field_norms(self, fields: Tensor) -> Tensor:
        """Bounds of `|v^a d_a|` for fields `(..., ndim, d)` in grid steps."""
        norms = ops.convert_to_tensor(self._gradient.norms, dtype=fields.dtype)
        return ops.sum(ops.max(ops.abs(fields), axis=-1) * norms, axis=-1)

    @property
    def largest_displacement(self) -> float:
        """A bound of `|v^a d_a|` for a field that moves points by `pi` radii."""
        return math.pi * self._basis.radius * float(np.sum(self._gradient.norms))

    @property
    def is_antisymmetric(self) -> bool:
        """Whether the fields are fixed, and no component `v^a` depends on `x_a`.

        This holds for translations, rotations and shears. The derivative along an axis is
        an antisymmetric matrix, and commutes with functions that do not depend on this
        axis.
        """
        if self.is_learned or self._given is None or self.field == "free":
            return False
        ndim = self._given.shape[1]
        depends = exponents(self.field, ndim).T > 0
        return not np.any(self._given[:, depends])

    @property
    def are_translations(self) -> bool:
        """Whether they are the translations along each axis, in grid steps."""
        if self.is_learned or self._given is None or self.field != "affine":
            return False
        ndim = self._given.shape[1]
        units = np.zeros((ndim, ndim, ndim + 1))
        units[..., 0] = np.eye(ndim)
        return self._given.shape == units.shape and bool(np.all(self._given == units))

    def _given_fields(self) -> np.ndarray:
        """The given fields at all positions, `(k, ndim, d)` in grid steps, float64."""
        return self._basis.values(self._given / self._basis.units)

    def vector_fields(self) -> np.ndarray:
        """The fields `v_i` at the grid points, an array `(k, *spatial, ndim)`."""
        shape = self.require_built("vector_fields")
        fields = self._basis.values(ops.convert_to_numpy(self.coefficients))
        return np.moveaxis(fields, 1, -1).reshape(-1, *shape, len(shape))

    def vector_field_tensor(self, dtype: str | None = None) -> Tensor:
        """The fields `v_i`, a tensor `(k, *spatial, ndim)`.

        Args:
            dtype: The dtype of the result; by default that of computations.
        """
        shape = self.require_built("vector_field_tensor")
        fields = ops.swapaxes(self.fields(dtype or self.compute_dtype), 1, 2)
        return ops.reshape(fields, (-1, *shape, len(shape)))

    def algebra(self, tolerance: float | None = None) -> LieAlgebra:
        """The Lie algebra that the generators span.

        Matrices on a finite grid close under brackets only approximately; linear and affine
        fields close exactly. For these it is the algebra of the fields
        `v_i(x) = A_i x + b_i`, as matrices `[[A, b], [0, 0]]`. Given `coefficients` need no
        grid.

        Args:
            tolerance: Threshold for zero, as for `LieAlgebra`.

        Returns:
            A `LieAlgebra`: of `(ndim + 1) x (ndim + 1)` matrices for affine fields, of
            `ndim x ndim` matrices for linear fields, and of `d x d` matrices otherwise.
            Lengths are in units of half of the grid's width, or in grid steps before there
            is a grid.

        Raises:
            ValueError: If the generators have no values yet, or are linearly dependent.

        Example:
        ```python
        from keras_lconv.generators import affine, rotation

        assert affine().algebra().identify().name == "aff(2)"
        assert rotation(3).algebra().identify().name == "so(3)"
        ```
        """
        values = ops.convert_to_numpy(self.coefficients) if self.built else self._given
        if values is None or self.field not in ("linear", "affine"):
            return super().algebra(tolerance)
        return LieAlgebra(as_matrices(values, self.field), tolerance)

    def matrices(self) -> np.ndarray:
        """Fixed generators as matrices in NumPy, `(k, d, d)`, from given `coefficients`."""
        if self.is_learned or self._given is None:
            return super().matrices()
        require_room(self, "matrices")
        shape = self.require_built("matrices")
        fields = self._given_fields()
        D = self._gradient.matrix
        return -np.asarray(sum(fields[:, a, :, None] * D(a) for a in range(len(shape))))

    def representation(self) -> np.ndarray:
        """Matrices with the brackets of fixed generators, in NumPy.

        For linear and affine fields, the matrices of `algebra` with lengths in grid steps.
        """
        if self.is_learned or self._given is None or self.field not in ("linear", "affine"):
            return super().representation()
        return as_matrices(self._given, self.field)

    def fields(self, dtype: str) -> Tensor:
        """The fields at all positions, a tensor `(k, ndim, d)` in grid steps."""
        return self._basis.tensor_values(ops.cast(self.coefficients, dtype))

    def apply(self, f: Tensor) -> Tensor:
        """All Lie derivatives `L_i f`, of shape `(batch, d, k, channels)`."""
        self.require_built("apply")
        return -ops.einsum("kad,bdac->bdkc", self.fields(f.dtype), self._gradient(f))

    def combine(self, z: Tensor) -> Tensor:
        """The sum `sum_i L_i z_i`, of shape `(batch, d, channels)`."""
        fields = self.fields(z.dtype)
        return -sum(
            ops.einsum("kd,bdkc->bdc", fields[:, axis], slope)
            for axis, slope in enumerate(self._gradient.slopes(z))
        )

    def along(self, field: Tensor, f: Tensor) -> Tensor:
        """Minus the derivative of flat features along fields `(1 or batch, ndim, d, 1)`."""
        slopes = enumerate(self._gradient.slopes(f))
        return -sum(field[:, axis] * slope for axis, slope in slopes)

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds for the derivatives of one value, along all axes."""
        return self._gradient.multiply_adds

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {
            **super().get_config(),
            "num": self.num_generators,
            "field": self.field,
            "derivative": self.derivative,
            "coefficients": None if self._given is None else self._given.tolist(),
            "regularizer": keras.regularizers.serialize(self.regularizer),
            "constraint": keras.constraints.serialize(self.constraint),
        }


@cost.register
def _cost(
    generators: VectorFieldGenerators, channels: int, operation: str = "apply"
) -> Cost:
    # One derivative along each axis, `d (n_1 + ... + n_ndim)` multiply-adds a channel;
    # central differences cost `2 d ndim`, and Fourier transforms `4 log n` on an axis.
    # `apply` needs the derivatives once for all generators, `combine` for each of them.
    size, k = generators.size, generators.num_generators
    ndim = len(generators.require_built("cost"))
    copies = channels * (k if operation == "combine" else 1)
    products = size * (generators.multiply_adds * copies + ndim * k * channels)
    results = result_bytes(generators, channels, operation)
    return Cost(products, results + BYTES * size * ndim * copies)


@linear_combination.register
def _linear_combination(
    generators: VectorFieldGenerators, t: Tensor
) -> Callable[[Tensor], Tensor]:
    # The derivative along `sum_i t_i v_i`.
    field = ops.einsum("...k,kad->...ad", t, generators.fields(t.dtype))
    field = ops.expand_dims(field if len(t.shape) == 2 else field[None], -1)
    return lambda f: generators.along(field, f)


@operator_norm.register
def _operator_norm(generators: VectorFieldGenerators, t: Tensor) -> Tensor:
    # The norm of the field `sum_i t_i v_i` is less than the sum of the norms.
    fields = generators.fields(t.dtype)
    return generators.field_norms(ops.einsum("...k,kad->...ad", t, fields))


@traced_norm_bound.register
def _traced_norm_bound(generators: VectorFieldGenerators) -> float:
    # A half turn, or a translation beyond the border.
    return generators.largest_displacement


@derivative_along_axes.register
def _derivative_along_axes(generators: VectorFieldGenerators) -> str | None:
    return generators.derivative if generators.are_translations else None
