"""Errors of energies and forces of molecules, of networks trained for the same time."""

import importlib.util
import pathlib

import numpy as np
from conformations import Conformations, of_springs, read
from energy_trainings import errors, trained

FOLDER = pathlib.Path("outputs")
# Found by `--tune`: learning rates, and arguments of networks.
SETTINGS = {
    "distances": (3e-3, {"width": 128}),
    "e3nn": (1e-2, {"width": 16, "degree": 1}),
    "PointConv": (1e-2, {"width": 16, "degree": 1}),
}
# What `--tune` tries: three rates, and other arguments with the second of them.
RATES = (1e-3, 3e-3, 1e-2)
OTHERS = {
    "distances": {"width": 256},
    "e3nn": {"width": 16, "degree": 2},
    "PointConv": {"width": 16, "degree": 2},
}


def trials(name):
    """Pairs of a rate and arguments, as many for each network."""
    return [*((rate, SETTINGS[name][1]) for rate in RATES), (RATES[1], OTHERS[name])]


def constant(train: Conformations):
    """The mean energy and no forces: what a network has to be better than."""
    return lambda positions: (train.energy.mean(), np.zeros_like(positions))


def tune(names, seconds, kinds, train, validate) -> list[dict]:
    """Errors of some learning rates and widths on validation samples."""
    rows = []
    for name in names:
        for rate, arguments in trials(name):
            found = trained(name, rate, arguments, seconds, kinds, train, seed=1)
            row = {"network": name, "rate": rate, **arguments, "epochs": found.epochs}
            rows.append({**row, **errors(found.predict, validate)})
            print(rows[-1], flush=True)
    return rows


def molecules(
    full: bool,
    networks=None,
    seconds=None,
    is_tuned=False,
    molecule="ethanol",
    folder=FOLDER,
) -> list[dict]:
    """Trains each network for the same time.

    Args:
        full: Whether on conformations of quantum chemistry, for minutes; without on
            a molecule of springs, which shows that all runs and says nothing of molecules.
        networks: Names of networks; without any all, e3nn's where it is installed.
        seconds: Processor seconds for each.
        is_tuned: Whether to try learning rates and widths instead, on validation samples.
        molecule: `"ethanol"` or `"aspirin"`.
        folder: Where `xtb.py` has written conformations.

    Returns:
        Rows with mean absolute errors on samples to test, and with `full` how the error of
        forces on validation samples fell.
    """
    seconds = seconds or (200.0 if full else 0.5)
    is_real = full or is_tuned
    kinds, parts = read(folder / f"{molecule}.npz") if is_real else of_springs()
    train, validate, test = parts
    has_e3nn = importlib.util.find_spec("e3nn") is not None
    names = networks or [name for name in SETTINGS if name != "e3nn" or has_e3nn]
    if is_tuned:
        return tune(names, seconds, kinds, train, validate)
    of = {"molecule": molecule if is_real else "springs"}
    nothing = {"network": "constant", "weights": 1, "epochs": 0}
    rows = [{**of, **nothing, **errors(constant(train), test)}]
    for name in names:
        watch = validate if full else None
        found = trained(name, *SETTINGS[name], seconds, kinds, train, 0, watch)
        row = {"network": name, "weights": found.weights, "epochs": found.epochs}
        curve = {"curve": found.curve} if full else {}
        rows.append({**of, **row, **errors(found.predict, test), **curve})
        print(rows[-1], flush=True)
    return rows
