"""Memory and time of discovery on samples that come in batches, alone or on workers.

Usage: python benchmarks/streaming.py [name ...] [--largest POWER]
       python benchmarks/streaming.py dask [--largest POWER] [--workers NUMBER]
"""

import argparse
import functools
import resource
import time

import keras
import numpy as np
from scipy.ndimage import gaussian_filter

from keras_lconv.discovery import SymmetrySums, find_symmetries, infer_grid
from keras_lconv.physics import find_conserved_quantities, fit_conserved_quantities

BATCH = 10_000
# Points of one trajectory.
TIMES = 100


def batches_of(make, number, seed=0):
    """Batches, as a file that is read gives them."""
    rng = np.random.default_rng(seed)
    for _ in range(number // BATCH):
        yield make(rng)


def vectors(rng):
    return rng.normal(size=(BATCH, 6)).astype("float32")


def points(rng):
    return rng.normal(size=(BATCH, 4))


def orbits(rng):
    """Trajectories of two oscillators."""
    num, t = BATCH // TIMES, np.linspace(0, 10, TIMES)
    size, phase = rng.uniform(0.5, 2, (num, 1, 2)), rng.uniform(0, 6, (num, 1, 2))
    angle = np.array([1.0, 1.7]) * t[:, None] + phase
    return np.concatenate([size * np.cos(angle), -size * np.sin(angle)], axis=2)


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


def henon_heiles(z):
    x, y = z[:, 0], z[:, 1]
    return keras.ops.sum(z**2, axis=1) / 2 + x**2 * y - y**3 / 3


ASKED = {"blocks": 2, "search": "linear", "batch_size": BATCH}


def symmetries(number):
    batches = batches_of(vectors, number)
    return find_symmetries(of_two_vectors, batches, **ASKED, verbose=False).name


def grid(number):
    report = infer_grid(images(number), verbose=False)
    return f"{report.shape[0]} x {report.shape[1]}"


def conserved(number):
    batches = batches_of(points, number)
    asked = {"search": "polynomial", "degree": 3}
    found = find_conserved_quantities(henon_heiles, batches, **asked)
    return found.quantities[0].formula()


def motions(number):
    asked = {"search": "polynomial", "degree": 3}
    found = fit_conserved_quantities(batches_of(orbits, number), **asked)
    return " and ".join(each.formula() for each in found.quantities)


RUNS = {
    "find_symmetries": symmetries,
    "infer_grid": grid,
    "find_conserved_quantities": conserved,
    "fit_conserved_quantities": motions,
}


def show(names, largest):
    print(f"{'what':<26}{'samples':>10}{'seconds':>9}{'memory':>10}  result")
    for name in names:
        for power in range(4, largest + 1):
            start = time.process_time()
            result = RUNS[name](10**power)
            seconds = time.process_time() - start
            # The most that the process ever had.
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"{name:<26}{10**power:>10}{seconds:>9.1f}{memory:>7.0f} MB  {result}")


def part(first, number, seed):
    """The sums that one worker makes of its part, and the seconds that it computes."""
    start, sums = time.process_time(), first.fresh()
    for batch in batches_of(vectors, number, seed):
        sums.update(batch)
    return sums, time.process_time() - start


def with_dask(number, workers):
    """The symmetries of parts of the samples, each in a process of Dask."""
    from dask.distributed import Client, LocalCluster

    first = SymmetrySums(of_two_vectors, vectors(np.random.default_rng(0)), **ASKED)
    cluster = LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, Client(cluster) as client:
        # Imports are no part of the work.
        client.run(functools.partial(part, first, BATCH, 0))
        start = time.perf_counter()
        own = functools.partial(part, first, number // workers)
        tasks = client.map(own, range(workers))
        parts, seconds = zip(*client.gather(tasks), strict=True)
        report = functools.reduce(SymmetrySums.merge, parts).result()
        passed = time.perf_counter() - start
    print(f"{workers} workers, {number} samples: {report.name}, {passed:.1f} s")
    print("CPU seconds of each:", ", ".join(f"{each:.1f}" for each in seconds))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", choices=[*RUNS, "dask", []], default=[])
    parser.add_argument("--largest", type=int, default=7, help="the power of ten")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    if "dask" in asked.names:
        with_dask(10**asked.largest, asked.workers)
    else:
        show(asked.names or RUNS, asked.largest)


if __name__ == "__main__":
    main()
