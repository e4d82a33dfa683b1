"""Ready models, to start from."""

from keras_lconv.models.se2_classifier import se2_classifier

__all__ = ["se2_classifier"]
