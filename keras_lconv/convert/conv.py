"""Convolutions as L-convs with shifts, and back."""

import math
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_lconv.convert.block_diagonal import BlockDiagonal
from keras_lconv.convert.settings import common_settings, take_over, values
from keras_lconv.convert.steerable import conv_of_steerable, plain_model
from keras_lconv.generators import ShiftGenerators
from keras_lconv.layers import LConv, SteerableConv

CONVOLUTIONS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)


def from_conv(layer: keras.layers.Layer, input_shape: tuple[int | None, ...]) -> LConv:
    """A convolution as an L-conv: the generators are the shifts of its window.

    `Q[f](x) = sum_i f(x + o_i) W_i + b`, where the offset `o_i` runs over the window and
    `W_i` is the entry of the kernel there. The result is exact, up to rounding. It keeps
    all paddings, strides, dilations and both data formats.

    The result trains like the convolution. Groups of channels become a block-diagonal
    kernel, with the constraint `BlockDiagonal`; it has `groups` times as many entries.

    Args:
        layer: A built `Conv1D`, `Conv2D` or `Conv3D`.
        input_shape: Shape of its inputs, with the batch, as for `layer.build`. The spatial
            sizes must be given: strides and `"same"` paddings depend on them.

    Returns:
        A built `LConv` with `ShiftGenerators` and `self_interaction=None`. Its kernel, of
        shape `(k, channels, filters)`, holds that of the convolution, in C order of the
        window.

    Raises:
        TypeError: If `layer` is another layer.
        ValueError: If it is not built or is quantized; if its kernel has a constraint or a
            regularizer that depends on the shape of the kernel, or a constraint besides
            groups; or if `input_shape` does not fit it.

    Example:
    ```python
    import keras
    import numpy as np
    from keras_lconv.convert import from_conv

    images = np.random.default_rng(0).normal(size=(2, 9, 9, 3)).astype("float32")
    conv = keras.layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")
    expected = conv(images)
    lconv = from_conv(conv, images.shape)
    assert keras.ops.max(keras.ops.abs(lconv(images) - expected)) < 1e-5
    ```

    Reference:
        N. Dehmamy et al., "Automatic Symmetry Discovery with Lie Algebra Convolutional
        Network", NeurIPS 2021.
    """
    if not isinstance(layer, CONVOLUTIONS):
        raise TypeError(
            "`layer` must be a Conv1D, Conv2D or Conv3D. Others, such as transposed, "
            "separable and depthwise convolutions, are not sums of shifts with a full "
            "matrix for each, or lead to a larger grid. "
            f"Received: layer={layer!r} (of type {type(layer).__name__})"
        )
    settings = common_settings(layer)
    kernel = values(layer.kernel)
    *window, channels, filters = kernel.shape
    shape = _checked_shape(layer, input_shape, channels * layer.groups)
    kernel = kernel.reshape(-1, channels, filters)
    if layer.groups > 1:
        if settings["kernel_constraint"] is not None:
            raise ValueError(
                f"`layer` with {layer.groups} groups must have no `kernel_constraint`, "
                "because in an L-conv the groups are one. Received: "
                f"kernel_constraint={layer.kernel_constraint!r}"
            )
        settings["kernel_constraint"] = BlockDiagonal(layer.groups)
        kernel = np.tile(kernel, (1, layer.groups, 1))
        kernel = kernel * BlockDiagonal(layer.groups).mask(*kernel.shape[1:])

    axes = zip(shape, window, layer.strides, layer.dilation_rate, strict=True)
    before = [_padding(layer.padding, *axis) for axis in axes]
    points = np.array(list(np.ndindex(*window)))
    generators = ShiftGenerators(
        points * np.array(layer.dilation_rate) - np.array(before),
        boundary="valid" if layer.padding == "valid" else "zero",
        strides=layer.strides,
        dtype=layer.dtype_policy,
    )
    lconv = LConv(
        filters,
        generators,
        self_interaction=None,
        data_format=layer.data_format,
        **settings,
    )
    lconv.build(tuple(input_shape))
    take_over(lconv, kernel, layer.bias)
    return lconv


