"""Layers on points whose positions differ from sample to sample."""

from keras_lconv.layers.points.point_conv import PointConv
from keras_lconv.layers.points.point_pooling import PointPooling

__all__ = ["PointConv", "PointPooling"]
