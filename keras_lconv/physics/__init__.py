"""Physics of symmetries: what they conserve, and what they leave free."""

from keras_lconv.physics.conservation import conserved_quantities
from keras_lconv.physics.landscape import FlatDirections, flat_directions
from keras_lconv.physics.quantities import ConservedQuantities, ConservedQuantity

__all__ = [
    "ConservedQuantities",
    "ConservedQuantity",
    "FlatDirections",
    "conserved_quantities",
    "flat_directions",
]
"""Field theory and conservation laws of layers and of their symmetries."""

from keras_lconv.physics.invariant_loss import InvariantLoss
from keras_lconv.physics.lagrangian import Lagrangian
from keras_lconv.physics.robustness import RobustnessReport, robustness

__all__ = ["InvariantLoss", "Lagrangian", "RobustnessReport", "robustness"]
