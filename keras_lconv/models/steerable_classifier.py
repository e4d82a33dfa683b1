"""A classifier of images or volumes in any orientation."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_lconv._validation import (
    boolean,
    count,
    one_of,
    positive_int,
    positive_ints,
    share,
)
from keras_lconv.layers import (
    FieldNormalization,
    FourierActivation,
    SteerableConv,
    SteerablePool,
)
from keras_lconv.layers.steerable.fields import GroupArgument, group_of, representation_of

layers = keras.layers

# Components times channels of each layer of fields.
SIZES = {"small": (64, 96, 128), "medium": (96, 128, 256), "large": (128, 256, 512)}
POOLINGS = (None, "avg", "max")
# Of functions on the circle or sphere, where the group has an algebra.
DEGREES = {2: 3, 3: 2}
# Windows of the first layer, for odd sizes, and of the others. Steps of two positions are
# symmetric about the centre if the window is odd for odd sizes, and even for even ones.
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
    classifier_activation: Any = "softmax",
    pooling: str | None = None,
    name: str = "steerable_classifier",
    *,
    group: GroupArgument = "c8",
    size: str = "small",
    padding: int = 2,
    dropout: float = 0.2,
) -> keras.Model:
    """A convolutional classifier that turns of the image do not change.

    Three steerable convolutions to fields and one to numbers that do not turn, each with
    normalization and an activation; the average over positions; and a dense layer. The
    first goes in steps of two positions, and there is a blurred pooling before the third.
    At run time these are ordinary convolutions, and `keras_lconv.convert.to_conv` makes a
    plain model of a trained one.

    **Invariance.** Exact for elements of the group that map the grid onto itself, for any
    size of the image: quarter turns, for `"c8"`, and the rotations of the cube for
    volumes. For other elements it holds up to the error of the grid, which activations and
    poolings make larger, and training on images of one orientation larger still. Train on
    images at angles up to 45 degrees (`keras_lconv.datasets.RandomRotations`): quarter
    turns need no training, and what is between them little.

    Args:
        include_top: Whether the model ends with a dense layer of class probabilities.
        input_shape: Shape of an image `(y, x, channels)` or a volume `(z, y, x, channels)`,
            or with the channels first where the Keras configuration says so.
        classes: Number of classes, with `include_top`.
        classifier_activation: Activation of the dense layer; `None` for logits.
        pooling: What comes at the end without `include_top`. `None`: numbers at each
            position. `"avg"`, `"max"`: vectors, pooled over positions.
        name: Name of the model.
        group: As for `SteerableConv`. Finite groups of the plane have regular fields and
            ReLUs: `"c8"` for images in any orientation, `"d8"` where mirror images are
            alike as well. Others, `"so2"`, `"o2"`, and `"so3"`, `"o3"`, `"cube"` for
            volumes, have functions on the circle or sphere and `FourierActivation`.
        size: `"small"`, `"medium"` or `"large"`: as many channels as a plain network of
            64, 96, 128; of 96, 128, 256; or of 128, 256, 512.
        padding: Zeros around the image, so that what touches its border has room to turn.
        dropout: Rate of dropout before the dense layer.

    Returns:
        A functional `keras.Model`, not compiled.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, or the group does not act on as many
            axes as the input has.

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
    positive_int("classes", classes)
    count("padding", padding)
    share("dropout", dropout)
    one_of("pooling", pooling, POOLINGS)
    one_of("size", size, tuple(SIZES))
    acting = group_of(group)
    rank = acting.matrix_size
    shape = positive_ints("input_shape", input_shape)
    if len(shape) != rank + 1:
        raise ValueError(
            f"`input_shape` must have {rank} spatial axes and one of channels, since "
            f"{acting!r} acts on {rank} axes. Received: input_shape={input_shape}"
        )
    # In space the groups of solids have many elements, and functions on the sphere do.
    is_regular = rank < 3 and acting.is_finite
    fields = "regular" if is_regular else DEGREES[rank]
    components = representation_of("fields", fields, acting).size
    inputs = keras.Input(shape)
    x = ZERO_PADDINGS[rank](padding)(inputs) if padding else inputs
    odd = WINDOWS[rank][0]
    sizes = (
        shape[1:] if keras.config.image_data_format() == "channels_first" else shape[:-1]
    )
    first_window = tuple(odd + 1 - size % 2 for size in sizes)
    before: Any = "trivial"
    for number, channels in enumerate(SIZES[size]):
        is_first = number == 0
        if number == 2:
            x = SteerablePool(group, fields, name="pool")(x)
        x = SteerableConv(
            max(channels // components, 1),
            first_window if is_first else WINDOWS[rank][1],
            group=group,
            representation_in=before,
            representation_out=fields,
            strides=2 if is_first else 1,
            use_bias=False,  # the normalization has one
            name=f"conv_{number}",
        )(x)
        x = FieldNormalization(group, fields, name=f"normalization_{number}")(x)
        before = fields
        if is_regular:
            x = layers.ReLU(name=f"activation_{number}")(x)
        else:
            x = FourierActivation(group, DEGREES[rank], name=f"activation_{number}")(x)
    x = SteerableConv(
        SIZES[size][-1] // 2,
        WINDOWS[rank][1],
        group=group,
        representation_in=fields,
        use_bias=False,
        name="numbers",
    )(x)
    x = FieldNormalization(group, "trivial", name="normalization")(x)
    x = layers.ReLU(name="activation")(x)
    if include_top or pooling:
        x = GLOBAL_POOLINGS[pooling or "avg", rank](name="positions")(x)
    if include_top:
        classes = positive_int("classes", classes)
        x = layers.Dropout(dropout)(x)
        x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    return keras.Model(inputs, x, name=name)
