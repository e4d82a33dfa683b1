"""Features on positions and orientations: how equivariant, and how fast.

First table: the relative error of a network from image to image under rotations, for
several numbers of orientations, resolutions and angles. Second: the time of a training step
of an L-conv on 8 orientations, and of convolutions.

Usage: python benchmarks/se2.py
"""

import time

import keras
import numpy as np

from keras_lconv import LConv, SE2Lift, SE2Projection
from keras_lconv.generators import SE2Generators
from keras_lconv.metrics import equivariance_error

layers = keras.layers
ANGLES = (11.25, 22.5, 45)


def image(size):
    """Blobs that vanish before the border, the same at each resolution."""
    x = (np.arange(size) - (size - 1) / 2) / size
    y, x = np.meshgrid(x, x, indexing="ij")

    def blob(u, v, width):
        return np.exp(-((y - u) ** 2 + (x - v) ** 2) / (2 * width**2))

    image = blob(0.1, 0.08, 0.07) - 0.6 * blob(-0.1, 0.1, 0.08) + blob(0, -0.12, 0.06)
    return image[None, ..., None].astype("float32")


def network(size, num_orientations, reduction):
    """The weights do not depend on the size: derivatives are in units of the image."""
    keras.utils.set_random_seed(0)
    options = {"activation": "relu", "use_bias": False}
    scale = size / 30
    lift = SE2Lift(8, num_orientations=num_orientations, order=3, scale=scale, **options)
    return keras.Sequential(
        [lift, LConv(8, "se2", **options), SE2Projection(reduction=reduction)]
    )


def print_errors():
    print("Relative error of Q[turned image] = turned Q[image]")
    print("  size  n   projection  " + "".join(f"{a:>9} deg" for a in ANGLES))
    for size in (15, 29, 57):
        for num in (4, 8):
            for reduction in ("average", "max"):
                report = equivariance_error(
                    network(size, num, reduction),
                    "rotation",
                    image(size),
                    np.radians(ANGLES),
                )
                errors = "".join(f"{error:13.1e}" for error in report.errors)
                print(f"  {size:4d} {num:2d}   {reduction:10s}{errors}")


def seconds(layer, shape, batch=64, repeats=10):
    """Time of a training step on one batch: the best of several."""
    model = keras.Sequential([keras.Input(shape), layer])
    model.compile("sgd", "mse")
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, *shape)).astype("float32")
    y = np.zeros((batch, *model.output_shape[1:]), "float32")
    model.train_on_batch(x, y)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        model.train_on_batch(x, y)
        times.append(time.perf_counter() - start)
    return min(times), model.count_params()


def print_times():
    print(f"\nTraining step, 64 images of 14 x 14, {keras.config.backend()}")
    convolution = {"kernel_size": 3, "padding": "same"}
    for name, layer, shape in [
        ("LConv(16, 'se2') on 8 orientations", LConv(16, "se2"), (8, 14, 14, 16)),
        (
            "the same, central differences",
            LConv(16, SE2Generators(derivative="central")),
            (8, 14, 14, 16),
        ),
        ("Conv2D(16), one orientation", layers.Conv2D(16, **convolution), (14, 14, 16)),
        ("Conv2D(128), as many features", layers.Conv2D(128, **convolution), (14, 14, 128)),
    ]:
        best, weights = seconds(layer, shape)
        print(f"  {name:36s} {1e3 * best:7.1f} ms {weights:8d} weights")


if __name__ == "__main__":
    print_errors()
    print_times()
