"""Charged particles: where are they after a while? Networks with and without a symmetry.

Five particles with charges of either sign attract and repel each other, from random places
and with random velocities, as in V. Satorras, E. Hoogeboom, M. Welling, "E(n) equivariant
graph neural networks" (ICML 2021), whose simulation this follows in kind, not in its
numbers. Given are charges, positions and velocities, and asked for are the displacements.

- `equivariant`: a stack of `PointConv` for O(3), which turns with the particles.
- `without symmetry`: the same stack for the group of one element, with as many channels.
- `dense`: a multilayer perceptron on all numbers at once.

Each network trains for the same CPU seconds, with a rate that falls to zero. The rate at
which it starts is the best of three on validation data. Then each trains on further draws,
one for each seed, and is scored on one test set: the mean square error of a coordinate,
over that of no motion at all.

Usage: python benchmarks/points.py [--quick] [--seeds 3] [--seconds 20]
"""

import argparse
import time

import keras
import numpy as np

from keras_lconv import GatedActivation, PointConv
from keras_lconv.algebra import MatrixGroup, O

layers = keras.layers
NUMBER, STEPS, STEP, SOFTENING = 5, 400, 0.005, 0.1
RATES = (1e-3, 3e-3, 1e-2)
LAST = {"data_format": "channels_last"}
BATCH = 50


# -------------------------------------------------------------------------------- data


def make_data(number, seed):
    """Charges `(n, 5, 1)`, positions and velocities `(n, 5, 3)`, and displacements."""
    rng = np.random.default_rng(seed)
    charges = rng.choice([-1.0, 1.0], (number, NUMBER, 1))
    positions, velocities = rng.normal(size=(2, number, NUMBER, 3))
    velocities *= 0.5
    x, v = positions, velocities
    for _ in range(STEPS):
        v = v + STEP * forces(charges, x)
        x = x + STEP * v
    arrays = charges, positions, velocities, x - positions
    return [a.astype("float32") for a in arrays]


def forces(charges, x):
    """Coulomb's, softened at short distances."""
    between = x[:, :, None] - x[:, None]
    squares = np.sum(between**2, axis=-1, keepdims=True) + SOFTENING
    products = charges[:, :, None] * charges[:, None]
    return np.sum(products * between / squares**1.5, axis=2)


# ---------------------------------------------------------------------------- networks


def point_stack(group, width=16, depth=3):
    """Displacements from a stack of convolutions on points."""
    charges, positions, velocities = inputs()
    hidden = group.trivial() + group.standard
    x = layers.Concatenate(axis=2)([charges[:, :, None], velocities[..., None]])
    for layer in range(depth):
        y = PointConv(width, group, hidden, hidden, aggregation="sum", **LAST)(
            [x, positions]
        )
        gates = layers.Dense(width, activation="silu")(y[:, :, 0])
        gates = layers.Dense(width)(gates)
        y = GatedActivation(**LAST)([y, gates])
        x = layers.Add()([x, y]) if layer else y
    y = PointConv(1, group, hidden, group.standard, aggregation="sum", **LAST)(
        [x, positions]
    )
    return keras.Model([charges, positions, velocities], y[..., 0])


def dense(width=256):
    """Displacements from all numbers at once."""
    given = inputs()
    x = layers.Concatenate()([layers.Flatten()(each) for each in given])
    for _ in range(3):
        x = layers.Dense(width, activation="silu")(x)
    x = layers.Dense(3 * NUMBER)(x)
    return keras.Model(given, layers.Reshape((NUMBER, 3))(x))


def inputs():
    """Of charges, positions and velocities."""
    return [keras.Input((NUMBER, size)) for size in (1, 3, 3)]


NETWORKS = {
    "equivariant": lambda: point_stack(O(3)),
    "without symmetry": lambda: point_stack(MatrixGroup(elements=[np.eye(3)])),
    "dense": dense,
}


# ---------------------------------------------------------------------------- training


def train(model, data, rate, seconds):
    """Trains for so many CPU seconds, and returns the number of epochs."""
    *given, target = data
    model.compile(keras.optimizers.Adam(rate), "mse")
    model.fit(given, target, batch_size=BATCH, epochs=1, verbose=0)  # compiles
    start = time.process_time()
    model.fit(given, target, batch_size=BATCH, epochs=1, verbose=0)
    epochs = max(round(seconds / (time.process_time() - start)), 1)
    falling = keras.callbacks.LearningRateScheduler(
        lambda epoch, _: rate * (1 + np.cos(np.pi * epoch / epochs)) / 2
    )
    model.fit(
        given, target, batch_size=BATCH, epochs=epochs, verbose=0, callbacks=[falling]
    )
    return epochs


def error(model, data):
    """Mean square error, over that of no motion."""
    *given, target = data
    found = model.predict(given, verbose=0, batch_size=200)
    return float(np.mean((found - target) ** 2) / np.mean(target**2))


def main(arguments=None):
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args(arguments)
    number, seconds, seeds = (
        (100, 0.5, 1) if options.quick else (3000, options.seconds, options.seeds)
    )
    rates = RATES[1:2] if options.quick else RATES
    example, check, test = (
        make_data(size, seed)
        for seed, size in enumerate((number, number // 3, number // 3))
    )
    print(f"Backend: {keras.config.backend()}, {number} samples, {seconds} CPU seconds")
    print("network            weights  epochs    rate  error relative to no motion")
    for name, build in NETWORKS.items():
        found = {}
        for rate in rates:
            keras.utils.set_random_seed(0)
            model = build()
            train(model, example, rate, seconds)
            found[rate] = error(model, check)
        rate = min(found, key=found.get)
        errors = []
        for seed in range(seeds):
            keras.utils.set_random_seed(seed)
            model = build()
            epochs = train(model, make_data(number, 100 + seed), rate, seconds)
            errors.append(error(model, test))
        print(
            f"{name:18s} {model.count_params():7d} {epochs:7d} {rate:7.0e} "
            f"{np.mean(errors):7.4f} +- {np.std(errors):.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
