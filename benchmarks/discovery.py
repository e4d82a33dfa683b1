"""How far discovery can be trusted: coordinates, calibration, and known tasks.

Run: KERAS_BACKEND=torch python benchmarks/discovery.py coordinates [--full]
(or `calibration`, or `tasks`). All draws are seeded. The quick mode takes a minute or two,
the full one much longer.
"""

import argparse
import time
from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from keras_lconv import algebra
from keras_lconv.discovery import find_symmetries, fit_symmetries

# --------------------------------------------------------------------- coordinates


def tensor(array):
    return ops.convert_to_tensor(np.asarray(array), dtype=keras.config.floatx())


def random_waves(size, seed):
    """A function without symmetry: a sum of waves in random directions."""
    rng = np.random.default_rng(seed)
    waves, phases = rng.normal(size=(size, 12)), rng.uniform(0, 6, 12)
    weights = rng.normal(size=12)

    def function(u):
        return ops.einsum(
            "bn,n->b",
            ops.sin(ops.matmul(u, tensor(waves)) + tensor(phases)),
            tensor(weights),
        )

    return function


def square(u, signs):
    return ops.sum(u**2 * tensor(signs), axis=1)


def dot(u, v):
    return ops.sum(u * v, axis=1)


@dataclass(frozen=True)
class Function:
    """A function of `blocks` vectors of `size` components, with its affine symmetries.

    Args:
        name: What is expected: the name of its algebra, `"0"` for none.
        size: Components of a vector.
        blocks: Number of vectors.
        function: The function of tensors `(batch, blocks size)`.
        dimension: The dimension of its algebra.
    """

    name: str
    size: int
    blocks: int
    function: object
    dimension: int


def bell(u):
    return ops.exp(-square(u, np.ones(u.shape[1])) / 4)


def product(u):
    return ops.tanh(u[:, 0] * u[:, 1])


def two_lengths(u):
    return ops.sin(square(u[:, :2], [1, 1])) + ops.cos(u[:, 2] + u[:, 2] ** 2 / 2)


def distance(u):
    """Of two points of the plane: rotations and translations."""
    return ops.tanh(square(u[:, :2] - u[:, 2:], [1, 1]) / 4)


def distance_3(u):
    return ops.tanh(square(u[:, :3] - u[:, 3:], [1, 1, 1]) / 6)


def area(u):
    """Of a triangle in the plane: all affine maps that keep areas."""
    a, b = u[:, 2:4] - u[:, :2], u[:, 4:] - u[:, :2]
    return ops.tanh((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) / 3)


def ratio_of_areas(u):
    a, b, c = (u[:, k : k + 2] - u[:, :2] for k in (2, 4, 6))
    return ops.arctan2(
        a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0], a[:, 0] * c[:, 1] - a[:, 1] * c[:, 0]
    )


def lengths_and_angle(u):
    a, b = u[:, :3], u[:, 3:]
    return ops.sin(dot(a, a)) - dot(b, b) / 3 + ops.tanh(dot(a, b))


FUNCTIONS = [
    Function("so(2)", 2, 1, bell, 1),
    Function("so(3)", 3, 1, bell, 3),
    Function("so(4)", 4, 1, bell, 6),
    Function("so(5)", 5, 1, bell, 10),
    Function("so(1,1)", 2, 1, product, 1),
    Function("so(2,1)", 3, 1, lambda u: ops.sin(square(u, [1, 1, -1])), 3),
    Function("so(3,1)", 4, 1, lambda u: ops.sin(square(u, [1, 1, 1, -1]) / 2), 6),
    Function("so(2,2)", 4, 1, lambda u: ops.sin(square(u, [1, 1, -1, -1]) / 2), 6),
    Function("so(2)", 3, 1, two_lengths, 1),
    Function("so(3)", 3, 2, lengths_and_angle, 3),
    Function("se(2)", 2, 2, distance, 3),
    Function("se(3)", 3, 2, distance_3, 6),
    Function("saff(2)", 2, 3, area, 5),
    Function("aff(2)", 2, 4, ratio_of_areas, 6),
    Function("0", 2, 1, random_waves(2, 0), 0),
    Function("0", 3, 1, random_waves(3, 1), 0),
    Function("0", 4, 1, random_waves(4, 2), 0),
    Function("0", 5, 1, random_waves(5, 3), 0),
    Function("0", 6, 1, random_waves(6, 4), 0),
    Function("0", 3, 2, random_waves(6, 5), 0),
]


def change_of_coordinates(size, rng):
    """`x = P u + c`: rotated, nearly collinear, scaled by 1e-6 to 1e6, far away.

    Returns:
        `P` as a rotation and scales, and the offset.
    """
    left, right = (np.linalg.qr(rng.normal(size=(size, size)))[0] for _ in range(2))
    stretched = left * 10 ** rng.uniform(-1, 1, size) @ right
    scales = 10 ** rng.uniform(-6, 6, size)
    offsets = rng.choice([0, 1, 10, 100, 1000]) * rng.uniform(-1, 1, size)
    spread = np.linalg.norm(stretched, axis=1)
    return stretched, scales, offsets * spread


