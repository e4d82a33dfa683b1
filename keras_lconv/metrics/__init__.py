"""Errors of equivariance and invariance of a model."""

from keras_lconv.metrics.equivariance import equivariance_error, invariance_error
from keras_lconv.metrics.report import EquivarianceReport

__all__ = ["EquivarianceReport", "equivariance_error", "invariance_error"]
