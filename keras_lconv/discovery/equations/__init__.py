"""Point symmetries of differential equations."""

from keras_lconv.discovery.equations.find import find_point_symmetries
from keras_lconv.discovery.equations.report import PointSymmetryReport
from keras_lconv.discovery.equations.windows import SolutionWindows

__all__ = ["PointSymmetryReport", "SolutionWindows", "find_point_symmetries"]
