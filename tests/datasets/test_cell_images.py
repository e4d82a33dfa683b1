"""Generated images of cells."""

import numpy as np
import pytest
from scipy.ndimage import center_of_mass

from keras_lconv.datasets import cell_images

pytestmark = pytest.mark.backend_free


def test_lobes_are_those_of_the_label():
    """The strongest angular frequency around the centre of mass."""
    images, labels = cell_images(200, size=48, max_shift=5, noise=0.0, seed=1)
    found = []
    for image in images[..., 0]:
        y, x = np.indices(image.shape) - np.array(center_of_mass(image))[:, None, None]
        waves = [np.sum(image * np.hypot(y, x) ** n * np.exp(1j * n * np.arctan2(y, x)))
                 / np.sum(image * np.hypot(y, x) ** n) for n in (2, 3, 4, 5)]  # fmt: skip
        found.append(np.argmax(np.abs(waves)))
    assert np.mean(np.array(found) == labels) > 0.95
    assert set(labels) == {0, 1, 2, 3}


def test_shift_noise_and_seed():
    clean, labels = cell_images(400, max_shift=3, noise=0.0, seed=0)
    assert 0 <= clean.min() < clean.max() <= 1
    assert clean.dtype == np.float32
    centres = np.array([center_of_mass(image[..., 0]) for image in clean]) - 11.5
    assert 2 < np.abs(centres).max() < 4.5
    noisy, same = cell_images(400, max_shift=3, noise=0.5, seed=0)
    assert np.array_equal(labels, same)
    assert np.std(noisy - clean) == pytest.approx(0.5, rel=0.02)
    assert np.array_equal(cell_images(400, noise=0.5, seed=0)[0], noisy)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"noise": -1.0}, "`noise`"), ({"size": 0}, "`size`"), ({"seed": -1}, "`seed`")],
)
def test_bad_arguments_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        cell_images(3, **arguments)
