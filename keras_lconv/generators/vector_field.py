"""Generators as vector fields on a grid."""

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any, Self

import keras
import numpy as np
from keras import ops

from keras_lconv._validation import finite_array, one_of, positive_int
from keras_lconv.algebra import LieAlgebra
from keras_lconv.generators.base import Generators
from keras_lconv.generators.cost import BYTES, Cost
from keras_lconv.generators.derivatives import DERIVATIVES, LineDerivative
from keras_lconv.generators.factored import INITIAL_NORM

# Degrees of the monomials that the components of a field are made of.
DEGREES = {"linear": (1,), "affine": (0, 1), "quadratic": (0, 1, 2)}
FIELDS = (*DEGREES, "free")


@keras.saving.register_keras_serializable(package="keras_lconv")
class VectorFieldGenerators(Generators):
    """Generators of maps of space: `L_i = -sum_a v_i^a(x) d/dx^a`.

    `exp(t L_i)` moves the content of an image along the flow of the vector field `v_i`:
    for a linear field `v(x) = A x` it is `(exp(t L) f)(x) = f(exp(-t A) x)`. A field
    needs a handful of numbers where a matrix needs `d^2`: it is learned from little
    data, acts on any number of channels, and costs no `d x d` matrix to apply.

    Coordinates are centred, `x = index - (n - 1) / 2`, on every spatial axis.

    The weight `coefficients` holds the fields in units of half of the grid's width,
    `r = max(n - 1) / 2`: `v^a = r sum_p coefficients[i, a, p] m_p(x / r)`. The linear
    part is then the matrix `A` itself, and all entries move the border of the grid by
    similar distances, so that they are learned at similar speed.

    Args:
        num: Number `k` of generators.
        field: Monomials `m_p` of the components. `"linear"`: `x_1, ..., x_n` (the
            algebra gl(n)); `"affine"`: also `1` (aff(n)); `"quadratic"`: also
            `x_a x_b` with `a <= b`; `"free"`: one number for each component and grid
            point, any field.
        derivative: `"spectral"` (zero outside of the grid, most accurate), `"fourier"`
            (periodic) or `"central"` (central differences, cheapest).
        coefficients: Given fields in units of grid steps, `(k, ndim, p)` with the
            monomials in the order above: `1`, then linear, then quadratic. By default
            they are drawn small, so that a layer starts near a mix of channels.
        regularizer: Regularizer of `coefficients`.
        constraint: Constraint on `coefficients`.
        **kwargs: `trainable`, `name`, `dtype`.

    Input shape:
        `(batch, *spatial, channels)` with any number of spatial axes, or `(batch, d)`.

    Output shape:
        `(batch, *spatial, k, channels)`.

    Raises:
        TypeError: If `num` is no integer or `coefficients` no array of real numbers.
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
        derivative: str = "spectral",
        coefficients: Any = None,
        regularizer: Any = None,
        constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(positive_int("num", num), **kwargs)
        self.field = one_of("field", field, FIELDS)
        self.derivative = one_of("derivative", derivative, DERIVATIVES)
        self._given = self._check_given(coefficients)
        self.regularizer = keras.regularizers.get(regularizer)
        self.constraint = keras.constraints.get(constraint)

    @classmethod
    def from_values(
        cls,
        values: Any,
        field: str = "affine",
        derivative: str = "spectral",
        trainable: bool = False,
        **kwargs: Any,
    ) -> Self:
        """Generators from values of their fields at the points of a grid.

        Args:
            values: Array `(k, *spatial, ndim)`, in grid steps, as `vector_fields` returns.
            field: Kind of the field. The nearest one of this kind is taken, by least
                squares.
            derivative: `"spectral"`, `"fourier"` or `"central"`.
            trainable: Whether the fields are learned on from these.
            **kwargs: As for the class.

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
        array = finite_array("values", values)
        if array.ndim < 3 or array.shape[-1] != array.ndim - 2 or 0 in array.shape:
            raise ValueError(
                "`values` must have shape `(k, *spatial, ndim)` with `ndim` spatial axes. "
                f"Received: shape {array.shape}"
            )
        one_of("field", field, FIELDS)
        shape = array.shape[1:-1]
        flat = np.swapaxes(array.reshape(len(array), -1, len(shape)), 1, 2)
        if field != "free":
            radius = max((max(shape) - 1) / 2, 0.5)
            exponents = _exponents(field, len(shape))
            points = _centred_points(shape) / radius
            values = monomials(field, points)
            columns = flat.reshape(-1, flat.shape[-1]).T
            found = np.linalg.lstsq(values.T, columns, rcond=None)[0]
            found = found.T.reshape(*flat.shape[:2], -1)
            # From coordinates in units of the radius to grid steps.
            flat = found * radius ** -exponents.sum(axis=-1).astype("float64")
        return cls(
            len(array),
            field,
            derivative,
            coefficients=flat,
            trainable=trainable,
            **kwargs,
        )

    @classmethod
    def from_coefficients(
        cls,
        coefficients: Any,
        spatial_shape: Sequence[int],
        field: str = "affine",
        derivative: str = "spectral",
        trainable: bool = False,
        **kwargs: Any,
    ) -> Self:
        """Generators from what their weight `coefficients` is to be.

        Args:
            coefficients: Array `(k, ndim, p)` in units of half of the grid's width.
            spatial_shape: Shape of the grid, which says what this unit is.
            field: Kind of the field.
            derivative: `"spectral"`, `"fourier"` or `"central"`.
            trainable: Whether the fields are learned on from these.
            **kwargs: As for the class.

        Returns:
            `VectorFieldGenerators` with these `coefficients`.

        Raises:
            ValueError: If `coefficients` do not fit `field`, or `field` is unknown.

        Example:
        ```python
        import numpy as np
        from keras_lconv.generators import VectorFieldGenerators

        turn = [[[0.0, -1.0], [1.0, 0.0]]]
        generators = VectorFieldGenerators.from_coefficients(turn, (9, 9), "linear")
        generators.build((None, 9, 9, 1))
        assert np.allclose(generators.coefficients, turn)
        ```
        """
        scaled = finite_array("coefficients", coefficients)
        one_of("field", field, FIELDS)
        radius = max((max(spatial_shape) - 1) / 2, 0.5)
        units = (
            radius if field == "free" else field_units(field, len(spatial_shape), radius)
        )
        return cls(
            len(scaled),
            field,
            derivative,
            coefficients=scaled * units,
            trainable=trainable,
            **kwargs,
        )

    def _check_given(self, coefficients: Any) -> np.ndarray | None:
        if coefficients is None:
            return None
        given = finite_array("coefficients", coefficients)
        if given.ndim != 3 or len(given) != self.num_generators:
            raise ValueError(
                f"`coefficients` must have shape `(k, ndim, p)` with "
                f"k={self.num_generators}. Received: shape {given.shape}"
            )
        if self.field != "free":
            ndim = given.shape[1]
            expected = len(_exponents(self.field, ndim))
            if given.shape[2] != expected:
                raise ValueError(
                    f"A {self.field} field on {ndim} spatial axes has "
                    f"p={expected} monomials. "
                    f"Received: `coefficients` of shape {given.shape}"
                )
        return given

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates `coefficients`, of shape `(k, ndim, p)`."""
        super().build(input_shape)
        shape = self._require_built("build")
        ndim = len(shape)
        self._radius = max((max(shape) - 1) / 2, 0.5)
        self._derivatives = tuple(LineDerivative(n, self.derivative) for n in shape)
        self._derivative_norms = np.array([D.norm for D in self._derivatives])
        if self.field == "free":
            self._monomials = None
            self._units = np.full(math.prod(shape), self._radius)
        else:
            points = _centred_points(shape) / self._radius
            self._monomials = monomials(self.field, points)
            self._units = field_units(self.field, ndim, self._radius)
        expected = (self.num_generators, ndim, len(self._units))
        if self._given is not None and self._given.shape[1] != ndim:
            raise ValueError(
                f"The fields of {self.name!r} are for {self._given.shape[1]} spatial axes, "
                "and need an input with so many, and with an axis of channels. "
                f"Received: an input of spatial shape {shape}"
            )
        if self._given is not None and self._given.shape != expected:
            raise ValueError(
                f"The `coefficients` of {self.name!r} have shape {self._given.shape}. "
                f"An input of spatial shape {shape} needs shape {expected}"
            )
        self.coefficients = self.add_weight(
            name="coefficients",
            shape=expected,
            initializer=self._initializer(ndim),
            regularizer=self.regularizer,
            constraint=self.constraint,
            trainable=self.is_learned,
        )

    def _initializer(self, ndim: int) -> Any:
        if self._given is not None:
            values = self._given / self._units
            return lambda shape, dtype=None: ops.convert_to_tensor(values, dtype=dtype)
        # |L| <= sum_a max |v^a| |D| with |D| <= pi; a component with p normal
        # coefficients is at most about 3 stddev sqrt(p) at its largest point.
        num_monomials = 1 if self._monomials is None else len(self._monomials)
        largest = 3 * self._radius * math.sqrt(num_monomials)
        stddev = INITIAL_NORM / (math.pi * ndim * largest)
        return keras.initializers.RandomNormal(stddev=stddev)

    def initial_norm_bounds(self) -> np.ndarray:
        """Bounds of the spectral norms at the start of training, of shape `(k,)`."""
        if self._given is None:
            return np.full(self.num_generators, INITIAL_NORM)
        largest = np.abs(self._fields_from(self._given / self._units)).max(axis=-1)
        return largest @ self._derivative_norms

    def norm_bounds(self) -> Any:
        """Bounds `sum_a max_x |v^a(x)| |d/dx^a|` of the spectral norms, a tensor `(k,)`."""
        return self._norms_of(self._fields(self.variable_dtype))

    def operator_norm(self, t: Any) -> Any:
        """An upper bound of `|sum_i t_i L_i|`: that of the field `sum_i t_i v_i`.

        Args:
            t: Tensor of shape `(k,)` or `(batch, k)`.

        Returns:
            Tensor of shape `()` or `(batch,)`.
        """
        t = self._to_tensor(t)
        return self._norms_of(ops.einsum("...k,kad->...ad", t, self._fields(t.dtype)))

    def _norms_of(self, fields: Any) -> Any:
        """Bounds of the norms for fields `(..., ndim, d)`."""
        norms = ops.convert_to_tensor(self._derivative_norms, dtype=fields.dtype)
        return ops.sum(ops.max(ops.abs(fields), axis=-1) * norms, axis=-1)

    def traced_norm_bound(self) -> float:
        """The bound of `|sum_i t_i L_i|` that `transform` assumes where it is not known.

        Content then moves by up to `pi` times half of the grid's width, along each axis:
        a half turn, or a translation beyond the border.
        """
        return math.pi * self._radius * float(np.sum(self._derivative_norms))

    @property
    def is_antisymmetric(self) -> bool:
        """Whether the fields are fixed, and no component `v^a` depends on `x_a`.

        So it is for translations, rotations and shears: the derivative along an axis is
        an antisymmetric matrix, and commutes with what does not depend on its axis.
        """
        if self.is_learned or self._given is None or self.field == "free":
            return False
        ndim = self._given.shape[1]
        depends = _exponents(self.field, ndim).T > 0
        return not np.any(self._given[:, depends])

    def _fields_from(self, coefficients: np.ndarray) -> np.ndarray:
        """Fields `(k, ndim, d)` in grid steps, in NumPy."""
        fields = self._radius * coefficients
        return fields if self._monomials is None else fields @ self._monomials

    def vector_fields(self) -> np.ndarray:
        """The fields `v_i` at the grid points, in grid steps per unit of parameter.

        Returns:
            Array `(k, *spatial, ndim)`.
        """
        shape = self._require_built("vector_fields")
        fields = self._fields_from(ops.convert_to_numpy(self.coefficients))
        return np.moveaxis(fields, 1, -1).reshape(-1, *shape, len(shape))

    def vector_field_tensor(self, dtype: str | None = None) -> Any:
        """The same as `vector_fields`, with a gradient and inside of graphs.

        Args:
            dtype: The dtype of the result; by default that of computations.

        Returns:
            Tensor `(k, *spatial, ndim)`.
        """
        shape = self._require_built("vector_field_tensor")
        fields = ops.swapaxes(self._fields(dtype or self.compute_dtype), 1, 2)
        return ops.reshape(fields, (-1, *shape, len(shape)))

    def algebra(self, tolerance: float | None = None) -> LieAlgebra:
        """The Lie algebra that the generators span.

        Matrices on a finite grid only nearly close under brackets. Linear and affine
        fields do: for these it is the algebra of the fields `v_i(x) = A_i x + b_i`,
        as matrices `[[A, b], [0, 0]]`. It needs no grid for given `coefficients`.

        Args:
            tolerance: What counts as zero, as for `LieAlgebra`.

        Returns:
            A `LieAlgebra`: of `(ndim + 1) x (ndim + 1)` matrices for affine fields, of
            `ndim x ndim` ones for linear fields, and else of `d x d` ones. Lengths are in
            units of half of the grid's width, or in grid steps before there is a grid.

        Raises:
            ValueError: If the generators have no values yet, or are linearly dependent.

        Example:
        ```python
        from keras_lconv.generators import affine, rotation

        assert affine().algebra().identify().name == "aff(2)"
        assert rotation(3).algebra().identify().name == "so(3)"
        ```
        """
        values = self._known_coefficients()
        if values is None or self.field not in ("linear", "affine"):
            return super().algebra(tolerance)
        return LieAlgebra(_as_matrices(values, self.field), tolerance)

    def matrices(self) -> np.ndarray:
        """Fixed generators as matrices in NumPy, `(k, d, d)`, from given `coefficients`."""
        if self.is_learned or self._given is None:
            return super().matrices()
        shape = self._require_built("matrices")
        fields = self._fields_from(self._given / self._units)
        matrices = np.zeros((self.num_generators, math.prod(shape), math.prod(shape)))
        for axis, derivative in enumerate(self._derivatives):
            before, after = math.prod(shape[:axis]), math.prod(shape[axis + 1 :])
            along = np.kron(np.kron(np.eye(before), derivative.matrix), np.eye(after))
            matrices -= fields[:, axis, :, None] * along
        return matrices

    def representation(self) -> np.ndarray:
        """Matrices with the brackets of generators that are not learned, in NumPy.

        For linear and affine fields those of `algebra`, with lengths in grid steps.
        """
        if self.is_learned or self._given is None or self.field not in ("linear", "affine"):
            return super().representation()
        return _as_matrices(self._given, self.field)

    def _known_coefficients(self) -> np.ndarray | None:
        """The values that the coefficients have, if they have any yet."""
        return ops.convert_to_numpy(self.coefficients) if self.built else self._given

    def _fields(self, dtype: str) -> Any:
        """Fields `(k, ndim, d)` in grid steps, as a tensor."""
        fields = self._radius * ops.cast(self.coefficients, dtype)
        if self._monomials is None:
            return fields
        monomials = ops.convert_to_tensor(self._monomials, dtype=dtype)
        return ops.einsum("kap,pd->kad", fields, monomials)

    def _differentiate(self, f: Any, axis: int) -> Any:
        """The derivative of `f`, of shape `(batch, d, ...)`, along a spatial axis."""
        shape = self._require_built("call")
        rest = math.prod(shape[axis + 1 :] + f.shape[2:])
        lines = ops.reshape(f, (-1, shape[axis], rest))
        return ops.reshape(self._derivatives[axis](lines), (-1, *f.shape[1:]))

    def differentiate(self, f: Any, axis: int) -> Any:
        """The derivative along one spatial axis, as the generators take it.

        Args:
            f: Tensor `(batch, *spatial, ...)`, with any further axes.
            axis: Number of the spatial axis, from 0.

        Returns:
            Tensor of the shape of `f`, per grid step.
        """
        return self._unflatten(self._differentiate(self._flatten(f), axis))

    def call(self, inputs: Any) -> Any:
        """All Lie derivatives `L_i f`, of shape `(batch, *spatial, k, channels)`."""
        f = self._flatten(inputs)
        gradient = ops.stack(
            [self._differentiate(f, axis) for axis in range(self._ndim)], axis=2
        )
        fields = self._fields(f.dtype)
        return self._unflatten(-ops.einsum("kad,bdac->bdkc", fields, gradient))

    def combine(self, z: Any) -> Any:
        """The sum `sum_i L_i z_i`, of shape `(batch, *spatial, channels)`."""
        z = self._flatten(z)
        fields = self._fields(z.dtype)
        terms = [
            ops.einsum("kd,bdkc->bdc", fields[:, axis], self._differentiate(z, axis))
            for axis in range(self._ndim)
        ]
        return self._unflatten(-sum(terms))

    def cost(self, channels: int, operation: str = "call") -> Cost:
        """One derivative along each axis, `d (n_1 + ... + n_ndim)` multiply-adds a channel.

        Central differences cost `2 d ndim`, and Fourier transforms `4 log n` on an axis.

        `call` needs the derivatives once for all generators, `combine` for each of them.

        Args:
            channels: Number of channels that the generators act on.
            operation: `"call"` or `"combine"`.

        Returns:
            A `Cost` for one sample.
        """
        shape = self._require_built("cost")
        size, k = math.prod(shape), self.num_generators
        each = sum(derivative.multiply_adds for derivative in self._derivatives)
        copies = channels * (k if operation == "combine" else 1)
        gradients = size * len(shape) * copies
        results = super().cost(channels, operation).bytes
        products = size * each * copies + size * len(shape) * k * channels
        return Cost(products, results + BYTES * gradients)

    def linear_combination(self, t: Any) -> Callable[[Any], Any]:
        """The operator `sum_i t_i L_i`: the derivative along `sum_i t_i v_i`."""
        fields = self._fields(t.dtype)
        if len(t.shape) == 1:
            field = ops.einsum("k,kad->ad", t, fields)[None, ..., None]
        else:
            field = ops.einsum("bk,kad->bad", t, fields)[..., None]

        def act(f: Any) -> Any:
            f = self._flatten(f)
            terms = [
                field[:, axis] * self._differentiate(f, axis) for axis in range(self._ndim)
            ]
            return self._unflatten(-sum(terms))

        return act

    @property
    def _ndim(self) -> int:
        return len(self._require_built("call"))

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


def _as_matrices(coefficients: np.ndarray, field: str) -> np.ndarray:
    """Linear fields as matrices `A`, affine ones as `[[A, b], [0, 0]]`."""
    if field == "linear":
        return coefficients
    # The columns are b, A; a zero row makes the matrix square.
    matrices = np.roll(coefficients, -1, axis=2)
    return np.pad(matrices, ((0, 0), (0, 1), (0, 0)))


def monomials(field: str, points: np.ndarray) -> np.ndarray:
    """The monomials of a field at points `(..., ndim)`, of shape `(p, ...)`."""
    powers = _exponents(field, points.shape[-1])
    values = np.ones((len(powers), *points.shape[:-1]))
    for value, exponents in zip(values, powers, strict=True):
        # Products are much faster than powers.
        for axis in np.repeat(np.arange(len(exponents)), exponents):
            value *= points[..., axis]
    return values


def field_units(field: str, ndim: int, radius: float) -> np.ndarray:
    """What coefficients in units of `radius` are multiplied by in grid steps, `(p,)`."""
    return radius ** (1.0 - _exponents(field, ndim).sum(axis=-1))


def _exponents(field: str, ndim: int) -> np.ndarray:
    """Exponents `(p, ndim)` of the monomials of a field, by growing degree."""
    return np.array(
        [
            np.bincount(axes, minlength=ndim) if axes else np.zeros(ndim, dtype=int)
            for degree in DEGREES[field]
            for axes in itertools.combinations_with_replacement(range(ndim), degree)
        ]
    )


def _centred_points(shape: tuple[int, ...]) -> np.ndarray:
    """Coordinates `(d, ndim)` of the grid points, the centre of the grid at zero."""
    axes = [np.arange(n) - (n - 1) / 2 for n in shape]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(shape))
