"""Point symmetries of differential equations."""

from keras_lconv.discovery.equations.currents import ConservedCurrent
from keras_lconv.discovery.equations.find import find_point_symmetries
from keras_lconv.discovery.equations.report import PointSymmetryReport

__all__ = ["ConservedCurrent", "PointSymmetryReport", "find_point_symmetries"]
