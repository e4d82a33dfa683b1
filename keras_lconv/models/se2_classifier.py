"""A classifier of images that is invariant to turns."""

from collections.abc import Sequence

import keras
from keras import ops

from keras_lconv._typing import Activation, Tensor
from keras_lconv._validation import (
    MOST_UNITS,
    boolean,
    one_of,
    positive_int,
    positive_ints,
)
from keras_lconv.generators import SE2Generators
from keras_lconv.layers import LConv, SE2Lift, SE2Projection

layers = keras.layers

POOLINGS = {"avg": layers.AveragePooling3D, "max": layers.MaxPooling3D}

# The momentum of batch normalization. A model of this size is trained for some hundred
# steps, too few for Keras' 0.99 to forget the initial values.
MOMENTUM = 0.9


def se2_classifier(
    include_top: bool = True,
    input_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
    classifier_activation: Activation = "softmax",
    pooling: str | None = None,
    name: str = "se2_classifier",
    *,
    filters: Sequence[Sequence[int]] = ((12, 16), (24, 24)),
    num_orientations: int = 8,
    reflections: bool = False,
    order: int = 3,
    scale: float = 1.0,
    strides: int = 2,
    derivative: str = "central",
) -> keras.Model:
    """A convolutional classifier that is invariant to rotations and translations.

    `SE2Lift` lifts the image to several orientations. L-convs with the left-invariant
    fields of `SE2Generators` follow, each with batch normalization and a ReLU, with average
    pooling in the plane between the resolutions. At the end there are an average over the
    plane and a maximum over orientations.

    **Invariance.** Exact for quarter turns of square images, if `num_orientations` is a
    multiple of 4. For other angles it holds up to the error of the grid, which grows as the
    resolution falls. With `reflections` flips do not change the answer either: orientations
    have mirror images, and before each L-conv half of the channels is exchanged with them,
    so that it sees both. For translations it is exact with `derivative="fourier"`, a
    periodic image and multiples of the product of all strides. Otherwise it holds up to
    effects of the border.

    Args:
        include_top: Whether the model ends with a dense layer of class probabilities.
        input_shape: Shape of an image, `(y, x, channels)`, or `(channels, y, x)` if the
            Keras configuration is `"channels_first"`.
        classes: Number of classes, with `include_top`.
        classifier_activation: Activation of the dense layer; `None` for logits.
        pooling: The end of the model without `include_top`. `None`: images, the maximum
            over orientations at each position. `"avg"`, `"max"`: vectors, the average or
            maximum over the plane and then the maximum over orientations.
        name: Name of the model.
        filters: For each resolution, the filters of its layers. The first one is the lift,
            the others are L-convs. The size halves from one resolution to the next.
        num_orientations: Number of orientations.
        reflections: Whether to be invariant also to flips, at twice the cost.
        order: The highest order of derivatives in the lift.
        scale: Width of the blur in the lift, in pixels.
        strides: Factor by which the lift makes the image smaller.
        derivative: Derivatives in the plane: `"central"` (cheapest), `"spectral"` or
            `"fourier"` (periodic).

    Returns:
        A functional `keras.Model`, not compiled.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, or the image cannot be halved as often
            as there are resolutions.

    Example:
    ```python
    import numpy as np
    from keras_lconv.models import se2_classifier

    model = se2_classifier(input_shape=(16, 16, 1), filters=[(4, 4), (8,)])
    images = np.random.default_rng(0).random((2, 16, 16, 1), dtype="float32")
    turned = np.rot90(images, axes=(1, 2)).copy()
    same = model.predict(images, verbose=0), model.predict(turned, verbose=0)
    assert np.allclose(*same, atol=1e-5)
    ```

    Reference:
        E. Bekkers, "B-spline CNNs on Lie groups", ICLR 2020.
    """
    one_of("pooling", pooling, (None, *POOLINGS))
    include_top = boolean("include_top", include_top)
    stages = _checked_stages(filters)
    lift = SE2Lift(
        stages[0].pop(0),
        num_orientations=num_orientations,
        reflections=reflections,
        order=order,
        scale=scale,
        strides=strides,
        derivative=derivative,
        use_bias=False,  # batch normalization has a bias
        name="lift",
    )
    inputs = keras.Input(positive_ints("input_shape", input_shape))
    x = _activated(lift(inputs))
    for number, stage in enumerate(stages):
        if number:
            _check_even(x.shape, lift.data_format, number)
            x = layers.AveragePooling3D((1, 2, 2), name=f"halve_{number}")(x)
        for place, num_filters in enumerate(stage):
            layer = LConv(
                num_filters,
                SE2Generators(reflections=reflections, derivative=derivative),
                use_bias=False,
                name=f"lconv_{number}_{place}",
            )
            if reflections:
                x = _with_mirror_images(x, lift.data_format)
            x = _activated(layer(x))

    if include_top:
        x = _pooled(x, "avg", lift.data_format)
        classes = positive_int("classes", classes, most=MOST_UNITS)
        x = layers.Dense(classes, activation=classifier_activation, name="predictions")(x)
    elif pooling is None:
        x = SE2Projection(reduction="max", name="projection")(x)
    else:
        x = _pooled(x, pooling, lift.data_format)
    return keras.Model(inputs, x, name=name)


def _checked_stages(filters: object) -> list[list[int]]:
    """One list of numbers for each resolution."""
    if not isinstance(filters, (list, tuple)) or not filters:
        raise ValueError(
            "`filters` must hold the filters of the layers for each resolution, such as "
            f"((12, 16), (24, 24)). Received: filters={filters!r}"
        )
    return [list(positive_ints("filters", stage)) for stage in filters]


def _check_even(shape: tuple, data_format: str, number: int) -> None:
    """Halves lie symmetrically about the centre for even sizes only."""
    sizes = shape[-2:] if data_format == "channels_first" else shape[-3:-1]
    if any(n % 2 for n in sizes):
        raise ValueError(
            "`filters` must not have more resolutions than the number of times the image "
            f"can be halved. Received: a size of {tuple(sizes)} at resolution {number}"
        )


def _activated(x: Tensor) -> Tensor:
    """Batch normalization and ReLU, equal at each position and orientation."""
    axis = -1 if keras.config.image_data_format() == "channels_last" else 1
    x = layers.BatchNormalization(axis=axis, momentum=MOMENTUM)(x)
    return layers.ReLU()(x)


def _with_mirror_images(x: Tensor, data_format: str) -> Tensor:
    """Exchanges half of the channels with those of the mirror image of each orientation."""
    channel_axis, axis = (1, 2) if data_format == "channels_first" else (-1, 1)
    channels = x.shape[channel_axis]
    if channels == 1:
        return x
    kept, exchanged = ops.split(x, [channels // 2], axis=channel_axis)
    exchanged = ops.roll(exchanged, x.shape[axis] // 2, axis=axis)
    return ops.concatenate([kept, exchanged], axis=channel_axis)


def _pooled(x: Tensor, pooling: str, data_format: str) -> Tensor:
    """One vector: pools over the plane, then takes the maximum over orientations."""
    sizes = x.shape[-2:] if data_format == "channels_first" else x.shape[-3:-1]
    x = POOLINGS[pooling]((1, *sizes), name=f"{pooling}_pool")(x)
    return layers.Flatten()(SE2Projection(reduction="max", name="projection")(x))
