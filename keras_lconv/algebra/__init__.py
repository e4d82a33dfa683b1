"""Lie algebras in NumPy and SciPy: float64, without a backend."""

from keras_lconv.algebra.angles import correlation, principal_angles

__all__ = ["correlation", "principal_angles"]
