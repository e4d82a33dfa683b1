"""Networks that tell where charged bodies come to, from where they are and how fast.

All take `[charges, positions, velocities]`, `(batch, 5, 1)` and twice `(batch, 5, 3)`, and
give positions. EGNN's layer is written from the formulas of V. Satorras, E. Hoogeboom,
M. Welling, "E(n) equivariant graph neural networks", ICML 2021.
"""

import keras
from charged_bodies import BODIES
from keras import layers, ops

from keras_lconv import PointConv
from keras_lconv.algebra import O

LAST = {"data_format": "channels_last"}
# Of distances and speeds, below which logarithms are level.
SOFTENING = 1e-2
LARGEST_STEP = 100.0
OTHERS = 1 - ops.eye(BODIES)[..., None]


def inputs():
    """Charges, positions and velocities."""
    return [
        keras.Input((BODIES, size), name=name)
        for name, size in (("charges", 1), ("positions", 3), ("velocities", 3))
    ]


def between(of_points):
    """Differences `(batch, n, n, c)` of the second end and the first."""
    return ops.expand_dims(of_points, 1) - ops.expand_dims(of_points, 2)


def inner(a, b):
    """Products of vectors, `(..., 1)`."""
    return ops.sum(a * b, axis=-1, keepdims=True)


def squares(x):
    """Of the distances of all pairs, `(batch, n, n, 1)`."""
    return inner(between(x), between(x))


def products(charges):
    """Of each pair, `(batch, n, n, 1)`."""
    return ops.expand_dims(charges, 1) * ops.expand_dims(charges, 2)


def dense(*units, last=None, scale=1.0):
    """Dense layers with SiLU between them.

    Args:
        *units: Of the layers with SiLU.
        last: Units of one more without.
        scale: Variance of the kernels at first, times the number of inputs.
    """

    def layer(size, activation):
        start = keras.initializers.VarianceScaling(scale, "fan_in", "uniform")
        return layers.Dense(size, activation, kernel_initializer=start)

    found = [layer(each, "silu") for each in units]
    return keras.Sequential(found + ([layer(last, None)] if last else []))


def perceptron(width=256):
    """Dense layers of all numbers: it knows of no symmetry."""
    given = inputs()
    flat = layers.Flatten()(ops.concatenate(given, axis=-1))
    moved = layers.Reshape((BODIES, 3))(dense(width, width, width, last=3 * BODIES)(flat))
    return keras.Model(given, given[1] + given[2] + moved)


def message_passing(width=48, rounds=4):
    """Messages of all pairs, of coordinates as they are."""
    given = inputs()
    charges, x, v = given
    pairs = ops.concatenate([between(x), between(v), products(charges)], axis=-1)
    h = dense(width)(ops.concatenate(given, axis=-1))
    for _ in range(rounds):
        h = h + dense(width, last=width)(ops.concatenate([h, _told(h, pairs, width)], -1))
    return keras.Model(given, x + v + dense(width, last=3)(h))


def _told(h, pairs, width):
    """The sum of the messages that each point gets."""
    messages = dense(width, width)(ops.concatenate([*_ends(h), pairs], axis=-1))
    return ops.sum(messages * OTHERS, axis=2)


def _ends(h):
    """The features of both ends of each pair."""
    first, second = ops.expand_dims(h, 2), ops.expand_dims(h, 1)
    zeros = ops.zeros_like(first + second)
    return first + zeros, second + zeros


def egnn(width=48, rounds=4):
    """The network of the paper, with its layer that knows velocities.

    Its kernels start as those of PyTorch's linear layers do, for which it was made. With
    three times this variance, as is usual in Keras, bodies that are far from the others
    come to places beyond float32.
    """
    given = inputs()
    charges, x, v = given
    start = {"scale": 1 / 3}
    h = dense(last=width, **start)(ops.sqrt(inner(v, v) + 1e-12))
    of_pairs = ops.concatenate([products(charges), squares(x)], axis=-1)
    for _ in range(rounds):
        seen = ops.concatenate([*_ends(h), squares(x), of_pairs], axis=-1)
        messages = dense(width, width, **start)(seen) * OTHERS
        pull = layers.Dense(1, use_bias=False, kernel_initializer=_small())(
            dense(width, **start)(messages)
        )
        # From the neighbour to the point, averaged, and never far.
        pulled = ops.clip(-between(x) * pull, -LARGEST_STEP, LARGEST_STEP)
        moved = ops.sum(pulled * OTHERS, axis=2) / (BODIES - 1)
        x = x + dense(width, last=1, **start)(h) * v + moved
        told = ops.concatenate([h, ops.sum(messages, axis=2)], axis=-1)
        h = h + dense(width, last=width, **start)(told)
    return keras.Model(given, x)


def _small():
    """A thousandth of the standard deviation of Glorot's rule."""
    return keras.initializers.VarianceScaling(1e-6, mode="fan_avg")


def points(width=24, rounds=5):
    """Steps of `PointConv`, each of which gives accelerations.

    It sees of each pair what rotations, reflections and translations do not change: the
    product of charges, the distance, the relative speed, and the angle between the two.
    """
    given = inputs()
    charges, x, v = given
    group = O(3)
    number, vector = group.trivial(), group.standard
    for _ in range(rounds):
        conv = PointConv(
            1,
            group,
            representation_in=number + vector,
            representation_out=vector,
            degree=1,
            hidden_units=(width, width),
            aggregation="sum",
            **LAST,
        )
        features = ops.expand_dims(ops.concatenate([charges, v], axis=-1), -1)
        v = v + conv([features, x, invariants(charges, x, v)])[..., 0] / rounds
        x = x + v / rounds
    return keras.Model(given, x)


def invariants(charges, x, v):
    """Six numbers of each pair, of order one, `(batch, n, n, 6)`."""
    apart, faster, product = between(x), between(v), products(charges)
    square, speed = inner(apart, apart) + SOFTENING, inner(faster, faster)
    length = ops.log(square) / 3
    angle = inner(apart, faster) / ops.sqrt(square * (1 + speed))
    potential = product / ops.sqrt(square) / 3
    return ops.concatenate(
        [product, length, product * length, potential, ops.log1p(speed) / 2, angle], axis=-1
    )


NETWORKS = {
    "perceptron": perceptron,
    "messages": message_passing,
    "EGNN": egnn,
    "PointConv": points,
}
