"""se2_classifier: its arguments, and what does not change it."""

import keras
import numpy as np
import pytest

from keras_lconv.models import se2_classifier
from tests.families import relative_error, to_numpy

SMALL = {"input_shape": (8, 8, 2), "filters": [(3, 4), (5,)], "num_orientations": 4}


def images(seed=0):
    """Noise of different strengths."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(3, 8, 8, 2)) * [[[[0.5]]], [[[1]]], [[[3]]]]).astype("float32")


def settled(model):
    """With weights of order one, the same on each backend; variances are positive."""
    rng = np.random.default_rng(0)
    for weight in model.weights:
        if weight.path.endswith(("moving_variance", "gamma")):
            weight.assign(0.5 + rng.random(weight.shape))
        else:
            weight.assign(0.5 * rng.normal(size=weight.shape))
    return model


@pytest.mark.parametrize(
    "derivative", [pytest.param("central", marks=pytest.mark.thorough), "spectral"]
)
def test_quarter_turns_change_nothing(derivative):
    model = settled(se2_classifier(**SMALL, classes=7, derivative=derivative))
    x = images()
    predictions = to_numpy(model(x))
    assert predictions.shape == (3, 7)
    assert np.allclose(predictions.sum(axis=1), 1, atol=1e-5)
    assert np.ptp(predictions, axis=0).max() > 1e-4, "the images differ"
    for quarters in (1, 2, 3):
        turned = np.rot90(x, quarters, axes=(1, 2)).copy()
        assert relative_error(model(turned), predictions) < 1e-5


@pytest.mark.thorough
def test_flips_change_nothing_with_reflections():
    arguments = {**SMALL, "filters": [(3, 4), (4,)]}
    model = settled(se2_classifier(**arguments, reflections=True))
    plain = settled(se2_classifier(**arguments))
    x = images()
    predictions = to_numpy(model(x))
    assert np.ptp(predictions, axis=0).max() > 1e-4, "the images differ"
    for move in (lambda x: np.flip(x, 1), lambda x: np.flip(x, 2), turned_and_flipped):
        assert relative_error(model(move(x).copy()), predictions) < 1e-5
    assert relative_error(plain(np.flip(x, 1).copy()), plain(x)) > 1e-4


def turned_and_flipped(x):
    return np.flip(np.rot90(x, axes=(1, 2)), 2)


def test_shifts_of_a_periodic_image_change_nothing():
    """By the product of all strides: 2 of the lift, and 2."""
    model = settled(se2_classifier(**SMALL, derivative="fourier"))
    x = images()
    moved = np.roll(x, (4, -4), axis=(1, 2))
    assert relative_error(model(moved), model(x)) < 1e-5


@pytest.mark.parametrize(
    ("pooling", "shape"), [(None, (3, 2, 2, 5)), ("avg", (3, 5)), ("max", (3, 5))]
)
def test_without_top(pooling, shape):
    model = settled(se2_classifier(False, pooling=pooling, **SMALL))
    x = images()
    features = to_numpy(model(x))
    assert features.shape == shape == (3, *model.output_shape[1:])
    turned = to_numpy(model(np.rot90(x, axes=(1, 2)).copy()))
    if pooling is None:
        turned = np.rot90(turned, -1, axes=(1, 2))
    assert relative_error(turned, features) < 1e-5
    assert np.ptp(features, axis=0).max() > 1e-3


def test_arguments_of_applications():
    model = se2_classifier(**SMALL, classes=4, classifier_activation=None, name="mine")
    assert model.name == "mine"
    assert model.get_layer("predictions").activation is keras.activations.linear
    assert model.input_shape == (None, 8, 8, 2)
    assert se2_classifier().count_params() < 10_000


def test_channels_first():
    last = settled(se2_classifier(**SMALL))
    before = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        first = se2_classifier(**{**SMALL, "input_shape": (2, 8, 8)})
    finally:
        keras.config.set_image_data_format(before)
    first.set_weights(last.get_weights())
    if keras.config.backend() == "tensorflow":
        # TensorFlow pools channels-first images on accelerators only.
        assert first.output_shape == last.output_shape
        return
    x = images()
    assert relative_error(first(np.moveaxis(x, -1, 1)), last(x)) < 1e-5


def test_is_saved(tmp_path):
    model = settled(se2_classifier(**SMALL, reflections=True))
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert relative_error(copy(images()), model(images())) < 1e-6
    assert copy.name == "se2_classifier"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"filters": 8}, ValueError, "`filters` must hold the filters"),
        ({"filters": ()}, ValueError, "`filters` must hold the filters"),
        ({"filters": ((8,), (0,))}, ValueError, "`filters` must be a positive"),
        ({"filters": ((2,), (2,), (2,), (2,))}, ValueError, "more resolutions than"),
        ({"pooling": "sum"}, ValueError, "`pooling` must be one of"),
        ({"classes": 0}, ValueError, "`classes` must be a positive"),
        ({"strides": 3}, ValueError, "`strides` .* must divide the size"),
        ({"num_orientations": 0}, ValueError, "`num_orientations` must be a positive"),
    ],
)
def test_bad_arguments(arguments, error, words):
    with pytest.raises(error, match=words):
        se2_classifier(**{**SMALL, **arguments})
