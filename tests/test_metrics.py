"""Equivariance and invariance errors against what they are by hand."""

import keras
import matplotlib

matplotlib.use("agg")

import numpy as np
import pytest
from keras import ops
from scipy.linalg import expm

from keras_lconv import LConv, TensorProduct
from keras_lconv import algebra as a
from keras_lconv import generators as g
from keras_lconv.metrics import EquivarianceReport, equivariance_error, invariance_error
from tests.families import to_numpy
from tests.samples import random


def test_errors_of_a_matrix_are_those_of_scipy():
    """`F(x) = A x`: all errors by matrix exponentials in float64."""
    x, A, t = random((6, 3)), random((3, 3), 1), random((4, 3), 2)
    report = equivariance_error(lambda f: f @ ops.convert_to_tensor(A.T), a.so(3), x, t)
    for row, error, emlp in zip(t, report.errors, report.emlp_errors, strict=True):
        turn = expm(np.tensordot(row, a.so(3).basis, 1))
        moved_then, then_moved = x @ turn.T @ A.T, x @ A.T @ turn.T
        difference = np.linalg.norm(moved_then - then_moved)
        size = np.linalg.norm(then_moved)
        assert np.isclose(error, difference / size, rtol=1e-4)
        both = size + np.linalg.norm(moved_then)
        assert np.isclose(emlp, difference / both, rtol=1e-4)
    assert np.isclose(report.mean, np.mean(report.errors))
    assert np.isclose(report.max, np.max(report.errors))
    assert report.max > 0.1
    assert report.kind == "equivariance"
    assert np.allclose(report.parameters, t)


def test_lconv_commutes_with_its_own_group_and_with_no_other():
    f, angles = random((2, 7, 7, 2)), [0.2, 1.0]
    assert equivariance_error(LConv(3, "rotation"), "rotation", f, angles).max < 1e-5
    assert equivariance_error(LConv(3, "scaling"), "scaling", f, [0.1]).max < 1e-4
    dense = LConv(3, g.DenseGenerators(2, initializer="random_normal"))
    assert equivariance_error(dense, "rotation", f, angles).max > 1e-2


def test_output_may_transform_in_another_representation():
    """The outer square of a vector has the generators `L (x) 1 + 1 (x) L`."""
    basis, eye = a.so(3).basis, np.eye(3)
    tensor = np.array([np.kron(L, eye) + np.kron(eye, L) for L in basis])
    x, t = random((5, 3)), random((3, 3), 1)

    def square(f):
        return ops.reshape(ops.einsum("bi,bj->bij", f, f), (-1, 9))

    assert equivariance_error(square, a.so(3), x, t, generators_out=tensor).max < 1e-5
    assert equivariance_error(square, a.so(3), x, t, generators_out=-tensor).max > 0.1
    with pytest.raises(ValueError, match="`generators_out` must state how"):
        equivariance_error(square, a.so(3), x, t)
    with pytest.raises(ValueError, match="must be as many as `generators`, 3"):
        equivariance_error(square, a.so(3), x, t, generators_out=tensor[:2])


def test_invariants_of_boosts_and_rotations():
    x, t = random((5, 4)), 0.3 * random((3, 6), 1)
    metric = ops.convert_to_tensor(np.array([1.0, 1.0, 1.0, -1.0], "float32"))
    interval = invariance_error(lambda f: ops.sum(f**2 * metric, axis=-1), a.so(3, 1), x, t)
    assert interval.max < 1e-5
    assert interval.kind == "invariance"
    length = invariance_error(lambda f: ops.sum(f**2, axis=-1), a.so(3, 1), x, t)
    assert length.max > 0.1


def test_models_run_in_inference_mode():
    """Dropout would make an error of order one."""
    model = keras.Sequential(
        [
            keras.Input((9, 1)),
            LConv(4, g.translation(1, derivative="fourier")),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
        ]
    )
    before = [to_numpy(w).copy() for w in model.non_trainable_weights]
    f = random((3, 9, 1))
    assert (
        equivariance_error(model, g.translation(1, derivative="fourier"), f, [1.0]).max
        < 1e-5
    )
    for old, new in zip(before, model.non_trainable_weights, strict=True):
        assert np.array_equal(old, to_numpy(new))
    # Whole steps on an odd number of points are exact, and activations commute with them.
    model.add(keras.layers.Activation("relu"))
    model.add(keras.layers.GlobalMaxPooling1D())
    report = invariance_error(model, g.translation(1, derivative="fourier"), f, [1.0, 3.0])
    assert report.max < 1e-5


def test_channels_first_is_the_layers_or_the_arguments():
    f, angles = random((2, 3, 6, 6)), [0.5]
    layer = LConv(4, "rotation", data_format="channels_first")
    assert equivariance_error(layer, "rotation", f, angles).max < 1e-5

    def transpose(x):
        return ops.swapaxes(x, 2, 3)

    wrong = equivariance_error(
        transpose, "rotation", f, angles, generators_out=None, data_format="channels_first"
    )
    assert wrong.max > 0.1
    clockwise = g.VectorFieldGenerators(
        1, "linear", coefficients=[[[0.0, 1.0], [-1.0, 0.0]]], trainable=False
    )
    right = equivariance_error(
        transpose,
        "rotation",
        f,
        angles,
        generators_out=clockwise,
        data_format="channels_first",
    )
    assert right.max < 1e-5


