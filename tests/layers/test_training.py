"""LConv in training: compilation, precision, frozen generators, learning."""

import keras
import numpy as np
import pytest

from keras_lconv import LConv, LieBlock
from keras_lconv import generators as g
from tests import families
from tests.autodiff import either_compilation, float64, run
from tests.families import relative_error, to_numpy
from tests.samples import random


def classifier(data_format="channels_last", **compile_arguments):
    shape = (6, 6, 2) if data_format == "channels_last" else (2, 6, 6)
    model = keras.Sequential(
        [
            keras.Input(shape),
            LConv(8, 2, rank=3, activation="relu", data_format=data_format),
            LieBlock(
                4, "rotation", num_layers=2, activation="relu", data_format=data_format
            ),
            keras.layers.Flatten(),
            keras.layers.Dense(3),
        ]
    )
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        **compile_arguments,
    )
    return model


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@either_compilation
def test_fit_lowers_the_loss(jit_compile, data_format):
    model = classifier(data_format, jit_compile=jit_compile)
    x = random((32, *model.input_shape[1:]))
    y = np.arange(32) % 3
    history = model.fit(x, y, epochs=8, batch_size=16, verbose=0).history["loss"]
    assert np.all(np.isfinite(history))
    assert history[-1] < 0.9 * history[0]
    eager = to_numpy(model(x))
    assert relative_error(model.predict(x, verbose=0), eager) < 1e-5


@pytest.mark.parametrize("name", families.rows(families.ALL))
@pytest.mark.parametrize(
    ("dtype", "output", "tolerance"),
    [
        ("mixed_float16", "float16", 5e-3),
        ("mixed_bfloat16", "bfloat16", 5e-2),
        ("float64", "float64", 1e-5),
    ],
)
def test_dtype_policies(name, dtype, output, tolerance):
    generators, spatial = families.build(name)
    f = random((2, *spatial, 3))
    reference = LConv(4, generators)
    expected = to_numpy(run(reference, f))
    with float64():
        layer = LConv(4, families.build_in(dtype, name)[0], dtype=dtype)
        layer.build(f.shape)
        pairs = zip(layer.weights, reference.weights, strict=True)
        for weight, value in pairs:
            weight.assign(to_numpy(value))
        result = run(layer, f)
        assert keras.backend.standardize_dtype(result.dtype) == output
        variable_dtype = "float64" if dtype == "float64" else "float32"
        for weight in layer.weights:
            assert keras.backend.standardize_dtype(weight.dtype) == variable_dtype
        result = to_numpy(keras.ops.cast(result, "float32"))
    assert relative_error(result, expected) < tolerance


def test_float64_is_exact_to_float64():
    with float64():
        layer = LConv(3, families.so3(), dtype="float64")
        f = np.random.default_rng(0).normal(size=(2, 3, 4))
        output = to_numpy(layer(f))
        kernel = to_numpy(layer.kernel)
        terms = np.einsum("kij,bjc->bkic", families.so3(), f)
        expected = f @ kernel[0] + np.einsum("bkic,kcf->bif", terms, kernel[1:])
        assert relative_error(output, expected) < 1e-14


@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16"])
def test_global_policy_trains(policy, dtype):
    policy(dtype)
    model = classifier()
    x, y = random((16, 6, 6, 2)), np.arange(16) % 3
    history = model.fit(x, y, epochs=4, verbose=0).history["loss"]
    assert np.all(np.isfinite(history))
    assert model.layers[0].compute_dtype == model.layers[0].generators.compute_dtype


def test_generators_are_read_in_the_precision_of_the_layer():
    """Generators in float32 may be shared by a layer that computes in float16."""
    shared = g.DenseGenerators(2, dtype="float32")
    layer = LConv(3, shared, dtype="mixed_float16")
    output = layer(random((2, 5, 3)))
    assert keras.backend.standardize_dtype(output.dtype) == "float16"


@pytest.mark.parametrize(
    "make",
    [
        lambda: g.rotation(),
        lambda: g.MatrixGenerators(np.random.default_rng(0).normal(size=(2, 36, 36))),
        lambda: g.DenseGenerators(2, trainable=False),
    ],
)
def test_fixed_generators_stay_fixed(make):
    generators = make()
    model = keras.Sequential(
        [keras.Input((6, 6, 2)), LConv(2, generators), LConv(1, generators)]
    )
    # Steps of a user after a phase of training with everything frozen.
    model.trainable = False
    model.trainable = True
    before = [to_numpy(w).copy() for w in generators.weights]
    assert generators.trainable_variables == []
    assert len(model.trainable_variables) == 4
    model.compile("sgd", "mse")
    model.fit(random((8, 6, 6, 2)), random((8, 6, 6, 1)), verbose=0)
    for weight, value in zip(generators.weights, before, strict=True):
        assert np.array_equal(to_numpy(weight), value)


def test_given_matrices_may_be_learned_on():
    generators = g.MatrixGenerators(families.so3(), trainable=True)
    model = keras.Sequential([keras.Input((3,)), LConv(2, generators)])
    model.compile("sgd", "mse")
    model.fit(random((8, 3)), random((8, 3, 2)), verbose=0)
    assert relative_error(generators.L, families.so3()) > 1e-5


@pytest.mark.parametrize("name", families.rows(families.ALL))
def test_no_nan_for_constant_or_large_input(name):
    generators, spatial = families.build(name)
    layer = LConv(2, generators)
    for value in (0.0, 1.0, 1e6):
        f = np.full((1, *spatial, 1), value, dtype="float32")
        output = to_numpy(run(layer, f))
        assert np.all(np.isfinite(output))


@pytest.mark.thorough
def test_learns_the_generator_that_made_the_data():
    """Two-dimensional boosts, from pairs with the parameter 0.1."""
    boost = g.MatrixGenerators([[0.0, 1.0], [1.0, 0.0]])
    x = random((256, 2))
    y = to_numpy(boost.transform(x, 0.1))[..., None]
    layer = LConv(1, 1, self_interaction="identity", use_bias=False)
    model = keras.Sequential([keras.Input((2,)), layer])
    model.compile(keras.optimizers.Adam(0.02), "mse")
    model.fit(x, y, epochs=60, verbose=0)
    learned = to_numpy(layer.generators.L)[0] * to_numpy(layer.kernel)[0, 0, 0]
    # To first order in the parameter, (exp(tL) - 1).
    expected = np.array([[np.cosh(0.1) - 1, np.sinh(0.1)]] * 2)
    expected[1] = expected[1, ::-1]
    assert np.max(np.abs(learned - expected)) < 1e-3
