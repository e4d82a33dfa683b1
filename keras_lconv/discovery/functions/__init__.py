"""Symmetries of functions, of trained models and of the functions behind tables."""

from keras_lconv.discovery.functions.find import find_symmetries
from keras_lconv.discovery.functions.fit import fit_symmetries
from keras_lconv.discovery.functions.sums import SymmetrySums

__all__ = ["SymmetrySums", "find_symmetries", "fit_symmetries"]
