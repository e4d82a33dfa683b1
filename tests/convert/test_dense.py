"""Dense layers as L-convs with elementary matrices."""

import keras
import numpy as np
import pytest

from keras_lconv.convert import from_dense, to_conv
from tests.convert.test_conv import value_and_gradients
from tests.families import relative_error, to_numpy
from tests.samples import random

ORTHOGONAL = keras.regularizers.OrthogonalRegularizer()


@pytest.mark.parametrize(
    ("size", "units", "arguments"),
    [
        (5, 3, {"activation": "softmax"}),
        (1, 2, {"use_bias": False}),
        # So many that they are taken by indices.
        (200, 4, {"activation": "tanh", "bias_initializer": "normal"}),
    ],
)
def test_outputs_and_gradients(size, units, arguments):
    dense = keras.layers.Dense(units, **arguments)
    f = random((3, size))
    dense.build(f.shape)
    lconv = from_dense(dense)
    expected, (by_input, by_kernel, *by_bias) = value_and_gradients(dense, f)
    found, (by_lconv_input, by_lconv_kernel, *by_lconv_bias) = value_and_gradients(lconv, f)
    assert found.shape == lconv.compute_output_shape(f.shape) == (3, 1, units)
    assert relative_error(found[:, 0], expected) < 1e-5
    # The probes of both are the same numbers.
    assert relative_error(by_lconv_input, by_input) < 1e-5
    assert relative_error(by_lconv_kernel[:, 0], by_kernel) < 1e-5
    for one, other in zip(by_lconv_bias, by_bias, strict=True):
        assert relative_error(one, other) < 1e-5


def test_the_generators_are_factors_of_elementary_matrices():
    dense = keras.layers.Dense(3)
    dense.build((None, 4))
    lconv = from_dense(dense)
    reading, kernel = lconv.generators.matrices(), to_numpy(lconv.kernel)[:, 0]
    writing = np.eye(3)
    total = sum(
        kernel[b, a] * np.outer(writing[a], reading[b, 0])
        for b in range(4)
        for a in range(3)
    )
    assert np.allclose(total, to_numpy(dense.kernel).T)


def test_nothing_but_the_weights_is_stored():
    dense = keras.layers.Dense(8)
    dense.build((None, 5000))
    lconv = from_dense(dense)
    assert lconv.count_params() == dense.count_params()
    f = random((2, 5000))
    assert relative_error(to_numpy(lconv(f))[:, 0], dense(f)) < 1e-5


def test_it_is_a_convolution_with_the_whole_input_as_window():
    dense = keras.layers.Dense(3)
    dense.build((None, 6))
    lconv = from_dense(dense)
    other = type(lconv).from_config(lconv.get_config())
    other.build((None, 6, 1))
    other.set_weights(lconv.get_weights())
    conv = to_conv(other)
    assert (conv.kernel_size, conv.padding) == ((6,), "valid")
    f = random((2, 6))
    assert relative_error(conv(f[..., None]), to_numpy(dense(f))[:, None]) < 1e-5


@pytest.mark.parametrize(
    ("layer", "error", "words"),
    [
        (keras.layers.EinsumDense("ab,bc->ac", 3), TypeError, "must be a Dense"),
        (keras.layers.Dense(3), ValueError, "must be built"),
        (keras.layers.Dense(3, kernel_constraint="unit_norm"), ValueError, "UnitNorm"),
        (
            keras.layers.Dense(3, kernel_regularizer=ORTHOGONAL),
            ValueError,
            "OrthogonalRegularizer",
        ),
        (
            keras.layers.Dense(3, dtype="int8_from_float32"),
            ValueError,
            "quantized",
        ),
    ],
)
def test_unsupported_layers_are_refused_with_the_reason(layer, error, words):
    if words != "must be built":
        layer.build((None, 4))
    with pytest.raises(error, match=words):
        from_dense(layer)
