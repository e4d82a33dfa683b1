"""`model.quantize("int8")`: Keras quantizes its own layers, those here stay in floats."""

import keras
import numpy as np
import pytest

from keras_lconv.models import steerable_classifier
from tests.families import relative_error, to_numpy
from tests.formats import model_of
from tests.layer_contract import ROWS

# Keras warns of each layer that stays in floats.
pytestmark = pytest.mark.filterwarnings("ignore:Layer .* does not have a `quantize`")


@pytest.mark.thorough
@pytest.mark.parametrize("name", ROWS)
def test_layers_stay_in_floats(name):
    model, _, inputs = model_of(name)
    expected = to_numpy(model(inputs))
    model.quantize("int8")
    np.testing.assert_array_equal(to_numpy(model(inputs)), expected)


@pytest.mark.thorough
def test_quantized_models_are_right_and_load(tmp_path):
    model = steerable_classifier(
        input_shape=(9, 9, 1), classes=4, group="c4", size="tiny", padding=0
    )
    images = np.random.default_rng(0).normal(size=(8, 9, 9, 1)).astype("float32")
    expected = to_numpy(model(images))
    model.quantize("int8")
    found = to_numpy(model(images))
    dense = model.get_layer("predictions")
    assert keras.backend.standardize_dtype(dense.kernel.dtype) == "int8"
    # The classes are a sum of 32 numbers, each rounded to 1/127 of the largest.
    assert 0 < relative_error(found, expected) < 0.02
    path = tmp_path / "int8.keras"
    model.save(path)
    again = keras.models.load_model(path)
    np.testing.assert_allclose(to_numpy(again(images)), found, atol=1e-6)
