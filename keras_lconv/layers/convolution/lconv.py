"""The Lie algebra convolution."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_lconv._layout import flatten, masked, unflatten
from keras_lconv._typing import (
    Activation,
    Constraint,
    GeneratorsLike,
    Initializer,
    Regularizer,
    Tensor,
)
from keras_lconv._validation import one_of, positive_int
from keras_lconv.generators import Cost
from keras_lconv.generators.contraction import contract, contraction_cost, contractions
from keras_lconv.initializers import LConvInitializer, activation_gain
from keras_lconv.layers.convolution.kernel_layer import KernelLayer

SELF_INTERACTIONS = ("learned", "identity", None)


@keras.saving.register_keras_serializable(package="keras_lconv")
class LConv(KernelLayer):
    """Lie algebra convolution (L-conv): a convolution by infinitesimal generators.

    `Q[f] = f W_0 + sum_i (L_i f) W_i + b`, with generators `L_1, ..., L_k` that act on
    positions and matrices `W_0, ..., W_k` that act on channels. It is the first-order
    term of a group convolution whose kernel sits near the identity. The generators may
    be known (`"rotation"`) or learned (an integer), and may be shared by layers.

    **Equivariance.** If an operator `S` on positions commutes with every `L_i`, then
    `Q[S f] = S Q[f]` (with any bias, if `S` maps constants to themselves, and any
    pointwise activation, if `S` moves points). So the layer is equivariant to
    `exp(t L)` of one generator, or of generators that commute with each other, such as
    translations. With generators that do not commute it is not: conjugation mixes them.
    Features on the group itself are the way out: the left-invariant fields of
    `SE2Generators` commute with all of SE(2).

    Args:
        filters: Number of output channels.
        generators: The generators. An integer `k`: learned, dense, or of low rank with
            `rank`. A name, for images: `"rotation"`, `"translation"`, `"scaling"`,
            `"shear"`, `"affine"`; for features of `SE2Lift`: `"se2"`, or `"e2"` with
            reflections. An array `(k, d', d)` or a `LieAlgebra`: fixed matrices. Or an
            instance of `keras_lconv.generators.Generators`, also one that other layers use
            too.
        rank: Rank of learned generators, or the hidden sizes of a chain of factors.
        num_steps: How often `Q` is applied, with the same weights. With several steps
            a layer reaches group elements farther from the identity,
            `(1 + t/n L)^n -> exp(t L)`. The number of channels must then be `filters`.
        self_interaction: The term without a generator. `"learned"`: `f W_0`.
            `"identity"`: `f` itself, `Q[f] = f + sum_i (L_i f) W_i + b`. `None`: no
            such term. Generators that lead to another grid leave no place for it, and
            `"learned"` then means none.
        data_format: `"channels_last"` or `"channels_first"`; by default the one of the
            Keras configuration.
        activation: Activation, applied once, after the last step.
        use_bias: Whether to add a bias, in each step.
        kernel_initializer: Initializer of `kernel`. The default, `None`, takes `W_0`
            orthogonal and `W_i` normal, scaled by the norms of the generators and for
            the activation, so that the variance of activations stays about that of
            the input, over many layers.
        bias_initializer: Initializer of `bias`.
        kernel_regularizer: Regularizer of `kernel`.
        bias_regularizer: Regularizer of `bias`.
        activity_regularizer: Regularizer of the output.
        kernel_constraint: Constraint on `kernel`.
        bias_constraint: Constraint on `bias`.
        contraction: Order of the products: `"generators_first"`, `"channels_first"`; with
            dense and neighbor generators also `"precombined"`, one matrix for positions and
            channels; with generators of low rank also `"between_factors"`. All give the
            same result. `"auto"` takes the one with the least `Cost.effort`, see
            `contraction_costs`.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape:
        `(batch, *spatial, channels)` with any number of spatial axes, all of defined
        size (`(batch, channels, *spatial)` with `data_format="channels_first"`), or
        `(batch, d)`, which is used as `(batch, d, 1)`. A mask `(batch, *spatial)`, or
        of the first of these axes, is respected: masked positions count as zero.

    Output shape:
        `(batch, *spatial', filters)`, or `(batch, filters, *spatial')`. `spatial'` is
        that of the input, unless the generators lead to another grid.

    Attributes:
        generators: The generators, a Keras layer.
        kernel: `W`, of shape `(k + 1, channels, filters)`, with `W_0` first; without
            a learned self-interaction of shape `(k, channels, filters)`.
        bias: `b`, of shape `(filters,)`, or `None`.
        contraction: The order of the products, once the layer is built.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, a spatial dimension is undefined,
            or the generators do not fit the input.

    Example:
    ```python
    import keras
    from keras_lconv import LConv

    model = keras.Sequential([
        keras.Input((28, 28, 1)),
        LConv(16, "rotation", activation="relu"),
        LConv(16, 4, rank=8, activation="relu"),
        keras.layers.GlobalAveragePooling2D(),
        keras.layers.Dense(10),
    ])
    assert model.output_shape == (None, 10)
    ```

    Reference:
        N. Dehmamy, R. Walters, Y. Liu, D. Wang, R. Yu, "Automatic Symmetry Discovery
        with Lie Algebra Convolutional Network", NeurIPS 2021, equation 6.
    """

    def __init__(
        self,
        filters: int,
        generators: GeneratorsLike,
        *,
        rank: int | Sequence[int] | None = None,
        num_steps: int = 1,
        self_interaction: str | None = "learned",
        data_format: str | None = None,
        activation: Activation = None,
        use_bias: bool = True,
        kernel_initializer: Initializer = None,
        bias_initializer: Initializer = "zeros",
        kernel_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        activity_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        contraction: str = "auto",
        **kwargs: Any,
    ):
        super().__init__(
            filters,
            generators,
            rank=rank,
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
        self.num_steps = positive_int("num_steps", num_steps)
        self.self_interaction = one_of(
            "self_interaction", self_interaction, SELF_INTERACTIONS
        )
        options = ("auto", *contractions(self.generators))
        self._contraction = one_of("contraction", contraction, options)
        self.contraction = self._contraction
        # Here and not in `build`, which may run while a graph is traced.
        if self.kernel_initializer is None:
            self._gain = activation_gain(self.activation)

    def _add_kernel(self, channels: int) -> None:
        self._check_steps(channels)
        is_square = self.generators.is_square
        self._kernel_has_mix = is_square and self.self_interaction == "learned"
        num_matrices = self.generators.num_generators + self._kernel_has_mix
        self.contraction = self._choose_contraction(channels)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(num_matrices, channels, self.filters),
            initializer=self.kernel_initializer or self._default_kernel(),
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )

    def _default_kernel(self) -> LConvInitializer:
        return LConvInitializer(
            self.generators.initial_norm_bounds(),
            self_interaction=self.self_interaction if self.generators.is_square else None,
            gain=self._gain,
            num_steps=self.num_steps,
        )

    def _check_steps(self, channels: int) -> None:
        if self.self_interaction == "identity":
            self._require_square("`self_interaction='identity'` adds the input")
            if channels != self.filters:
                raise ValueError(
                    f"`self_interaction='identity'` of {self._owner} adds the input to "
                    f"the output, and needs filters={channels}, the number of input "
                    f"channels. Received: filters={self.filters}"
                )
        if self.num_steps > 1:
            self._require_square(f"`num_steps={self.num_steps}` applies one map repeatedly")
            if channels != self.filters:
                raise ValueError(
                    f"`num_steps={self.num_steps}` of {self._owner} applies one map "
                    "repeatedly, which needs as many filters as input channels. "
                    f"Received: filters={self.filters} for {channels} channels"
                )

    def _choose_contraction(self, channels: int) -> str:
        """The order of products with the least effort, or the given one."""
        if self._contraction != "auto":
            return self._contraction
        costs = self.contraction_costs(channels)
        return min(costs, key=lambda order: costs[order].effort)

    def contraction_costs(self, channels: int) -> dict[str, Cost]:
        """What the products of `sum_i (L_i f) W_i` cost for one sample, in each order.

        Args:
            channels: Number of input channels.

        Returns:
            By name, the `Cost` of each order that the generators can do.

        Raises:
            ValueError: If the layer is not built yet.
        """
        return {
            order: contraction_cost(self.generators, order, channels, self.filters)
            for order in contractions(self.generators)
        }

    # ------------------------------------------------------------------ call

    def _transform(self, f: Tensor, mask: Tensor | None) -> Tensor:
        shape = self._output_spatial_shape(tuple(f.shape[1:-1]))
        f = unflatten(self._act(flatten(f)), shape)
        for _ in range(self.num_steps - 1):
            f = unflatten(self._act(flatten(masked(f, mask))), shape)
        return self.activation(f)

    def _act(self, f: Tensor) -> Tensor:
        """One step: `f W_0 + sum_i (L_i f) W_i + b`."""
        kernel = ops.cast(self.kernel, f.dtype)
        weights = kernel[1:] if self._kernel_has_mix else kernel
        # The sum `sum_i (L_i f) W_i`, in the order of products that was chosen.
        output = contract(self.generators, f, weights, self.contraction)
        if self._kernel_has_mix:
            output = output + ops.einsum("bdc,cf->bdf", f, kernel[0])
        elif self.self_interaction == "identity":
            output = f + output
        return self._add_bias(output)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer. The generators carry their rank."""
        return {
            **super().get_config(),
            "num_steps": self.num_steps,
            "self_interaction": self.self_interaction,
            "contraction": self._contraction,
        }
