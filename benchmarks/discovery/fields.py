"""Symmetries that are no affine maps: how near the truth, and how often there is none."""

import time

import numpy as np

from keras_lconv.algebra import VectorFields
from keras_lconv.discovery import find_symmetries


def field(size, *terms):
    """The sum of `c x^p d/dx_a` for `(c, p, a)`."""
    powers = np.unique([p for _, p, _ in terms], axis=0)
    coefficients = np.zeros((1, size, len(powers)))
    for c, p, a in terms:
        coefficients[0, a, powers.tolist().index(list(p))] += c
    return VectorFields(powers, coefficients)


def cross_ratio(x):
    a, b, c, d = x.T
    return (a - c) * (b - d) / ((a - d) * (b - c))


def complex_cross_ratio(x):
    found = cross_ratio(x[:, ::2] + 1j * x[:, 1::2])
    return np.column_stack([found.real, found.imag])


def bent(x):
    return np.column_stack([x[:, 0], x[:, 1] + x[:, 0] ** 2, x[:, 2]])


def hidden_radius(x):
    return np.sum(bent(x) ** 2, axis=1)


def hidden_products(x):
    first, second = bent(x[:, :3]), bent(x[:, 3:])
    return np.sum(first * second, axis=1) + np.sin(np.sum(first**2, axis=1))


HIDDEN = [
    field(3, (1, (1, 0, 0), 2), (-1, (0, 0, 1), 0), (2, (1, 0, 1), 1)),
    field(3, (1, (0, 1, 0), 2), (-1, (0, 0, 1), 1), (1, (2, 0, 0), 2)),
    field(
        3,
        (1, (1, 0, 0), 1),
        (-1, (0, 1, 0), 0),
        (-1, (2, 0, 0), 0),
        (2, (1, 1, 0), 1),
        (2, (3, 0, 0), 1),
    ),
]
CONFORMAL = [
    field(2, (1, (0, 0), 0)),
    field(2, (1, (0, 0), 1)),
    field(2, (1, (1, 0), 0), (1, (0, 1), 1)),
    field(2, (1, (1, 0), 1), (-1, (0, 1), 0)),
    field(2, (1, (2, 0), 0), (-1, (0, 2), 0), (2, (1, 1), 1)),
    field(2, (1, (2, 0), 1), (-1, (0, 2), 1), (-2, (1, 1), 0)),
]
# Function, size of a vector, blocks, degree, and the fields that are listed.
TASKS = {
    "x^2 + y^4": (
        lambda x: x[:, 0] ** 2 + x[:, 1] ** 4,
        2,
        1,
        3,
        [field(2, (2, (0, 3), 0), (-1, (1, 0), 1))],
    ),
    "x^3 - y^2": (
        lambda x: x[:, 0] ** 3 - x[:, 1] ** 2,
        2,
        1,
        3,
        [field(2, (2, (0, 1), 0), (3, (2, 0), 1))],
    ),
    "cross-ratio, line": (cross_ratio, 1, 4, 3, [field(1, (1, (n,), 0)) for n in range(3)]),
    "cross-ratio, plane": (complex_cross_ratio, 2, 4, 2, CONFORMAL),
    "hidden so(3), one vector": (hidden_radius, 3, 1, 3, HIDDEN),
    "hidden so(3), two vectors": (hidden_products, 3, 2, 3, HIDDEN),
}


def grassmann(first, second):
    """The root of the sum of the squared angles between two spans of fields."""
    both = first.joined(second).coefficients
    rows = both.reshape(len(both), -1)
    frames = [np.linalg.qr(part.T)[0] for part in np.split(rows, [len(first)])]
    # Small angles from their sines.
    rest = frames[0] - frames[1] @ (frames[1].T @ frames[0])
    return float(np.linalg.norm(np.arcsin(np.clip(np.linalg.svd(rest)[1], 0, 1))))


def known():
    rows = []
    for name, (function, size, blocks, degree, truth) in TASKS.items():
        x = np.random.default_rng(0).normal(size=(800, blocks * size))
        start = time.perf_counter()
        report = find_symmetries(
            function, x, search="polynomial", degree=degree, blocks=blocks, verbose=False
        )
        seconds = time.perf_counter() - start
        exact = truth[0].joined(*truth[1:])
        same = len(exact) == report.dimension
        rows.append(
            {
                "function": name,
                "degree": degree,
                "fields": f"{report.dimension} of {len(exact)}",
                "algebra": report.name,
                "Grassmann distance": f"{grassmann(report.fields, exact):.1e}"
                if same
                else "",
                "seconds": f"{seconds:.2f}",
            }
        )
    return rows


def random_network(seed, blocks, outputs):
    """A network without symmetry, and samples."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(1 if blocks > 1 else 2, 4)) * blocks
    first = rng.normal(size=(size, 16)) * rng.uniform(0.5, 3) / np.sqrt(size)
    offset, second = rng.normal(size=16), rng.normal(size=(16, outputs))
    x = rng.normal(size=(400 + 100 * size // blocks, size))
    return lambda z: np.tanh(z @ first + offset) @ second, x


def without(full):
    """False discoveries in networks with random weights."""
    rows = []
    kinds = {"one output": (1, 1), "five outputs": (1, 5), "two vectors": (2, 1)}
    for name, (blocks, outputs) in kinds.items():
        for degree in (2, 3) if full else (2,):
            found = 0
            for seed in range(50):
                function, x = random_network(seed, blocks, outputs)
                report = find_symmetries(
                    function,
                    x,
                    search="polynomial",
                    degree=degree,
                    blocks=blocks,
                    verbose=False,
                )
                found += report.dimension > 0
            rows.append(
                {
                    "function": f"random network, {name}",
                    "degree": degree,
                    "fields": f"none in {50 - found} of 50",
                    "algebra": "",
                    "Grassmann distance": "",
                    "seconds": "",
                }
            )
    return rows


def fields(full):
    """What is found, and how far from the truth."""
    return known() + without(full)
