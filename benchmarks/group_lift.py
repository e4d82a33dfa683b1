"""Features on positions, orientations and sizes: how equivariant, and whether they help.

Errors: first how far the features of an image enlarged twice are from those of the image,
two samples of sizes on, for each sample that has both. Then the relative error of a network
from image to image, a lift, a ReLU, an L-conv, a ReLU and a projection, if its input is
turned or enlarged. Digits: scikit-learn's at any angle, and in any size from 8 to 15
pixels, on 20 x 20 pixels. Networks with a lift to the similarity group, with L-convs and
with as many weights in layers that mix channels only; with a lift to orientations; and a
convolutional network that sees each image turned and enlarged anew in each epoch.
`comparison.py` says how they are compared.

Usage: python benchmarks/group_lift.py [errors] [digits] [--quick] [--seeds 3]
"""

import argparse

import keras
import numpy as np
from comparison import Network, Shuffled, compare, convolutional_network
from scipy import ndimage
from sklearn.datasets import load_digits

from keras_lconv import GroupLift, GroupProjection, LConv
from keras_lconv.generators import LeftInvariantGenerators
from keras_lconv.metrics import equivariance_error

layers = keras.layers
TURN, ZOOM = [[0.0, -1.0], [1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]
HALF_OCTAVE = np.log(2) / 2
SIZE = 20


def similarities(derivative):
    """Left-invariant fields on positions, orientations and sizes in half octaves."""
    steps = (None, HALF_OCTAVE)
    return LeftInvariantGenerators([TURN, ZOOM], steps=steps, derivative=derivative)


# -------------------------------------------------------------------------------- errors


def image(size, zoom=1.0):
    """Blobs that vanish before the border, also where they are twice as large."""
    x = (np.arange(size) - (size - 1) / 2) / size / zoom
    y, x = np.meshgrid(x, x, indexing="ij")

    def blob(u, v, width):
        return np.exp(-((y - u) ** 2 + (x - v) ** 2) / (2 * width**2))

    image = blob(0.05, 0.04, 0.04) - 0.6 * blob(-0.05, 0.05, 0.04) + blob(0, -0.06, 0.04)
    return image[None, ..., None].astype("float32")


def features(size, num_samples, has_lconv=True):
    """The weights do not depend on the size: the blur is in units of the image."""
    keras.utils.set_random_seed(0)
    fields = similarities("spectral")
    options = {"activation": "relu", "use_bias": False}
    lift = GroupLift(
        8, fields, num_samples=num_samples, order=3, scale=size / 60, **options
    )
    return [lift, LConv(8, fields, **options)] if has_lconv else [lift]


def errors_of_doubling(model, size):
    """How far `F(x, s)` is from `F'(2 x, s + log 2)`, for each `s` that has both."""
    plain, doubled = (keras.ops.convert_to_numpy(model(image(size, z))) for z in (1, 2))
    centre, half = (size - 1) // 2, (size - 1) // 4
    small = slice(centre - half, centre + half + 1)
    large = slice(centre - 2 * half, centre + 2 * half + 1, 2)
    plain, doubled = plain[:, :, :-2, small, small], doubled[:, :, 2:, large, large]
    axes = (0, 1, 3, 4, 5)
    return np.sqrt(np.sum((plain - doubled) ** 2, axes) / np.sum(plain**2, axes))


def print_errors_of_doubling():
    """Of a lift with a ReLU, and of an L-conv with one after it."""
    print("| image | layers | sizes 1 and 2 | 1.4 and 2.8 | 2 and 4 |")
    print("|" + " --- |" * 5)
    for size in (17, 33, 65):
        for name, has_lconv in (("lift", False), ("lift, L-conv", True)):
            model = keras.Sequential(features(size, (8, 5), has_lconv))
            cells = " | ".join(f"{e:.2g}" for e in errors_of_doubling(model, size))
            print(f"| {size} x {size} | {name} | {cells} |")


def print_errors(size=29):
    """Of turns in degrees, and of factors of the size."""
    angles, factors = (22.5, 45), (2**0.5, 2)
    print("| angles x sizes | projection |", end="")
    print(*(f" {a} degrees |" for a in angles), *(f" size x {f:.2g} |" for f in factors))
    print("|" + " --- |" * 6)
    for num_samples in ((8, 1), (8, 5), (8, 9)):
        for reduction in ("average", "max"):
            projection = GroupProjection(num_coordinates=2, reduction=reduction)
            model = keras.Sequential([*features(size, num_samples), projection])
            errors = [
                error
                for move, parameters in (
                    ("rotation", np.radians(angles)),
                    ("scaling", np.log(factors)),
                )
                for error in equivariance_error(model, move, image(size), parameters).errors
            ]
            cells = " | ".join(f"{error:.2g}" for error in errors)
            samples = " x ".join(map(str, num_samples))
            print(f"| {samples} | {reduction} | {cells} |")


# -------------------------------------------------------------------------------- digits


def placed(digit, angle, zoom):
    """A digit of 8 x 8 pixels on a larger image, turned and enlarged about its centre."""
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    matrix = np.array([[cos, sin], [-sin, cos]])
    offset = 3.5 - matrix @ np.full(2, (SIZE - 1) / 2)
    return ndimage.affine_transform(digit, matrix, offset, (SIZE, SIZE), order=1)


def draw(number, seed, smallest=1.0, largest=1.9):
    """Digits at any angle and in any size, and their labels."""
    digits, labels = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    # Those that are tested are not trained on: seeds of tests are even thousands.
    parts = np.arange(len(digits)) % 2 == (seed == 2000)
    chosen = rng.choice(np.flatnonzero(parts), number, replace=number > parts.sum())
    images = [
        placed(digits[i].reshape(8, 8) / 16, rng.uniform(0, 2 * np.pi), zoom)
        for i, zoom in zip(chosen, rng.uniform(smallest, largest, number), strict=True)
    ]
    return np.array(images, "float32")[..., None], labels[chosen]


def moved(x, y, rng):
    """Turned and enlarged anew, about the centre."""
    angle, zoom = rng.uniform(0, 2 * np.pi), rng.uniform(0.7, 1.4)
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    matrix = np.array([[cos, sin], [-sin, cos]])
    centre = np.full(2, (SIZE - 1) / 2)
    offset = centre - matrix @ centre
    return ndimage.affine_transform(x[..., 0], matrix, offset, order=1)[..., None], y


def classifier(num_samples, first, mix, filters):
    """A lift, layers between features on the group, and a dense layer on averages."""
    fields = similarities("central")
    lift = GroupLift(
        first, fields, num_samples=num_samples, order=3, strides=2, use_bias=False
    )
    model = keras.Sequential([keras.Input((SIZE, SIZE, 1)), lift])
    size = SIZE // 2
    for number, channels in enumerate((first, *filters)):
        if number:
            # Each resolution has generators of its own.
            model.add(mix(channels, similarities("central")))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
        if number == 1:
            # Blocks of positions, with all frames on one axis.
            model.add(layers.Reshape((np.prod(num_samples), size, size, channels)))
            model.add(layers.AveragePooling3D((1, 2, 2)))
            model.add(layers.Reshape((*num_samples, size // 2, size // 2, channels)))
    model.add(GroupProjection(num_coordinates=2, reduction="max"))
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(10))
    return model


def with_lconvs(num_samples=(8, 3)):
    return classifier(num_samples, 6, lambda c, f: LConv(c, f, use_bias=False), (10, 14))


def without_lconvs():
    """Wider, for as many weights."""
    return classifier((8, 3), 6, lambda c, _: layers.Dense(c, use_bias=False), (24, 28))


def compare_digits(quick, seeds):
    """Prints the table of accuracies."""
    networks = {
        "sim2, L-convs": Network(with_lconvs, Shuffled),
        "sim2, channels": Network(without_lconvs, Shuffled),
        "one size, L-convs": Network(lambda: with_lconvs((8, 1)), Shuffled),
        "CNN": Network(
            lambda: convolutional_network((SIZE, SIZE, 1), with_lconvs().count_params()),
            lambda x, y, seed: Shuffled(x, y, seed, turned=moved),
        ),
    }
    numbers, epochs = ((400, 300, 800), 10) if quick else ((800, 300, 800), 40)
    compare(networks, draw, numbers, epochs, seeds, rates=(5e-3, 2e-2))


def main(arguments=None):
    """Prints the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", default=["errors", "digits"])
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args(arguments)
    if "errors" in options.tables:
        print_errors_of_doubling()
        print_errors()
    if "digits" in options.tables:
        compare_digits(options.quick, options.seeds)


if __name__ == "__main__":
    main()