def in_coordinates(task, u, rng, constant_column):
    """The function and its samples in new coordinates, and the map back."""
    stretched, scales, offsets = change_of_coordinates(task.size, rng)
    blocks = u.reshape(len(u), task.blocks, task.size)
    x = (blocks @ stretched.T + offsets) * scales
    back = np.linalg.inv(stretched)
    extra = 1 if constant_column else 0
    if extra:
        x = np.concatenate([x, np.full((*x.shape[:2], 1), 273.15)], axis=2)

    def function(x):
        vectors = ops.reshape(x, (-1, task.blocks, task.size + extra))[..., : task.size]
        moved = vectors / tensor(scales) - tensor(offsets)
        moved = ops.matmul(moved, tensor(back.T))
        return task.function(ops.reshape(moved, (-1, task.blocks * task.size)))

    affine = np.eye(task.size + extra + 1)
    affine[: task.size, : task.size] = scales[:, None] * stretched
    affine[: task.size, -1] = scales * offsets
    return function, x.reshape(len(x), -1), affine


def angle_to(report, reference, affine, size):
    """The largest angle of what was found, brought back, to what is found at home."""
    back = np.linalg.solve(affine, report.basis @ affine)
    keep = [*range(size), -1]
    back = back[:, keep][:, :, keep]
    return np.degrees(np.max(algebra.principal_angles(back, reference.algebra)))


def coordinates(full):
    """Functions in many coordinates: is the answer the same?"""
    number = 100 if full else 10
    rows = []
    for index, task in enumerate(FUNCTIONS):
        rng = np.random.default_rng(index)
        u = 0.7 + rng.normal(size=(400, task.blocks * task.size))
        reference = find_symmetries(task.function, u, blocks=task.blocks, search="affine")
        same = named = 0
        angles = [0.0]
        for draw in range(number):
            function, x, affine = in_coordinates(task, u, rng, draw % 4 == 0)
            report = find_symmetries(function, x, blocks=task.blocks, search="affine")
            same += report.dimension == task.dimension
            named += report.name == reference.name
            if report.dimension == reference.dimension > 0:
                angles.append(angle_to(report, reference, affine, task.size))
        rows.append(
            {
                "function": f"{task.name}, {task.blocks} x {task.size}",
                "name": reference.name,
                "dimension": reference.dimension,
                "expected": task.dimension,
                "same dimension": f"{same}/{number}",
                "same name": f"{named}/{number}",
                "largest angle": f"{max(angles):.1e}",
            }
        )
    return rows


# --------------------------------------------------------------------- calibration

# How samples and functions of the tasks are spoilt.
CONDITIONS = ("plain", "few", "repeated", "wiggles", "collinear", "units")


def symmetric_waves(size, rng):
    """A function of one quadratic form of any signature, and how many symmetries it has."""
    signs = rng.choice([-1.0, 1.0], size)
    waves, phases, weights = rng.normal(size=6), rng.uniform(0, 6, 6), rng.normal(size=6)

    def function(u):
        form = square(u, signs)[:, None] / np.sqrt(size)
        return ops.sum(ops.sin(form * tensor(waves) + tensor(phases)) * tensor(weights), 1)

    return function, size * (size - 1) // 2


def calibration_task(seed):
    """A function, samples, and the dimension of the linear symmetries that it has."""
    rng = np.random.default_rng(seed)
    size, condition = int(rng.integers(2, 6)), CONDITIONS[seed % len(CONDITIONS)]
    if seed // len(CONDITIONS) % 2:
        inner, dimension = symmetric_waves(size, rng)
    else:
        inner, dimension = random_waves(size, seed), 0
    number = int(rng.integers(size, 2 * size**2)) if condition == "few" else 300
    u = rng.normal(size=(number, size))
    if condition == "repeated":
        u = np.repeat(
            rng.normal(size=(int(rng.integers(4, 2 * size**2)), size)), 30, axis=0
        )
    matrix, scales = np.eye(size), np.ones(size)
    if condition == "collinear":
        left, right = (np.linalg.qr(rng.normal(size=(size, size)))[0] for _ in range(2))
        matrix = left * 10 ** rng.uniform(-2, 0, size) @ right
    if condition == "units":
        scales = 10 ** rng.uniform(-4, 4, size)
    back, wiggle = np.linalg.inv(matrix), 0.0
    if condition == "wiggles":
        wiggle = 10 ** rng.uniform(-4, -2.3)

    def function(x):
        moved = ops.matmul(x / tensor(scales), tensor(back.T))
        return inner(moved) + wiggle * ops.sum(ops.sin(30 * moved), axis=1)

    return condition, function, (u @ matrix.T) * scales, dimension


FITS = ("few", "noise", "labels", "plain")


