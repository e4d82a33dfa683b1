"""Physics of symmetries: field theory of layers, and what symmetries conserve."""

from keras_lconv.physics.conservation import conserved_quantities
from keras_lconv.physics.lagrangian import Lagrangian
from keras_lconv.physics.landscape import FlatDirections, flat_directions
from keras_lconv.physics.quantities import ConservedQuantities, ConservedQuantity
from keras_lconv.physics.robustness import RobustnessReport, robustness

__all__ = [
    "ConservedQuantities",
    "ConservedQuantity",
    "FlatDirections",
    "Lagrangian",
    "RobustnessReport",
    "conserved_quantities",
    "flat_directions",
    "robustness",
]
