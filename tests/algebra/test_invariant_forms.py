"""Invariant bilinear forms against the known ones."""

import numpy as np
import pytest
from scipy.linalg import expm

from keras_lconv import algebra as a
from tests.samples import normal


def conjugated(basis, seed=0):
    """The algebra in a random basis of the vectors and of itself, and the basis."""
    basis = np.asarray(basis)
    change = normal(*(basis.shape[1],) * 2, seed=seed)
    mixing = normal(*(len(basis),) * 2, seed=seed + 1)
    moved = change @ basis @ np.linalg.inv(change)
    return np.tensordot(mixing, moved, 1), change


MINKOWSKI = np.diag([1.0, 1.0, 1.0, -1.0])
SYMPLECTIC = np.block([[np.zeros((2, 2)), np.eye(2)], [-np.eye(2), np.zeros((2, 2))]])


@pytest.mark.parametrize(
    ("algebra", "form", "symmetry"),
    [
        (a.so(3), np.eye(3), "symmetric"),
        (a.so(5), np.eye(5), "symmetric"),
        (a.so(3, 1), MINKOWSKI, "symmetric"),
        (a.so(2, 3), np.diag([-1.0, -1, 1, 1, 1]), "symmetric"),
        (a.su(2), np.eye(4), "symmetric"),
        (a.sl(2), [[0.0, 1.0], [-1.0, 0.0]], "antisymmetric"),
        (a.sp(4), SYMPLECTIC, "antisymmetric"),
    ],
)
@pytest.mark.parametrize("seed", [None, 0, 7])
def test_known_forms_in_the_standard_and_in_random_bases(algebra, form, symmetry, seed):
    generators, change = algebra.basis, np.eye(algebra.matrix_size)
    if seed is not None:
        generators, change = conjugated(generators, seed)
    found = a.invariant_forms(generators, symmetry)
    inverse = np.linalg.inv(change)
    expected = inverse.T @ np.asarray(form) @ inverse
    expected /= np.linalg.norm(expected)
    assert len(found) == 1
    if symmetry == "symmetric":
        assert np.allclose(found[0], expected, atol=1e-8)
    else:
        assert np.allclose(np.abs(np.sum(found[0] * expected)), 1, atol=1e-8)


def test_forms_do_not_change_under_the_group():
    generators, _ = conjugated(a.so(3, 1).basis)
    form = a.invariant_forms(generators)[0]
    turn = expm(0.2 * np.tensordot(normal(6, seed=5), generators, 1))
    assert np.linalg.norm(turn) > 2
    assert np.allclose(turn.T @ form @ turn, form, atol=1e-8 * np.linalg.norm(turn) ** 2)


def test_how_many_forms_there_are():
    """Counted by hand: none, one for each part, and all of them."""
    assert a.invariant_forms(a.gl(3)).shape == (0, 3, 3)
    assert len(a.invariant_forms(a.sl(3))) == 0
    assert len(a.invariant_forms(a.sl(3), "antisymmetric")) == 0
    two = a.so(3).direct_sum(a.so(3, 1))
    forms = a.invariant_forms(two)
    assert len(forms) == 2
    assert np.allclose(np.einsum("mab,nab->mn", forms, forms), np.eye(2))
    # Two copies of one vector: x.x, y.y and x.y; and x.y antisymmetric.
    copies = np.kron(np.eye(2), a.so(3).basis)
    assert len(a.invariant_forms(copies)) == 3
    assert len(a.invariant_forms(copies, "antisymmetric")) == 1
    # Vectors (x, y, 1): the square of the last component.
    form = a.invariant_forms(a.se(2))
    assert np.allclose(form, [np.diag([0.0, 0.0, 1.0])])
    assert len(a.invariant_forms(np.zeros((0, 3, 3)))) == 6
    assert len(a.invariant_forms(np.zeros((1, 3, 3)))) == 6
    assert len(a.invariant_forms(np.zeros((1, 1, 1)), "antisymmetric")) == 0


def test_noise_needs_a_tolerance():
    noisy = a.so(3, 1).basis + 1e-3 * normal(6, 4, 4)
    assert len(a.invariant_forms(noisy)) == 0
    form = a.invariant_forms(noisy, tolerance=1e-2)
    assert len(form) == 1
    assert np.linalg.norm(2 * form[0] - MINKOWSKI) < 1e-2
    # Rounding to float32 is no noise.
    assert len(a.invariant_forms(conjugated(a.so(5))[0].astype("float32"))) == 1


def test_scale_of_a_generator_does_not_matter():
    basis = a.so(3, 1).basis * np.array([1e-6, 1, 1e6, 1, 1, 1])[:, None, None]
    assert np.allclose(2 * a.invariant_forms(basis), MINKOWSKI)
    for scale in (1e-12, 1e12):
        assert np.allclose(2 * a.invariant_forms(scale * a.so(3, 1).basis), MINKOWSKI)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((np.ones((2, 3, 4)),), ValueError, "must be square matrices"),
        ((np.ones(3),), ValueError, "must be square matrices"),
        ((np.full((3, 3), np.nan),), ValueError, "must be finite"),
        (("so(3)",), TypeError, "array of real numbers"),
        ((np.eye(3), "hermitian"), ValueError, "`symmetry` must be one of"),
        ((np.eye(3), "symmetric", 2.0), ValueError, "`tolerance` must be a number between"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        a.invariant_forms(*arguments)
