"""Generated pairs of images."""

import numpy as np
import pytest

from keras_lconv.datasets import image_pairs
from keras_lconv.generators import rotation, scaling, shear, translation
from tests.families import relative_error


def smooth(num, size):
    x = np.linspace(-1, 1, size)
    rng = np.random.default_rng(0)
    centres = rng.uniform(-0.2, 0.2, (num, 2))
    return np.array(
        [np.exp(-np.add.outer((x - a) ** 2, 2 * (x - b) ** 2) / 0.15) for a, b in centres]
    )


@pytest.mark.parametrize(
    ("field", "generators", "limit"),
    [
        ("rotation", rotation, 0.5),
        ("scaling", scaling, 0.3),
        ("shear", shear, 0.5),
        ("translation", translation, 3.0),
    ],
)
def test_pairs_are_related_by_the_generator(field, generators, limit):
    """The data and the generators, made apart, agree in sign, unit and centre."""
    x, y, t = image_pairs(6, 41, field, (limit / 2, limit), smooth(6, 41), seed=0)
    generators = generators()
    parameters = np.zeros((6, generators.num_generators))
    parameters[:, 0] = t
    # Bilinear interpolation flattens a bump by up to (f_xx + f_yy) / 8: 2% here.
    assert relative_error(y, generators.transform(x, parameters)) < 0.03
    assert relative_error(y, generators.transform(x, -parameters)) > 0.1


def test_quarter_turn_is_rot90():
    x, y, _ = image_pairs(3, 5, parameters=(np.pi / 2, np.pi / 2), seed=0)
    assert np.allclose(y, np.rot90(x, axes=(1, 2)), atol=1e-6)


def test_seed_decides():
    first, again, other = (image_pairs(4, 5, seed=s) for s in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0], other[0])


def test_given_field():
    named = image_pairs(2, 6, "shear", seed=0)
    given = image_pairs(2, 6, [[0, 1, 0], [0, 0, 0]], seed=0)
    assert np.array_equal(named[1], given[1])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"num_samples": 0}, ValueError, "`num_samples`"),
        ({"num_samples": 2, "field": "turn"}, ValueError, "`field` must be one of"),
        ({"num_samples": 2, "field": np.eye(2)}, ValueError, r"\[A | b\]"),
        ({"num_samples": 2, "images": np.ones((2, 3, 3))}, ValueError, "`images`"),
        ({"num_samples": 2, "parameters": 0.5}, ValueError, "`parameters`"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        image_pairs(**arguments)
