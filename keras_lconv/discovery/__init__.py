"""Symmetries found in functions, in trained models and in data."""

from keras_lconv.discovery.fitting import fit_symmetries
from keras_lconv.discovery.generator_report import GeneratorReport
from keras_lconv.discovery.grid import infer_grid
from keras_lconv.discovery.inferred_grid import InferredGrid
from keras_lconv.discovery.neighbors import infer_neighbors
from keras_lconv.discovery.pairs import fit_generators
from keras_lconv.discovery.report import SymmetryReport
from keras_lconv.discovery.symmetries import find_symmetries

__all__ = [
    "GeneratorReport",
    "InferredGrid",
    "SymmetryReport",
    "find_symmetries",
    "fit_generators",
    "fit_symmetries",
    "infer_grid",
    "infer_neighbors",
]
