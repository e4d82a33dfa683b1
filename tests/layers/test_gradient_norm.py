"""Invariant forms of gradients: their norms."""

import numpy as np
import pytest

from keras_lconv import GradientNorm
from keras_lconv import algebra as a
from keras_lconv import generators as g
from tests.families import euclidean, relative_error, to_numpy
from tests.samples import random

MINKOWSKI = np.diag([1.0, 1.0, 1.0, -1.0])
BOOST = np.array([[[0.0, 1.0], [1.0, 0.0]]])


@pytest.mark.parametrize(
    ("make", "metric"),
    [
        (lambda: "translation", np.eye(2)),
        (lambda: "rotation", np.eye(1)),
        (lambda: g.rotation(3), np.eye(3)),
        (euclidean, np.diag([1.0, 1.0, 0.0])),
        (lambda: a.so(3, 1), np.diag([1.0, 1, 1, -1, -1, -1])),
        (lambda: g.DenseGenerators(3), np.eye(3)),
    ],
)
def test_metric_of_known_algebras(make, metric):
    form = GradientNorm(make()).form
    # Rotations come in pairs of axes; their order in so(3,1) is that of the basis.
    assert np.allclose(np.sort(np.diag(form)), np.sort(np.diag(metric)), atol=1e-8)
    assert np.allclose(form, np.diag(np.diag(form)), atol=1e-8)


def test_length_of_the_gradient_is_that_of_numpy():
    f = random((2, 5, 6, 3))
    layer = GradientNorm("translation", epsilon=1e-4)
    rows = np.einsum("ij,bjkc->bikc", g.derivative_matrix(5), f)
    columns = np.einsum("ij,bkjc->bkic", g.derivative_matrix(6), f)
    expected = np.sqrt(rows**2 + columns**2)
    assert relative_error(layer(f), expected) < 1e-5
    square = GradientNorm("translation", kind="square")
    assert relative_error(square(f), expected**2) < 1e-5
    assert layer.compute_output_shape(f.shape) == f.shape


def test_does_not_depend_on_the_basis():
    """so(3) in a random basis: the same length, where the identity would give another."""
    f = random((1, 4, 4, 4, 1))
    basis = np.array(g.rotation(3).get_config()["coefficients"])
    mixed = np.tensordot(random((3, 3), 3), basis, 1)
    other = g.VectorFieldGenerators(3, "linear", coefficients=mixed, trainable=False)
    expected = GradientNorm(g.rotation(3))(f)
    assert relative_error(GradientNorm(other)(f), expected) < 1e-5
    other = g.VectorFieldGenerators(3, "linear", coefficients=mixed, trainable=False)
    plain = g.DenseGenerators(3)
    assert np.allclose(GradientNorm(plain).form, np.eye(3))
    assert np.linalg.norm(GradientNorm(other).form - np.eye(3)) > 0.1


@pytest.mark.parametrize("make", [lambda: "translation", lambda: "rotation", euclidean])
def test_commutes_with_quarter_turns_exactly(make):
    """A quarter turn mixes the generators, and moves the points of the grid."""
    f, layer = random((2, 7, 7, 2)), GradientNorm(make())
    turned = to_numpy(layer(np.rot90(f, axes=(1, 2)).copy()))
    assert relative_error(turned, np.rot90(to_numpy(layer(f)), axes=(1, 2))) < 1e-5


def test_commutes_with_turns_of_space_that_do_not_commute():
    f, layer = random((1, 5, 5, 5, 1)), GradientNorm(g.rotation(3))
    for axes in ((1, 2), (2, 3)):
        turned = to_numpy(layer(np.rot90(f, axes=axes).copy()))
        assert relative_error(turned, np.rot90(to_numpy(layer(f)), axes=axes)) < 1e-5


def test_commutes_with_steps_on_a_torus():
    f = random((2, 7, 5, 1))
    layer = GradientNorm(g.translation(2, derivative="fourier"))
    moved = layer(np.roll(f, (3, -2), axis=(1, 2)))
    assert relative_error(moved, np.roll(to_numpy(layer(f)), (3, -2), axis=(1, 2))) < 1e-5


def test_any_angle_up_to_the_resolution():
    """Turned smooth functions have the turned lengths: by analysis, not by the grid."""
    layer = GradientNorm("translation", epsilon=1e-6)
    cosine, sine = np.cos(0.4), np.sin(0.4)
    x = np.linspace(-3, 3, 31)
    rows, columns = np.meshgrid(x, x, indexing="ij")
    u, v = cosine * rows + sine * columns, cosine * columns - sine * rows
    f = np.exp(-((u - 0.4) ** 2) - 2 * v**2)
    length = f * np.sqrt(4 * (u - 0.4) ** 2 + 16 * v**2) * (x[1] - x[0])
    f = f[None, ..., None].astype("float32")
    assert relative_error(layer(f), length[None, ..., None]) < 1e-3


def test_no_metric_is_a_precise_error():
    with pytest.raises(ValueError, match=r"no length: no form on the algebra aff\(2\)"):
        GradientNorm("affine")
    assert np.allclose(
        GradientNorm("translation", form=np.diag([1, 2])).form, np.diag([1, 2])
    )
    with pytest.raises(ValueError, match="`form` must be invariant"):
        GradientNorm(g.rotation(3), form=np.diag([1.0, 2.0, 3.0]))
