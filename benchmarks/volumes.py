"""Shapes in volumes: eight arrangements of four cubes, at any angle.

Two of the shapes are mirror images of each other.

- `tetris`: each shape is seen once, upright. Which is it after a random rotation? This is
  the example of e3nn's tutorial, on a grid.
- `noisy`: shapes at any angle and off the centre, in noise, beside a convolutional network
  of at least as many weights, with volumes as they are and at random orientations that keep
  the grid. `comparison.py` says how they are compared.

Usage: python benchmarks/volumes.py {tetris,noisy} [--quick] [--seeds 3]
"""

import argparse
import functools
import itertools

import keras
import numpy as np
from comparison import Network, Shuffled, accuracy, compare, convolutional_network, train
from scipy.spatial.transform import Rotation

from keras_lconv.models import steerable_classifier

SHAPES = np.array(
    [
        [(0, 0, 0), (0, 0, 1), (1, 0, 0), (1, 1, 0)],  # a screw
        [(0, 0, 0), (0, 0, 1), (1, 0, 0), (1, -1, 0)],  # its mirror image
        [(0, 0, 0), (1, 0, 0), (0, 1, 0), (1, 1, 0)],  # a square
        [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 0, 3)],  # a line
        [(0, 0, 0), (0, 0, 1), (0, 1, 0), (1, 0, 0)],  # a corner
        [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 0)],  # an L
        [(0, 0, 0), (0, 0, 1), (0, 0, 2), (0, 1, 1)],  # a T
        [(0, 0, 0), (1, 0, 0), (1, 1, 0), (2, 1, 0)],  # a zigzag
    ],
    dtype=float,
)
STEP = 2.6  # voxels between the middles of neighbouring cubes


def volumes(labels, rotations, shifts, size):
    """Blobs in place of cubes, `(number, size, size, size, 1)`."""
    points = STEP * (SHAPES - SHAPES.mean(axis=1, keepdims=True))[labels]
    points = np.einsum("nij,npj->npi", rotations, points) + shifts[:, None]
    ticks = np.arange(size) - (size - 1) / 2
    # A blob is a product of three functions of one coordinate each.
    x, y, z = np.exp(-((ticks - points[..., None]) ** 2) / 2).transpose(2, 0, 1, 3)
    found = np.einsum("npi,npj,npk->nijk", x, y, z)
    return found[..., None].astype("float32")


def draw(number, seed, size=16, noise=0.2):
    """Shapes at any angle, up to a voxel off the centre, in noise."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(8, size=number)
    rotations = Rotation.random(number, random_state=seed).as_matrix()
    found = volumes(labels, rotations, rng.uniform(-1, 1, (number, 3)), size)
    return found + noise * rng.normal(size=found.shape).astype("float32"), labels


@functools.cache
def proper_orientations():
    """Permutations of axes and directions along them, without mirrors."""
    found = []
    for axes in itertools.permutations(range(3)):
        for signs in itertools.product((1, -1), repeat=3):
            if np.linalg.det(np.eye(3)[list(axes)] * signs) > 0:
                found.append((axes, signs))
    return found


def orientation(volume, number):
    """A volume `(x, y, z, channels)` in one of 24 orientations."""
    axes, signs = proper_orientations()[number]
    return volume.transpose(*axes, 3)[:: signs[0], :: signs[1], :: signs[2]]


def turned(volume, label, rng):
    """It in any of its orientations."""
    return orientation(volume, rng.integers(24)), label


def plain(shape, least):
    """A convolutional network of the same form with at least as many weights."""
    return convolutional_network(
        shape, least, 8, windows=(5, 3, 3), padding=1, least_width=4
    )


def steerable(size):
    """A network that does not see rotations."""
    return steerable_classifier(
        input_shape=(size,) * 3 + (1,),
        classes=8,
        group="so3",
        padding=1,
        classifier_activation=None,
    )


def tetris(quick, seeds):
    """Trains on eight upright volumes, and tests at random rotations."""
    size, epochs, number = (11, 2, 16) if quick else (15, 150, 200)
    labels = np.arange(8)
    x = volumes(labels, np.tile(np.eye(3), (8, 1, 1)), np.zeros((8, 3)), size)
    rotations = Rotation.random(number, random_state=0).as_matrix()
    y_test = np.arange(number) % 8
    x_test = volumes(y_test, rotations, np.zeros((number, 3)), size)
    for seed in range(seeds):
        keras.utils.set_random_seed(seed)
        model = steerable(size)
        seconds = train(model, Shuffled(x, labels, seed), epochs, 5e-3)
        print(
            f"seed {seed}: {seconds:.0f} CPU seconds, upright "
            f"{accuracy(model, x, labels):.3f}, at random rotations "
            f"{accuracy(model, x_test, y_test):.3f}",
            flush=True,
        )


def noisy(quick, seeds):
    """The table of networks."""
    size = 8 if quick else 16
    least = steerable(size).count_params()
    shape = (size,) * 3 + (1,)
    networks = {
        "steerable": Network(lambda: steerable(size), Shuffled),
        "cnn, turned": Network(
            lambda: plain(shape, least),
            functools.partial(Shuffled, turned=turned),
        ),
        "cnn": Network(lambda: plain(shape, least), Shuffled),
    }
    make_data = functools.partial(draw, size=size)
    if quick:
        return compare(networks, make_data, (16, 16, 16), 1, 1, rates=(5e-3,))
    return compare(networks, make_data, (400, 200, 800), 8, seeds)


def main(arguments=None):
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["tetris", "noisy"])
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args(arguments)
    {"tetris": tetris, "noisy": noisy}[options.what](options.quick, options.seeds)


if __name__ == "__main__":
    main()
