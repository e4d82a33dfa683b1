"""How the time of a rotation L-conv grows from 28 x 28 to 224 x 224, 64 times the pixels.

Usage: python benchmarks/large_images.py

CPU seconds of a training step on a batch of 32 images, the least of some repetitions.
"""

import time

import keras
import numpy as np

from keras_lconv import LConv
from keras_lconv.generators import rotation

SIZES, BATCH, REPEATS = (28, 224), 32, 4


def step_seconds(size, channels, derivative):
    """The least CPU seconds of a training step."""
    layer = LConv(channels, rotation(derivative=derivative))
    model = keras.Sequential([keras.Input((size, size, channels)), layer])
    model.compile("sgd", "mse")
    f = np.random.default_rng(0).normal(size=(BATCH, size, size, channels))
    f = f.astype("float32")
    seconds = []
    for _ in range(REPEATS + 1):
        start = time.process_time()
        model.train_on_batch(f, f)
        seconds.append(time.process_time() - start)
    return min(seconds[1:])


def main():
    print("derivative  channels  28 x 28    224 x 224  ratio")
    for derivative in ("spectral", "central"):
        for channels in (4, 16):
            small, large = (step_seconds(size, channels, derivative) for size in SIZES)
            print(
                f"{derivative:<12}{channels:<10}{1e3 * small:5.1f} ms   "
                f"{1e3 * large:6.0f} ms  {large / small:6.0f}"
            )


if __name__ == "__main__":
    main()
