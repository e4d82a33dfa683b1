"""Discrete symmetries: reflections, permutations, rotations by fractions of a turn."""

from keras_lconv.discovery.discrete.find import find_discrete_symmetries
from keras_lconv.discovery.discrete.report import DiscreteReport

__all__ = ["DiscreteReport", "find_discrete_symmetries"]
