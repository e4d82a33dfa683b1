"""What tests of poolings to fewer positions share."""

import numpy as np

from tests.families import to_numpy


def built(layer, *spatial):
    layer.build((None, *spatial, 1))
    return layer


def matrices(generators, *spatial):
    if not generators.built:
        generators.build((None, *spatial, 1))
    return to_numpy(generators.to_dense()).astype("float64")


def ring(size, step=1):
    """The adjacency of a closed chain, or of every n-th neighbour."""
    forth = np.roll(np.eye(size), step, axis=0)
    return forth + forth.T
