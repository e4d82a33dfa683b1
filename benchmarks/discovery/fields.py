"""Symmetries that are no affine maps: how near the truth, and how often there is none."""

import time

import keras
import numpy as np

from keras_lconv.algebra import VectorFields
from keras_lconv.discovery import find_symmetries, fit_symmetries


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
    """The symmetries found, and their distance from the true ones."""
    return known() + without(full)


# Of data to fit: exponents `(p, q)` of curves `a x^p + b y^q`, and the degree of fields.
CURVES = [(2, 2, 1), (2, 3, 2), (3, 2, 2), (2, 4, 3), (4, 2, 3), (3, 3, 2)]
CONDITIONS = ("few", "noise", "hardly trained", "plain")
# A field is right if it is so near the true one, in radians.
NEAR = 0.2


def fit_task(seed):
    """Data of a function, and the polynomial field along which it does not change."""
    rng = np.random.default_rng(seed)
    condition = CONDITIONS[seed % len(CONDITIONS)]
    x = rng.uniform(-1.2, 1.2, size=(150 if condition == "few" else 1000, 2))
    if seed // len(CONDITIONS) % 2:
        p, q, degree = CURVES[rng.integers(len(CURVES))]
        a, b = rng.uniform(0.5, 2) * rng.choice([-1, 1]), rng.uniform(0.5, 2)
        inner = a * x[:, 0] ** p + b * x[:, 1] ** q
        y = np.sin(rng.uniform(0.3, 1) * inner) + inner / 2
        truth = field(2, (q * b, (0, q - 1), 0), (-p * a, (p - 1, 0), 1))
    else:
        degree, truth = int(rng.integers(1, 4)), None
        waves, weights = rng.normal(size=(2, 8)), rng.normal(size=8)
        y = np.sin(x @ waves + rng.uniform(0, 6, 8)) @ weights
    if condition == "noise":
        y = y + rng.uniform(0.05, 0.5) * np.std(y) * rng.normal(size=len(y))
    return condition, x, y, max(degree, 2), truth


def fitted_fields(full, first_seed=0):
    """Is a field from data with a confidence above 0.9 right?"""
    tables = {}
    for seed in range(first_seed, first_seed + (40 if full else 20)):
        condition, x, y, degree, truth = fit_task(seed)
        keras.utils.set_random_seed(seed)
        report = fit_symmetries(
            x,
            y,
            search="polynomial",
            degree=degree,
            epochs={"few": 600, "hardly trained": 4}.get(condition),
            verbose=False,
        )
        right = report.dimension == (truth is not None)
        if right and truth is not None:
            right = grassmann(report.fields, truth) < NEAR
        sure = report.confidence > 0.9
        row = tables.setdefault(condition, np.zeros(4, dtype=int))
        row += np.array([1, right, sure, sure and right])
        print(
            f"{seed} {condition}: {report.dimension} of {int(truth is not None)}, "
            f"{'right' if right else 'wrong'}, confidence {report.confidence:.2f}, "
            f"error of the fit {report.fit_error:.2g}, {report.formulas(['x', 'y'])}",
            flush=True,
        )
    rows = {**tables, "all": sum(tables.values())}
    columns = ("tasks", "right", "sure", "sure and right")
    return [
        {"condition": name, **dict(zip(columns, map(int, row), strict=True))}
        for name, row in rows.items()
    ]
