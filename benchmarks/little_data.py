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

from comparison import Network, compare, convolutional_network

from keras_lconv.datasets import RandomRotations, cell_images
from keras_lconv.models import lconv_classifier, steerable_classifier

SHAPE = (24, 24, 1)


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

    def draw(number, seed):
        return cell_images(number, seed=seed)

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
        return compare(networks, draw, (64, 64, 64), 1, 1, rates=(5e-3,))
    return compare(networks, draw, (options.number, 600, 2000), 40, options.seeds)


if __name__ == "__main__":
    main()
