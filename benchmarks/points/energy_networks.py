"""Networks of Keras for the energy of a molecule, from kinds and positions of its atoms."""

import keras
import numpy as np
from keras import layers, ops

from keras_lconv import PointPooling
from keras_lconv.models import point_network

RADIUS = 5.0  # angstrom


def perceptron(kinds, width=256):
    """Dense layers of the inverse distances of all pairs of atoms, in their order."""
    number = len(kinds)
    first, second = np.triu_indices(number, 1)
    species = keras.Input((number,), dtype="int32", name="species")
    positions = keras.Input((number, 3), name="positions")
    between = ops.take(positions, first, axis=1) - ops.take(positions, second, axis=1)
    inverse = 1 / ops.sqrt(ops.sum(between**2, axis=-1))
    x = layers.Normalization(axis=None, mean=0.4, variance=0.1)(inverse)
    for _ in range(3):
        x = layers.Dense(width, activation="silu")(x)
    return keras.Model([species, positions], layers.Dense(1)(x))


def points(kinds, width=16, degree=1):
    """Layers of `PointConv` to energies of atoms, and their sum."""
    atoms = point_network(
        input_shape=(len(kinds), 3),
        pooling=None,
        classes=1,
        classifier_activation=None,
        num_species=int(max(kinds)),
        filters=(width,),
        degree=degree,
        radius=RADIUS,
    )
    total = PointPooling(reduction="sum", data_format="channels_last")
    return keras.Model(atoms.inputs, total(atoms.output))


NETWORKS = {"distances": perceptron, "PointConv": points}