def to_conv(layer: LConv | SteerableConv | keras.Model) -> keras.layers.Layer:
    """A convolution of Keras from a layer that is one, or a whole model of them.

    - An L-conv with shifts: the inverse of `from_conv`. The window is the smallest one of
      Keras that contains the shifts, with a dilation if the shifts allow it. Entries of the
      kernel at other offsets are zero, and may change in training. The self-interaction is
      the entry at offset zero.
    - A `SteerableConv`: for inference, because further training of the convolution loses
      the symmetry. Components and channels of its fields are one axis, `m * channels`,
      ordered by component.
    - A functional or sequential model: a copy for inference. Steerable convolutions and
      batch normalizations of fields become those of Keras, with a reshape before and
      after; poolings, dropout and activations of fields become operations of Keras. Other
      layers are copied as they are.

    Args:
        layer: A built `LConv` with `ShiftGenerators`, for a feature map with channels; a
            built `SteerableConv`; or a built model.

    Returns:
        A built `Conv1D`, `Conv2D` or `Conv3D`, or a `keras.Model`.

    Raises:
        TypeError: If `layer` is none of these, or the generators of an L-conv are not
            shifts.
        ValueError: If it is not built, or an L-conv is for vectors `(batch, d)`, has more
            than three spatial axes, applies itself in several steps, its shifts are
            periodic, or its kernel has a constraint or a regularizer that would not mean
            the same.

    Example:
    ```python
    import keras
    import numpy as np
    from keras_lconv import LConv
    from keras_lconv.convert import to_conv
    from keras_lconv.generators import ShiftGenerators

    lconv = LConv(4, ShiftGenerators([(0, 1), (0, -1), (1, 0), (-1, 0)]))
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 3)).astype("float32")
    expected = lconv(images)
    conv = to_conv(lconv)
    assert conv.kernel_size == (3, 3) and conv.padding == "same"
    assert keras.ops.max(keras.ops.abs(conv(images) - expected)) < 1e-5
    ```

    ```python
    import keras
    import numpy as np
    from keras_lconv import GroupPooling, SteerableConv
    from keras_lconv.convert import to_conv

    model = keras.Sequential([
        keras.Input((9, 9, 1)),
        SteerableConv(2, 3, group="c8", representation_out="regular", activation="relu"),
        GroupPooling("c8", "regular", positions="average"),
    ])
    plain = to_conv(model)
    images = np.random.default_rng(0).normal(size=(2, 9, 9, 1))
    assert any(isinstance(layer, keras.layers.Conv2D) for layer in plain.layers)
    same = plain.predict(images, verbose=0), model.predict(images, verbose=0)
    assert np.allclose(*same, atol=1e-5)
    ```
    """
    if isinstance(layer, keras.Model):
        return plain_model(layer)
    if isinstance(layer, SteerableConv):
        return conv_of_steerable(layer)
    if not isinstance(layer, LConv) or not isinstance(layer.generators, ShiftGenerators):
        raise TypeError(
            "`layer` must be an LConv with ShiftGenerators, a SteerableConv or a model: "
            "other generators couple positions that no window around a position holds. "
            f"Received: {type(layer).__name__}, with generators "
            f"{type(getattr(layer, 'generators', None)).__name__}"
        )
    settings = common_settings(layer)
    # The default initializer of an L-conv is for kernels with a self-interaction.
    settings["kernel_initializer"] = settings["kernel_initializer"] or "glorot_uniform"
    shape = _checked_grid(layer)

    offsets, kernel = _terms(layer)
    padding, window, dilation, first = _window(offsets, layer.generators, shape)
    entries = np.zeros((*window, *kernel.shape[1:]))
    np.add.at(entries, tuple(((offsets - first) // dilation).T), kernel)
    groups = _groups(layer.kernel_constraint, entries)
    if groups > 1:
        settings["kernel_constraint"] = None
        entries = _without_other_groups(entries, groups)

    conv = CONVOLUTIONS[len(shape) - 1](
        layer.filters,
        window,
        strides=layer.generators.strides,
        padding=padding,
        dilation_rate=dilation,
        groups=groups,
        data_format=layer.data_format,
        **settings,
    )
    features = (*shape, kernel.shape[1])
    if layer.data_format == "channels_first":
        features = (kernel.shape[1], *shape)
    conv.build((None, *features))
    take_over(conv, entries, layer.bias)
    return conv


# ---------------------------------------------------------------- from a convolution


def _checked_shape(
    layer: keras.layers.Layer, input_shape: object, channels: int
) -> tuple[int, ...]:
    """The spatial shape."""
    shape = tuple(input_shape) if isinstance(input_shape, (list, tuple)) else ()
    if len(shape) != layer.rank + 2:
        raise ValueError(
            f"`input_shape` must have {layer.rank + 2} entries, with the batch and the "
            f"channels. Received: input_shape={input_shape!r}"
        )
    last = layer.data_format == "channels_last"
    spatial, given = (shape[1:-1], shape[-1]) if last else (shape[2:], shape[1])
    if None in spatial:
        raise ValueError(
            "`input_shape` must state the spatial sizes: generators act on a grid of "
            f"given size. Received: input_shape={shape}"
        )
    if given != channels:
        raise ValueError(
            f"`input_shape` must have the {channels} channels of the layer, "
            f"{layer.data_format}. Received: input_shape={shape}"
        )
    return spatial


def _padding(padding: str, size: int, window: int, stride: int, dilation: int) -> int:
    """The number of positions that Keras adds before the first one of an axis."""
    reach = dilation * (window - 1)
    if padding == "valid":
        return 0
    if padding == "causal":
        return reach
    covered = (math.ceil(size / stride) - 1) * stride + reach + 1
    return max(covered - size, 0) // 2


# ------------------------------------------------------------------ to a convolution


def _checked_grid(layer: LConv) -> tuple[int, ...]:
    """The spatial shape of an L-conv that is a convolution."""
    generators = layer.generators
    shape = generators.spatial_shape or ()
    if layer.num_steps > 1:
        raise ValueError(
            "`layer` must apply its shifts once, because a convolution has no steps. "
            f"Received: num_steps={layer.num_steps}"
        )
    if generators.boundary == "periodic" and np.any(generators.offsets):
        raise ValueError(
            "`layer` must have shifts with the boundary 'zero' or 'valid': the "
            "convolutions of Keras have no periodic padding. "
            "Received: boundary='periodic'"
        )
    if layer.input_spec.ndim == 2 or len(shape) > len(CONVOLUTIONS):
        raise ValueError(
            "`layer` must have been built for feature maps `(batch, *spatial, channels)` "
            "with one to three spatial axes. "
            f"Received: an input with {layer.input_spec.ndim} axes"
        )
    terms = layer.kernel_regularizer or layer.kernel_constraint
    if layer.self_interaction == "identity" and terms is not None:
        raise ValueError(
            "`layer` with `self_interaction='identity'` adds the identity to the kernel of "
            "the convolution, where its regularizer or constraint would act on the sum. "
            f"Received: {type(terms).__name__}"
        )
    return shape


def _terms(layer: LConv) -> tuple[np.ndarray, np.ndarray]:
    """Offsets `(k, ndim)` and their matrices, including that of the self-interaction."""
    kernel = values(layer.kernel).astype("float64")
    offsets = np.array(layer.generators.offsets)
    if layer.self_interaction == "identity":
        kernel = np.concatenate([np.eye(layer.filters)[None], kernel])
    if len(kernel) > len(offsets):
        offsets = np.concatenate([np.zeros_like(offsets[:1]), offsets])
    return offsets, kernel


def _window(
    offsets: np.ndarray, generators: ShiftGenerators, shape: tuple[int, ...]
) -> tuple[str, tuple[int, ...], tuple[int, ...], np.ndarray]:
    """Padding, size and dilation of a window with all offsets, and its first offset."""
    columns, strides = offsets.T, generators.strides
    # Keras does not accept dilation together with strides.
    may_dilate = max(strides) == 1
    if generators.boundary == "valid":
        padding = "valid"
        axes = [_cut_window(column, may_dilate) for column in columns]
    elif len(shape) == 1 and np.max(offsets) <= 0 and np.any(offsets):
        padding = "causal"
        axes = [_cut_window(columns[0], may_dilate)]
    else:
        padding = "same"
        axes = [
            _padded_window(column, size, stride, may_dilate)
            for column, size, stride in zip(columns, shape, strides, strict=True)
        ]
    sizes, dilations, first = zip(*axes, strict=True)
    return padding, sizes, dilations, np.array(first)


def _cut_window(offsets: np.ndarray, may_dilate: bool) -> tuple[int, int, int]:
    """Size, dilation and first offset of the window from the lowest to the highest."""
    lowest, highest = min(int(offsets.min()), 0), max(int(offsets.max()), 0)
    dilation = _spacing([*offsets, lowest, highest]) if may_dilate else 1
    return (highest - lowest) // dilation + 1, dilation, lowest


def _padded_window(
    offsets: np.ndarray, size: int, stride: int, may_dilate: bool
) -> tuple[int, int, int]:
    """Size, dilation and first offset of the smallest window that `"same"` places
    correctly.
    """
    for dilation in _dilations(offsets, may_dilate):
        # With this many entries the window reaches all offsets on both sides.
        enough = (2 * int(np.abs(offsets).max()) + stride) // dilation + 3
        for window in range(1, enough):
            first = -_padding("same", size, window, stride, dilation)
            entry, rest = np.divmod(offsets - first, dilation)
            if not np.any(rest) and np.all((entry >= 0) & (entry < window)):
                return window, dilation, first
    raise AssertionError("a window without dilation fits at some size")


def _dilations(offsets: np.ndarray, may_dilate: bool) -> Iterator[int]:
    """All dilations, the largest first. 1 always fits."""
    if may_dilate and (spacing := _spacing(offsets)) > 1:
        yield spacing
    yield 1


def _spacing(offsets: np.ndarray | list[int]) -> int:
    """The largest step of a window that contains all offsets."""
    return max(math.gcd(*(int(o) - int(offsets[0]) for o in offsets)), 1)


def _groups(constraint: Any, entries: np.ndarray) -> int:
    """The number of groups, if a constraint states it and the kernel obeys it."""
    if not isinstance(constraint, BlockDiagonal):
        return 1
    mask = constraint.mask(*entries.shape[-2:])
    return constraint.groups if not np.any(entries * ~mask) else 1


def _without_other_groups(entries: np.ndarray, groups: int) -> np.ndarray:
    """A block-diagonal kernel as Keras stores it, with the channels of a group only."""
    width = entries.shape[-2] // groups
    parts = np.split(entries, groups, axis=-1)
    own = [p[..., n * width : (n + 1) * width, :] for n, p in enumerate(parts)]
    return np.concatenate(own, axis=-1)
