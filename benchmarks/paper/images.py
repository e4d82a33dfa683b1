"""Classifiers of images that are turned, scrambled, or both.

Scrambled images have their pixels in one random order. All networks see the same images of
one split; `comparison.py` says how they are compared: equal time, and the rate chosen on
validation images. Where images are scrambled, some networks work on the grid that
`infer_grid` recovers from the images to train on.
"""

import functools

import keras
import numpy as np
from comparison import (
    TEST,
    VALIDATION,
    Network,
    Shuffled,
    compare,
    convolutional_network,
)
from steerable import load as load_files

from keras_lconv import LConv
from keras_lconv.datasets import RandomRotations, rotate_images
from keras_lconv.discovery import infer_grid, infer_neighbors
from keras_lconv.generators import LowRankGenerators, NeighborGenerators
from keras_lconv.models import lconv_classifier, steerable_classifier

layers = keras.layers
CONDITIONS = ("default", "rotated", "scrambled", "rotated and scrambled")
# How many to train on and to validate on, and epochs of the first network.
SIZES = {"digits": (1000, 300, 20)}
OTHERS = (5000, 1000, 5)
FILTERS, GENERATORS, RANK, BATCH_SIZE = 32, 8, 8, 64
TESTED = 4000


def load(dataset, folder=None):
    """All images `(num, y, x, channels)` in `[0, 1]`, labels, and where the test begins."""
    if dataset == "digits":
        from sklearn.datasets import load_digits

        x, y = load_digits(return_X_y=True)
        return (x.reshape(-1, 8, 8, 1) / 16).astype("float32"), y, 1300
    if folder is None:
        parts = getattr(keras.datasets, dataset).load_data()
        parts = [(x.astype("float32") / 255, y) for x, y in parts]
    else:
        parts = load_files(dataset, folder)
    x, y = (np.concatenate(each) for each in zip(*parts, strict=True))
    return x.reshape(*x.shape[:3], -1), y.ravel(), len(parts[0][0])


def spoiled(x, condition, seed=0):
    """Images as a condition has them."""
    rng = np.random.default_rng(seed)
    if "rotated" in condition:
        x = rotate_images(x, rng.uniform(-180, 180, len(x)))
    if "scrambled" in condition:
        order = rng.permutation(x[0, ..., 0].size)
        x = x.reshape(len(x), -1, x.shape[-1])[:, order].reshape(x.shape)
    return x


class Split:
    """Draws of images: to train on and to validate on from one part, to test from the rest.

    Args:
        x: Images.
        y: Labels.
        first: Where those to test on begin.
        num_check: How many to validate on, the last ones before that.
    """

    def __init__(self, x, y, first, num_check):
        self.x, self.y, self.first, self.num_check = x, y, first, num_check

    def __call__(self, number, seed):
        if seed == TEST:
            part = np.arange(self.first, min(self.first + TESTED, len(self.x)))
        elif seed == VALIDATION + 1:
            part = np.arange(self.first - self.num_check, self.first)
        else:
            pool = self.first - self.num_check
            part = np.random.default_rng(seed).permutation(pool)[:number]
        return self.x[part], self.y[part]


def dense_network(shape, classes):
    hidden = layers.Dense(256, activation="relu")
    return keras.Sequential(
        [keras.Input(shape), layers.Flatten(), hidden, layers.Dense(classes)]
    )


def lconv_network(shape, classes, make):
    """One L-conv and a dense layer, as in the paper."""
    return keras.Sequential(
        [
            keras.Input(shape),
            LConv(FILTERS, make(), activation="relu"),
            layers.Flatten(),
            layers.Dense(classes),
        ]
    )


def low_rank(trainable=True):
    return LowRankGenerators(GENERATORS, rank=RANK, trainable=trainable)


def any_order(x, classes):
    """Networks that do not ask where pixels are; `x` are images to train on."""
    shape = x.shape[1:]
    table = infer_neighbors(x.mean(axis=-1), num_neighbors=8)
    with_lconv = functools.partial(lconv_network, shape, classes)
    builders = {
        "dense": lambda: dense_network(shape, classes),
        "L-conv, low rank": lambda: with_lconv(low_rank),
        "L-conv, random and fixed": lambda: with_lconv(lambda: low_rank(trainable=False)),
        "L-conv, inferred neighbours": lambda: with_lconv(
            lambda: NeighborGenerators(GENERATORS, table)
        ),
    }
    return {name: Network(build, plain_batches) for name, build in builders.items()}


def on_a_grid(x, classes):
    """Networks of images."""
    ready = {"input_shape": x.shape[1:], "classes": classes, "classifier_activation": None}
    steerable = functools.partial(steerable_classifier, **ready)
    least = steerable().count_params()

    def cnn(**settings):
        return convolutional_network(
            x.shape[1:], least, classes, windows=(5, 5), **settings
        )

    def lconv(filters, window):
        return LConv(filters, "translation", order=3, smoothing=0.5, use_bias=False)

    def turned(degrees):
        return lambda x, y, seed: RandomRotations(
            x, y, max_degrees=degrees, seed=seed, batch_size=BATCH_SIZE
        )

    return {
        "CNN": Network(cnn, plain_batches),
        "CNN, augmented": Network(cnn, turned(180)),
        "L-conv, order 3": Network(
            functools.partial(cnn, convolution=lconv), plain_batches
        ),
        "steerable": Network(steerable, turned(45)),
        "invariants": Network(
            functools.partial(lconv_classifier, filters=(), **ready), plain_batches
        ),
    }


def plain_batches(x, y, seed):
    """Batches of images as they are."""
    return Shuffled(x, y, seed, batch_size=BATCH_SIZE)


def images(full, dataset="digits", folder=None):
    """Accuracies on test images, for each network and condition."""
    x_all, y, first = load(dataset, folder)
    number, num_check, epochs = SIZES.get(dataset, OTHERS)
    classes, seeds = int(y.max()) + 1, 3 if full else 1
    rows = []
    for condition in CONDITIONS:
        x = spoiled(x_all, condition)
        print(f"\n{dataset}, {condition}")
        known = x[: first - num_check]
        groups = {"": (x, {**on_a_grid(known, classes), **any_order(known, classes)})}
        if "scrambled" in condition:
            grid = infer_grid(known.mean(axis=-1), verbose=False)
            found = grid.unscramble(x.reshape(len(x), -1, x.shape[-1]))
            found = found.reshape(*found.shape[:3], -1)  # one channel is left out there
            plain = on_a_grid(known, classes)
            groups = {
                "": (x, {"CNN": plain["CNN"], **any_order(known, classes)}),
                ", recovered grid": (found, on_a_grid(found[: len(known)], classes)),
            }
        for suffix, (shown, chosen) in groups.items():
            draw = Split(shown, y, first, num_check)
            numbers = number, num_check, TESTED
            scores = compare(chosen, draw, numbers, epochs, seeds)
            rows += [
                {
                    "data": dataset,
                    "condition": condition,
                    "network": name + suffix,
                    "accuracy": f"{np.mean(values):.3f}",
                    "spread": f"{np.std(values):.3f}",
                }
                for name, values in scores.items()
            ]
    return rows
