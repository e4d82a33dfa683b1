"""Models that are ready to be trained, built from the layers."""

from keras_lconv.models.lconv_classifier import lconv_classifier

__all__ = [
    "lconv_classifier",
]
"""Ready models, to start from."""

from keras_lconv.models.se2_classifier import se2_classifier

__all__ = ["se2_classifier"]
"""Models to start from."""

from keras_lconv.models.equivariant_mlp import equivariant_mlp

__all__ = ["equivariant_mlp"]
