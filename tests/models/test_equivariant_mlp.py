"""equivariant_mlp: equivariant from end to end, and able to learn."""

import keras
import numpy as np
import pytest
from scipy.linalg import expm

from keras_lconv import generators as g
from keras_lconv.algebra import gl, se, so, sp, tensor_product
from keras_lconv.models import equivariant_mlp
from tests.families import relative_error, to_numpy
from tests.samples import random

V3, V4 = so(3).basis, so(3, 1).basis


def moved(x, matrices, t, blocks, scalars=0):
    """Inputs after a group element, which acts on each vector and on no scalar."""
    matrix = expm(np.tensordot(t, matrices, 1))
    vectors = x[:, scalars:].reshape(len(x), blocks, -1) @ matrix.T
    flat = vectors.reshape(len(x), -1)
    return np.concatenate([x[:, :scalars], flat], axis=1).astype("float32")


def parameters(matrices):
    return np.random.default_rng(5).normal(size=len(matrices)) / 2


@pytest.mark.parametrize("algebra", [so(3, 1), sp(2), se(2)], ids=repr)
def test_invariance_from_end_to_end(algebra):
    matrices = algebra.basis
    model = equivariant_mlp(algebra, blocks=2, hidden_units=(8, 8), vectors=4)
    x = random((5, 2 * matrices.shape[1]))
    expected = to_numpy(model(x))
    found = model(moved(x, matrices, parameters(matrices), 2))
    assert relative_error(found, expected) < 1e-5
    assert np.std(expected) > 1e-3


@pytest.mark.parametrize("order", [1, 2])
def test_equivariance_from_end_to_end(order):
    """Masses and positions to vectors, and to matrices, as the tensor of inertia."""
    target = tensor_product(V3, V3) if order == 2 else V3
    model = equivariant_mlp(
        V3,
        blocks=3,
        outputs=2,
        generators_out=target,
        scalars=3,
        hidden_units=(8, 8),
        vectors=4,
        order=order,
    )
    x = random((5, 12))
    t = parameters(V3)
    after = expm(np.tensordot(t, target, 1))
    output = to_numpy(model(x))
    assert output.shape == (5, 3**order, 2)
    expected = np.einsum("de,beu->bdu", after, output)
    assert relative_error(model(moved(x, V3, t, 3, 3)), expected) < 1e-5
    assert np.std(output) > 1e-3


def test_an_untrained_frame_is_the_identity_and_a_trained_one_conjugates():
    model = equivariant_mlp(V3, blocks=2, hidden_units=8, learn_frame=True)
    kernel = model.get_layer("frame").kernel
    assert np.allclose(to_numpy(kernel), np.eye(3))
    frame = np.eye(3) + 0.3 * random((3, 3))
    kernel.assign(frame)
    x, t = random((5, 6)), parameters(V3)
    conjugated = np.linalg.solve(frame, V3 @ frame)
    assert relative_error(model(moved(x, conjugated, t, 2)), model(x)) < 1e-5
    assert relative_error(model(moved(x, V3, t, 2)), model(x)) > 1e-3


def test_without_top_the_features_are_there():
    model = equivariant_mlp(V3, blocks=2, hidden_units=(8, 7), include_top=False)
    assert model.output_shape == (None, 7)
    tensors = equivariant_mlp(
        V3,
        blocks=2,
        generators_out=V3,
        hidden_units=8,
        vectors=5,
        order=2,
        include_top=False,
    )
    assert tensors.output_shape == (None, 12, 5)


@pytest.mark.thorough
def test_it_learns_a_dot_product_and_is_saved(tmp_path):
    keras.utils.set_random_seed(0)
    model = equivariant_mlp(so(3, 1), blocks=2, hidden_units=16)
    x = random((512, 8))
    y = np.sum(x[:, :4] * x[:, 4:] * [1, 1, 1, -1], axis=1)
    model.compile(keras.optimizers.Adam(0.02), "mse")
    history = model.fit(x, y, epochs=40, batch_size=64, verbose=0).history["loss"]
    assert history[-1] < 0.01 * np.var(y)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras", compile=False)
    assert relative_error(copy(x[:9]), model(x[:9])) < 1e-5


def test_generators_may_come_from_a_report():
    whole = g.MatrixGenerators(np.kron(np.eye(2), V3))
    model = equivariant_mlp(whole, hidden_units=4, vectors=2)
    x = random((3, 6))
    found = model(moved(x, V3, parameters(V3), 2))
    assert relative_error(found, model(x)) < 1e-5


def test_bad_arguments():
    with pytest.raises(ValueError, match="fixed square matrices"):
        equivariant_mlp("rotation")
    with pytest.raises(ValueError, match="fixed square matrices"):
        equivariant_mlp(g.MatrixGenerators(V3, trainable=True))
    with pytest.raises(ValueError, match=r"not built yet. .*`build\(\(None, n\)\)`"):
        equivariant_mlp("translation")
    with pytest.raises(ValueError, match="no maps"):
        equivariant_mlp(gl(3))
    with pytest.raises(ValueError, match="order"):
        equivariant_mlp(V3, order=3)
    with pytest.raises(TypeError, match="scalars"):
        equivariant_mlp(V3, scalars=1.5)
