"""Steerable layers: fields that turn with the image, at the speed of convolutions."""

from keras_lconv.layers.steerable.field_dropout import FieldDropout
from keras_lconv.layers.steerable.field_normalization import FieldNormalization
from keras_lconv.layers.steerable.fourier_activation import FourierActivation
from keras_lconv.layers.steerable.group_pooling import GroupPooling
from keras_lconv.layers.steerable.steerable_conv import SteerableConv
from keras_lconv.layers.steerable.steerable_pool import SteerablePool
from keras_lconv.layers.steerable.steerable_up_sampling import SteerableUpSampling

__all__ = [
    "FieldDropout",
    "FieldNormalization",
    "FourierActivation",
    "GroupPooling",
    "SteerableConv",
    "SteerablePool",
    "SteerableUpSampling",
]
