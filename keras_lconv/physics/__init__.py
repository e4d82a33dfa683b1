"""Field theory and conservation laws of layers and of their symmetries."""

from keras_lconv.physics.invariant_loss import InvariantLoss
from keras_lconv.physics.lagrangian import Lagrangian
from keras_lconv.physics.robustness import RobustnessReport, robustness

__all__ = ["InvariantLoss", "Lagrangian", "RobustnessReport", "robustness"]
