"""Layers of dtype float64 compute in float64: results against NumPy."""

import keras
import numpy as np
import pytest
from scipy.linalg import expm

from keras_lconv import (
    ActionRegularization,
    CasimirPooling,
    ClusterPooling,
    FibreNorm,
    FourierActivation,
    GroupPooling,
    LearnedPooling,
)
from keras_lconv import generators as g
from tests.autodiff import BACKEND, float64
from tests.families import to_numpy

EXACT = 1e-14


def made(layer, x, **arguments):
    """The layer in float64, and its output."""
    layer = layer(dtype="float64", **arguments)
    return layer, to_numpy(layer(keras.ops.convert_to_tensor(x, dtype="float64")))


def random(*shape):
    return np.random.default_rng(0).normal(size=shape)


@pytest.fixture(autouse=True)
def in_float64():
    before = keras.config.floatx()
    with float64():
        keras.config.set_floatx("float64")
        yield
        keras.config.set_floatx(before)


def turns(size):
    matrix = random(size, size)
    return matrix - matrix.T


def test_smoothing():
    L, f = turns(5) / 5, random(2, 5, 3)
    generators = g.MatrixGenerators(L, dtype="float64")
    layer, y = made(CasimirPooling, f, generators=generators, tau=0.3)
    assert float(to_numpy(layer.tau)) == 0.3
    assert np.abs(y - np.einsum("ij,bjc->bic", expm(0.3 * L @ L), f)).max() < 20 * EXACT


def test_averages_over_clusters():
    f = random(2, 6, 3)
    generators = g.MatrixGenerators(turns(6), dtype="float64")
    layer, y = made(ClusterPooling, f, generators=generators, clusters=[0, 1, 1, 2, 2, 2])
    assert np.abs(y - np.einsum("pd,bdc->bpc", layer.matrix, f)).max() < EXACT


def test_the_action():
    L, f = turns(5), random(2, 5, 3)
    generators = g.MatrixGenerators(L, dtype="float64")
    layer, _ = made(ActionRegularization, f, generators=generators, weight=0.3, mass=0.7)
    moved = np.einsum("ij,bjc->bic", L, f)
    expected = 0.3 * np.mean(0.7**2 * f**2 + layer.form[0, 0] * moved**2)
    assert abs(float(to_numpy(layer.losses[0])) / expected - 1) < EXACT


def test_defects():
    f = random(2, 6, 3)
    generators = g.MatrixGenerators(turns(6), dtype="float64")
    layer, _ = made(
        LearnedPooling, f, generators=generators, output_dim=2, defect_weight=0.5
    )
    # A ridge of the float32 kind is part of the loss.
    assert abs(float(to_numpy(layer.losses[0])) - 0.5 * layer.defect**2) < 1e-5
    assert keras.backend.standardize_dtype(layer.losses[0].dtype) == "float64"
    learned = g.MatrixGenerators(turns(6), trainable=True, dtype="float64")
    layer, _ = made(
        ClusterPooling,
        f,
        generators=learned,
        clusters=[0, 1, 1, 2, 2, 2],
        defect_weight=0.5,
    )
    assert abs(float(to_numpy(layer.losses[0])) - 0.5 * layer.defect**2) < 1e-8
    learned = g.MatrixGenerators(turns(6), trainable=True, dtype="float64")
    layer, _ = made(FibreNorm, f, generators=learned)
    assert layer.form.dtype == "float64"


def test_samples_on_the_circle():
    f = random(1, 2, 2, 5, 3)
    _, y = made(FourierActivation, f, group="so2", degree=2, activation="linear")
    assert np.abs(y - f).max() < EXACT


def test_a_compiled_maximum_keeps_what_is_no_number():
    """TensorFlow's XLA passes over NaN."""
    model = keras.Sequential([keras.Input((2, 2, 4, 1)), GroupPooling("c4", "regular")])
    model.compile(jit_compile=BACKEND != "torch")
    fields = np.ones((2, 2, 2, 4, 1), "float32")
    fields[0, ..., 1, :] = np.nan
    found = model.predict(fields, verbose=0)
    assert np.all(np.isnan(found[0]))
    assert np.all(found[1] == 1)
