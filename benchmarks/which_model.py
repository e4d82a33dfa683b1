"""Which model? The presets of `models.classifier` beside a CNN and a Dense network.

- `fashion`, `mnist`: 300 upright images, tested upright and at random angles. Means of
  2 x 2 pixels make them 14 x 14; with `--full` they are as they are.
- `digits`: the same with 300 of scikit-learn's digits of 8 x 8 pixels.
- `cells`: `keras_lconv.datasets.cell_images`, in any orientation and off the centre.
- `signals`: heart beats of four kinds, generated, with any rate and phase, in noise.
- `volumes`: eight shapes of four cubes, at any angle, in noise (`volumes.py`).
- `points`: the same shapes as four points in any order, which err by a sixth of a step.
- `table`: a position and a velocity, and three classes of an energy.

All networks of a task have the same samples, and train for the same CPU seconds, data and
augmentation included, compilation not. The rate of each is the better one of `RATES` on
validation samples; at random angles for networks that are meant for these. "turned" says
that samples are turned at random in each epoch. Test samples are seen once, at the end.

Images are what `keras.datasets` loads, or the four files of a folder, as those of the
Debian package dataset-fashion-mnist in /usr/share/datasets/fashion-mnist.

Usage: python benchmarks/which_model.py [--data NAME ...] [--full] [--quick]
           [--fashion FOLDER] [--mnist FOLDER] [--output outputs/which_model.json]
"""

import argparse
import dataclasses
import functools
import importlib.metadata
import json
import pathlib
from collections.abc import Callable

import keras
import numpy as np
import volumes
from comparison import (
    Network,
    Shuffled,
    accuracy,
    convolutional_network,
    seconds_per_epoch,
    train,
    weights,
)
from scipy.spatial.transform import Rotation
from steerable import load
from which_model_report import report

from keras_lconv.algebra import so
from keras_lconv.datasets import RandomRotations, cell_images, rotate_images
from keras_lconv.models import classifier

RATES = (3e-3, 1e-2)
CHECK, TEST = 1000, 2000  # seeds of the draws; those to train on are 0, 1, 2
upright = functools.partial(Shuffled, batch_size=32)
layers = keras.layers


@dataclasses.dataclass
class Task:
    """The comparison on one kind of data.

    Args:
        draw: From a number of samples and a seed to inputs and labels.
        numbers: How many to train on, to validate and to test on.
        seconds: CPU seconds of training of each network.
        networks: By their names.
        move: Makes the second column of scores: from inputs to other ones.
        moved: Names of networks that are validated on such inputs.
    """

    draw: Callable
    numbers: tuple[int, int, int]
    seconds: float
    networks: dict[str, Network]
    move: Callable | None = None
    moved: tuple[str, ...] = ()


# ------------------------------------------------------------------------------ networks


