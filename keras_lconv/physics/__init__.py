"""Physics of symmetries: field theory of layers, and conserved quantities."""

from keras_lconv.physics.action_symmetries import ActionSymmetries
from keras_lconv.physics.conservation import (
    ConservationReport,
    ConservedFunction,
    ConservedQuantity,
    Drift,
    HamiltonianSums,
    MotionSums,
    find_conserved_quantities,
    fit_conserved_quantities,
)
from keras_lconv.physics.lagrangian import Lagrangian
from keras_lconv.physics.landscape import LandscapeReport, flat_directions
from keras_lconv.physics.robustness import robustness
from keras_lconv.physics.robustness_report import RobustnessReport

__all__ = [
    "ActionSymmetries",
    "ConservationReport",
    "ConservedFunction",
    "ConservedQuantity",
    "Drift",
    "HamiltonianSums",
    "Lagrangian",
    "LandscapeReport",
    "MotionSums",
    "RobustnessReport",
    "find_conserved_quantities",
    "fit_conserved_quantities",
    "flat_directions",
    "robustness",
]
