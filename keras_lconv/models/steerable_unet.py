"""A network from images to images in any orientation."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_lconv._typing import Activation, Tensor
from keras_lconv._validation import MOST_UNITS, boolean, one_of, positive_int
from keras_lconv.layers import SteerableConv, SteerablePool, SteerableUpSampling
from keras_lconv.layers.steerable.fields import GroupArgument
from keras_lconv.models.steerable_blocks import SteerableBlocks, spatial_sizes

# The product of components and channels is this number times two to the power of the level,
# and half of that at full resolution, which has most of the work and the least to learn.
WIDTHS = {"small": 32, "medium": 64, "large": 96}
WINDOWS = {1: 5, 2: 5, 3: 3}


def steerable_unet(
    include_top: bool = True,
    input_shape: Sequence[int] = (64, 64, 1),
    classes: int = 2,
    classifier_activation: Activation = "softmax",
    name: str = "steerable_unet",
    *,
    group: GroupArgument = "c8",
    size: str = "small",
    levels: int = 2,
) -> keras.Model:
    """A U-Net whose output turns with the image: segmentation, denoising, flows.

    On the way down there is one steerable convolution at full resolution, and two at each
    other, each with normalization and an activation, and a blurred pooling between. On the
    way up fields are mixed to fewer fields at each position, interpolated, joined with
    those of the way down, and passed through one convolution. So little of the work is at
    full resolution. A convolution with the same window computes the classes.
    `keras_lconv.convert.to_conv` makes a plain model of a trained one.

    **Equivariance.** Exact for elements of the group that map the grid onto itself: quarter
    turns, for `"c8"`, and the rotations of the cube for volumes. For others up to the
    error of the grid.

    Args:
        include_top: Whether the model ends with class probabilities at each position.
            Otherwise it ends with fields, `(batch, *spatial, m, channels)`.
        input_shape: Shape of an image `(y, x, channels)` or a volume `(z, y, x, channels)`,
            or with the channels first if the Keras configuration says so. Spatial sizes are
            multiples of `2 ** levels`.
        classes: Number of classes, with `include_top`.
        classifier_activation: Activation of the output; `None` for logits, or for other
            numbers than classes.
        name: Name of the model.
        group: As for `steerable_classifier`.
        size: `"small"`, `"medium"` or `"large"`: at half of the resolution as many channels
            as a plain network of 64, 128 or 192, and twice as many at each level below. At
            full resolution there are a quarter as many.
        levels: Number of times that the resolution is halved.

    Returns:
        A functional `keras.Model`, not compiled.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, the group does not act on as many axes
            as the input has, or a size cannot be halved so many times.

    Example:
    ```python
    import numpy as np
    from keras_lconv.models import steerable_unet

    model = steerable_unet(input_shape=(16, 16, 1), classes=3, group="c4")
    images = np.random.default_rng(0).random((2, 16, 16, 1), dtype="float32")
    turned = np.rot90(images, axes=(1, 2)).copy()
    expected = np.rot90(model.predict(images, verbose=0), axes=(1, 2))
    assert np.allclose(model.predict(turned, verbose=0), expected, atol=1e-5)
    ```

    Reference:
        O. Ronneberger, P. Fischer, T. Brox, "U-Net: Convolutional networks for biomedical
        image segmentation", MICCAI 2015. M. Weiler, G. Cesa, "General E(2)-equivariant
        steerable CNNs", NeurIPS 2019.
    """
    boolean("include_top", include_top)
    positive_int("classes", classes, most=MOST_UNITS)
    one_of("size", size, tuple(WIDTHS))
    positive_int("levels", levels, most=10)
    blocks = SteerableBlocks(group)
    shape = blocks.input_shape(input_shape)
    step = 2**levels
    if any(number % step for number in spatial_sizes(shape)):
        raise ValueError(
            f"`input_shape` must have spatial sizes that are multiples of {step}, since "
            f"levels={levels} halve them. Received: input_shape={input_shape}. Add "
            "positions with a layer such as `ZeroPadding2D`, or take fewer levels"
        )
    first = keras.config.image_data_format() == "channels_first"
    window = WINDOWS[blocks.rank]
    widths = [WIDTHS[size] // 2, *(WIDTHS[size] * 2**n for n in range(1, levels + 1))]
    channels = [blocks.channels(width) for width in widths]

    def fields(x: Tensor, level: int, place: str, before: str | None = None) -> Tensor:
        return blocks.apply(x, channels[level], window, place, before=before)

    inputs = keras.Input(shape)
    x: Any = fields(inputs, 0, "down_0", "trivial")
    kept = []
    for level in range(1, levels + 1):
        kept.append(x)
        x = SteerablePool(group, blocks.kind, name=f"pool_{level - 1}")(x)
        for part in ("a", "b"):
            x = fields(x, level, f"down_{level}_{part}")
    for level in reversed(range(levels)):
        x = SteerableConv(
            channels[level],
            1,
            group=group,
            representation_in=blocks.kind,
            representation_out=blocks.kind,
            use_bias=False,
            name=f"mix_{level}",
        )(x)
        x = SteerableUpSampling(group, blocks.kind, name=f"finer_{level}")(x)
        join = keras.layers.Concatenate(axis=1 if first else -1, name=f"join_{level}")
        x = fields(join([kept[level], x]), level, f"up_{level}")
    if include_top:
        # A window of one would use one number of each field, its mean over the group.
        # Training would then often end with one class for everything except the background.
        x = SteerableConv(
            classes, window, group=group, representation_in=blocks.kind, name="predictions"
        )(x)
        # A softmax acts over classes.
        x = _activated(x, classifier_activation, 1 if first else -1)
    return keras.Model(inputs, x, name=name)


def _activated(x: Tensor, activation: Activation, axis: int) -> Tensor:
    if activation == "softmax":
        return keras.layers.Softmax(axis=axis, name="probabilities")(x)
    return keras.layers.Activation(activation, name="activation")(x)
