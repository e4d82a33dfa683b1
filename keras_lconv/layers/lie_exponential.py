"""A convolution with finite group elements."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._initializers import activation_gain
from keras_lconv._validation import positive_int, positive_number
from keras_lconv.layers.kernel_layer import KernelLayer


@keras.saving.register_keras_serializable(package="keras_lconv")
class LieExponential(KernelLayer):
    """Group convolution by exponentials: `Q[f] = sum_j exp(t_j . L) f W_j + b`.

    A convolution over the group of the generators whose kernel sits at `m` elements
    `exp(t_j . L)`, with `t_j . L = sum_i t_ji L_i`. Where they sit is learned together
    with the matrices `W_j`. `LConv` is its first-order term: for small parameters the two
    agree with `W_0 = sum_j W_j` and `W_i = sum_j t_ji W_j`, up to an error of second
    order.

    The exponentials are series, applied without forming a matrix, see
    `Generators.transform`. Their cost grows with `max_parameter` times the norms of the
    generators.

    **Equivariance.** As `LConv`: to the group of one generator, or of generators that
    commute with each other, and not in general.

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
        kernel_initializer: Initializer of the kernel. The default keeps the variance for
            generators that keep norms.
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
        generators: Any,
        num_elements: int,
        rank: int | Sequence[int] | None = None,
        *,
        max_parameter: float = 1.0,
        data_format: str | None = None,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(
            filters,
            generators,
            rank,
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

    def _add_kernel(self, owner: str, channels: int) -> None:
        if not self.generators.is_square:
            raise ValueError(
                f"{owner} needs square generators, since only these have an exponential. "
                f"Received: generators {self.generators.name!r} that lead to another grid"
            )
        bound = self.max_parameter
        self.parameters = self.add_weight(
            name="parameters",
            shape=(self.num_elements, self.generators.num_generators),
            initializer=keras.initializers.RandomUniform(-bound, bound),
            constraint=lambda t: ops.clip(t, -bound, bound),
        )
        default = None
        if self.kernel_initializer is None:
            stddev = self._gain / math.sqrt(self.num_elements * channels)
            default = keras.initializers.RandomNormal(stddev=stddev)
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.num_elements, channels, self.filters),
            initializer=self.kernel_initializer or default,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        # Known when the layer is built, so that the series has as many terms in a traced
        # graph as elsewhere. Learned generators may grow: they count with 1 at least.
        norms = self.generators.initial_norm_bounds()
        floor = 1.0 if self.generators.is_learned else 0.0
        self._norm_bound = bound * float(np.sum(np.maximum(norms, floor)))
        # The cheaper order: the exponentials act on the smaller number of channels.
        self._mix_channels_first = self.filters < channels

    def _mix(self, f: Any, mask: Any) -> Any:
        """`sum_j exp(t_j . L) f W_j + b` for `f` of shape `(batch, *spatial, channels)`."""
        if mask is not None:
            f = f * mask
        kernel = ops.cast(self.kernel, f.dtype)
        if self._mix_channels_first:
            copies = ops.einsum("b...c,jcf->jb...f", f, kernel)
            output = ops.sum(self._transformed(copies), axis=0)
        else:
            copies = ops.stack([f] * self.num_elements)
            output = ops.einsum("jb...c,jcf->b...f", self._transformed(copies), kernel)
        return self._add_bias(output)

    def _transformed(self, copies: Any) -> Any:
        """`exp(t_j . L)` on the copy j, for copies `(m, batch, *spatial, channels)`."""
        shape = copies.shape[2:]
        flat = ops.reshape(copies, (-1, *shape))
        parameters = ops.cast(self.parameters, copies.dtype)
        # All samples of a copy share its parameters; the batch size may be unknown.
        zeros = ops.zeros_like(
            ops.reshape(copies, (*copies.shape[:1], -1, math.prod(shape)))
        )
        each = ops.reshape(
            parameters[:, None] + zeros[..., :1], (-1, self.generators.num_generators)
        )
        moved = self.generators.transform(flat, each, self._norm_bound)
        return ops.reshape(moved, (self.num_elements, -1, *shape))

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer. The generators carry their rank."""
        return {
            **super().get_config(),
            "num_elements": self.num_elements,
            "max_parameter": self.max_parameter,
        }
