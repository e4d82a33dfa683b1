"""Rotated copies of images."""

import numpy as np
import pytest

from keras_lconv.datasets import rotate_images
from keras_lconv.generators import rotation
from tests.families import relative_error


def test_quarter_turns_are_exact_and_each_image_has_its_angle():
    images = np.random.default_rng(0).random((4, 6, 6, 2))
    turned = rotate_images(images, [0, 90, 180, -90])
    assert turned.dtype == np.float32
    for n, quarters in enumerate([0, 1, 2, -1]):
        assert np.allclose(turned[n], np.rot90(images[n], quarters), atol=1e-6)
    assert np.allclose(rotate_images(images[..., 0], 90), rotate_images(images, 90)[..., 0])


def test_agrees_with_the_generator_on_a_smooth_image():
    x = np.linspace(-2.5, 2.5, 41)
    image = np.exp(-np.add.outer(3 * (x - 0.5) ** 2, 2 * (x + 0.2) ** 2))[None, ..., None]
    expected = rotation().transform(image.astype("float32"), np.radians(33))
    assert relative_error(rotate_images(image, 33), expected) < 0.02


def test_a_small_angle_changes_little():
    image = np.random.default_rng(0).random((1, 6, 6))
    assert np.allclose(rotate_images(image, 1e-6), image, atol=1e-5)


def test_errors():
    with pytest.raises(ValueError, match="`images` must have shape"):
        rotate_images(np.ones((4, 4)), 10)
    with pytest.raises(ValueError, match="`degrees` must be one angle, or 3"):
        rotate_images(np.ones((3, 4, 4)), [10, 20])
