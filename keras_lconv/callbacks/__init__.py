"""Callbacks that watch symmetries during training."""

from keras_lconv.callbacks.equivariance_monitor import EquivarianceMonitor
from keras_lconv.callbacks.generator_monitor import GeneratorMonitor

__all__ = ["EquivarianceMonitor", "GeneratorMonitor"]
