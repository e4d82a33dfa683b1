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
