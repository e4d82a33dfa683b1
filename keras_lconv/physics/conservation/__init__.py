"""Conserved quantities of a Hamiltonian or of trajectories, by Noether's theorem."""

from keras_lconv.physics.conservation.functions import ConservedFunction
from keras_lconv.physics.conservation.hamiltonian import find_conserved_quantities
from keras_lconv.physics.conservation.hamiltonian_sums import HamiltonianSums
from keras_lconv.physics.conservation.motion_sums import MotionSums
from keras_lconv.physics.conservation.quantities import (
    ConservationReport,
    ConservedQuantity,
    Drift,
)
from keras_lconv.physics.conservation.trajectories import fit_conserved_quantities

__all__ = [
    "ConservationReport",
    "ConservedFunction",
    "ConservedQuantity",
    "Drift",
    "HamiltonianSums",
    "MotionSums",
    "find_conserved_quantities",
    "fit_conserved_quantities",
]
