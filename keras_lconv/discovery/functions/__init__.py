"""Symmetries of functions, of trained models and of the functions behind tables."""

from keras_lconv.discovery.functions.find import find_symmetries
from keras_lconv.discovery.functions.fit import fit_symmetries

__all__ = ["find_symmetries", "fit_symmetries"]
