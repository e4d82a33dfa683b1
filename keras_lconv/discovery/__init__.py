"""Symmetries found in functions, in trained models and in data."""

from keras_lconv.discovery.fitting import fit_symmetries
from keras_lconv.discovery.report import SymmetryReport
from keras_lconv.discovery.symmetries import find_symmetries

__all__ = ["SymmetryReport", "find_symmetries", "fit_symmetries"]
