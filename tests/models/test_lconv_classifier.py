"""lconv_classifier: its invariance, its arguments, and that it learns."""

import keras
import numpy as np
import pytest

from keras_lconv import CasimirPooling, InvariantPooling, LConv
from keras_lconv import generators as g
from keras_lconv.metrics import equivariance_error, invariance_error
from keras_lconv.models import lconv_classifier
from tests.families import relative_error, to_numpy
from tests.samples import random

TURNS = np.linspace(0.3, 3, 4)


def small(**arguments):
    """With weights that are not those of the start."""
    settings = {"input_shape": (7, 7, 2), "classes": 3, "filters": (4, 5)}
    model = lconv_classifier(**{**settings, "hidden_units": 8, **arguments})
    rng = np.random.default_rng(0)
    for weight in model.trainable_weights:
        weight.assign(to_numpy(weight) + 0.3 * rng.normal(size=weight.shape))
    return model


@pytest.mark.thorough
@pytest.mark.parametrize("arguments", [{}, {"pooling": "linear"}, {"filters": ()}])
def test_it_is_invariant_to_rounding_on_any_image(arguments):
    model = small(**{"classifier_activation": None, "pooling": "spectrum", **arguments})
    assert invariance_error(model, "rotation", random((3, 7, 7, 2)), TURNS).max < 1e-5


def test_features_are_equivariant_to_rounding():
    model = small(include_top=False)
    assert model.output_shape == (None, 7, 7, 5)
    assert equivariance_error(model, "rotation", random((3, 7, 7, 2)), TURNS).max < 1e-5


@pytest.mark.thorough
@pytest.mark.parametrize("arguments", [{"activation": "relu"}, {"pooling": "avg"}])
def test_other_choices_are_not_exact(arguments):
    model = small(classifier_activation=None, **arguments)
    assert invariance_error(model, "rotation", random((3, 7, 7, 2)), TURNS).max > 1e-3


@pytest.mark.thorough
def test_several_generators_that_commute():
    arguments = {"generators": g.translation(derivative="fourier")}
    model = small(classifier_activation=None, **arguments)
    moves = np.array([[0.4, 1.3], [2.0, -1.0]])
    error = invariance_error(model, arguments["generators"], random((3, 7, 7, 2)), moves)
    assert error.max < 1e-5


def test_the_layers_are_what_the_arguments_say():
    model = small(downsampling=2, input_shape=(9, 9, 1), name="first")
    kinds = [type(layer) for layer in model.layers]
    assert (kinds.count(LConv), kinds.count(CasimirPooling)) == (2, 1)
    first, second = (layer for layer in model.layers if isinstance(layer, LConv))
    assert first.generators.spatial_shape == (9, 9)
    assert second.generators.spatial_shape == (5, 5)
    assert (model.name, model.output_shape) == ("first", (None, 3))
    shared = small()
    first, second = (layer for layer in shared.layers if isinstance(layer, LConv))
    pool = next(layer for layer in shared.layers if isinstance(layer, InvariantPooling))
    assert first.generators is second.generators is pool.generators


@pytest.mark.parametrize(
    ("arguments", "shape"),
    [
        ({"include_top": False, "pooling": "avg"}, (None, 5)),
        ({"include_top": False, "pooling": "max"}, (None, 5)),
        ({"num_invariants": 6, "include_top": False, "pooling": "spectrum"}, (None, 30)),
        ({"hidden_units": None, "classes": 7}, (None, 7)),
        ({"generators": 2, "input_shape": (6, 2)}, (None, 3)),
        ({"generators": 2, "input_shape": (6,)}, (None, 3)),
        ({"generators": "affine", "pooling": "avg", "input_shape": (4, 4, 1)}, (None, 3)),
    ],
)
def test_shapes(arguments, shape):
    assert small(**arguments).output_shape == shape


def test_channels_first():
    last = small(include_top=False)
    keras.config.set_image_data_format("channels_first")
    try:
        first = small(include_top=False, input_shape=(2, 7, 7))
    finally:
        keras.config.set_image_data_format("channels_last")
    first.set_weights(last.get_weights())
    f = random((2, 7, 7, 2))
    found = to_numpy(first(np.moveaxis(f, -1, 1)))
    assert relative_error(np.moveaxis(found, 1, -1), last(f)) < 1e-5


@pytest.mark.thorough
def test_an_array_or_an_instance_for_generators():
    turn = g.rotation()
    turn.build((None, 5, 5, 1))
    matrix = to_numpy(turn.to_dense())
    settings = {"input_shape": (5, 5, 1), "classifier_activation": None}
    for generators in (matrix, turn):
        model = small(generators=generators, **settings)
        assert invariance_error(model, "rotation", random((2, 5, 5, 1)), TURNS).max < 1e-5


@pytest.mark.thorough
def test_it_learns_is_saved_and_loaded(tmp_path):
    """Which of two patterns, at any angle."""
    x = np.linspace(-1, 1, 7)
    one = np.exp(-np.add.outer((x - 0.4) ** 2, x**2) / 0.1)
    other = one + one[::-1]
    y = np.arange(64) % 2
    images = np.stack([one, other])[y][..., None].astype("float32")
    turns = np.random.default_rng(0).uniform(0, 3, (64, 1))
    turned = to_numpy(g.rotation().transform(images, turns))
    model = lconv_classifier(input_shape=(7, 7, 1), classes=2, filters=(4,), hidden_units=8)
    model.compile(
        keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(images, y, epochs=20, verbose=0)
    assert model.evaluate(turned, y, verbose=0)[1] > 0.95
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert relative_error(copy(images[:4]), model(images[:4])) < 1e-5


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"input_shape": None}, ValueError, "`input_shape` must state"),
        ({"input_shape": (None, 7, 1)}, ValueError, "`input_shape` must state"),
        ({"input_shape": (3, 3, 3, 3, 1)}, ValueError, "one to three"),
        ({"pooling": "sum"}, ValueError, "`pooling` must be one of"),
        ({"filters": (0,)}, ValueError, "`filters`"),
        ({"downsampling": 1.5}, TypeError, "`downsampling`"),
        ({"generators": 2, "pooling": "spectrum"}, ValueError, "must be fixed"),
        ({"generators": "scaling"}, ValueError, "antisymmetric"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        small(**arguments)
