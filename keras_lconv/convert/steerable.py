"""Steerable layers, and models with them, as plain convolutions."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_lconv._layout import from_channels_last, to_channels_last
from keras_lconv._ops import to_numpy
from keras_lconv._typing import Tensor
from keras_lconv.algebra import Representation
from keras_lconv.convert.settings import values
from keras_lconv.layers import (
    FieldDropout,
    FieldNormalization,
    FourierActivation,
    GroupPooling,
    SteerableConv,
    SteerablePool,
    SteerableUpSampling,
)
from keras_lconv.layers.steerable.fields import is_scalar

layers = keras.layers
CONVOLUTIONS = (layers.Conv1D, layers.Conv2D, layers.Conv3D)
# Layers without weights, which are a few operations of Keras.
INLINED = (
    FieldDropout,
    FourierActivation,
    GroupPooling,
    SteerablePool,
    SteerableUpSampling,
)


def conv_of_steerable(layer: SteerableConv) -> keras.layers.Layer:
    """A convolution from `m_in * channels` channels to `m_out * filters`."""
    if not layer.built:
        raise ValueError(
            "`layer` must be built, because its weights are copied. Received: "
            f"{layer.name!r}, without weights. Call it on an input first"
        )
    kernel = np.array(to_numpy(layer.conv_kernel()))
    if layer.groups > 1:
        kernel = _whole_kernel(kernel, layer)
    bias = layer.conv_bias()
    if bias is not None:
        parts = (layer.groups, layer.representation_out.size, -1)
        bias = np.array(to_numpy(bias)).reshape(parts).swapaxes(0, 1).ravel()
    conv = CONVOLUTIONS[layer.rank - 1](
        kernel.shape[-1],
        layer.kernel_size,
        strides=layer.strides,
        padding=layer.padding,
        dilation_rate=layer.dilation_rate,
        data_format=layer.data_format,
        activation=layer.activation,
        use_bias=bias is not None,
        dtype=layer.dtype_policy,
        name=layer.name,
    )
    spatial = (None,) * layer.rank
    last = layer.data_format == "channels_last"
    channels = kernel.shape[-2]
    conv.build((None, *spatial, channels) if last else (None, channels, *spatial))
    conv.kernel.assign(kernel)
    if bias is not None:
        conv.bias.assign(bias)
    return conv


def plain_model(model: keras.Model) -> keras.Model:
    """The same model, with Keras' layers in place of its steerable layers."""
    if isinstance(model, keras.Sequential):
        if not model.built:
            raise ValueError(
                f"`layer` must be built. Received: the model {model.name!r} without weights"
            )
        model = keras.Model(model.inputs, model.outputs, name=model.name)
    originals: dict[int, keras.layers.Layer] = {}

    def clone(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, SteerableConv):
            copy = conv_of_steerable(layer)
        elif isinstance(layer, FieldNormalization) and layer.kind == "batch":
            copy = _batch_normalization(layer)
        elif isinstance(layer, (*INLINED, layers.InputLayer)):
            copy = layer
        elif isinstance(layer, keras.Model):
            copy = plain_model(layer)
        else:
            copy = type(layer).from_config(layer.get_config())
        originals[id(copy)] = layer
        return copy

    def call(layer: keras.layers.Layer, *inputs: Any, **kwargs: Any) -> Any:
        original = originals[id(layer)]
        if isinstance(original, SteerableConv):
            before, after = original.representation_in, original.representation_out
            return _on_channels(layer, inputs[0], before, after, original.data_format)
        if isinstance(original, FieldNormalization) and original.kind == "batch":
            fields = original.representation
            return _on_channels(layer, inputs[0], fields, fields, original.data_format)
        if isinstance(original, INLINED):
            f = to_channels_last(inputs[0], original.data_format)
            return from_channels_last(original._transform(f, None), original.data_format)
        output = layer(*inputs, **kwargs)
        if layer is not original and not isinstance(original, keras.Model):
            layer.set_weights([values(weight) for weight in original.weights])
        return output

    return keras.models.clone_model(model, clone_function=clone, call_function=call)


def _on_channels(
    layer: Callable[[Tensor], Tensor],
    f: Tensor,
    before: Representation,
    after: Representation,
    data_format: str,
) -> Tensor:
    """A layer on features whose components and channels are merged into one axis, and split
    again.
    """
    first = data_format == "channels_first"
    if not is_scalar(before):
        if first:
            # `(batch, channels, *spatial, m)`, with components before channels.
            rank = len(f.shape) - 3
            f = layers.Permute((rank + 2, 1, *range(2, rank + 2)))(f)
            f = layers.Reshape((f.shape[1] * f.shape[2], *f.shape[3:]))(f)
        else:
            f = layers.Reshape((*f.shape[1:-2], f.shape[-2] * f.shape[-1]))(f)
    f = layer(f)
    if is_scalar(after):
        return f
    size = after.size
    if not first:
        return layers.Reshape((*f.shape[1:-1], size, f.shape[-1] // size))(f)
    f = layers.Reshape((size, f.shape[1] // size, *f.shape[2:]))(f)
    rank = len(f.shape) - 3
    return layers.Permute((2, *range(3, rank + 3), 1))(f)


def _whole_kernel(kernel: np.ndarray, layer: SteerableConv) -> np.ndarray:
    """The kernel of a convolution without groups, ordered by component."""
    groups, filters = layer.groups, layer.filters
    before, after = layer.representation_in.size, layer.representation_out.size
    *window, width, _ = kernel.shape
    parts = kernel.reshape(*window, before, width // before, groups, after, -1)
    whole = np.zeros(
        (*window, before, groups, width // before, after, groups, parts.shape[-1])
    )
    for g in range(groups):
        whole[..., g, :, :, g, :] = parts[..., g, :, :]
    return whole.reshape(*window, width * groups, after * filters)


def _batch_normalization(layer: FieldNormalization) -> keras.layers.Layer:
    """Batch normalization of components and channels as one axis, as for inference."""
    weights = layer.components()
    last = layer.data_format == "channels_last"
    plain = layers.BatchNormalization(
        axis=-1 if last else 1,
        momentum=layer.momentum,
        epsilon=layer.epsilon,
        dtype=layer.dtype_policy,
        name=layer.name,
    )
    size = len(weights[0])
    spatial = (None,) * layer.rank
    plain.build((None, *spatial, size) if last else (None, size, *spatial))
    plain.set_weights(weights)
    return plain
