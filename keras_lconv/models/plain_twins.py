"""Networks without a symmetry, with at least as many weights as one that has it."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from keras_lconv.models.symmetric_network import plain_network, point_inputs, spread

# Channels and units grow by this factor until there are enough weights.
GROWTH = 1.25
LEAST_WIDTH = 8


def plain_rows(rows: np.ndarray, outputs: int, least: int) -> keras.Model:
    """A perceptron for rows `(batch, n)` with three hidden layers."""
    return widened(lambda width: plain_network(rows, outputs, (width,) * 3), least)


def plain_images(images: np.ndarray, outputs: int, least: int) -> keras.Model:
    """Three convolutions of images `(batch, *spatial, channels)` and an average."""
    rank = images.ndim - 2

    def of_rank(name: str, *arguments: Any, **settings: Any) -> Any:
        return getattr(layers, f"{name}{rank}D")(*arguments, **settings)

    def build(width: int) -> keras.Model:
        inputs = keras.Input(images.shape[1:])
        x = inputs
        for number in range(3):
            x = of_rank("Conv", width * 2**number, 3, padding="same", use_bias=False)(x)
            x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
            if number < 2:
                x = of_rank("AveragePooling", 2, padding="same")(x)
        x = of_rank("GlobalAveragePooling")(x)
        return keras.Model(inputs, layers.Dense(outputs)(x))

    return widened(build, least)


def plain_points(
    features: np.ndarray | None, positions: np.ndarray, outputs: int, least: int
) -> keras.Model:
    """A perceptron for each point, the average of points, and another perceptron."""
    flat = positions.reshape(-1, positions.shape[-1])

    def build(width: int) -> keras.Model:
        inputs, scaled, x = point_inputs(
            features, positions, np.mean(flat, axis=0), spread(flat)
        )
        if scaled is not None:
            x = layers.Concatenate()([scaled, x])
        x = layers.Dense(width, activation="swish")(x)
        around = layers.Dense(width)(
            layers.GlobalAveragePooling1D("channels_last", keepdims=True)(x)
        )
        x = ops.swish(layers.Dense(width)(x) + around)
        x = layers.GlobalAveragePooling1D("channels_last")(x)
        x = layers.Dense(width, activation="swish")(x)
        return keras.Model(inputs, layers.Dense(outputs)(x))

    return widened(build, least)


def widened(build: Callable[[int], keras.Model], least: int) -> keras.Model:
    """The narrowest network `build(width)` that has enough weights."""
    width = LEAST_WIDTH
    while True:
        model = build(width)
        if trained_weights(model) >= least:
            return model
        width = int(np.ceil(width * GROWTH))


def trained_weights(model: keras.Model) -> int:
    """The number of trained numbers."""
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
