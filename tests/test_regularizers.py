"""Regularizers of generators: their zeros, gradients, and what they do in a fit."""

import keras
import numpy as np
import pytest

from keras_lconv import algebra as a
from keras_lconv import generators as g
from keras_lconv.regularizers import Closure, Orthogonality, Sparsity, UnitNorm
from tests.autodiff import assert_gradients_match, float64, gradients
from tests.families import to_numpy
from tests.samples import normal

ALL = [Closure, Orthogonality, Sparsity, UnitNorm]


def value(regularizer, array):
    return float(to_numpy(regularizer(np.asarray(array, dtype="float32"))))


def frame(matrices):
    """An orthonormal basis of the span."""
    rows = np.linalg.qr(np.reshape(matrices, (len(matrices), -1)).T)[0].T
    return rows.reshape(np.shape(matrices))


def reference_closure(matrices):
    """Brackets of an orthonormal basis, without their projections, pair by pair."""
    basis, total = frame(matrices), []
    for i in range(len(basis)):
        for j in range(i):
            rest = basis[i] @ basis[j] - basis[j] @ basis[i]
            for each in basis:
                rest = rest - np.sum(rest * each) * each
            total.append(np.sum(rest**2))
    return np.mean(total)


@pytest.mark.parametrize("algebra", [a.so(4), a.sl(2), a.se(2), a.heisenberg(3)])
def test_closure_is_zero_for_algebras_in_any_basis(algebra):
    k = algebra.dimension
    mixed = np.tensordot(np.eye(k) + 0.2 * normal(k, k), algebra.basis, 1)
    assert value(Closure(1.0), mixed) < 1e-7
    assert value(Closure(1.0), 1e-3 * mixed) < 1e-7
    broken = mixed + 0.1 * normal(*mixed.shape, seed=1)
    assert np.isclose(value(Closure(1.0), broken), reference_closure(broken), rtol=1e-3)
    assert value(Closure(1.0), broken) > 1e-3
    # Generators that are nearly equal are not closer to an algebra.
    alike = broken @ np.eye(broken.shape[1])
    alike[1] = alike[0] + 0.1 * alike[1]
    assert np.isclose(value(Closure(1.0), alike), value(Closure(1.0), broken), rtol=0.01)


def test_closure_of_affine_fields():
    """`[b | A]` have the brackets of the matrices `[[A, b], [0, 0]]`."""
    fields = normal(3, 2, 3)
    matrices = np.pad(np.roll(fields, -1, axis=2), ((0, 0), (0, 1), (0, 0)))
    assert np.isclose(value(Closure(1.0), fields), value(Closure(1.0), matrices), rtol=1e-5)
    rotations = np.zeros((3, 2, 3))
    rotations[0, :, 1:] = [[0, -1], [1, 0]]
    rotations[1, 0, 0] = rotations[2, 1, 0] = 1.0
    assert value(Closure(1.0), rotations) < 1e-8


def test_the_others_against_their_formulas():
    L = normal(3, 4, 5)
    norms = np.linalg.norm(L.reshape(3, -1), axis=1)
    cosines = np.einsum("iab,jab->ij", L, L) / np.outer(norms, norms)
    pairs = cosines[np.triu_indices(3, 1)]
    assert np.isclose(value(Orthogonality(2.0), L), 2 * np.mean(pairs**2), rtol=1e-5)
    deviations = (norms / 3) ** 2 - 1
    assert np.isclose(value(UnitNorm(1.0, norm=3), L), np.mean(deviations**2), rtol=1e-5)
    ratios = np.sum(np.abs(L), axis=(1, 2)) / norms
    expected = np.mean((ratios - 1) / (np.sqrt(20) - 1))
    assert np.isclose(value(Sparsity(1.0), L), expected, rtol=1e-5)


def test_zeros_and_ones():
    basis = frame(normal(3, 4, 4))
    assert value(Orthogonality(1.0), 5 * basis) < 1e-10
    assert value(UnitNorm(1.0), basis) < 1e-10
    assert value(Sparsity(1.0), 7 * np.eye(9).reshape(9, 3, 3)) < 1e-6
    same = np.ones((2, 3, 3))
    assert np.isclose(value(Orthogonality(1.0), same), 1)
    assert np.isclose(value(Sparsity(1.0), same), 1, atol=1e-5)
    assert np.isclose(value(UnitNorm(1.0), same), 64)


@pytest.mark.parametrize("regularizer", ALL)
def test_gradients(regularizer):
    with float64():
        assert_gradients_match(regularizer(1.0), [normal(3, 4, 4)], tolerance=1e-5)


@pytest.mark.parametrize("regularizer", ALL)
def test_no_nan_where_generators_degenerate(regularizer):
    parallel = np.repeat(normal(1, 4, 4), 3, axis=0)
    for degenerate in (np.zeros((3, 4, 4)), parallel):
        (slope,) = gradients(regularizer(), [degenerate.astype("float32")])
        assert np.all(np.isfinite(slope))
    for other in (normal(1, 4, 4), (300 * normal(3, 4, 4)).astype("float16")):
        assert np.isfinite(to_numpy(regularizer()(other)))


def learned(regularizer):
    """Learns on from noisy rotations of space, with their noisy Lie derivatives as data."""
    noisy = a.so(3).basis + 0.1 * normal(3, 3, 3, seed=2)
    x = normal(64, 3, 1).astype("float32")
    y = np.einsum("kij,bjc->bikc", noisy, x).astype("float32")
    generators = g.MatrixGenerators(noisy, trainable=True, regularizer=regularizer)
    model = keras.Sequential([keras.Input((3, 1)), generators])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    model.fit(x, y, batch_size=64, epochs=200, verbose=0)
    return noisy, generators.algebra()


@pytest.mark.thorough
def test_a_fit_with_closure_ends_in_an_algebra():
    noisy, free = learned(None)
    assert np.max(np.abs(free.basis - noisy)) < 0.01
    assert free.closure_error > 0.05
    _, closed = learned(Closure(100.0))
    assert closed.closure_error < 0.005
    assert closed.identify().name == "so(3)"
    # It is close to the data still.
    assert np.max(np.abs(closed.basis - noisy)) < 0.2


@pytest.mark.parametrize("regularizer", [*(kind(0.3) for kind in ALL), UnitNorm(1, 2.5)])
def test_configurations_are_kept(regularizer):
    saved = keras.regularizers.serialize(regularizer)
    again = keras.regularizers.get(saved)
    assert type(again) is type(regularizer)
    assert again.get_config() == regularizer.get_config()
    L = normal(2, 3, 3)
    assert value(again, L) == value(regularizer, L)


def test_families_take_them():
    for generators in (
        g.DenseGenerators(2, regularizer=Closure(1.0)),
        g.VectorFieldGenerators(2, "affine", regularizer=Closure(1.0)),
        g.LowRankGenerators(2, 3, regularizer=UnitNorm(1.0)),
    ):
        generators.build((None, 4, 4, 1))
        again = type(generators).from_config(generators.get_config())
        assert again.regularizer.factor == 1.0
        assert len(generators.losses) == len(generators.trainable_weights)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: Closure(-1.0), ValueError, "`factor` must be"),
        (lambda: UnitNorm(norm=0), ValueError, "`norm` must be a positive"),
        (lambda: Sparsity()(np.ones((3, 3))), ValueError, r"`\(k, rows, columns\)`"),
        (
            lambda: Closure()(np.ones((2, 5, 3))),
            ValueError,
            r"Closure needs .*\(2, 5, 3\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()
