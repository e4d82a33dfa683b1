"""Symmetries of functions: given ones, trained models, and those behind a table of data."""

from keras_lconv.discovery.functions.find import find_symmetries
from keras_lconv.discovery.functions.fit import fit_symmetries

__all__ = ["find_symmetries", "fit_symmetries"]
