"""A few hundred small images of cells, in any orientation and off the centre.

Each image shows a cell with two, three, four or five lobes: which? Cells have any
orientation and size, lie up to three pixels off the centre, and there is noise. Compared
are a steerable network, a convolutional one of at least as many weights that sees its
images at random angles, and the invariants of `lconv_classifier` under rotations about the
centre.
`comparison.py` says how.

Usage: python benchmarks/little_data.py [--quick] [--number 300] [--seeds 3]
"""

import argparse
import functools

import numpy as np
from comparison import Network, compare
from steerable import convolutional_network

from keras_lconv.datasets import RandomRotations
from keras_lconv.models import lconv_classifier, steerable_classifier

SIZE = 24
SHAPE = (SIZE, SIZE, 1)


def make_data(number, seed):
    """Images `(number, size, size, 1)` and labels from 0 to 3."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(4, size=number)
    centre = (SIZE - 1) / 2 + rng.uniform(-3, 3, (2, number, 1, 1))
    y, x = np.meshgrid(*[np.arange(SIZE)] * 2, indexing="ij")
    dy, dx = y - centre[0], x - centre[1]
    radius, depth, brightness = (
        rng.uniform(*limits, (number, 1, 1)) for limits in ((5, 7), (0.15, 0.3), (0.5, 1))
    )
    lobes, turn = labels[:, None, None] + 2, rng.uniform(0, 2 * np.pi, (number, 1, 1))
    edge = radius * (1 + depth * np.cos(lobes * np.arctan2(dy, dx) + turn))
    inside = 1 / (1 + np.exp(2 * (np.hypot(dy, dx) - edge)))
    images = brightness * inside + 0.25 * rng.normal(size=inside.shape)
    return images[..., None].astype("float32"), labels


def main(arguments=None):
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--number", type=int, default=300, help="of images to train on")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args(arguments)
    ready = {"input_shape": SHAPE, "classes": 4, "classifier_activation": None}

    def steerable():
        return steerable_classifier(**ready)

    least = steerable().count_params()
    turned = functools.partial(RandomRotations, batch_size=32)
    networks = {
        "steerable": Network(
            steerable, lambda x, y, s: turned(x, y, max_degrees=45, seed=s)
        ),
        "cnn": Network(
            lambda: convolutional_network(SHAPE, least, 4),
            lambda x, y, s: turned(x, y, seed=s),
        ),
        "invariants": Network(
            lambda: lconv_classifier(filters=(), **ready),
            lambda x, y, s: turned(x, y, max_degrees=0, seed=s),
        ),
    }
    if options.quick:
        return compare(networks, make_data, (64, 64, 64), 1, 1, rates=(5e-3,))
    return compare(networks, make_data, (options.number, 600, 2000), 40, options.seeds)


if __name__ == "__main__":
    main()
