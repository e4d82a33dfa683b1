"""Point symmetries: of equations from textbooks, and of equations that are found in data.

Run: KERAS_BACKEND=torch python benchmarks/equations from-equations
     KERAS_BACKEND=torch python benchmarks/equations from-data [--full]
     KERAS_BACKEND=torch python benchmarks/equations surrogate [--full]
The first finds the symmetries of all equations of `textbook.py` and compares them with
those written there. The second simulates fields on a periodic domain of length 20 from
random Fourier series, without noise and with 1% of it; the full mode has five draws of
each, and more noise. The third trains solvers with and without solutions that are moved
along symmetries found in them; its full mode has tuning and three seeds. All draws are
seeded, and all options are those by default.
"""

import argparse
import pathlib
import sys
import time

# The module that shows tables is beside this folder.
sys.path.append(str(pathlib.Path(__file__).parents[1]))

import numpy as np
import simulate
from markdown_table import show
from scipy.linalg import subspace_angles
from surrogate import surrogate
from textbook import TABLE, angle, fields_of

from keras_lconv.algebra import VectorFields
from keras_lconv.discovery import find_point_symmetries

# Solver, names of the fields, last time, number of times and of runs, and the Grassmann
# distance that LieNLSD (ICML 2025) reports for the linear part of what it finds.
TASKS = {
    "heat": (simulate.heat, "u", 2.0, 101, 5, 7e-4),
    "potential Burgers": (simulate.potential_burgers, "u", 2.0, 101, 5, 1.3e-2),
    "Korteweg-de Vries": (simulate.korteweg_de_vries, "u", 2.0, 101, 5, 5e-3),
    "wave in 2-D": (simulate.wave, "u", 2.0, 51, 2, 1.4e-2),
    "cubic Schroedinger": (simulate.schroedinger, "uv", 1.0, 201, 5, 8.6e-2),
    "reaction-diffusion lambda-omega": (
        simulate.reaction_diffusion,
        "uv",
        1.0,
        51,
        2,
        0.12,
    ),
    "free particle": (simulate.free_particle, "u", 10.0, 201, 5, None),
    "harmonic oscillator": (simulate.harmonic_oscillator, "u", 10.0, 201, 5, None),
    "Emden-Fowler": (simulate.emden_fowler, "u", 10.0, 201, 5, None),
    "Lorenz": (simulate.lorenz, "xyz", 10.0, 2001, 3, None),
    "pendulum": (simulate.pendulum, "u", 10.0, 401, 5, None),
    "Kepler in the plane": (simulate.kepler, "xy", 10.0, 401, 5, None),
}
# Functions that equations may contain, where polynomials do not do.
LIBRARIES = {
    "pendulum": {"sin u": lambda u: np.sin(u), "cos u": lambda u: np.cos(u)},
    "Kepler in the plane": {
        f"1/r^{n}": lambda x, y, n=n: (x**2 + y**2) ** (-n / 2) for n in (1, 2, 3)
    },
}


def up_to(fields, degree):
    """Those of some fields whose terms have a degree at most."""
    sizes = fields.powers.sum(axis=1)
    kept = [np.all(sizes[np.any(c != 0, axis=0)] <= degree) for c in fields.coefficients]
    return VectorFields(fields.powers, fields.coefficients[kept])


def linear_distance(found, expected, units):
    """The Grassmann distance of the parts of degree 1, of equal dimension."""
    both = found.joined(expected)
    is_linear = both.powers.sum(axis=1) == 1
    scales = np.prod(units**both.powers, axis=1) / units[:, None]
    rows = (both.coefficients * scales)[..., is_linear].reshape(len(both), -1)
    left, right = rows[: len(found)], rows[len(found) :]
    rank = np.linalg.matrix_rank(right)
    if not rank:
        return 0.0
    frames = [np.linalg.svd(each)[2][:rank].T for each in (left, right)]
    return float(np.linalg.norm(subspace_angles(*frames)))


def from_equations(full, only=None):
    """A row for each equation of the table."""
    rows = []
    for name, row in TABLE.items():
        start = time.process_time()
        report = find_point_symmetries(row.equation, degree=row.degree, **row.options)
        seconds = time.process_time() - start
        variables = list(report.variables)
        expected = fields_of(row.generators, variables).joined(
            fields_of(row.added, variables)
        )
        found = report.generators.joined(report.superposition)
        rows.append(
            {
                "equation": name,
                "found": f"{len(report.generators)} + {len(report.superposition)}",
                "expected": f"{row.generators.count(',') + 1} + "
                f"{row.added.count(',') + bool(row.added)}",
                "angle": f"{angle(found, expected)[0]:.1e}",
                "algebra": report.name,
                "confidence": f"{report.confidence:.2f}",
                "seconds": f"{seconds:.2f}",
            }
        )
    return rows


def from_data(full, only=None):
    """A row for each task, noise and draw."""
    rows = []
    for name, (solver, names, last, number, runs, published) in TASKS.items():
        if only not in (None, name):
            continue
        times, row = np.linspace(0, last, number), TABLE[name]
        for noise in (0.0, 0.001, 0.01, 0.02, 0.05) if full else (0.0, 0.01):
            for seed in range(5 if full else 1):
                fields, axes = simulate.simulate(solver, names, times, runs, noise, seed)
                periodic = [axis for axis in axes if axis != "t"]
                start = time.process_time()
                report = find_point_symmetries(
                    fields=fields,
                    coordinates=axes,
                    periodic=periodic,
                    library=LIBRARIES.get(name),
                )
                seconds = time.process_time() - start
                variables = list(report.variables)
                expected = up_to(fields_of(row.generators, variables), 2).joined(
                    up_to(fields_of(row.added, variables), 2)
                )
                found = report.generators.joined(report.superposition)
                linear = linear_distance(found, expected, report.scales)
                rows.append(
                    {
                        "task": name,
                        "noise": f"{noise:.1%}",
                        "draw": seed,
                        "found": len(found),
                        "expected": len(expected),
                        "whole": f"{angle(found, expected, report.scales)[1]:.1e}",
                        "linear part": f"{linear:.1e}",
                        "LieNLSD": "" if published is None else f"{published:.1e}",
                        "misfit": f"{report.fit_error:.1e}",
                        "confidence": f"{report.confidence:.2f}",
                        "seconds": f"{seconds:.1f}",
                    }
                )
                print(" ".join(f"{value}" for value in rows[-1].values()), flush=True)
    return rows


BENCHMARKS = {
    "from-equations": from_equations,
    "from-data": from_data,
    "surrogate": surrogate,
}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=BENCHMARKS)
    parser.add_argument(
        "--only", help="one task of from-data, or number of solutions of surrogate"
    )
    parser.add_argument("--full", action="store_true", help="all draws: takes long")
    options = parser.parse_args(arguments)
    rows = BENCHMARKS[options.what](options.full, options.only)
    show(rows)
    return rows


if __name__ == "__main__":
    main()
