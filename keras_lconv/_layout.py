"""Converts inputs of any layout to features `(batch, d, channels)`, and back."""

import math
from collections.abc import Iterable
from typing import Any

import keras
from keras import ops

from keras_lconv._typing import Data, Function, Shape, Tensor
from keras_lconv._validation import one_of

DATA_FORMATS = ("channels_first", "channels_last")


def checked_data_format(data_format: str | None) -> str:
    """The data format, which is that of the Keras configuration by default."""
    if data_format is None:
        data_format = keras.config.image_data_format()
    return one_of("data_format", data_format, DATA_FORMATS)


def data_format_of(function: Function | None, data_format: str | None) -> str:
    """The given data format, or that of a model, or that of Keras."""
    if data_format is None:
        data_format = getattr(function, "data_format", None)
    return checked_data_format(data_format)


def channels_last_shape(shape: Shape, data_format: str) -> Shape:
    """The shape of a feature map with its channels last. `(batch, d)` stays unchanged."""
    if data_format == "channels_first" and len(shape) > 2:
        return (shape[0], *shape[2:], shape[1])
    return tuple(shape)


def channels_first_shape(shape: Shape, data_format: str) -> Shape:
    """The shape in a data format of a feature map whose channels are last."""
    if data_format == "channels_first" and len(shape) > 2:
        return (shape[0], shape[-1], *shape[1:-1])
    return tuple(shape)


def integer_sizes(shape: Iterable[Any]) -> tuple[Any, ...]:
    """Sizes as integers or `None`, because PyTorch's tracer uses tensors for them."""
    return tuple(size if size is None else int(size) for size in shape)


def to_channels_last(f: Tensor, data_format: str) -> Tensor:
    """A feature map with its channels last. `(batch, d)` stays unchanged."""
    if data_format == "channels_first" and len(f.shape) > 2:
        return ops.moveaxis(f, 1, -1)
    return f


def from_channels_last(f: Tensor, data_format: str) -> Tensor:
    """The inverse of `to_channels_last`."""
    if data_format == "channels_first" and len(f.shape) > 2:
        return ops.moveaxis(f, -1, 1)
    return f


def to_floats(value: Data, dtype: str) -> Tensor:
    """A tensor of floating-point numbers. Others, such as integers, are cast to `dtype`.

    Raises:
        TypeError: If the entries are complex, or not numbers.
    """
    tensor = ops.convert_to_tensor(value)
    kind = keras.backend.standardize_dtype(tensor.dtype)
    if keras.backend.is_float_dtype(kind):
        return tensor
    if kind.startswith("complex"):
        raise TypeError(
            f"Inputs must be real. Received: a tensor of dtype {kind}. Give real and "
            "imaginary parts as channels"
        )
    if kind == "string":
        raise TypeError("Inputs must be real numbers. Received: a tensor of strings")
    return ops.cast(tensor, dtype)


def to_features(inputs: Data, dtype: str) -> Tensor:
    """Channels-last inputs as floating-point features: `(batch, d)` gets a channel."""
    f = to_floats(inputs, dtype)
    return ops.expand_dims(f, -1) if len(f.shape) == 2 else f


def flatten(f: Tensor) -> Tensor:
    """`(batch, *spatial, channels)` to `(batch, d, channels)`."""
    if len(f.shape) == 3:
        return f
    channels = f.shape[-1] if f.shape[-1] is not None else ops.shape(f)[-1]
    return ops.reshape(f, (-1, math.prod(f.shape[1:-1]), channels))


def unflatten(f: Tensor, spatial: tuple[int, ...]) -> Tensor:
    """`(batch, d, ...)` to `(batch, *spatial, ...)`."""
    rest = [n if n is not None else ops.shape(f)[2 + i] for i, n in enumerate(f.shape[2:])]
    return ops.reshape(f, (-1, *spatial, *rest))


def expand_to_rank(mask: Tensor, rank: int) -> Tensor:
    """Appends axes of size one."""
    while len(mask.shape) < rank:
        mask = ops.expand_dims(mask, -1)
    return mask


def masked(f: Tensor, mask: Tensor | None) -> Tensor:
    """Features `(batch, *spatial, channels)`, zero where a mask is false.

    The mask has the first axes of the features. Hidden values may be NaN.

    Raises:
        TypeError: If the mask holds floating-point numbers instead of booleans.
        ValueError: If it has other axes.
    """
    if mask is None:
        return f
    if keras.backend.is_float_dtype(keras.backend.standardize_dtype(mask.dtype)):
        raise TypeError(
            "`mask` must hold booleans: whether positions count. Received: a mask of "
            f"dtype {keras.backend.standardize_dtype(mask.dtype)}"
        )
    given, axes = tuple(mask.shape), tuple(f.shape[:-1])
    pairs = zip(given, axes, strict=False)
    if len(given) > len(axes) or any(
        n != size for n, size in pairs if None not in (n, size)
    ):
        raise ValueError(
            f"`mask` must have the first axes of the input, out of {axes}. "
            f"Received: a mask of shape {given}"
        )
    keep = ops.cast(expand_to_rank(mask, len(f.shape)), "bool")
    return ops.where(keep, f, ops.zeros_like(f))
