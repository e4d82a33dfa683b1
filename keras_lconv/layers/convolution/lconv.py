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
from keras_lconv._validation import (
    MOST_ORDER,
    MOST_STEPS,
    count,
    one_of,
    optional,
    positive_int,
    positive_number,
)
from keras_lconv.generators import Cost, Generators
from keras_lconv.generators.contraction import contract, contraction_cost, contractions
from keras_lconv.generators.enveloping import LEARNED, Enveloping
from keras_lconv.initializers import LConvInitializer, activation_gain
from keras_lconv.layers.convolution.kernel_layer import KernelLayer

SELF_INTERACTIONS = ("learned", "identity", None)
# Arguments of convolutions with a window.
WINDOW_ARGUMENTS = {"kernel_size", "strides", "padding", "dilation_rate"}


@keras.saving.register_keras_serializable(package="keras_lconv")
class LConv(KernelLayer):
    """Lie algebra convolution (L-conv): a convolution by infinitesimal generators.

    `Q[f] = f W_0 + sum_i (L_i f) W_i + b`, with generators `L_1, ..., L_k` that act on
    positions and matrices `W_0, ..., W_k` that act on channels. It is the first-order term
    of a group convolution whose kernel is concentrated near the identity. The generators
    are known (`"rotation"`) or learned (an integer), and several layers may share them.

    **Width.** A first derivative sees one point only. With `order=r` and `smoothing` the
    layer uses all products of generators up to degree `r` on smoothed features. These see a
    neighbourhood, as the window of a convolution does:

    `Q[f] = f W_0 + sum_a (L^a exp(-tau C) f / u_a) W_a + b`, with `|a| <= r`,

    where `C` is the Casimir operator, as in `CasimirPooling`. For translations `C` is minus
    the Laplacian, and `exp(-tau C)` the Gaussian blur of width `sqrt(2 tau)`. There is one
    operator for each multi-index `a`: the mean of the products over all orders of the
    factors. The units `u_a` are constants that let all weights learn at the same speed. For
    translations every operator keeps the variance of noise. For other generators the units
    are bounds of norms; learned generators count with the norm 1. No matrix on all
    positions is formed.

    **Equivariance.** If an operator `S` on positions commutes with every `L_i`, then
    `Q[S f] = S Q[f]` (with any bias, if `S` maps constants to themselves, and any pointwise
    activation, if `S` moves points). So the layer is equivariant to `exp(t L)` of one
    generator, or of generators that commute with each other, such as translations. With
    generators that do not commute it is not equivariant: conjugation mixes them. With
    `order=0` only the functions `exp(-tau C)` of the Casimir operator remain. They commute
    with the whole algebra, and for translations with rotations, too. On features on the
    group itself, such as those of `SE2Lift` and `GroupLift`, the left-invariant fields
    commute with the whole group.

    Args:
        filters: Number of output channels.
        generators: The generators. An integer `k`: learned, dense, or of low rank with
            `rank`. A name, for images: `"rotation"`, `"translation"`, `"scaling"`,
            `"shear"`, `"affine"`; for features of `SE2Lift` `"se2"`, or `"e2"` with
            reflections. An array `(k, d', d)` or a `LieAlgebra`: fixed matrices. Or an
            instance of `keras_lconv.generators.Generators`, which layers may share.
        rank: Rank of learned generators, or the hidden sizes of a chain of factors.
        order: The largest degree of products of generators, at most 20 and with at most
            1000 products; 0 with `smoothing` only.
        smoothing: `None`, one `tau` or several, in squared units of the parameters, or
            `"learned"` for one that is learned. 0.5 suits translations: a blur of one grid
            step. For other generators a good value is 0.5 divided by the square of the
            largest displacement, in grid steps, for a unit of the parameter. If learned
            generators grow beyond the range of the series, `tau` is scaled back.
        num_steps: Number of times that `Q` is applied with the same weights, at most 1000.
            Several steps reach group elements farther from the identity,
            `(1 + t/n L)^n -> exp(t L)`. The number of channels must then be `filters`.
        self_interaction: The term without a generator. `"learned"`: `f W_0`. `"identity"`:
            `f` itself, `Q[f] = f + sum_i (L_i f) W_i + b`. `None`: no such term. With
            generators that lead to another grid there is no such term, and `"learned"`
            means none.
        data_format: `"channels_last"` or `"channels_first"`; by default the one of the
            Keras configuration.
        activation: Activation, applied once, after the last step.
        use_bias: Whether to add a bias, in each step.
        kernel_initializer: Initializer of `kernel`. By default `W_0` is orthogonal and
            `W_i` are normal, scaled by the norms of the generators and for the activation,
            so that the variance of activations stays about that of the input over many
            layers. Products of translations start as convolutions do, with equal shares of
            all operators.
        bias_initializer: Initializer of `bias`.
        kernel_regularizer: Regularizer of `kernel`.
        bias_regularizer: Regularizer of `bias`.
        activity_regularizer: Regularizer of the output.
        kernel_constraint: Constraint on `kernel`.
        bias_constraint: Constraint on `bias`.
        contraction: Order of the products: `"generators_first"`, `"channels_first"`; with
            dense and neighbor generators also `"precombined"`, one matrix for positions and
            channels; with generators of low rank also `"between_factors"`; with products of
            translations also `"between_axes"`. All give the same result. `"auto"` uses the
            one with the least `Cost.effort`, see `contraction_costs`.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape:
        `(batch, *spatial, channels)` with any number of spatial axes, all of defined size
        (`(batch, channels, *spatial)` with `data_format="channels_first"`), or
        `(batch, d)`, which is used as `(batch, d, 1)`. With a mask `(batch, *spatial)`, or
        a mask of the first of these axes, masked positions count as zero.

    Output shape:
        `(batch, *spatial', filters)`, or `(batch, filters, *spatial')`. `spatial'` is
        that of the input, unless the generators lead to another grid.

    Attributes:
        generators: The generators, a Keras layer.
        operators: The operators on positions: `generators`, or their products.
        kernel: `W`, of shape `(k + 1, channels, filters)`, with `W_0` first; without
            a learned self-interaction of shape `(k, channels, filters)`. With `order` or
            `smoothing`, `k` is the number of operators, which are sorted by `tau`, then by
            degree, then by multi-index, `(2, 0), (1, 1), (0, 2)`.
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

    This layer replaces a convolution with a small window:

    ```python
    from keras_lconv import LConv
    from keras_lconv.generators import translation

    layer = LConv(16, translation(1), order=3, smoothing=0.5, activation="relu")
    layer.build((None, 64, 1))
    assert layer.kernel.shape == (1 + 4, 1, 16)
    ```

    Reference:
        N. Dehmamy, R. Walters, Y. Liu, D. Wang, R. Yu, "Automatic Symmetry Discovery
        with Lie Algebra Convolutional Network", NeurIPS 2021, equation 6. E. Jenner, M.
        Weiler, "Steerable partial differential operators for equivariant neural
        networks", ICLR 2022, for higher orders.
    """

    def __init__(
        self,
        filters: int,
        generators: GeneratorsLike,
        *,
        rank: int | Sequence[int] | None = None,
        order: int = 1,
        smoothing: float | Sequence[float] | str | None = None,
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
        windows = sorted(WINDOW_ARGUMENTS & kwargs.keys())
        if windows:
            raise TypeError(
                f"`LConv` takes no `{windows[0]}`, because it has no window: its output "
                "has the positions of its input. Received: "
                f"{windows[0]}={kwargs[windows[0]]!r}. Use `StridedPooling` for a coarser "
                "grid, or `SteerableConv` for windows"
            )
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
        self.num_steps = positive_int("num_steps", num_steps, most=MOST_STEPS)
        self.self_interaction = one_of(
            "self_interaction", self_interaction, SELF_INTERACTIONS
        )
        self.order = count("order", order, most=MOST_ORDER)
        self.smoothing = _checked_smoothing(smoothing)
        self._enveloping = self._wider()
        options = ("auto", *contractions(self.operators))
        self._contraction = one_of("contraction", contraction, options)
        self.contraction = self._contraction
        # This is not in `build`, because that may run while a graph is traced.
        if self.kernel_initializer is None:
            self._gain = activation_gain(self.activation)

    @property
    def operators(self) -> Generators:
        """The operators on positions: the generators, or their products."""
        return self.generators if self._enveloping is None else self._enveloping

    def _wider(self) -> Enveloping | None:
        """The products of generators, or `None` if only the generators are needed."""
        if self.order == 1 and self.smoothing is None:
            return None
        self._require_square(f"`order={self.order}` multiplies them, `smoothing` as well")
        if self.order == 0 and self.smoothing is None:
            raise ValueError(
                "`order=0` leaves no generators, so it needs `smoothing`. Received: "
                "order=0, smoothing=None"
            )
        return Enveloping(
            self.generators,
            self.order,
            self.smoothing,
            name="products",
            dtype=self.dtype_policy,
        )

    def _build_enveloping(self, products: Enveloping) -> None:
        products.norm_bound = self._norm_bound
        products.build_for((None, *self.generators.require_built("build"), 1), self._owner)
        self._norm_bound = products.norm_bound

    def _add_kernel(self, channels: int) -> None:
        self._check_steps(channels)
        is_square = self.generators.is_square
        self._kernel_has_mix = is_square and self.self_interaction == "learned"
        if self._enveloping is not None:
            self._build_enveloping(self._enveloping)
        num_matrices = self.operators.num_generators + self._kernel_has_mix
        self.contraction = self._choose_contraction(channels)
        self.kernel = self._add_kernel_weight(
            (num_matrices, channels, self.filters),
            self.kernel_initializer or self._default_kernel(),
        )

    def _default_kernel(self) -> keras.initializers.Initializer:
        is_sum = self.self_interaction != "identity" and self.num_steps == 1
        if is_sum and self._enveloping is not None and self._enveloping.keeps_variance:
            return keras.initializers.VarianceScaling(
                self._gain**2, mode="fan_in", distribution="untruncated_normal"
            )
        return LConvInitializer(
            self.operators.initial_norm_bounds(),
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
                    "repeatedly, so `filters` must equal the number of input channels. "
                    f"Received: filters={self.filters} for {channels} channels"
                )

    def _choose_contraction(self, channels: int) -> str:
        """The order of products with the least effort, or the given one."""
        if self._contraction != "auto":
            return self._contraction
        costs = self.contraction_costs(channels)
        return min(costs, key=lambda order: costs[order].effort)

    def contraction_costs(self, channels: int) -> dict[str, Cost]:
        """The cost of the products in `sum_i (L_i f) W_i` for one sample, in each order.

        Args:
            channels: Number of input channels.

        Returns:
            A dictionary from the name of each order that the generators support to its
            `Cost`.

        Raises:
            ValueError: If the layer is not built yet.
        """
        return {
            order: contraction_cost(self.operators, order, channels, self.filters)
            for order in contractions(self.operators)
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
        # The sum `sum_i (L_i f) W_i`, in the chosen order of products.
        output = contract(self.operators, f, weights, self.contraction)
        if self._kernel_has_mix:
            output = output + ops.einsum("bdc,cf->bdf", f, kernel[0])
        elif self.self_interaction == "identity":
            output = f + output
        return self._add_bias(output)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer. The generators carry their rank."""
        return {
            **super().get_config(),
            "order": self.order,
            "smoothing": self.smoothing,
            "num_steps": self.num_steps,
            "self_interaction": self.self_interaction,
            "contraction": self._contraction,
        }


def _checked_smoothing(smoothing: object) -> tuple[float, ...] | str | None:
    """`None`, `"learned"`, or several positive numbers."""
    if smoothing is None or isinstance(smoothing, str):
        return optional(
            lambda name, value: one_of(name, value, (LEARNED,)), "smoothing", smoothing
        )
    if isinstance(smoothing, (list, tuple)):
        if not smoothing:
            raise ValueError(
                f"`smoothing` must not be empty. Received: smoothing={smoothing!r}"
            )
        return tuple(positive_number("smoothing", tau) for tau in smoothing)
    return (positive_number("smoothing", smoothing),)
