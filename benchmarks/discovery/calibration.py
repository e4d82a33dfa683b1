"""Is an answer as sure as it says?"""

import keras
import numpy as np
from coordinates import random_waves, square, tensor
from keras import ops

from keras_lconv import algebra
from keras_lconv.discovery import find_symmetries, fit_symmetries

# How samples and functions of the tasks are spoilt.
CONDITIONS = ("plain", "few", "repeated", "wiggles", "collinear", "units", "poles")


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

    power = -int(rng.integers(1, 4)) if condition == "poles" else 1

    def function(x):
        moved = ops.matmul(x / tensor(scales), tensor(back.T))
        value = inner(moved) + wiggle * ops.sum(ops.sin(30 * moved), axis=1)
        return value**power

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


def calibration(full, first_seed=0):
    """Is an answer with a confidence above 0.9 right in 95% of the cases?"""
    tables = {}

    def add(condition, report, dimension):
        row = tables.setdefault(condition, np.zeros(4, dtype=int))
        right, sure = report.dimension == dimension, report.confidence > 0.9
        row += np.array([1, right, sure, sure and right])

    for seed in range(first_seed, first_seed + (280 if full else 70)):
        condition, function, x, dimension = calibration_task(seed)
        report = find_symmetries(function, x, search="linear", verbose=False)
        add(condition, report, dimension)
    for seed in range(first_seed, first_seed + (60 if full else 0)):
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


def form_kept_by(signs):
    """All matrices that leave a quadratic form as it is."""
    size = len(signs)
    upper = [(a, b) for a in range(size) for b in range(a + 1, size)]
    matrices = np.zeros((len(upper), size, size))
    for matrix, (a, b) in zip(matrices, upper, strict=True):
        matrix[a, b], matrix[b, a] = signs[a], -signs[b]
    return algebra.LieAlgebra(matrices)


def error_bars(full, first_seed=0):
    """Are generators of fits within their error bars?"""
    rows, sizes = [], {}
    for seed in range(first_seed, first_seed + (60 if full else 20)):
        rng = np.random.default_rng(seed)
        size, noise = int(rng.integers(2, 4)), (0.0, 0.1, 0.3)[seed % 3]
        signs, frequency = rng.choice([-1.0, 1.0], size), rng.uniform(0.3, 0.8)
        x = rng.normal(size=(600, size))
        form = x**2 @ signs
        y = np.sin(frequency * form) + form / 4
        y = y + noise * np.std(y) * rng.normal(size=len(y))
        keras.utils.set_random_seed(seed)
        report = fit_symmetries(
            x, y, search="linear", dimension=size * (size - 1) // 2, verbose=False
        )
        expected = form_kept_by(signs)
        off = [
            np.max(algebra.principal_angles(each[None], expected)) for each in report.basis
        ]
        sizes.setdefault(noise, []).extend(np.array(off) / report.errors)
    for noise, ratios in (*sizes.items(), ("all", np.concatenate([*sizes.values()]))):
        ratios = np.array(ratios)
        rows.append(
            {
                "noise": noise,
                "generators": len(ratios),
                "within 1 error bar": f"{np.mean(ratios <= 1):.0%}",
                "within 2": f"{np.mean(ratios <= 2):.0%}",
                "median of angle / bar": f"{np.median(ratios):.2f}",
            }
        )
    return rows
