"""Segmentation where orientation is arbitrary: a U-Net beside its steerable twin.

Each image holds hooks that turn left, hooks that turn right, and discs, at any place and
angle, of any brightness, in noise. Which pixels are of a left hook, which of a right one?
A hook and its mirror image have the same parts: they differ by how these lie.

The plain network is a common U-Net, with at least as many weights, and two convolutions at
each level on either way. While training it sees each image in one of the four orientations
that are exact; the steerable one needs no such thing. Each has batches of 8 or 16, which is
better on validation images. `comparison.py` says how they are compared.

Usage: python benchmarks/segmentation.py [--quick] [--seeds 3]
"""

import argparse
import functools

import keras
import numpy as np
from comparison import Network, Shuffled, compare

from keras_lconv.models import steerable_unet

layers = keras.layers
SIZE = 32
CLASSES = 3


# -------------------------------------------------------------------------------- data


def distance_to_segment(points, start, end):
    """From points `(..., 2)`."""
    along = end - start
    share = (points - start) @ along / (along @ along)
    nearest = start + np.clip(share, 0, 1)[..., None] * along
    return np.linalg.norm(points - nearest, axis=-1)


def draw(rng):
    """An image `(size, size, 1)` and the class of each pixel."""
    grid = np.stack(np.meshgrid(*[np.arange(SIZE)] * 2, indexing="ij"), axis=-1)
    image, labels = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE), "int32")
    centres = []
    for kind in rng.permutation([1, 2, 0, rng.integers(3)]):
        centre = rng.uniform(5, SIZE - 6, 2)
        if any(np.linalg.norm(centre - other) < 11 for other in centres):
            continue
        centres.append(centre)
        if kind:
            angle, hand = rng.uniform(0, 2 * np.pi), 3 - 2 * kind
            along = np.array([np.cos(angle), np.sin(angle)])
            across = hand * np.array([-along[1], along[0]])
            start, corner = centre - 4 * along, centre + 3 * along
            distance = np.minimum(
                distance_to_segment(grid, start, corner),
                distance_to_segment(grid, corner, corner + 4 * across),
            )
            inside = distance < 1.2
        else:
            inside = np.linalg.norm(grid - centre, axis=-1) < rng.uniform(2, 4)
        image[inside] = rng.uniform(0.6, 1.2)
        labels[inside] = kind
    return (image + 0.25 * rng.normal(size=image.shape))[..., None], labels


def make_data(number, seed):
    """Images and labels."""
    rng = np.random.default_rng(seed)
    images, labels = zip(*[draw(rng) for _ in range(number)], strict=True)
    return np.array(images, "float32"), np.array(labels)


def turned(image, label, rng):
    """Both in one of four orientations."""
    turn = rng.integers(4)
    return np.rot90(image, turn), np.rot90(label, turn)


# ---------------------------------------------------------------------------- networks


def plain_unet(least, levels=2):
    """A common U-Net with at least as many weights."""
    width = 4
    while True:
        inputs = keras.Input((SIZE, SIZE, 1))
        x, kept = inputs, []
        for level in range(levels):
            x = pair(x, width * 2**level)
            kept.append(x)
            x = layers.AveragePooling2D(2)(x)
        x = pair(x, width * 2**levels)
        for level in reversed(range(levels)):
            x = layers.UpSampling2D(2, interpolation="bilinear")(x)
            x = pair(layers.Concatenate()([kept[level], x]), width * 2**level)
        model = keras.Model(inputs, layers.Conv2D(CLASSES, 1)(x))
        if model.count_params() >= least:
            return model
        width += 1


def pair(x, filters):
    """Two convolutions with normalization and activation."""
    for _ in range(2):
        x = layers.Conv2D(filters, 5, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))
    return x


def steerable():
    """A steerable U-Net for logits of each pixel."""
    return steerable_unet(
        input_shape=(SIZE, SIZE, 1), classes=CLASSES, classifier_activation=None
    )


def mean_iou(model, images, labels):
    """Intersection over union of the two kinds of hooks, on average."""
    found = np.argmax(model.predict(images, verbose=0, batch_size=50), axis=-1)
    return np.mean(
        [
            np.sum((found == c) & (labels == c)) / np.sum((found == c) | (labels == c))
            for c in (1, 2)
        ]
    )


def main(arguments=None):
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args(arguments)
    least = steerable().count_params()
    networks = {
        "steerable": Network(steerable, functools.partial(Shuffled, batch_size=8)),
        "plain": Network(
            lambda: plain_unet(least), functools.partial(Shuffled, turned=turned)
        ),
    }
    if options.quick:
        return compare(networks, make_data, (32, 32, 32), 1, 1, mean_iou, (5e-3,))
    return compare(networks, make_data, (200, 200, 400), 24, options.seeds, mean_iou)


if __name__ == "__main__":
    main()
