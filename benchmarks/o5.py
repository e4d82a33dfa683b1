"""A group with reflections in place of its algebra: a task for each answer.

Run: KERAS_BACKEND=torch python benchmarks/o5.py
In five dimensions no reflection matters up to products of four vectors: O(5) has the maps
of so(5). The volume of three vectors of space changes its sign under reflections: a network
of SO(3) learns it, an invariant one of O(3) cannot, one of O(3) with a pseudoscalar as
output can. That one is of another architecture: a product of three linear maps, which holds
the volume itself, where the others are `equivariant_mlp`. Its error shows that the map
exists, not that the group learns better. Errors are on 2,000 new points, as the root of the
mean square by the standard deviation.
"""

import argparse

import keras
import numpy as np
from keras import ops

from keras_lconv import EquivariantDense, TensorProduct
from keras_lconv.algebra import SO, O, so
from keras_lconv.models import equivariant_mlp


def o5(x):
    """The first task of EMLP, of two vectors in five dimensions."""
    lengths = np.linalg.norm(x.reshape(-1, 2, 5), axis=2)
    overlaps = np.sum(x[:, :5] * x[:, 5:], axis=1)
    return np.sin(lengths[:, 0]) - lengths[:, 1] ** 3 / 2 + overlaps / lengths.prod(axis=1)


def volume(x):
    """The signed volume of three vectors."""
    return np.linalg.det(x.reshape(-1, 3, 3))


def pseudoscalar():
    """A product of three linear maps, and the number in it that reflections turn."""
    V = O(3).standard
    last = {"data_format": "channels_last"}
    inputs = keras.Input((9,))
    x = ops.transpose(ops.reshape(inputs, (-1, 3, 3)), (0, 2, 1))
    factors = [EquivariantDense(16, V, use_bias=False, **last)(x) for _ in range(3)]
    pairs = TensorProduct(**last)(factors[:2])
    triples = TensorProduct(**last)([pairs, factors[2]])
    top = EquivariantDense(1, V**3, generators_out=O(3).sign(), use_bias=False, **last)
    return keras.Model(inputs, top(triples))


def network(group, blocks):
    """An invariant network of vectors that an algebra or a group acts on."""
    return equivariant_mlp(group, blocks=blocks, hidden_units=(32, 32), vectors=8)


def error_of(make, function, size, options):
    """Trains a network on 1,000 points; its error on new ones, and how many weights."""
    keras.utils.set_random_seed(options.seed)
    rng = np.random.default_rng(options.seed)
    x, new = rng.normal(size=(1000, size)), rng.normal(size=(2000, size))
    y, true = function(x), function(new)
    model = make()
    steps = options.epochs * 20
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    model.compile(keras.optimizers.Adam(rate), "mse")
    mean, spread = (0.0, y.std()) if function is volume else (y.mean(), y.std())
    target = ((y - mean) / spread).reshape(-1, *model.output_shape[1:])
    model.fit(x, target, batch_size=50, epochs=options.epochs, verbose=0)
    found = mean + spread * model.predict(new, batch_size=1000, verbose=0).ravel()
    weights = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    return np.sqrt(np.mean((found - true) ** 2)) / true.std(), weights


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tasks", nargs="*", default=["o5", "volume"])
    options = parser.parse_args()
    print("| function | group | output | network | weights | error |")
    print("| --- | --- | --- | --- | --- | --- |")
    for function, label, size, make in (
        (o5, "so(5) | number | equivariant_mlp", 10, lambda: network(so(5), 2)),
        (o5, "O(5) | number | equivariant_mlp", 10, lambda: network(O(5), 2)),
        (volume, "SO(3) | number | equivariant_mlp", 9, lambda: network(SO(3), 3)),
        (volume, "O(3) | number | equivariant_mlp", 9, lambda: network(O(3), 3)),
        (volume, "O(3) | pseudoscalar | product of 3 maps", 9, pseudoscalar),
    ):
        if function.__name__ in options.tasks:
            error, weights = error_of(make, function, size, options)
            row = f"| {function.__name__} | {label} | {weights} | {error:.2g} |"
            print(row, flush=True)


if __name__ == "__main__":
    main()
