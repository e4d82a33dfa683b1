"""A classifier of images or volumes in any orientation."""

from collections.abc import Sequence

import keras

from keras_lconv._typing import Activation
from keras_lconv._validation import (
    MOST_UNITS,
    boolean,
    count,
    one_of,
    positive_int,
    share,
)
from keras_lconv.layers import FieldNormalization, SteerableConv, SteerablePool
from keras_lconv.layers.steerable.fields import GroupArgument
from keras_lconv.models.steerable_blocks import (
    SIZES,
    SteerableBlocks,
    spatial_sizes,
)

layers = keras.layers

POOLINGS = (None, "avg", "max")
# The window of the first layer for odd sizes, one less than for even sizes, and the window
# of the others. Steps of two positions are symmetric about the centre if the window is odd
# for odd sizes, and even for even ones.
WINDOWS = {1: (7, 5), 2: (7, 5), 3: (5, 3)}
ZERO_PADDINGS = {
    1: layers.ZeroPadding1D,
    2: layers.ZeroPadding2D,
    3: layers.ZeroPadding3D,
}
GLOBAL_POOLINGS = {
    ("avg", 1): layers.GlobalAveragePooling1D,
    ("avg", 2): layers.GlobalAveragePooling2D,
    ("avg", 3): layers.GlobalAveragePooling3D,
    ("max", 1): layers.GlobalMaxPooling1D,
    ("max", 2): layers.GlobalMaxPooling2D,
    ("max", 3): layers.GlobalMaxPooling3D,
}


def steerable_classifier(
    include_top: bool = True,
    input_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
    classifier_activation: Activation = "softmax",
    pooling: str | None = None,
    name: str = "steerable_classifier",
    *,
    group: GroupArgument = "c8",
    subgroup: GroupArgument | None = None,
    size: str = "small",
    padding: int = 2,
    dropout: float = 0.2,
) -> keras.Model:
    """A convolutional classifier that is invariant to turns of the image.

    It has three steerable convolutions to fields and one to invariant numbers, each with
    normalization and an activation; the average over positions; and a dense layer. The
    first has a stride of two, and there is a blurred pooling before the third. At run time
    these are ordinary convolutions, and `keras_lconv.convert.to_conv` makes a plain model
    of a trained one.

    **Invariance.** Exact for elements of the group that map the grid onto itself, for any
    size of the image: quarter turns, for `"c8"`, and the rotations of the cube for volumes.
    For other elements it holds up to the error of the grid. Activations and poolings make
    this error larger, and so does training on images of one orientation. Train on images at
    angles up to 45 degrees (`keras_lconv.datasets.RandomRotations`); quarter turns need no
    training.

    Args:
        include_top: Whether the model ends with a dense layer of class probabilities.
        input_shape: Shape of an image `(y, x, channels)` or a volume `(z, y, x, channels)`,
            or with the channels first if the Keras configuration says so.
        classes: Number of classes, with `include_top`.
        classifier_activation: Activation of the dense layer; `None` for logits.
        pooling: The end of the model without `include_top`. `None`: numbers at each
            position. `"avg"`, `"max"`: vectors, pooled over positions.
        name: Name of the model.
        group: As for `SteerableConv`. Finite groups of the plane have regular fields and
            ReLUs: `"c8"` for images in any orientation, `"d8"` if mirror images are alike
                as well. Others, `"so2"`, `"o2"`, and `"so3"`, `"o3"`, `"cube"` for
            volumes, have functions on the circle or sphere and `FourierActivation`.
        subgroup: The group of the last two convolutions, and so of the invariance of the
            answer; `None` is the whole group. For images whose details have any orientation
            but which have one orientation as a whole: `"c1"` for upright images, or `"c2"`.
        size: `"tiny"`, `"small"`, `"medium"` or `"large"`: as many channels as a plain
            network of 32, 48, 64; of 64, 96, 128; of 96, 128, 256; or of 128, 256, 512.
        padding: Zeros around the image, so that content at its border has room to turn.
        dropout: Rate of dropout before the dense layer.

    Returns:
        A functional `keras.Model`, not compiled.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, the group does not act on as many axes
            as the input has, or `subgroup` is not a subgroup.

    Example:
    ```python
    import numpy as np
    from keras_lconv.models import steerable_classifier

    model = steerable_classifier(input_shape=(16, 16, 1), classes=3, group="c4")
    images = np.random.default_rng(0).random((2, 16, 16, 1), dtype="float32")
    turned = np.rot90(images, axes=(1, 2)).copy()
    same = model.predict(images, verbose=0), model.predict(turned, verbose=0)
    assert np.allclose(*same, atol=1e-5)
    ```

    Reference:
        M. Weiler, G. Cesa, "General E(2)-equivariant steerable CNNs", NeurIPS 2019.
    """
    boolean("include_top", include_top)
    positive_int("classes", classes, most=MOST_UNITS)
    count("padding", padding)
    share("dropout", dropout)
    one_of("pooling", pooling, POOLINGS)
    one_of("size", size, tuple(SIZES))
    blocks = SteerableBlocks(group)
    last, before = blocks, None
    if subgroup is not None:
        last = SteerableBlocks(subgroup)
        before = last.after(blocks)
    shape = blocks.input_shape(input_shape)
    rank = blocks.rank
    inputs = keras.Input(shape)
    x = ZERO_PADDINGS[rank](padding)(inputs) if padding else inputs
    odd, window = WINDOWS[rank]
    first_window = tuple(odd + 1 - size % 2 for size in spatial_sizes(shape))
    first, second, third = SIZES[size]
    x = blocks.apply(
        x, blocks.channels(first), first_window, 0, before="trivial", strides=2
    )
    x = blocks.apply(x, blocks.channels(second), window, 1)
    x = SteerablePool(group, blocks.kind, name="pool")(x)
    x = last.apply(
        x,
        last.channels(third),
        window,
        2,
        before=before,
    )
    x = SteerableConv(
        third // 2,
        window,
        group=last.group,
        representation_in=last.kind,
        use_bias=False,
        name="numbers",
    )(x)
    x = FieldNormalization(last.group, "trivial", name="normalization")(x)
    x = layers.ReLU(name="activation")(x)
    if include_top or pooling:
        x = GLOBAL_POOLINGS[pooling or "avg", rank](name="positions")(x)
    if include_top:
        x = layers.Dropout(dropout)(x)
        x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    return keras.Model(inputs, x, name=name)
