"""Data that is generated, to learn symmetries from."""

from keras_lconv.datasets.image_pairs import image_pairs

__all__ = ["image_pairs"]
