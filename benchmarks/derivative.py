"""The Fourier derivative along an axis, by its matrix and by fast Fourier transforms.

Which is faster depends on the number of points. The package changes from one to the other
at `FFT_SIZE` points. Times are medians of a forward pass, with the sizes in turn.

Usage: KERAS_BACKEND=torch python benchmarks/derivative.py [--sizes 256 512 1024 2048]
"""

import argparse
import statistics
import time

import keras
import numpy as np
from keras import ops
from markdown_table import show

from keras_lconv.generators.derivatives import derivative_matrix, fourier_derivative

ROUNDS = 9
LINES, BATCH = 64, 8


class ByMatrix(keras.layers.Layer):
    def __init__(self, size):
        super().__init__()
        self.matrix = derivative_matrix(size, "fourier").astype("float32")

    def call(self, lines):
        return ops.einsum("ij,bjp->bip", ops.convert_to_tensor(self.matrix), lines)


class ByTransforms(keras.layers.Layer):
    def call(self, lines):
        return fourier_derivative(lines)


def seconds(layers, size):
    """The median time of each layer, which take turns."""
    x = np.random.default_rng(0).normal(size=(BATCH, size, LINES)).astype("float32")
    models = [keras.Sequential([keras.Input(x.shape[1:]), layer]) for layer in layers]
    x = ops.convert_to_tensor(x)
    found = [[] for _ in models]
    for turn in range(ROUNDS + 2):
        for model, times in zip(models, found, strict=True):
            start = time.perf_counter()
            model.predict_on_batch(x)
            if turn > 1:  # the first turns compile and warm up
                times.append(time.perf_counter() - start)
    return [statistics.median(times) for times in found]


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[256, 512, 1024, 2048])
    rows = []
    for size in parser.parse_args(arguments).sizes:
        product, transforms = seconds([ByMatrix(size), ByTransforms()], size)
        rows.append(
            {
                "points": size,
                "by its matrix (ms)": f"{1000 * product:.1f}",
                "by transforms (ms)": f"{1000 * transforms:.1f}",
                "ratio": f"{product / transforms:.2f}",
                "matrix in float32 (MB)": f"{4 * size**2 / 1e6:.1f}",
            }
        )
    show(rows)


if __name__ == "__main__":
    main()
