"""Smooth networks that stand for the function behind a table of data."""

import math

import keras
import numpy as np

# Three smooth layers: derivatives are what counts, and those of ReLU jump.
WIDTH, DEPTH, ACTIVATION = 256, 3, "swish"
# So many networks are trained at once. Their mean is asked, their spread is an error bar.
MEMBERS = 2
LEARNING_RATE = 2e-3
# The validation error is taken after so many steps at least.
STEPS_BETWEEN = 40


def ensemble(x: np.ndarray, output_shape: tuple[int, ...]) -> keras.Model:
    """Networks side by side, from `(batch, n)` to `(batch, members, *output_shape)`."""
    inputs = keras.Input(x.shape[1:])
    normalization = keras.layers.Normalization()
    normalization.adapt(x)
    scaled = normalization(inputs)
    outputs = []
    for _ in range(MEMBERS):
        flat = scaled
        for _ in range(DEPTH):
            flat = keras.layers.Dense(WIDTH, activation=ACTIVATION)(flat)
        flat = keras.layers.Dense(math.prod(output_shape))(flat)
        outputs.append(keras.layers.Reshape((1, *(output_shape or (1,))))(flat))
    return keras.Model(inputs, keras.layers.Concatenate(axis=1)(outputs))
