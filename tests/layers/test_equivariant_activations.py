"""TensorProduct, GatedActivation and NormActivation: they commute with the group."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy.linalg import expm

from keras_lconv import FibreNorm, GatedActivation, NormActivation, TensorProduct
from keras_lconv import generators as g
from keras_lconv.algebra import direct_sum, gl, heisenberg, so, sp, tensor_product
from tests.autodiff import assert_gradients_match, float64, gradients
from tests.families import relative_error, to_numpy
from tests.samples import random

V3, V4 = so(3).basis, so(3, 1).basis
ALGEBRAS = {"so(3)": V3, "so(3,1)": V4, "gl(2)": gl(2).basis, "nil": heisenberg(3).basis}


def element(matrices, seed=0):
    t = np.random.default_rng(seed).normal(size=len(matrices)) / 2
    return expm(np.tensordot(t, matrices, 1))


def act(matrix, f):
    return np.einsum("de,bec->bdc", matrix, f).astype("float32")


@pytest.mark.parametrize("name", ALGEBRAS)
def test_products_transform_as_products(name):
    matrices = ALGEBRAS[name]
    size = matrices.shape[1]
    u, v = random((2, 4, size, 3))
    before = element(matrices)
    after = element(tensor_product(matrices, matrices))
    layer = TensorProduct()
    output = layer([act(before, u), act(before, v)])
    assert tuple(output.shape) == (4, size**2, 3)
    assert relative_error(output, act(after, to_numpy(layer([u, v])))) < 1e-5


def test_products_of_images_and_vectors():
    u, v = random((4, 2, 3, 5)), random((4, 7, 5), 1)
    output = TensorProduct(data_format="channels_last")([u, v])
    expected = np.einsum("bijc,bkc->bijkc", u, v).reshape(4, 42, 5)
    assert relative_error(output, expected) < 1e-6
    first = TensorProduct(data_format="channels_first")
    moved = first([np.moveaxis(u, -1, 1), np.moveaxis(v, -1, 1)])
    assert relative_error(moved, np.moveaxis(expected, -1, 1)) < 1e-6
    shape = first.compute_output_shape([(None, 5, 2, 3), (None, 5, 7)])
    assert shape == (None, 5, 42)


@pytest.mark.parametrize("name", ALGEBRAS)
def test_gates_suit_any_representation(name):
    matrices = ALGEBRAS[name]
    f, gates = random((4, matrices.shape[1], 3)), random((4, 3), 1)
    matrix = element(matrices)
    layer = GatedActivation(activation="tanh")
    output = to_numpy(layer([f, gates]))
    assert relative_error(output, f * np.tanh(gates)[:, None]) < 1e-6
    assert relative_error(layer([act(matrix, f), gates]), act(matrix, output)) < 1e-5


def test_gates_of_images():
    f, gates = random((2, 4, 5, 3)), random((2, 3), 1)
    expected = f / (1 + np.exp(-gates[:, None, None]))
    assert relative_error(GatedActivation()([f, gates]), expected) < 1e-5
    first = GatedActivation(data_format="channels_first")
    output = first([np.moveaxis(f, -1, 1), gates])
    assert relative_error(output, np.moveaxis(expected, -1, 1)) < 1e-5


@pytest.mark.parametrize("matrices", [V3, V4, V3 + 0 * V3], ids=["so3", "lorentz", "same"])
def test_norm_activation_commutes_with_the_group(matrices):
    layer = NormActivation(
        matrices, activation="tanh", bias_initializer=keras.initializers.Constant(0.3)
    )
    f = random((6, matrices.shape[1], 3))
    matrix = element(matrices)
    output = to_numpy(layer(f))
    assert relative_error(layer(act(matrix, f)), act(matrix, output)) < 1e-4
    lengths = to_numpy(FibreNorm(matrices)(f))
    assert relative_error(output, f * np.tanh(lengths + 0.3)[:, None]) < 1e-5
    assert tuple(layer.bias.shape) == (3,)


def test_norm_activation_of_a_sum_of_representations():
    both = direct_sum(V3, V3)
    with pytest.raises(ValueError, match="nearest"):
        NormActivation(both)
    layer = NormActivation(both, form="nearest", use_bias=False)
    f = random((4, 6, 2))
    expected = f / (1 + np.exp(-np.linalg.norm(f, axis=1, keepdims=True)))
    assert relative_error(layer(f), expected) < 1e-4
    assert layer.bias is None


def test_norm_activation_needs_a_form():
    with pytest.raises(ValueError, match="form"):
        NormActivation(gl(2))
    with pytest.raises(ValueError, match="form"):
        NormActivation(sp(2))


def test_norm_activation_of_learned_generators():
    layer = NormActivation(g.DenseGenerators(3), defect_weight=1.0)
    f = random((2, 4, 3))
    assert tuple(layer(f).shape) == f.shape
    assert len(layer.losses) == 1
    assert len(layer.trainable_weights) == 3


def test_gradients_at_light_like_vectors_and_zero():
    f = random((3, 4, 2), dtype="float64")
    f[0] = 0.0
    f[1, :, 0] = [1, 0, 0, 1]
    weights = random(f.shape, 1, "float64")

    def loss_of(layer):
        return lambda f: ops.sum(layer(f) * ops.convert_to_tensor(weights))

    with float64():
        smooth = NormActivation(V4, activation="swish", epsilon=0.3, dtype="float64")
        smooth.build(f.shape)
        assert_gradients_match(loss_of(smooth), [f])
        sharp = NormActivation(V4, activation="swish", dtype="float64")
        sharp.build(f.shape)
        assert np.all(np.isfinite(gradients(loss_of(sharp), [f])[0]))


@pytest.mark.parametrize("shape", [(4, 3, 2), (4, 3), (4, 5, 5, 3, 2)])
def test_norm_activation_keeps_shapes_and_positions(shape):
    layer = NormActivation(V3)
    assert tuple(layer(random(shape)).shape) == shape == layer.compute_output_shape(shape)


@pytest.mark.parametrize(
    "layer",
    [
        lambda: NormActivation(
            V4, activation="tanh", use_bias=False, epsilon=0.1, tolerance=1e-4
        ),
        lambda: GatedActivation(activation="tanh", data_format="channels_first"),
        lambda: TensorProduct(data_format="channels_first", name="squares"),
    ],
)
def test_config_round_trip(layer):
    config = layer().get_config()
    assert type(layer()).from_config(config).get_config() == config


def test_half_precision():
    f = random((4, 3, 2)) * 100
    layer = NormActivation(V3, dtype="mixed_float16")
    assert np.all(np.isfinite(to_numpy(layer(f))))
    assert keras.backend.standardize_dtype(layer(f).dtype) == "float16"


def test_shapes_have_to_fit():
    with pytest.raises(ValueError, match="one gate for each"):
        GatedActivation()([random((2, 3, 4)), random((2, 3))])
    with pytest.raises(ValueError, match="one gate for each"):
        GatedActivation()([random((2, 3, 4)), random((2, 3, 4, 4))])
    with pytest.raises(ValueError, match="same number of channels"):
        TensorProduct()([random((2, 3, 4)), random((2, 3, 5))])
    with pytest.raises(ValueError, match="two inputs"):
        TensorProduct()(random((2, 3, 4)))
