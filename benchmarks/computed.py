"""What discovery and layers would take that do not run here: counts, and no measurements.

Usage: python benchmarks/computed.py [--seconds S]

`S` are the measured seconds of `benchmarks/streaming.py` for 10^7 samples of
`find_symmetries`.
"""

import argparse
import pickle

import numpy as np

from keras_lconv import LConv
from keras_lconv.discovery import GridSums

SAMPLES, WORKERS = 10**9, 64


def grid_bytes(pixels):
    """The bytes of sums over images: three matrices in float64."""
    return 3 * 8 * pixels**2


def grid_operations(pixels):
    """Multiplications and additions for an image: three products of pairs of pixels."""
    return 3 * 2 * pixels**2


def pickled_bytes(pixels):
    """The bytes of real sums, as a worker sends them."""
    sums = GridSums()
    sums.update(np.random.default_rng(0).normal(size=(10, pixels)))
    return len(pickle.dumps(sums))


def feature_bytes(size, channels):
    return 4 * channels * size**2


def layer_cost(size, channels):
    """Multiply-adds of a rotation L-conv for an image, and the bytes of what is between."""
    layer = LConv(channels, "rotation")
    layer.build((None, size, size, channels))
    return layer.contraction_costs(channels)[layer.contraction]


def in_words(number, unit=""):
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M")):
        if number >= factor:
            return f"{number / factor:.3g} {prefix}{unit}"
    return f"{number:.0f} {unit}"


def rows(seconds):
    one_core = seconds * SAMPLES / 10**7
    yield "find_symmetries, 10^9 samples, one core", f"{one_core / 60:.0f} minutes"
    yield f"the same, {WORKERS} workers", f"{one_core / WORKERS:.0f} s"
    operations = SAMPLES * grid_operations(28**2)
    yield "infer_grid, 28 x 28, 10^9 images", f"{operations:.1e} operations"
    yield "  sums of a worker", in_words(grid_bytes(28**2), "B")
    yield "infer_grid, 1024 x 1024, sums", in_words(grid_bytes(1024**2), "B")
    yield "a dense generator on 1024 x 1024", in_words(4 * 1024**4, "B")
    yield "a feature map, 1024 x 1024 x 16", in_words(feature_bytes(1024, 16), "B")
    for size in (28, 224, 1024):
        cost = layer_cost(size, 16)
        told = f"{in_words(cost.multiply_adds)}multiply-adds, {in_words(cost.bytes, 'B')}"
        yield f"rotation L-conv, 16 channels, {size} x {size}, an image", told


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=33.1)
    for what, figure in rows(parser.parse_args().seconds):
        print(f"{what:<52}{figure}")


if __name__ == "__main__":
    main()