def fit_task(seed):
    """Data of a function, and the dimension of the linear symmetries that it has."""
    rng = np.random.default_rng(seed)
    size, condition = int(rng.integers(2, 4)), FITS[seed % len(FITS)]
    if seed // len(FITS) % 2:
        signs = rng.choice([-1.0, 1.0], size)
        frequency = rng.uniform(0.3, 0.8)
        inner, dimension = (
            lambda u: np.sin(frequency * (u**2 @ signs)) + u**2 @ signs / 4,
            size * (size - 1) // 2,
        )
    else:
        waves, weights = rng.normal(size=(size, 8)), rng.normal(size=8)
        phases = rng.uniform(0, 6, 8)
        inner, dimension = lambda u: np.sin(u @ waves + phases) @ weights, 0
    x = rng.normal(size=(150 if condition == "few" else 600, size))
    y = inner(x)
    if condition == "noise":
        y = y + rng.uniform(0.05, 0.5) * np.std(y) * rng.normal(size=len(y))
    if condition == "labels":
        y = (y > np.median(y)).astype(int)
    return f"fit, {condition}", x, y, dimension


def calibration(full):
    """Is an answer with a confidence above 0.9 right in 95% of the cases?"""
    tables = {}

    def add(condition, report, dimension):
        row = tables.setdefault(condition, np.zeros(4, dtype=int))
        right, sure = report.dimension == dimension, report.confidence > 0.9
        row += np.array([1, right, sure, sure and right])

    for seed in range(240 if full else 60):
        condition, function, x, dimension = calibration_task(seed)
        report = find_symmetries(function, x, search="linear", verbose=False)
        add(condition, report, dimension)
    for seed in range(60 if full else 0):
        condition, x, y, dimension = fit_task(seed)
        keras.utils.set_random_seed(seed)
        report = fit_symmetries(x, y, search="linear", epochs=600, verbose=False)
        add(condition, report, dimension)
    total = sum(tables.values())
    rows = [
        dict(zip(("tasks", "right", "sure", "sure and right"), map(int, row), strict=True))
        for row in (*tables.values(), total)
    ]
    return [
        {"condition": name, **row} for name, row in zip((*tables, "all"), rows, strict=True)
    ]


# --------------------------------------------------------------------------- tasks


def o5(number, noise, seed=0):
    """Two vectors of five components, and a function that O(5) leaves invariant."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(number, 10))
    lengths = np.linalg.norm(x.reshape(-1, 2, 5), axis=2)
    overlaps = np.sum(x[:, :5] * x[:, 5:], axis=1)
    y = np.sin(lengths[:, 0]) - lengths[:, 1] ** 3 / 2 + overlaps / lengths.prod(axis=1)
    return x, y + noise * np.std(y) * rng.normal(size=number)


def sphere(number, flipped, seed=0):
    """Labels: inside or outside of a sphere."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(number, 3))
    inside = np.sum(x**2, axis=1) < 2.4
    return x, np.where(rng.random(number) < flipped, ~inside, inside)


TASKS = {
    "O5, 200 points": (o5, 200, 0.0, 2, algebra.so(5)),
    "O5, 500 points": (o5, 500, 0.0, 2, algebra.so(5)),
    "O5, 500 points, 5% noise": (o5, 500, 0.05, 2, algebra.so(5)),
    "sphere, labels": (sphere, 2000, 0.0, 1, algebra.so(3)),
    "sphere, 5% flipped": (sphere, 2000, 0.05, 1, algebra.so(3)),
}


def tasks(full):
    """Known symmetries from data: how far are they off, and what do the error bars say?"""
    rows = []
    for name, (draw, number, noise, blocks, expected) in TASKS.items():
        for seed in range(3 if full else 1):
            keras.utils.set_random_seed(seed)
            start = time.time()
            report = fit_symmetries(
                *draw(number, noise, seed), blocks=blocks, search="linear", verbose=False
            )
            angle = None
            if report.dimension == expected.dimension:
                angle = np.degrees(np.max(algebra.principal_angles(report.basis, expected)))
            rows.append(
                {
                    "task": name,
                    "seed": seed,
                    "name": report.name,
                    "angle": None if angle is None else round(float(angle), 2),
                    "error bar": round(
                        float(np.degrees(np.max(report.errors, initial=0))), 2
                    ),
                    "confidence": round(report.confidence, 2),
                    "seconds": round(time.time() - start),
                }
            )
            print(rows[-1], flush=True)
    return rows


def show(rows):
    """A table in Markdown."""
    names = list(rows[0])
    print("| " + " | ".join(names) + " |")
    print("|" + " --- |" * len(names))
    for row in rows:
        print("| " + " | ".join(str(row[name]) for name in names) + " |")


BENCHMARKS = {"coordinates": coordinates, "calibration": calibration, "tasks": tasks}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=BENCHMARKS)
    parser.add_argument("--full", action="store_true", help="all draws: takes long")
    parser.add_argument("--float64", action="store_true", help="evaluate in float64")
    options = parser.parse_args(arguments)
    if options.float64:
        keras.config.set_floatx("float64")
    rows = BENCHMARKS[options.what](options.full)
    show(rows)
    return rows


if __name__ == "__main__":
    main()
