"""Symmetries found in functions, in trained models and in data."""

from keras_lconv.discovery.discrete import DiscreteReport, find_discrete_symmetries
from keras_lconv.discovery.equations import (
    ConservedCurrent,
    PointSymmetryReport,
    SolutionWindows,
    find_point_symmetries,
)
from keras_lconv.discovery.fields import FieldAugmentation, FieldReport
from keras_lconv.discovery.functions import SymmetrySums, find_symmetries, fit_symmetries
from keras_lconv.discovery.pairs import GeneratorReport, fit_generators
from keras_lconv.discovery.pixels import GridReport, GridSums, infer_grid, infer_neighbors
from keras_lconv.discovery.report import SymmetryReport

__all__ = [
    "ConservedCurrent",
    "DiscreteReport",
    "FieldAugmentation",
    "FieldReport",
    "GeneratorReport",
    "GridReport",
    "GridSums",
    "PointSymmetryReport",
    "SolutionWindows",
    "SymmetryReport",
    "SymmetrySums",
    "find_discrete_symmetries",
    "find_point_symmetries",
    "find_symmetries",
    "fit_generators",
    "fit_symmetries",
    "infer_grid",
    "infer_neighbors",
]
