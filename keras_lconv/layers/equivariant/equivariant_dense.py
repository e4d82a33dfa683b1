"""The general linear layer that commutes with a Lie algebra, or a group."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._typing import (
    Activation,
    Constraint,
    GeneratorsLike,
    Initializer,
    Regularizer,
    Tensor,
)
from keras_lconv._validation import fraction, positive_int, positive_ints
from keras_lconv.algebra import MatrixGroup, Representation, trivial
from keras_lconv.generators import Generators
from keras_lconv.generators.domain import if_known
from keras_lconv.generators.families.group import matrices_or_images, with_groups
from keras_lconv.generators.registry import named
from keras_lconv.layers.base import serialize_shared
from keras_lconv.layers.convolution.kernel_layer import KernelLayer
from keras_lconv.layers.equivariant.maps import equivariant_maps, invariant_vectors

TRIVIAL = "trivial"


@keras.saving.register_keras_serializable(package="keras_lconv")
class EquivariantDense(KernelLayer):
    """Every linear map that commutes with the group: `y = sum_m B_m f w_m + b`.

    The input is a list of `c` objects, one for each channel, on which the algebra acts by
    `L_i`. The output is a list of `units` objects on which it acts by `K_i`. The matrices
    `B_m` are a basis of the maps with `K_i B = B L_i` (`keras_lconv.algebra.intertwiners`).
    The layer finds them once, when it is built. The layer learns the matrices `w_m`, of
    shape `(c, units)`, and a bias in the directions of the output that `K_i` leaves
    unchanged.

    This is the fully connected layer under the constraint of a symmetry. For vectors and
    tensors it is the layer of EMLP. For images and the translations of a periodic grid it
    is a convolution with a kernel of the size of the image. For permutations of `n` numbers
    it is the layer of DeepSets. For groups with further elements, such as reflections, and
    for finite groups, give a `keras_lconv.algebra.MatrixGroup`, which acts on vectors, or a
    `Representation`. Maps then also satisfy `rho_out(h) B = B rho_in(h)`.

    By Schur's lemma, the maps between two irreducible representations are zero unless the
    representations are isomorphic. If they are, the maps are multiples of one map by real
    or complex numbers or by quaternions. So a layer on single vectors only mixes channels.
    Sums and products of representations have more maps (`keras_lconv.algebra.direct_sum`,
    `tensor_product`). From products of two vectors in space there is one map to numbers,
    the dot product, and one to vectors, the cross product. `keras_lconv.TensorProduct`
    makes such products.

    **Equivariance.** `Q[exp(t L) f] = exp(t K) Q[f]` for all `t`, exactly, also for
    algebras that are not compact or do not commute, and for further elements of a group. On
    a periodic grid of even size `exp(t L)` does not move the highest frequency, so a shift
    by one position is not among these motions; odd sizes have no such frequency. With a
    pointwise `activation` this holds for outputs that are invariant, or whose components
    the group permutes. For others an `activation` raises an error; use `GatedActivation` or
    `NormActivation`.

    Args:
        units: Number of output channels, the objects in the output.
        generators_in: Fixed generators `L_i`, as for `LConv`: a name, an array `(k, n, n)`,
            a `LieAlgebra` or an instance. For generators found in data, give
            `report.algebra.nearest_closed()`, because a span that is not closed usually has
            no maps. Or a `MatrixGroup`, or a `Representation` of one.
        generators_out: Fixed generators `K_i` of the output, for the same elements of the
            algebra in the same order; or another representation of the group. By default
            `generators_in`. `"trivial"` is for numbers that the group does not change; the
            output then has no spatial axes.
        output_dim: Spatial shape of the output, if `generators_out` fits several. By
            default the size of its matrices, or the spatial shape of the input.
        tolerance: Threshold for commuting, as for `intertwiners`. By default `1e-5`, more
            than the rounding error of float32, and `1e-7` for generators that commute with
            each other, whose eigenvalues may be close.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        activation: Activation function, for `generators_out="trivial"` and for
            representations that permute components.
        use_bias: Whether there is a bias, if the output has invariant directions.
        kernel_initializer: Initializer of the kernel. The basis is scaled such that the
            initializers of Keras, which count `m` times `channels` inputs, keep the
            variance.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel.
        bias_regularizer: Regularizer of the bias.
        activity_regularizer: Regularizer of the output.
        kernel_constraint: Constraint on the kernel.
        bias_constraint: Constraint on the bias.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape:
        `(batch, *spatial, channels)`; with `data_format="channels_first"`
        `(batch, channels, *spatial)`. A vector `(batch, d)` is used as `(batch, d, 1)`.
        Masked positions count as zero.

    Output shape:
        `(batch, *spatial', units)`, or `(batch, units, *spatial')`; `(batch, units)` for
        `generators_out="trivial"`.

    Attributes:
        generators: `L_i`, a Keras layer.
        generators_out: `K_i`, a Keras layer, or `None` if they are trivial.
        num_maps: The number `m` of independent maps, once the layer is built.
        kernel: The coefficients `w`, of shape `(m, channels, units)`.
        bias: The coefficients of the bias, of shape `(s, units)` with `s` invariant
            directions of the output, or `None` if there are none.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If generators are learned, because their maps would change with them, or
            not square, if their numbers differ, if they have no maps, or if an `activation`
            is not equivariant.

    Example:
    ```python
    import numpy as np
    from keras_lconv import EquivariantDense, TensorProduct
    from keras_lconv.algebra import so, tensor_product

    vectors = np.random.default_rng(0).normal(size=(8, 3, 4))  # four vectors of space
    mixed = EquivariantDense(16, so(3))(vectors)
    assert tuple(mixed.shape) == (8, 3, 16)

    products = TensorProduct()([mixed, EquivariantDense(16, so(3))(vectors)])
    squares = tensor_product(so(3), so(3))
    lengths = EquivariantDense(
        5, squares, generators_out="trivial", activation="relu"
    )(products)
    assert tuple(lengths.shape) == (8, 5)
    ```

    A layer for sets of ten numbers, in any order:

    ```python
    from keras_lconv import EquivariantDense
    from keras_lconv.algebra import symmetric

    layer = EquivariantDense(4, symmetric(10), activation="relu")
    layer.build((None, 10, 3))
    assert layer.num_maps == 2
    ```

    Reference:
        M. Finzi, M. Welling, A. G. Wilson, "A practical method for constructing equivariant
        multilayer perceptrons for arbitrary matrix groups", ICML 2021.
    """

    _argument = "generators_in"

    def __init__(
        self,
        units: int,
        generators_in: GeneratorsLike | MatrixGroup | Representation,
        *,
        generators_out: GeneratorsLike | MatrixGroup | Representation | None = None,
        output_dim: int | Sequence[int] | None = None,
        tolerance: float | None = None,
        data_format: str | None = None,
        activation: Activation = None,
        use_bias: bool = True,
        kernel_initializer: Initializer = "lecun_normal",
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        activity_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        **kwargs: Any,
    ):
        super().__init__(
            positive_int("units", units),
            with_groups(generators_in),
            data_format=data_format,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            bias_initializer=bias_initializer,
            kernel_regularizer=kernel_regularizer,
            bias_regularizer=bias_regularizer,
            activity_regularizer=activity_regularizer,
            kernel_constraint=kernel_constraint,
            bias_constraint=bias_constraint,
            **kwargs,
        )
        self._is_same = generators_out is None
        self.generators_out: Generators | None = None
        if generators_out is None:
            self.generators_out = self.generators
        elif not (isinstance(generators_out, str) and generators_out == TRIVIAL):
            self.generators_out = named(
                "generators_out", with_groups(generators_out), dtype=self.dtype_policy
            )
        self._output_dim = None
        if output_dim is not None:
            self._output_dim = positive_ints("output_dim", output_dim)
        self.tolerance = None if tolerance is None else fraction("tolerance", tolerance)
        self._check_generators()
        is_linear = self.activation is keras.activations.linear
        if not (is_linear or self._is_pointwise):
            raise ValueError(
                "`activation` of an `EquivariantDense` layer must be None unless "
                "`generators_out='trivial'`, or the group permutes components: a "
                "pointwise function of components does not commute with other groups. Use "
                "`GatedActivation` or `NormActivation` instead. Received: "
                f"activation={activation!r}"
            )

    @property
    def _is_pointwise(self) -> bool:
        """Whether pointwise functions of the output commute with the group."""
        return self.generators_out is None or self.generators_out.permutes_components

    def _check_generators(self) -> None:
        for name, generators in (
            ("generators_in", self.generators),
            ("generators_out", self.generators_out),
        ):
            if generators is None:
                continue
            self._require_fixed(generators, "equivariant maps")
            if not generators.is_square:
                raise ValueError(
                    f"`{name}` must be square, because they tell how the algebra acts on "
                    f"one space. Received: generators {generators.name!r} between "
                    "different spaces"
                )
            if generators.num_generators != self.generators.num_generators:
                raise ValueError(
                    "`generators_in` and `generators_out` must represent one basis of an "
                    "algebra, with one matrix for each of its elements, or one group. "
                    f"Received: {self.generators.num_generators} and "
                    f"{generators.num_generators} matrices"
                )

    @property
    def units(self) -> int:
        """The number of output channels."""
        return self.filters

    # ---------------------------------------------------------------- shapes

    def _output_spatial_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        generators = self.generators_out
        if generators is None:
            return ()
        if self._is_same:
            return shape
        if self._output_dim is not None:
            return self._output_dim
        if generators.spatial_shape is not None:
            return generators.spatial_shape
        acting = if_known(generators, lambda: matrices_or_images(generators))
        if acting is None:
            return shape
        size = acting.shape[1]
        return shape if size == math.prod(shape) else (size,)

    def _add_kernel(self, channels: int) -> None:
        source = matrices_or_images(self.generators)
        target = self._target(len(source))
        self._maps = equivariant_maps(source, target, self.tolerance)
        self.num_maps = self._maps.num_maps
        if not self.num_maps:
            raise ValueError(
                f"{self._owner} has no maps: there is no linear map from "
                f"{source.shape[1]} to {target.shape[1]} dimensions that commutes with its "
                "generators. Sums and products of representations have more, see "
                "`keras_lconv.algebra`. Generators that are known with an error need "
                "`LieAlgebra.nearest_closed`, or a larger `tolerance`. "
                f"Received: tolerance={self.tolerance}"
            )
        self._maps.add_to(self._add_constant)
        invariant = invariant_vectors(target, self.tolerance)
        # With this scale an invariant constant has entries 1, like the bias of a
        # convolution.
        self._invariant = invariant * math.sqrt(target.shape[1])
        self.kernel = self._add_kernel_weight((self.num_maps, channels, self.units))
        self._bias_basis = None
        if self.use_bias and len(invariant):
            self._bias_basis = self._add_constant("bias_basis", self._invariant)

    def _target(self, number: int) -> np.ndarray:
        generators = self.generators_out
        if generators is None:
            return trivial(number)
        shape = self._output_spatial_shape(self.generators.spatial_shape or ())
        generators.build_for((None, *shape, self.units), self._owner)
        return matrices_or_images(generators)

    def _bias_shape(self) -> tuple[int, ...]:
        return (len(self._invariant), self.units)

    # ------------------------------------------------------------------ call

    def _act(self, f: Tensor) -> Tensor:
        return self._add_bias(self._maps.apply(f, ops.cast(self.kernel, f.dtype)))

    def _add_bias(self, output: Tensor) -> Tensor:
        if self._bias_basis is None:
            return output
        bias = ops.einsum("sd,su->du", self._bias_basis, self.bias)
        return output + ops.cast(bias, output.dtype)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> None:
        """`None`: every output depends on all positions."""
        return None

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        config = super().get_config()
        generators_out: Any = None if self._is_same else TRIVIAL
        if self.generators_out is not None and not self._is_same:
            generators_out = serialize_shared(self.generators_out)
        units, generators_in = config.pop("filters"), config.pop("generators")
        return {
            **config,
            "units": units,
            "generators_in": generators_in,
            "generators_out": generators_out,
            "output_dim": self._output_dim,
            "tolerance": self.tolerance,
        }
