"""Conformations of molecules, with energies and forces, and what networks see of them."""

import pathlib
from typing import NamedTuple

import numpy as np

PARTS = ("train", "validate", "test")
# A molecule of springs: four atoms of two kinds, a bond length apart from the first.
KINDS = np.array([1, 2, 2, 2], "int32")
REST = np.array([[0, 0, 0], [1, 0, 0], [-0.3, 0.95, 0], [-0.3, -0.4, 0.85]])
STIFFNESS, DISTURBANCE = 10.0, 0.08
FIRST, SECOND = np.triu_indices(len(REST), 1)


class Conformations(NamedTuple):
    """Samples of one molecule.

    Args:
        positions: Array `(samples, atoms, 3)`, in angstrom.
        energy: Array `(samples, 1)`, in eV.
        forces: Array `(samples, atoms, 3)`, in eV per angstrom.
    """

    positions: np.ndarray
    energy: np.ndarray
    forces: np.ndarray


class Scale(NamedTuple):
    """What networks learn: energies from a mean on, in units of a typical force.

    Args:
        mean: Of the energies, in eV.
        unit: Root of the mean square of components of forces, in eV per angstrom.
    """

    mean: float
    unit: float

    @classmethod
    def of(cls, train: Conformations) -> "Scale":
        """That of the samples to train on."""
        return cls(float(train.energy.mean()), float(np.sqrt(np.mean(train.forces**2))))

    def inwards(self, given: Conformations) -> Conformations:
        """Small numbers, in float32."""
        energy = (given.energy - self.mean) / self.unit
        arrays = given.positions, energy, given.forces / self.unit
        return Conformations(*(each.astype("float32") for each in arrays))

    def outwards(self, energy: np.ndarray, forces: np.ndarray):
        """Energies and forces in eV and angstrom."""
        return self.mean + self.unit * energy.astype("float64"), self.unit * forces


def springs(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Energies and forces of springs between all atoms: no quantum chemistry."""
    between = positions[:, SECOND] - positions[:, FIRST]
    length = np.linalg.norm(between, axis=2)
    stretch = length - np.linalg.norm(REST[SECOND] - REST[FIRST], axis=1)
    pull = STIFFNESS * (stretch / length)[..., None] * between
    forces = np.zeros_like(positions)
    for pair, (i, j) in enumerate(zip(FIRST, SECOND, strict=True)):
        forces[:, i] += pull[:, pair]
        forces[:, j] -= pull[:, pair]
    return 0.5 * STIFFNESS * np.sum(stretch**2, axis=1, keepdims=True), forces


def of_springs(sizes=(60, 30, 30)) -> tuple[np.ndarray, list[Conformations]]:
    """Kinds of atoms, and samples of all parts, of the molecule of springs."""
    rng, parts = np.random.default_rng(0), []
    for size in sizes:
        positions = REST + DISTURBANCE * rng.normal(size=(size, *REST.shape))
        parts.append(Conformations(positions, *springs(positions)))
    return KINDS, parts


def read(path: pathlib.Path) -> tuple[np.ndarray, list[Conformations]]:
    """The same, of a file that `xtb.py` has written."""
    if not path.exists():
        raise SystemExit(
            f"{path} is missing. Write it in an environment with ase and tblite: "
            f"python benchmarks/points/xtb.py {path.stem} --folder {path.parent}"
        )
    arrays = np.load(path)
    kinds = np.unique(arrays["numbers"], return_inverse=True)[1] + 1
    parts = [
        Conformations(*(arrays[f"{part}_{key}"] for key in Conformations._fields))
        for part in PARTS
    ]
    return kinds.astype("int32"), parts
