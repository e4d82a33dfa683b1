"""The invariant mean squared error: its value, its symmetry and its use in `fit`."""

import keras
import numpy as np
import pytest

from keras_lconv import generators as g
from keras_lconv.algebra import so
from keras_lconv.losses import InvariantLoss
from tests import families
from tests.autodiff import assert_gradients_match, float64
from tests.families import relative_error, to_numpy
from tests.samples import random

CASES = {
    "translations": (lambda: g.translation(derivative="fourier"), (5, 6, 2)),
    "rotation": (g.rotation, (5, 5, 2)),
    "so3": (lambda: g.MatrixGenerators(so(3)), (3, 2)),
    "vectors": (lambda: g.MatrixGenerators(so(4)), (4,)),
}


@pytest.mark.parametrize("case", CASES)
def test_value_and_invariance(case):
    make, shape = CASES[case]
    generators = make()
    loss = InvariantLoss(generators, mass=0.5, reduction=None)
    y_true, y_pred = random((3, *shape), 1), random((3, *shape), 2)
    value = to_numpy(loss(y_true, y_pred))

    error = (y_pred - y_true).astype("float64")
    flat = error.reshape(3, -1, shape[-1] if len(shape) > 1 else 1)
    if isinstance(generators, g.MatrixGenerators):
        matrices = np.asarray(generators.get_config()["matrices"])
        metric = np.linalg.inv(-np.einsum("iab,jba->ij", matrices, matrices) / 2)
    else:
        matrices = families.reference_matrices(generators)
        metric = np.eye(len(matrices))
    slopes = np.einsum("iab,nbc->niac", matrices, flat)
    squares = np.einsum("ij,niac,njac->nac", metric, slopes, slopes)
    expected = np.mean(0.25 * flat**2 + squares, axis=(1, 2))
    assert relative_error(value, expected) < 1e-5

    t = random((3, generators.num_generators), 3)
    moved = [generators.transform(y, t) for y in (y_true, y_pred)]
    assert relative_error(loss(*moved), value) < 1e-5
    mean = InvariantLoss(make(), mass=0.5)(y_true, y_pred)
    assert relative_error(mean, np.mean(value)) < 1e-5


@pytest.mark.thorough
@pytest.mark.parametrize("generators", ["scaling", so(1, 1)])
def test_what_does_not_keep_lengths_is_reported(generators):
    family = g.get(generators)
    shape = (2, 7, 7, 1) if generators == "scaling" else (2, 2, 3)
    loss = InvariantLoss(family)
    y_true, y_pred = random(shape, 1), random(shape, 2)
    with pytest.warns(UserWarning, match="are not antisymmetric"):
        value = loss(y_true, y_pred)
    moved = loss(*[family.transform(y, 0.3) for y in (y_true, y_pred)])
    assert relative_error(moved, value) > 0.05


def test_without_derivatives_it_is_the_mean_squared_error():
    y_true, y_pred = random((3, 5, 4, 2), 1), random((3, 5, 4, 2), 2)
    loss = InvariantLoss("translation", form=np.zeros((2, 2)))
    expected = keras.losses.MeanSquaredError()(y_true, y_pred)
    assert relative_error(loss(y_true, y_pred), expected) < 1e-6
    weights = np.array([1.0, 0.0, 2.0], dtype="float32")
    expected = np.mean(weights * np.mean((y_pred - y_true) ** 2, axis=(1, 2, 3)))
    weighted = loss(y_true, y_pred, sample_weight=weights)
    assert relative_error(weighted, expected) < 1e-6


def test_channels_first():
    y_true, y_pred = random((3, 5, 4, 2), 1), random((3, 5, 4, 2), 2)
    expected = InvariantLoss("rotation")(y_true, y_pred)
    moved = [np.moveaxis(y, -1, 1) for y in (y_true, y_pred)]
    found = InvariantLoss("rotation", data_format="channels_first")(*moved)
    assert relative_error(found, expected) < 1e-6


def test_gradient():
    with float64():
        loss = InvariantLoss(g.rotation(dtype="float64"), dtype="float64")
        arrays = [random((2, 4, 4, 1), n).astype("float64") for n in (1, 2)]
        loss(*arrays)
        # `call`, since Keras reduces losses in float32 on PyTorch.
        assert_gradients_match(lambda a, b: keras.ops.sum(loss.call(a, b)), arrays)


def test_configuration():
    metric = np.array([[2.0, 0.5], [0.5, 1.0]])
    loss = InvariantLoss(
        g.translation(derivative="central"),
        mass=2.0,
        form=metric,
        data_format="channels_first",
    )
    y_true, y_pred = random((3, 2, 5, 4), 1), random((3, 2, 5, 4), 2)
    copy = keras.losses.deserialize(keras.losses.serialize(loss))
    assert np.isclose(loss(y_true, y_pred), copy(y_true, y_pred))
    assert copy.get_config() == loss.get_config()


def test_models_train_by_it_and_are_saved_with_it(tmp_path):
    """A filter is found from its outputs."""
    x = random((16, 6, 6, 1))
    kernel = random((3, 3, 1, 1), 1)
    y = to_numpy(keras.ops.conv(x, kernel, padding="same"))
    layer = keras.layers.Conv2D(1, 3, padding="same")
    model = keras.Sequential([keras.Input((6, 6, 1)), layer])
    model.compile(keras.optimizers.Adam(0.1), InvariantLoss("translation"))
    history = model.fit(x, y, epochs=60, batch_size=16, verbose=0).history["loss"]
    assert history[-1] < 1e-2 * history[0]
    assert relative_error(layer.kernel, kernel) < 0.15

    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.loss, InvariantLoss)
    value = loaded.evaluate(x, y, verbose=0)
    assert np.isclose(value, model.evaluate(x, y, verbose=0), rtol=1e-4)


def test_errors():
    with pytest.raises(ValueError, match="`form` must not be negative"):
        InvariantLoss("translation", form=-np.eye(2))
    with pytest.raises(ValueError, match="`form` must not be negative"):
        InvariantLoss(g.MatrixGenerators(so(2, 1)))
    with pytest.raises(ValueError, match="`form` must be invariant"):
        InvariantLoss(g.MatrixGenerators(so(3)), form=np.diag([1.0, 2.0, 3.0]))
    with pytest.raises(ValueError, match="`form` must be a symmetric matrix"):
        InvariantLoss("translation", form=[[0, 1], [2, 0]])
    with pytest.raises(ValueError, match="`mass`"):
        InvariantLoss("translation", mass=-1)
    with pytest.raises(TypeError, match="`generators` must be known"):
        InvariantLoss(3)
    loss = InvariantLoss("translation")
    loss(np.ones((1, 4, 4, 1)), np.ones((1, 4, 4, 1)))
    with pytest.raises(ValueError, match="spatial shape"):
        loss(np.ones((1, 5, 4, 1)), np.ones((1, 5, 4, 1)))
