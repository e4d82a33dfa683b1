"""ActionRegularization: its loss, its learned metric and Keras' conventions."""

import json

import keras
import numpy as np
import pytest

from keras_lconv import ActionRegularization, LConv
from keras_lconv import generators as g
from keras_lconv.algebra import so
from keras_lconv.losses import InvariantLoss
from tests.autodiff import BACKEND
from tests.families import relative_error, to_numpy
from tests.samples import random


def loss_of(layer, *arguments):
    layer(*arguments)
    (value,) = layer.losses
    return value


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (g.rotation, (4, 5, 2)),
        (lambda: g.MatrixGenerators(so(3)), (3, 2)),
        (lambda: g.MatrixGenerators(so(3)), (3,)),
    ],
)
def test_loss_is_that_of_the_difference_and_the_input_passes(make, shape, data_format):
    if data_format == "channels_first" and len(shape) > 1:
        shape = (shape[-1], *shape[:-1])
    f, other = random((3, *shape), 1), random((3, *shape), 2)
    options = {"mass": 0.5, "data_format": data_format}
    expected = InvariantLoss(make(), **options)
    layer = ActionRegularization(make(), weight=0.1, **options)
    assert np.array_equal(to_numpy(layer(f)), f)
    assert relative_error(layer.losses[0], 0.1 * to_numpy(expected(0 * f, f))) < 1e-5
    assert layer.compute_output_shape((None, *shape)) == (None, *shape)

    pair = ActionRegularization(make(), weight=0.1, **options)
    assert np.array_equal(to_numpy(pair([f, other])), f)
    assert relative_error(pair.losses[0], 0.1 * to_numpy(expected(other, f))) < 1e-5
    assert pair.compute_output_shape([(None, *shape)] * 2) == (None, *shape)


def test_masked_positions_count_as_zero():
    f, mask = random((2, 6, 3)), np.array([[1, 1, 1, 0, 1, 0], [0, 1, 1, 1, 1, 1]], bool)
    layer = ActionRegularization(g.translation(1))
    expected = loss_of(layer, f * mask[..., None])
    value = loss_of(layer, f, mask)
    assert relative_error(value, expected) < 1e-6


COMPILED = {"torch": [False], "jax": [True], "tensorflow": [True, False]}[BACKEND]


@pytest.mark.thorough
@pytest.mark.parametrize("jit_compile", COMPILED)
def test_learned_metric_finds_the_symmetry_of_the_features(jit_compile):
    """The features change along one direction of the plane only."""
    x, y = np.meshgrid(*[2 * np.pi * np.arange(8) / 8] * 2, indexing="ij")
    phases = np.linspace(0, 6, 16)
    images = np.array([np.sin(2 * x - y + phase) for phase in phases], "float32")[..., None]
    layer = ActionRegularization(
        g.translation(derivative="fourier"), form="learned", mass=0.0
    )
    model = keras.Sequential([keras.Input((8, 8, 1)), layer])
    model.compile(keras.optimizers.Adam(0.05), loss=None, jit_compile=jit_compile)
    assert np.allclose(layer.form, np.eye(2) / 2, atol=1e-6)
    model.fit(images, epochs=60, batch_size=16, verbose=0)
    # Along (1, 2) they are constant.
    still = np.array([1, 2]) / np.sqrt(5)
    assert np.allclose(layer.form, np.outer(still, still), atol=0.02)
    assert np.isclose(np.trace(layer.form), 1, atol=1e-6)


@pytest.mark.parametrize("metric", [None, "learned", [[2.0, 0.5], [0.5, 1.0]]])
def test_configuration_and_saving(metric, tmp_path):
    shared = g.translation()
    layer = ActionRegularization(shared, weight=0.5, mass=2.0, form=metric, name="action")
    model = keras.Sequential([keras.Input((5, 5, 2)), LConv(2, shared), layer])
    if metric == "learned":
        layer.trainable_weights[0].assign([[1.0, 0.5], [0.0, 2.0]])
    f = random((2, 5, 5, 2))
    model(f)
    model.save(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras")
    copy(f)
    assert copy.layers[1].generators is copy.layers[0].generators
    assert np.isclose(to_numpy(copy.losses[0]), to_numpy(model.losses[0]), rtol=1e-5)
    config = json.loads(json.dumps(layer.get_config()))
    again = ActionRegularization.from_config(config)
    assert {**again.get_config(), "generators": 0} == {**config, "generators": 0}


def test_pair_in_a_model():
    first, second = keras.Input((5, 5, 1)), keras.Input((5, 5, 1))
    outputs = ActionRegularization("rotation")([first, second])
    assert outputs.shape == (None, 5, 5, 1)
    model = keras.Model([first, second], outputs)
    model.compile("sgd", loss=None)
    f, other = random((4, 5, 5, 1), 1), random((4, 5, 5, 1), 2)
    value = model.evaluate([f, other], verbose=0)
    expected = InvariantLoss("rotation")(other, f)
    assert np.isclose(value, to_numpy(expected), rtol=1e-5)


def test_half_precision_does_not_overflow():
    layer = ActionRegularization("translation", dtype="mixed_float16")
    value = to_numpy(loss_of(layer, np.full((1, 4, 4, 1), 1000, "float16")))
    assert np.isfinite(value)
    assert value > 1e6


def test_errors():
    with pytest.raises(TypeError, match="`generators` must be known"):
        ActionRegularization(3)
    with pytest.raises(ValueError, match="`weight`"):
        ActionRegularization("rotation", weight=-1)
    with pytest.raises(ValueError, match="`mass`"):
        ActionRegularization("rotation", mass=-1)
    with pytest.raises(ValueError, match="`form` must be None, 'learned' or a matrix"):
        ActionRegularization("rotation", form="nearest")
    with pytest.raises(ValueError, match="before the layer is built"):
        _ = ActionRegularization("rotation", form="learned", name="action").form
    with pytest.raises(ValueError, match="must have the same shape"):
        ActionRegularization("rotation")([np.ones((1, 4, 4, 1)), np.ones((1, 4, 4, 2))])
