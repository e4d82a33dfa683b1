"""How long discovery takes."""

import time

import keras
import numpy as np
from coordinates import square, tensor
from keras import ops

from keras_lconv.discovery import find_symmetries
from keras_lconv.physics import find_conserved_quantities, fit_conserved_quantities


def kepler(z):
    return square(z[:, 2:], [1, 1]) / 2 - 1 / ops.sqrt(square(z[:, :2], [1, 1]))


def times(full):
    """Processor time of one call, the least of some."""
    rng = np.random.default_rng(0)
    x4, x20 = rng.normal(size=(300, 4)), rng.normal(size=(800, 20))
    size, phase = rng.uniform(0.5, 2, (50, 1)), rng.uniform(0, 6.28, (50, 1))
    angles = np.linspace(0, 2, 100) + phase
    paths = np.stack([size * np.cos(angles), -size * np.sin(angles)], axis=-1)
    signs = tensor([1.0, 1.0, 1.0, -1.0])
    calls = {
        "4 columns": lambda: find_symmetries(
            lambda x: ops.sin(ops.matmul(x**2, signs)), x4
        ),
        "20 columns": lambda: find_symmetries(lambda x: ops.sum(x**2, axis=1), x20),
        "Hamiltonian": lambda: find_conserved_quantities(kepler, x4),
        "trajectories": lambda: fit_conserved_quantities(paths),
    }
    rows = []
    for name, call in calls.items():
        call()
        taken = []
        for _ in range(20 if full else 5):
            start = time.process_time()
            call()
            taken.append(time.process_time() - start)
        row = {"call": name, "milliseconds": f"{1e3 * min(taken):.1f}"}
        rows.append({**row, "backend": keras.backend.backend()})
    return rows
