"""Data for learning and testing symmetries."""

from keras_lconv.datasets.cell_images import cell_images
from keras_lconv.datasets.image_pairs import image_pairs
from keras_lconv.datasets.random_rotations import RandomRotations
from keras_lconv.datasets.rotate_images import rotate_images

__all__ = ["RandomRotations", "cell_images", "image_pairs", "rotate_images"]
