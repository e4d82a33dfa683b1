"""Convolutions that commute with a group."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._backend import take
from keras_lconv._typing import (
    Activation,
    Constraint,
    Initializer,
    Regularizer,
    Shape,
    Tensor,
)
from keras_lconv._validation import (
    MOST_WINDOW,
    count,
    for_each_axis,
    one_of,
    positive_int,
    positive_ints,
)
from keras_lconv.algebra import intertwiners
from keras_lconv.layers.steerable.basis import default_degrees, steerable_basis
from keras_lconv.layers.steerable.field_kernel import FieldKernel
from keras_lconv.layers.steerable.fields import (
    FieldArgument,
    GroupArgument,
    field_shape,
    is_scalar,
)
from keras_lconv.layers.steerable.grid import output_size, rings

PADDINGS = ("valid", "same")


@keras.saving.register_keras_serializable(package="keras_lconv")
class SteerableConv(FieldKernel):
    """A convolution that commutes with rotations, reflections, or a similar group.

    Features are fields: at each position there are `channels` vectors of `m` numbers, on
    which the group acts by a representation. If the image is turned, positions turn, and
    the vectors turn with them. A convolution commutes with this motion if and only if its
    kernel satisfies `K(g x) = rho_out(g) K(x) rho_in(g)^-1`. The layer finds a basis of
    such kernels on the window once, as constants
    (`keras_lconv.algebra.equivariant_kernels`), and learns coefficients. At run time the
    kernel is one contraction, and the layer an ordinary convolution from `m_in * channels`
    to `m_out * filters` channels. `keras_lconv.convert.to_conv` converts it to a `Conv2D`
    or `Conv3D`.

    The kernels are functions of the direction times bells around radii. The radii are whole
    steps inwards from the edge of the window, and the degree of the function of the
    direction goes up to twice the radius: 2 at radius 1, 4 at 2, 6 at 3. A grid does not
    resolve higher degrees. On the grid the kernels are corrected such that their moments
    with polynomials are those in space. So the response to smooth images turns with the
    image, also if a turn leads between grid points.

    **Equivariance.** Exact for elements that map the grid onto itself: quarter turns and
    reflections of square images, the rotations of the cube in space. For others it holds up
    to the error of turning a grid, which is below 1e-2 for smooth images and falls with the
    resolution. For `strides` above 1 windows have to lie symmetrically about the centre:
    for `padding="same"` and `strides=2` an odd `kernel_size` for odd sizes of the image,
    and an even one for even sizes. `SteerablePool` is exact for all sizes. A pointwise
    `activation` commutes with the group if the group permutes the components, as in regular
    fields. Otherwise the layer refuses it: see `FourierActivation`, `GatedActivation` and
    `NormActivation`.

    Args:
        filters: Number of output fields.
        kernel_size: Size of the window, one number or one for each axis, at most 100.
        group: The name of a group, as for `keras_lconv.algebra.named_group`: `"c8"`,
            `"d8"`, `"so2"`, `"o2"` for images, `"so3"`, `"o3"`, `"cube"` for volumes,
            `"reflection"` for signals; or a `MatrixGroup` of orthogonal matrices, one row
            for each spatial axis. It acts on positions `(row, column)`.
        representation_in: How the fields of the input turn. `"trivial"`: numbers, such as
            pixels. `"regular"`: functions on a finite group. An integer: functions on the
            circle or sphere up to this degree (`MatrixGroup.harmonics`). `"standard"`:
            vectors. `"sign"`: numbers whose sign reflections change. Or a `Representation`
            of the group.
        representation_out: How the fields of the output turn.
        strides: Steps from window to window, one number or one for each axis.
        padding: `"valid"` or `"same"`, as for Keras' convolutions.
        dilation_rate: Distance of the entries of the window.
        groups: Number of groups of channels that do not mix.
        degrees: The largest degree for each ring, the innermost first. By default twice
            the radius.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        activation: Activation function, for fields whose components the group permutes.
        use_bias: Whether there is a bias, in the directions that the group does not move.
        kernel_initializer: Initializer of the kernel. The basis is scaled such that the
            initializers of Keras, which count `k * channels` inputs, keep the variance.
        bias_initializer: Initializer of the bias.
        kernel_regularizer: Regularizer of the kernel.
        bias_regularizer: Regularizer of the bias.
        activity_regularizer: Regularizer of the output.
        kernel_constraint: Constraint on the kernel.
        bias_constraint: Constraint on the bias.
        **kwargs: `name`, `dtype`, `trainable`.

    Input shape:
        `(batch, *spatial, m_in, channels)`, without the axis of `m_in` for trivial fields;
        with `data_format="channels_first"` channels are the second axis. Masked
        positions count as zero.

    Output shape:
        `(batch, *spatial', m_out, filters)`, without the axis of `m_out` for trivial
        fields.

    Attributes:
        basis: The kernels, an array `(k, *window, m_out, m_in)`, once the layer is built.
            It is not saved, but computed again.
        kernel: The coefficients, of shape `(k, channels / groups, filters)`.
        bias: The coefficients of the bias, `(s, filters)` for `s` invariant directions of
            the output, or `None` if there are none.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, the matrices of the group are not
            orthogonal or have a wrong size, or there is no kernel from one representation
            to the other.

    Example:
    ```python
    import keras
    import numpy as np
    from keras_lconv import GroupPooling, SteerableConv

    model = keras.Sequential([
        keras.Input((17, 17, 1)),
        SteerableConv(4, 5, group="c8", representation_out="regular", activation="relu"),
        SteerableConv(
            4, 5, group="c8", representation_in="regular", representation_out="regular",
        ),
        GroupPooling("c8", "regular", positions="average"),
    ])
    image = np.random.default_rng(0).normal(size=(1, 17, 17, 1))
    turned = np.rot90(image, axes=(1, 2)).copy()
    same = model.predict(image, verbose=0), model.predict(turned, verbose=0)
    assert np.allclose(*same, atol=1e-5)
    ```

    Reference:
        M. Weiler, G. Cesa, "General E(2)-equivariant steerable CNNs", NeurIPS 2019.
    """

    _keeps_vectors = False

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        *,
        group: GroupArgument,
        representation_in: FieldArgument = "trivial",
        representation_out: FieldArgument = "trivial",
        strides: int | Sequence[int] = 1,
        padding: str = "same",
        dilation_rate: int | Sequence[int] = 1,
        groups: int = 1,
        degrees: Sequence[int] | None = None,
        data_format: str | None = None,
        activation: Activation = None,
        use_bias: bool = True,
        kernel_initializer: Initializer = "he_normal",
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
            group=group,
            representation_in=representation_in,
            representation_out=representation_out,
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
        if not self.group.standard.is_orthogonal:
            raise ValueError(
                "`group` must consist of orthogonal matrices, which keep the radius in "
                f"the window. Received: {self.group!r}"
            )
        self.rank = self.group.matrix_size
        if self.rank > 3:
            raise ValueError(
                "`group` must act on 1, 2 or 3 spatial axes. "
                f"Received: {self.group!r}, of {self.rank} dimensions"
            )
        self.kernel_size = self._per_axis("kernel_size", kernel_size)
        self.strides = self._per_axis("strides", strides)
        self.dilation_rate = self._per_axis("dilation_rate", dilation_rate)
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise ValueError(
                "`strides` and `dilation_rate` cannot both be above 1. "
                f"Received: strides={strides}, dilation_rate={dilation_rate}"
            )
        self.padding = one_of("padding", padding, PADDINGS)
        self.groups = positive_int("groups", groups)
        if self.filters % self.groups:
            raise ValueError(
                f"`filters` must be a multiple of `groups`. Received: filters={filters}, "
                f"groups={groups}"
            )
        self.degrees = self._checked_degrees(degrees)
        is_linear = self.activation is keras.activations.linear
        if not (is_linear or self.representation_out.permutes_components):
            raise ValueError(
                "`activation` must be None unless the group permutes the components of "
                "the output, as for trivial and regular fields: a pointwise function of "
                "other components does not commute with it. Use `FourierActivation`, "
                "`GatedActivation` or `NormActivation` after the layer. Received: "
                f"activation={activation!r} for {self.representation_out!r}"
            )

    def _per_axis(self, name: str, value: object) -> tuple[int, ...]:
        return for_each_axis(name, positive_ints(name, value, MOST_WINDOW), self.rank)

    def _checked_degrees(self, degrees: Any) -> tuple[int, ...]:
        if degrees is None:
            return default_degrees(self.kernel_size)
        radii = rings(self.kernel_size)
        is_listed = isinstance(degrees, (list, tuple, np.ndarray)) and np.ndim(degrees) == 1
        found = tuple(count("degrees", each) for each in (degrees if is_listed else ()))
        if len(found) != len(radii):
            raise ValueError(
                f"`degrees` must hold one number for each of the radii {radii.tolist()}. "
                f"Received: degrees={degrees}"
            )
        return found

    # ---------------------------------------------------------------- shapes

    def build(self, input_shape: Shape) -> None:
        """Finds the kernels and creates the weights."""
        channels = self._checked_channels(self._feature_shape(tuple(input_shape)))
        basis = steerable_basis(
            self.representation_in, self.representation_out, self.kernel_size, self.degrees
        )
        is_wide = self.compute_dtype == "float64"
        self.basis = basis if is_wide else basis.astype("float32")
        if not len(self.basis):
            raise ValueError(
                f"{self._owner} has no kernel from {self.representation_in!r} to "
                f"{self.representation_out!r}. Received: kernel_size={self.kernel_size}. "
                "Take a larger window or other representations"
            )
        invariant = intertwiners(self.group.trivial(), self.representation_out)[..., 0]
        self._invariant = np.sqrt(self.representation_out.size) * invariant
        self.kernel = self._add_kernel_weight(
            (len(self.basis), channels // self.groups, self.filters)
        )
        self.bias = self._add_bias_weight((len(invariant), self.filters))
        self._fix_channels(input_shape, channels)

    def _checked_channels(self, feature_shape: Shape) -> int:
        """The number of channels of an input, after a check of its shape."""
        channels = field_shape(feature_shape, self.representation_in, self._owner)[-1]
        if not channels or channels % self.groups:
            raise ValueError(
                f"{self._owner} needs at least one channel, and a defined number of them, "
                f"a multiple of groups={self.groups}. Received: shape {feature_shape}"
            )
        return channels

    def _feature_output_shape(self, feature_shape: Shape) -> Shape:
        self._checked_channels(feature_shape)
        sizes = feature_shape[1 : self.rank + 1]
        after = self.representation_out
        fibre = () if is_scalar(after) else (after.size,)
        axes = zip(sizes, self.kernel_size, self.strides, self.dilation_rate, strict=True)
        spatial = tuple(output_size(*axis, self.padding, self._owner) for axis in axes)
        return (feature_shape[0], *spatial, *fibre, self.filters)

    # ------------------------------------------------------------------ call

    def conv_kernel(self) -> Tensor:
        """The current kernel of the convolution.

        Returns:
            Tensor `(*window, m_in * channels / groups, m_out * filters)`, ordered by group,
            then by component.
        """
        kernel = ops.cast(self.kernel, self.compute_dtype)
        basis = ops.convert_to_tensor(self.basis, dtype=kernel.dtype)
        *window, after, before = self.basis.shape[1:]
        channels, parts = kernel.shape[1], self.groups
        # One product of matrices and a permutation of its entries.
        product = ops.einsum(
            "bxoi,bcgf->xicgof",
            ops.reshape(basis, (len(self.basis), -1, after, before)),
            ops.reshape(kernel, (len(self.basis), channels, parts, self.filters // parts)),
        )
        return ops.reshape(product, (*window, before * channels, after * self.filters))

    def conv_bias(self) -> Tensor | None:
        """The bias of the convolution, `(m_out * filters,)` in the order of the kernel."""
        if self.bias is None:
            return None
        bias = ops.cast(self.bias, self.compute_dtype)
        invariant = ops.convert_to_tensor(self._invariant, dtype=bias.dtype)
        parts = (len(self._invariant), self.groups, self.filters // self.groups)
        whole = ops.einsum("so,sgf->gof", invariant, ops.reshape(bias, parts))
        return ops.reshape(whole, (-1,))

    def _transform(self, f: Tensor, mask: Tensor | None) -> Tensor:
        before, after = self.representation_in.size, self.representation_out.size
        spatial = tuple(ops.shape(f))[: self.rank + 1]
        channels = f.shape[-1]
        f = ops.reshape(ops.cast(f, self.compute_dtype), (*spatial, before * channels))
        f = _swapped(f, before, self.groups)
        is_empty = f.shape[0] == 0
        if is_empty:  # convolutions of TensorFlow do not take an empty batch
            f = ops.zeros((1, *f.shape[1:]), dtype=f.dtype)
        f = ops.conv(
            f,
            self.conv_kernel(),
            strides=self.strides,
            padding=self.padding,
            data_format="channels_last",
            dilation_rate=self.dilation_rate,
        )
        bias = self.conv_bias()
        if bias is not None:
            f = f + bias
        f = _swapped(f[:0] if is_empty else f, self.groups, after)
        if not is_scalar(self.representation_out):
            f = ops.reshape(f, (*tuple(ops.shape(f))[:-1], after, self.filters))
        return self.activation(f)

    def compute_mask(self, inputs: Tensor, previous_mask: Tensor | None) -> Tensor | None:
        """The mask of the input, if the output has the same positions."""
        keeps = self.padding == "same" and max(self.strides) == 1
        return previous_mask if keeps else None

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        return {
            **super().get_config(),
            "kernel_size": list(self.kernel_size),
            "strides": list(self.strides),
            "padding": self.padding,
            "dilation_rate": list(self.dilation_rate),
            "groups": self.groups,
            "degrees": list(self.degrees),
        }


def _swapped(f: Tensor, outer: int, inner: int) -> Tensor:
    """Channels sorted by two indices, with the order of the indices exchanged."""
    if 1 in (outer, inner):
        return f
    order = np.arange(f.shape[-1]).reshape(outer, inner, -1).swapaxes(0, 1)
    return take(f, order.ravel(), axis=-1)
