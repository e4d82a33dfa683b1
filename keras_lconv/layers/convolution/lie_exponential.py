"""A convolution with finite group elements."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_lconv._memory import require_memory
from keras_lconv._ops import working_dtype
from keras_lconv._typing import (
    Activation,
    Constraint,
    GeneratorsLike,
    Initializer,
    Regularizer,
    Tensor,
)
from keras_lconv._validation import positive_int, positive_number
from keras_lconv.generators.exponential import (
    LARGEST_NORM,
    exponential,
    floored_norm_bounds,
    within,
)
from keras_lconv.initializers import activation_gain
from keras_lconv.layers.convolution.kernel_layer import KernelLayer


@keras.saving.register_keras_serializable(package="keras_lconv")
class LieExponential(KernelLayer):
    """Group convolution by exponentials: `Q[f] = sum_j exp(t_j . L) f W_j + b`.

    This is a convolution over the group of the generators with a kernel at `m` elements
    `exp(t_j . L)`, with `t_j . L = sum_i t_ji L_i`. The layer learns the elements together
    with the matrices `W_j`. `LConv` is its first-order term: for small parameters the two
    agree with `W_0 = sum_j W_j` and `W_i = sum_j t_ji W_j`, up to an error of second order.

    Series apply the exponentials without forming a matrix, see `Generators.transform`. The
    cost grows with `max_parameter` times the norms of the generators.

    **Equivariance.** The same as that of `LConv`: to the group of one generator, or of
    generators that commute with each other, but not in general.

    Args:
        filters: Number of output channels.
        generators: The generators, as in `LConv`; square ones.
        num_elements: Number `m` of group elements.
        rank: Rank of learned generators, or the hidden sizes of a chain of factors.
        max_parameter: The parameters `t_ji` start uniform in `[-max_parameter,
            max_parameter]` and are kept there, in units of the generators (radians for
            rotations, grid steps for translations).
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        activation: Activation function.
        use_bias: Whether there is a bias.
        kernel_initializer: Initializer of the kernel. The default keeps the variance if the
            generators keep norms.
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

    Output shape:
        As the input, with `filters` channels; `(batch, d, filters)` for vectors.

    Attributes:
        generators: The generators, a Keras layer.
        parameters: `t`, of shape `(m, k)`.
        kernel: `W`, of shape `(m, channels, filters)`.
        bias: `b`, of shape `(filters,)`, or `None`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, a spatial dimension is undefined,
            or the generators are not square or do not fit the input.

    Example:
    ```python
    import numpy as np
    from keras_lconv import LieExponential

    layer = LieExponential(8, generators="rotation", num_elements=4)
    assert tuple(layer(np.ones((2, 7, 7, 3))).shape) == (2, 7, 7, 8)
    assert tuple(layer.parameters.shape) == (4, 1)
    ```

    Reference:
        N. Dehmamy et al., "Automatic Symmetry Discovery with Lie Algebra Convolutional
        Network", NeurIPS 2021, equations 3 to 6.
    """

    def __init__(
        self,
        filters: int,
        generators: GeneratorsLike,
        *,
        num_elements: int,
        rank: int | Sequence[int] | None = None,
        max_parameter: float = 1.0,
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
        self.num_elements = positive_int("num_elements", num_elements)
        self.max_parameter = positive_number("max_parameter", max_parameter)
        if self.kernel_initializer is None:
            self._gain = activation_gain(self.activation)

    def _add_kernel(self, channels: int) -> None:
        self._require_square("only such have an exponential")
        self._require_room(channels)
        bound = self.max_parameter
        self.parameters = self.add_weight(
            name="parameters",
            shape=(self.num_elements, self.generators.num_generators),
            initializer=keras.initializers.RandomUniform(-bound, bound),
            constraint=lambda t: ops.clip(t, -bound, bound),
        )
        initializer = self.kernel_initializer
        if initializer is None:
            stddev = self._gain / math.sqrt(self.num_elements * channels)
            initializer = keras.initializers.RandomNormal(stddev=stddev)
        self.kernel = self._add_kernel_weight(
            (self.num_elements, channels, self.filters), initializer
        )
        norms = float(floored_norm_bounds(self.generators).sum())
        if bound * norms > LARGEST_NORM:
            raise ValueError(
                f"`max_parameter` of {self._owner} must be at most "
                f"{LARGEST_NORM / norms:.3g}, which is {LARGEST_NORM:,.0f} divided by the "
                "norms of the generators: the number of products grows with it. Received: "
                f"max_parameter={bound:g}"
            )
        self._fix_norm_bound(bound * norms)
        # The cheaper order: the exponentials act on the smaller number of channels.
        self._mix_channels_first = self.filters < channels

    def _require_room(self, channels: int) -> None:
        """Raises an error if the copies of one sample and their gradients do not fit into
        memory.
        """
        size, narrow = self.generators.size, min(channels, self.filters)
        require_memory(
            f"num_elements={self.num_elements} copies of one sample in {self._owner}",
            2 * self.num_elements * size * max(narrow, 1),
            "Fewer elements or fewer positions need less",
            itemsize=4,
        )

    def _act(self, f: Tensor) -> Tensor:
        """`sum_j exp(t_j . L) f W_j + b`."""
        kernel = ops.cast(self.kernel, f.dtype)
        if self._mix_channels_first:
            copies = ops.einsum("bdc,jcf->jbdf", f, kernel)
            output = ops.sum(self._transformed(copies), axis=0)
        else:
            copies = ops.stack([f] * self.num_elements)
            output = ops.einsum("jbdc,jcf->bdf", self._transformed(copies), kernel)
        return self._add_bias(output)

    def _transformed(self, copies: Tensor) -> Tensor:
        """`exp(t_j . L)` on the copy j, for copies `(m, batch, d, channels)`."""
        size, channels = copies.shape[2:]
        dtype = working_dtype(copies)
        bound = self._fix_norm_bound(0.0)
        parameters = ops.cast(self.parameters, dtype)
        # Learned generators may grow, and the constraint does not apply to assigned
        # parameters.
        parameters = within(self.generators, parameters, bound)
        # All samples of a copy share its parameters. The batch size may be unknown.
        zeros = ops.zeros_like(ops.cast(copies[:, :, 0, :1], dtype))
        each = ops.reshape(
            parameters[:, None] + zeros, (-1, self.generators.num_generators)
        )
        flat = ops.cast(ops.reshape(copies, (-1, size, channels)), dtype)
        moved = exponential(self.generators, flat, each, bound)
        moved = ops.cast(moved, copies.dtype)
        return ops.reshape(moved, (self.num_elements, -1, size, channels))

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer. The generators carry their rank."""
        return {
            **super().get_config(),
            "num_elements": self.num_elements,
            "max_parameter": self.max_parameter,
        }