def dense_network(shape, classes):
    """Two hidden layers on all numbers of a sample."""
    model = keras.Sequential([keras.Input(shape), layers.Flatten()])
    for _ in range(2):
        model.add(layers.Dense(128, use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
        model.add(layers.Dropout(0.2))
    model.add(layers.Dense(classes))
    return model


def preset(data, shape, classes, batches, **settings):
    """A network of `models.classifier`, which returns logits."""
    build = functools.partial(classifier, data, shape, classes, None, **settings)
    return Network(build, batches)


def image_networks(shape, classes, is_upright, batch_size=32):
    """The CNN has at least as many weights as the preset that is a convolution, too."""
    as_they_are = functools.partial(Shuffled, batch_size=batch_size)
    turned = functools.partial(RandomRotations, batch_size=batch_size)
    less = functools.partial(turned, max_degrees=45)

    def all_angles(x, y, seed):
        return turned(x, y, seed=seed)

    found = {
        "centred objects": preset("centred objects", shape, classes, as_they_are),
        "objects anywhere": preset(
            "objects anywhere", shape, classes, lambda x, y, seed: less(x, y, seed=seed)
        ),
    }
    least = found["objects anywhere"].build().count_params()

    def cnn():
        return convolutional_network(shape, least, classes)

    def dense():
        return dense_network(shape, classes)

    found["CNN, turned"] = Network(cnn, all_angles)
    if is_upright:
        found["CNN"] = Network(cnn, as_they_are)
        return {**found, "Dense": Network(dense, as_they_are)}
    return {**found, "Dense, turned": Network(dense, all_angles)}


# ---------------------------------------------------------------------------------- data


def at_random_angles(x):
    return rotate_images(x, np.random.default_rng(0).uniform(0, 360, len(x)))


def halved(parts):
    """Images with the means of 2 x 2 pixels, and labels."""
    return [(x.reshape(-1, 14, 2, 14, 2, 1).mean(axis=(2, 4)), y) for x, y in parts]


def upright_images(parts, numbers, seconds, batch_size=32):
    """A task of images that are known, a part to train on and one to test on."""
    (x, y), (x_test, y_test) = parts
    last = len(x) - numbers[1]

    def draw(number, seed):
        if seed == TEST:
            return x_test[:number], y_test[:number]
        if seed == CHECK:
            return x[last:][:number], y[last:][:number]
        some = np.random.default_rng(seed).choice(last, number, replace=False)
        return x[some], y[some]

    networks = image_networks(x.shape[1:], 10, True, batch_size)
    moved = ("centred objects", "objects anywhere", "CNN, turned")
    return Task(draw, numbers, seconds, networks, at_random_angles, moved)


def digits():
    """Images `(num, 8, 8, 1)` from 0 to 1 and labels, the last 500 to test on."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1).astype("float32") / 16
    return (images[:-500], labels[:-500]), (images[-500:], labels[-500:])


def heart_beats(number, seed, size=256):
    """Signals `(number, size, 1)` of one to four beats, and which of four kinds they are.

    They are as usual, or without the P wave, with a wide QRS complex, or with the T wave
    upside down. The baseline moves, and there is noise.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(4, size=number)
    period = rng.uniform(70, 130, number)
    scale = rng.uniform(0.9, 1.15, number)  # of durations
    beats = np.arange(-1, 5) + rng.uniform(0, 1, number)[:, None]
    times = np.arange(size) - (beats * period[:, None])[..., None]
    waves = {  # time after the R peak, width, height
        "P": (-22, 3.5, np.where(labels == 1, 0, 0.15)),
        "Q": (-4, 1.3, -0.12),
        "R": (0, np.where(labels == 2, 4.0, 1.8), 1.0),
        "S": (4, 1.3, -0.2),
        "T": (32, 6.5, np.where(labels == 3, -0.25, 0.25)),
    }
    heights = rng.normal(1, 0.15, (len(waves), number))
    signals = np.zeros((number, size))
    for factor, (time, width, height) in zip(heights, waves.values(), strict=True):
        from_middle = times - (time * scale)[:, None, None]
        spread = (width * scale * np.ones(number))[:, None, None]
        pulses = np.exp(-((from_middle / spread) ** 2) / 2).sum(axis=1)
        signals += (height * factor)[:, None] * pulses
    start = rng.uniform(0, 2 * np.pi, (number, 1))
    signals += 0.2 * np.sin(2 * np.pi * np.arange(size) / 300 + start)
    signals += 0.05 * rng.normal(size=signals.shape)
    return signals[..., None].astype("float32"), labels


def point_shapes(number, seed, error=0.15):
    """The shapes of `volumes.py` as points `(number, 4, 3)` in any order."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(8, size=number)
    found = volumes.SHAPES[labels] + error * rng.normal(size=(number, 4, 3))
    order = np.argsort(rng.random((number, 4)), axis=1)
    found = np.take_along_axis(found, order[..., None], axis=1)
    found -= found.mean(axis=1, keepdims=True)
    turns = Rotation.random(number, random_state=seed).as_matrix()
    return np.einsum("nij,npj->npi", turns, found).astype("float32"), labels


def turned_vectors(x, label, rng):
    """Vectors `(..., 3)` that are turned, and in another order if they are points."""
    turn = Rotation.random(random_state=int(rng.integers(2**31))).as_matrix()
    if x.ndim == 2:
        return (rng.permutation(x) @ turn.T).astype("float32"), label
    return (x.reshape(-1, 3) @ turn.T).reshape(x.shape).astype("float32"), label


def energies(number, seed):
    """Positions and velocities, `(number, 6)`, and thirds of an energy."""
    rows = np.random.default_rng(seed).normal(size=(number, 6))
    position, velocity = rows[:, :3], rows[:, 3:]
    energy = np.sum(velocity**2, axis=1) * np.exp(-np.sum(position**2, axis=1) / 2)
    energy += np.sum(position * velocity, axis=1)
    return rows.astype("float32"), np.digitize(energy, (-0.2, 1.0))


# --------------------------------------------------------------------------------- tasks


def signals():
    shape = (256, 1)
    found = preset("signal", shape, 4, upright)
    least = found.build().count_params()
    cnn = functools.partial(convolutional_network, shape, least, 4)
    # Of the windows 5, 7, 11 and 15 validation samples choose 11.
    long = functools.partial(cnn, windows=(11, 11, 11), padding=5)
    networks = {
        "signal": found,
        "CNN, windows of 11": Network(long, upright),
        "CNN, windows of 5": Network(cnn, upright),
        "Dense": Network(lambda: dense_network(shape, 4), upright),
    }
    return Task(heart_beats, (400, 400, 2000), 6, networks)


def shapes_in_volumes():
    size = 11
    shape = (size,) * 3 + (1,)
    turned = functools.partial(upright, turned=volumes.turned)
    least = volumes.steerable(size).count_params()
    networks = {
        "volume": preset("volume", shape, 8, upright),
        "CNN, turned": Network(lambda: volumes.plain(shape, least), turned),
        "Dense, turned": Network(lambda: dense_network(shape, 8), turned),
    }
    draw = functools.partial(volumes.draw, size=size)
    return Task(draw, (400, 200, 800), 60, networks)


def shapes_of_points():
    shape = (4, 3)
    turned = functools.partial(upright, turned=turned_vectors)
    networks = {
        "points": preset("points", shape, 8, upright),
        "Dense, turned": Network(lambda: dense_network(shape, 8), turned),
        "Dense": Network(lambda: dense_network(shape, 8), upright),
    }
    return Task(point_shapes, (400, 400, 2000), 8, networks)


def rows_of_a_table():
    shape = (6,)
    turned = functools.partial(upright, turned=turned_vectors)
    networks = {
        "table": preset("table", shape, 3, upright, generators=so(3)),
        "Dense, turned": Network(lambda: dense_network(shape, 3), turned),
        "Dense": Network(lambda: dense_network(shape, 3), upright),
    }
    return Task(energies, (400, 400, 4000), 5, networks)


def cells():
    networks = image_networks((24, 24, 1), 4, False)
    return Task(lambda n, seed: cell_images(n, seed=seed), (400, 400, 2000), 12, networks)


def tasks(fashion=None, mnist=None, full=False):
    """Makers of the tasks, by name."""

    def known(name, folder):
        parts = load(name, folder)
        if full:
            return upright_images(parts, (300, 300, 2000), 60, 10)
        return upright_images(halved(parts), (300, 300, 2000), 20, 10)

    return {
        "fashion": lambda: known("fashion_mnist", fashion),
        "mnist": lambda: known("mnist", mnist),
        "digits": lambda: upright_images(digits(), (300, 300, 500), 12, 10),
        "cells": cells,
        "signals": signals,
        "volumes": shapes_in_volumes,
        "points": shapes_of_points,
        "table": rows_of_a_table,
    }


# --------------------------------------------------------------------------- measurement


def measure(task, network, is_moved, seeds):
    """Weights, epochs, rate, CPU seconds, and scores for each seed."""
    x, y = task.draw(task.numbers[0], 0)
    epochs = max(round(task.seconds / seconds_per_epoch(network, x, y)), 1)
    check, labels = task.draw(task.numbers[1], CHECK)
    check = task.move(check) if is_moved else check

    def trained(seed, rate):
        keras.utils.set_random_seed(seed)
        model = network.build()
        data = network.batches(*task.draw(task.numbers[0], seed), seed)
        return model, train(model, data, epochs, rate)

    first = {rate: trained(0, rate) for rate in RATES}
    rate = max(RATES, key=lambda rate: accuracy(first[rate][0], check, labels))
    x_test, y_test = task.draw(task.numbers[2], TEST)
    inputs = [x_test, *([task.move(x_test)] if task.move else [])]
    seconds, scores = [], []
    for seed in range(seeds):
        model, time = trained(seed, rate) if seed else first[rate]
        seconds.append(time)
        scores.append([accuracy(model, some, y_test) for some in inputs])
    return {
        "weights": weights(model),
        "epochs": epochs,
        "rate": rate,
        "seconds": float(np.mean(seconds)),
        "scores": scores,
    }


def main(arguments=None):
    """Writes what was measured after each task, beside what the file had of others."""
    parser = argparse.ArgumentParser(description=__doc__)
    names = tuple(tasks())
    parser.add_argument("--data", nargs="+", choices=names, default=names)
    parser.add_argument("--full", action="store_true", help="three seeds")
    parser.add_argument("--quick", action="store_true", help="next to no training")
    parser.add_argument("--fashion", type=pathlib.Path, help="folder of Fashion-MNIST")
    parser.add_argument("--mnist", type=pathlib.Path, help="folder of MNIST")
    parser.add_argument(
        "--output", type=pathlib.Path, default=pathlib.Path("outputs/which_model.json")
    )
    options = parser.parse_args(arguments)
    seeds = 3 if options.full else 1
    names = ("keras", keras.config.backend(), "numpy")
    versions = {name: importlib.metadata.version(name) for name in names}
    results = {"versions": versions, "tasks": {}}
    if options.output.exists():
        results["tasks"] = json.loads(options.output.read_text("utf-8"))["tasks"]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    for name in options.data:
        task = tasks(options.fashion, options.mnist, options.full)[name]()
        if options.quick:
            task = dataclasses.replace(task, numbers=(32, 32, 32), seconds=0.1)
        rows = {
            network: measure(task, how, network in task.moved, seeds)
            for network, how in task.networks.items()
        }
        found = {"numbers": task.numbers, "seconds": task.seconds, "networks": rows}
        results["tasks"][name] = found
        options.output.write_text(json.dumps(results, indent=1) + "\n", "utf-8")
        print(f"\n{name}\n\n{report(found)}", flush=True)
    return results


if __name__ == "__main__":
    main()
