"""Random inputs, the same in each run."""

import numpy as np


def random(shape, seed=0, dtype="float32"):
    """Normal numbers, as layers take them."""
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def normal(*shape, seed=0):
    """Normal numbers of a table, in double precision."""
    return random(shape, seed, "float64")
