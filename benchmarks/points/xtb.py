"""Conformations of molecules at 500 K with energies and forces by GFN2-xTB.

Needs `ase` and `tblite` (`pip install keras-lconv[molecules]`). An environment without them
reads what this has written:

    python benchmarks/points/xtb.py ethanol --folder FOLDER

C. Bannwarth, S. Ehlert, S. Grimme, "GFN2-xTB: an accurate and broadly parametrized
self-consistent tight-binding quantum chemical method", Journal of Chemical Theory and
Computation 15 (2019).
"""

import argparse
import pathlib

import numpy as np
from ase import Atoms, units
from ase.build import molecule
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import thermalize_momenta
from tblite.ase import TBLite

TEMPERATURE = 500  # K
STEP, FRICTION = 1.0, 0.02  # fs, 1 / fs
# Steps before the first conformation.
BEFORE = 1000
PARTS = ("train", "validate", "test")
# Conformations of each part, which is a motion of its own, and steps between two.
SIZES = {"ethanol": ((1000, 200, 400), 40), "aspirin": ((500, 100, 200), 20)}
ASPIRIN = Atoms(
    "O4C9H8",
    [
        (1.23, 0.55, 0.78),
        (-0.70, -2.71, -0.75),
        (0.80, -2.18, 0.87),
        (1.78, 0.81, -1.48),
        (-0.09, 0.61, 0.44),
        (-0.79, -0.55, 0.12),
        (-0.73, 1.85, 0.41),
        (-2.14, -0.47, -0.22),
        (-2.08, 1.92, 0.07),
        (-2.79, 0.76, -0.25),
        (-0.14, -1.85, 0.15),
        (2.11, 0.67, -0.31),
        (3.53, 0.60, 0.16),
        (-0.19, 2.75, 0.66),
        (-2.72, -1.36, -0.46),
        (-2.58, 2.89, 0.05),
        (-3.84, 0.82, -0.51),
        (3.73, 1.42, 0.86),
        (4.20, 0.70, -0.69),
        (3.71, -0.37, 0.64),
        (-0.26, -3.59, -0.73),
    ],
)


def started(name: str, rng: np.random.Generator) -> Atoms:
    """A molecule with the velocities of its temperature."""
    atoms = ASPIRIN.copy() if name == "aspirin" else molecule("CH3CH2OH")
    atoms.calc = TBLite(method="GFN2-xTB", verbosity=0)
    thermalize_momenta(atoms, temperature_K=TEMPERATURE, rng=rng)
    return atoms


def motion(name: str, number: int, between: int, seed: int) -> dict[str, np.ndarray]:
    """Conformations of one Langevin motion.

    Returns:
        Positions `(number, atoms, 3)` in angstrom, energies `(number, 1)` in eV, and forces
        `(number, atoms, 3)` in eV per angstrom.
    """
    rng = np.random.default_rng(seed)
    atoms = started(name, rng)
    dynamics = Langevin(
        atoms,
        STEP * units.fs,
        temperature_K=TEMPERATURE,
        friction=FRICTION / units.fs,
        fixcm=False,
        rng=rng,
    )
    dynamics.run(BEFORE)
    found = {"positions": [], "energy": [], "forces": []}
    for _ in range(number):
        dynamics.run(between)
        found["positions"].append(atoms.positions - atoms.get_center_of_mass())
        found["energy"].append([atoms.get_potential_energy()])
        found["forces"].append(atoms.get_forces())
    return {key: np.array(each) for key, each in found.items()}


def write(name: str, path: pathlib.Path) -> None:
    """Writes all parts, `train_positions` and so on, and the atomic `numbers`."""
    arrays = {"numbers": started(name, np.random.default_rng(0)).numbers}
    numbers, between = SIZES[name]
    for seed, (part, number) in enumerate(zip(PARTS, numbers, strict=True)):
        for key, each in motion(name, number, between, seed).items():
            arrays[f"{part}_{key}"] = each
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=SIZES)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("outputs"))
    options = parser.parse_args()
    write(options.name, options.folder / f"{options.name}.npz")
