"""Errors of networks for charged bodies, each trained for the same time."""

import importlib.util
import itertools

import numpy as np
from charged_bodies import Motion, simulate
from trainings import error, trained

TRAIN, VALIDATE, TEST = 3000, 2000, 2000
# Found by `--tune`: learning rate and width.
SETTINGS = {
    "perceptron": (1e-2, 256),
    "messages": (1e-2, 48),
    "EGNN": (3e-3, 48),
    "e3nn": (1e-2, 16),
    "PointConv": (6e-3, 24),
}
# What `--tune` tries for each: three rates, and half of the width.
RATES = (1e-3, 3e-3, 1e-2)


def trials(name):
    """Pairs of a rate and a width."""
    width = SETTINGS[name][1]
    return [*((rate, width) for rate in RATES), (RATES[1], width // 2)]


def along_a_line(motion: Motion, train: Motion) -> float:
    """The error of bodies that keep their velocities, for the best time."""
    moved = train.targets - train.positions
    duration = np.sum(moved * train.velocities) / np.sum(train.velocities**2)
    return error(lambda m: m.positions + duration * m.velocities, motion)


def tune(names, seconds, train, validate) -> list[dict]:
    """Errors of some learning rates and widths on validation samples."""
    rows = []
    for name in names:
        for rate, width in trials(name):
            found = trained(name, rate, width, seconds, train, seed=1)
            row = {"network": name, "rate": rate, "width": width, "epochs": found.epochs}
            rows.append({**row, "validation": error(found.predict, validate)})
            print(rows[-1], flush=True)
    return rows


def charges(full: bool, networks=None, seconds=None, is_tuned=False, seeds=1) -> list[dict]:
    """Trains each network for the same time.

    Args:
        full: Whether with all samples, and a minute for each network.
        networks: Names of networks; without any all, e3nn's where it is installed.
        seconds: Processor seconds for each.
        is_tuned: Whether to try learning rates and widths instead, on validation samples.
        seeds: How many trainings of each network.

    Returns:
        Rows with the errors: means of all seeds, and how the validation error fell in the
        first training.
    """
    seconds = seconds or (60.0 if full else 0.5)
    is_large = full or is_tuned
    sizes = (TRAIN, VALIDATE, TEST) if is_large else (200, 100, 100)
    ends = np.cumsum((0, *sizes))
    motion = simulate(int(ends[-1]), seed=0, **({} if is_large else {"before": 500}))
    train, validate, test = (motion.part(*both) for both in itertools.pairwise(ends))
    has_e3nn = importlib.util.find_spec("e3nn") is not None
    names = networks or [name for name in SETTINGS if name != "e3nn" or has_e3nn]
    if is_tuned:
        return tune(names, seconds, train, validate)
    rows = [
        {
            "network": "straight lines",
            "weights": 1,
            "epochs": 1,
            "validation": along_a_line(validate, train),
            "test": along_a_line(test, train),
        }
    ]
    for name in names:
        rows.append(row_of(name, seconds, seeds, (train, validate, test)))
        print(rows[-1], flush=True)
    return rows


def row_of(name: str, seconds: float, seeds: int, parts: tuple[Motion, ...]) -> dict:
    """What some trainings of a network give."""
    train, validate, test = parts
    found = [
        trained(name, *SETTINGS[name], seconds, train, seed, validate)
        for seed in range(seeds)
    ]
    validations, tests = (
        [error(each.predict, part) for each in found] for part in (validate, test)
    )
    return {
        "network": name,
        "weights": found[0].weights,
        "epochs": round(np.mean([each.epochs for each in found])),
        "validation": float(np.mean(validations)),
        "test": float(np.mean(tests)),
        "tests": tests,
        "curve": found[0].curve,
    }
