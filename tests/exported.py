"""The layers of the table in models, and the numbers of what they are exported to."""

import keras
import numpy as np

from tests.families import to_numpy
from tests.layer_contract import ROWS
from tests.layers.test_contract import build, call, draw


def model_of(name):
    """A model of one layer, called once; the layer; and inputs of three samples."""
    layer, inputs = build(ROWS[name]), draw(ROWS[name])
    symbols = [keras.Input(x.shape[1:]) for x in inputs]
    model = keras.Model(symbols, call(layer, *symbols))
    model(inputs)
    return model, layer, inputs


def of_one_size(inputs):
    """The argument of `export` that says the size of the batch."""
    return {"input_signature": [keras.InputSpec("float32", x.shape) for x in inputs]}


def assert_same(run, layer, inputs):
    """`run` computes from arrays what the layer does."""
    expected = to_numpy(call(layer, *inputs))
    found = run(*inputs)
    assert found.shape == expected.shape
    assert np.max(np.abs(found - expected)) < 1e-4 * np.max(np.abs(expected))
