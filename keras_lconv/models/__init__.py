"""Models to start from."""

from keras_lconv.models.equivariant_mlp import equivariant_mlp

__all__ = ["equivariant_mlp"]