def test_zero_outputs_are_no_division_by_zero():
    x = random((4, 3))
    report = equivariance_error(lambda f: 0 * f, a.so(3), x, np.ones((1, 3)))
    assert np.array_equal(report.errors, [0.0])
    assert np.array_equal(report.emlp_errors, [0.0])
    # The output for `x` is zero, the output for the moved `x` is not.
    first = np.array([[0.0, 1.0]], "float32")
    boost = [[0.0, 1.0], [1.0, 0.0]]
    report = invariance_error(lambda f: f[:, 0], boost, first, [1.0])
    assert np.array_equal(report.errors, [np.inf])
    assert np.array_equal(report.emlp_errors, [1.0])


def test_plot_draws_the_errors():
    report = EquivarianceReport(
        "invariance", np.array([[0.3], [0.1], [0.2]]), np.array([3.0, 1.0, 0.0]), np.ones(3)
    )
    (ax,) = report.plot().axes
    x, y = ax.lines[0].get_data()
    assert np.array_equal(x, [0.1, 0.3])
    assert np.array_equal(y, [1.0, 3.0])
    assert ax.get_title() == "invariance error"
    several = EquivarianceReport(
        "equivariance", np.array([[3.0, 4.0]]), np.ones(1), np.ones(1)
    )
    assert np.array_equal(several.plot().axes[0].lines[0].get_xdata(), [5.0])
    assert "mean error 1.00e+00" in str(several)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda x: equivariance_error(3, "rotation", x, [1.0]),
            TypeError,
            "`function` must be a model",
        ),
        (lambda x: equivariance_error(abs, 3, x, [1.0]), TypeError, "must be known"),
        (lambda x: invariance_error(abs, a.so(3), x, [1.0]), ValueError, "with k=3"),
        (
            lambda x: invariance_error(abs, a.so(2), x[0], [1.0]),
            ValueError,
            "`x` must have",
        ),
        (
            lambda x: invariance_error(abs, a.so(2), x, [np.nan]),
            ValueError,
            "`parameters` must be finite",
        ),
        (
            lambda x: invariance_error(lambda f: [f], a.so(3), x, np.ones((1, 3))),
            TypeError,
            "must return one tensor",
        ),
        (
            lambda x: invariance_error(lambda f: f / 0, a.so(3), x, np.ones((1, 3))),
            ValueError,
            "the output for `x`` must be finite",
        ),
    ],
)
def test_bad_arguments_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call(random((4, 3)))


def test_random_elements_of_groups():
    """The product of two vectors, and the cross product under reflections."""
    V = a.O(3).standard
    pairs = random((5, 6))

    def products(x):
        u, v = x[:, :3, None], x[:, 3:, None]
        return TensorProduct(data_format="channels_last")([u, v])

    report = equivariance_error(products, 2 * V, pairs, 8, generators_out=V * V)
    assert report.max < 1e-5
    assert report.parameters.shape == (8, 1)
    pseudo = (V * V).pseudo
    errors = equivariance_error(products, 2 * V, pairs, 8, generators_out=pseudo).errors
    # Reflections are about half of the elements: there the sign is wrong.
    assert np.allclose(errors[errors > 1e-3], 2)
    assert 0 < np.sum(errors > 1e-3) < 8


def test_groups_of_permutations():
    rows = random((4, 5))
    first = invariance_error(lambda x: x[:, 0], a.symmetric(5), rows, 6)
    assert first.max > 0.1
    assert (
        invariance_error(lambda x: ops.sum(x, axis=1), a.symmetric(5), rows, 6).max < 1e-5
    )
    with pytest.raises(ValueError, match="The group acts on 4 components"):
        invariance_error(lambda x: x, a.symmetric(4), rows, 6)
    with pytest.raises(TypeError, match="`parameters` must be a positive integer"):
        invariance_error(lambda x: x, a.symmetric(5), rows, [0.1])
    with pytest.raises(ValueError, match="act for the same group"):
        equivariance_error(
            lambda x: x, a.symmetric(5), rows, 6, generators_out=np.eye(5)[None]
        )
    with pytest.raises(ValueError, match="`unit` must be 'generators' for flows"):
        invariance_error(lambda x: x, a.symmetric(5), rows, 6, unit="data")


def test_steps_in_units_of_the_data():
    """A boost that breaks: the error does not depend on the units of the columns."""
    x, scales = random((50, 2)) + 3, np.array([1e4, 1e-4])
    found = []
    for units in (np.ones(2), scales):
        boost = np.array([[[0.0, 1.0], [1.0, 0.0]]]) * units[:, None] / units
        boost /= np.linalg.norm(boost)

        def function(z, units=units):
            return ops.sum(z / ops.convert_to_tensor(units.astype("float32")), axis=1)

        steps = [0.1, 1.0]
        samples = (x * units).astype("float32")
        found.append(invariance_error(function, boost, samples, steps, unit="data"))
    assert np.allclose(found[0].errors, found[1].errors, rtol=1e-3)
    assert 0.01 < found[0].errors[0] < found[0].errors[1]
    # A step of 0.1 moves samples by a tenth of their spread.
    moved = x[:, ::-1] / np.std(x, axis=0)
    expected = np.expm1(0.1 / np.sqrt(np.mean(moved**2)))
    assert np.isclose(found[0].errors[0], expected, rtol=1e-3)


def test_steps_of_images_in_units_of_the_data():
    f = random((3, 7, 7, 2))
    rotation = g.get("rotation")
    rotation.build((None, 7, 7, 2))
    size = np.sqrt(np.mean(to_numpy(rotation(f)) ** 2)) / np.std(f)
    layer = LConv(3, "translation")
    found = equivariance_error(layer, "rotation", f, [0.3], unit="data")
    expected = equivariance_error(layer, "rotation", f, [0.3 / size])
    assert np.isclose(found.errors[0], expected.errors[0], rtol=1e-3)
    with pytest.raises(ValueError, match="`unit` must be one of"):
        equivariance_error(layer, "rotation", f, [0.3], unit="metres")
