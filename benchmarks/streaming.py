"""Memory and time of discovery on samples that come in batches.

Usage: python benchmarks/streaming.py [largest power of ten]
"""

import resource
import sys
import time

import keras
import numpy as np
from scipy.ndimage import gaussian_filter

from keras_lconv.discovery import find_symmetries, infer_grid

BATCH = 10_000


def vectors(number):
    """Batches of rows, as a file that is read gives them."""
    rng = np.random.default_rng(0)
    for _ in range(number // BATCH):
        yield rng.normal(size=(BATCH, 6)).astype("float32")


def images(number):
    """Batches of images of 8 x 8, from one noise that rolls on, in an unknown order."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(BATCH, 8, 8))
    smooth = gaussian_filter(noise, (0, 1, 1)).reshape(BATCH, 64)[:, rng.permutation(64)]
    for _ in range(number // BATCH):
        yield smooth * rng.choice([-1.0, 1.0], size=(BATCH, 1))


def of_two_vectors(x):
    """An invariant of rotations of two vectors in space."""
    return keras.ops.sum(x[:, :3] * x[:, 3:], axis=1) ** 2 + keras.ops.sum(x**2, axis=1)


def symmetries(number):
    report = find_symmetries(
        of_two_vectors,
        vectors(number),
        blocks=2,
        search="linear",
        batch_size=BATCH,
        verbose=False,
    )
    return report.name


def grid(number):
    report = infer_grid(images(number), verbose=False)
    return f"{report.shape[0]} x {report.shape[1]}"


def main():
    largest = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    print(f"{'what':<16}{'samples':>10}{'seconds':>9}{'memory':>10}  result")
    for name, run in (("find_symmetries", symmetries), ("infer_grid", grid)):
        for power in range(4, largest + 1):
            start = time.process_time()
            result = run(10**power)
            seconds = time.process_time() - start
            # The most that the process ever had.
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{name:<16}{10**power:>10}{seconds:>9.1f}{memory:>7.0f} MB  {result}")


if __name__ == "__main__":
    main()
