"""Symmetries found in functions and in trained models."""

from keras_lconv.discovery.report import SymmetryReport
from keras_lconv.discovery.symmetries import find_symmetries

__all__ = ["SymmetryReport", "find_symmetries"]
