"""How long it takes to know a Lie algebra: `python benchmarks/algebra.py`.

For each algebra, in a random basis and then with noise, the medians of some runs: building
it with a name, and with all other invariants as well. Beside the seconds stands the ratio
to a product of two 1000 x 1000 matrices, measured in the same run between the others.
"""

import argparse
import statistics
import time

import numpy as np

from keras_lconv import algebra as a

ALGEBRAS = {
    "so(3)": a.so(3),
    "se(3)": a.se(3),
    "so(5)": a.so(5),
    "aff(3)": a.aff(3),
    "sl(4)": a.sl(4),
    "so(8)": a.so(8),
    "gl(6)": a.gl(6),
}
INVARIANTS = (
    "structure_constants",
    "killing_form",
    "center",
    "derived_series",
    "lower_central_series",
    "radical",
    "levi_factor",
    "indecomposable_ideals",
    "rank",
    "is_compact",
    "is_simple",
)
NOISE = 1e-3


def name(basis):
    return a.LieAlgebra(basis).identify()


def everything(basis):
    algebra = a.LieAlgebra(basis)
    algebra.identify()
    algebra.canonical_basis()
    for invariant in INVARIANTS:
        getattr(algebra, invariant)


def product(matrix):
    return matrix @ matrix


def seconds(function, argument):
    start = time.perf_counter()
    function(argument)
    return time.perf_counter() - start


def disguised(algebra, noise, rng):
    """The algebra in a random basis, each matrix with a relative error."""
    basis = np.tensordot(rng.normal(size=(algebra.dimension,) * 2), algebra.basis, 1)
    errors = rng.normal(size=basis.shape)
    sizes = np.linalg.norm(basis, axis=(1, 2)) / np.linalg.norm(errors, axis=(1, 2))
    return basis + noise * sizes[:, None, None] * errors


def main(repeats):
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(1000, 1000))
    jobs = {}
    for label, algebra in ALGEBRAS.items():
        exact, noisy = (disguised(algebra, noise, rng) for noise in (0.0, NOISE))
        jobs[label] = ((name, exact), (everything, exact), (name, noisy))
    units = []
    times = {label: [[] for _ in jobs[label]] for label in jobs}
    for repeat in range(repeats + 1):
        for label, tasks in jobs.items():
            unit = seconds(product, matrix)
            found = [seconds(*task) for task in tasks]
            if repeat:  # the first round warms up
                units.append(unit)
                for values, value in zip(times[label], found, strict=True):
                    values.append(value)
    unit = statistics.median(units)
    print(f"one product of 1000 x 1000 matrices: {unit:.4f} s\n")
    print("| algebra | dimension | name | all invariants | name, noise 1e-3 |")
    print("| --- | --- | --- | --- | --- |")
    for label, algebra in ALGEBRAS.items():
        medians = [statistics.median(values) for values in times[label]]
        cells = " | ".join(f"{value:.3f} s ({value / unit:.1f})" for value in medians)
        print(f"| {label} | {algebra.dimension} | {cells} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="timed rounds")
    main(parser.parse_args().repeats)
