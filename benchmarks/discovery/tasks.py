"""Known symmetries from data."""

import time

import keras
import numpy as np
from data import counts, dijets, ideal_gas, o5, pendulum, sphere

from keras_lconv import algebra
from keras_lconv.discovery import fit_symmetries

GAS = algebra.LieAlgebra([np.diag([1.0, 0.0, 1.0]), np.diag([0.0, 1.0, 1.0])])
PENDULUM = algebra.LieAlgebra([np.diag([1.0, 1.0, 0.0, 0.0])])
TASKS = {
    "O5, 200 points": (o5, 200, 0.0, 2, algebra.so(5)),
    "O5, 500 points": (o5, 500, 0.0, 2, algebra.so(5)),
    "O5, 500 points, 5% noise": (o5, 500, 0.05, 2, algebra.so(5)),
    "sphere, labels": (sphere, 2000, 0.0, 1, algebra.so(3)),
    "sphere, 5% flipped": (sphere, 2000, 0.05, 1, algebra.so(3)),
    "counts": (counts, 2000, 2.0, 1, algebra.so(2)),
    "mass of two jets": (dijets, 5000, 0.0, 2, algebra.so(3, 1)),
    "mass of two jets, known to 0.5%": (dijets, 5000, 0.005, 2, algebra.so(3, 1)),
    "ideal gas, to 1%": (ideal_gas, 600, 0.01, 1, GAS),
    "period of a pendulum, to 0.2%": (pendulum, 800, 0.002, 1, PENDULUM),
}


def tasks(full):
    """Known symmetries from data: errors of the results, and their error bars."""
    rows = []
    for name, (draw, number, noise, blocks, expected) in TASKS.items():
        for seed in range(3 if full else 1):
            keras.utils.set_random_seed(seed)
            start = time.time()
            report = fit_symmetries(
                *draw(number, noise, seed), blocks=blocks, search="linear", verbose=False
            )
            angle = grassmann = None
            if report.dimension == expected.dimension:
                angles = algebra.principal_angles(report.basis, expected)
                angle, grassmann = np.degrees(np.max(angles)), np.linalg.norm(angles)
            rows.append(
                {
                    "task": name,
                    "seed": seed,
                    "name": report.name,
                    "angle": None if angle is None else round(float(angle), 2),
                    "Grassmann": None if grassmann is None else f"{grassmann:.1e}",
                    "error bar": round(
                        float(np.degrees(np.max(report.errors, initial=0))), 2
                    ),
                    "confidence": round(report.confidence, 2),
                    "seconds": round(time.time() - start),
                }
            )
            print(rows[-1], flush=True)
    return rows
