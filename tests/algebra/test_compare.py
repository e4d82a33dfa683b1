"""Principal angles and correlation of spans of matrices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lconv.algebra import (
    LieAlgebra,
    align,
    closest,
    correlation,
    principal_angles,
    sl,
    so,
)
from tests.families import so3


@given(seed=st.integers(0, 2**31))
def test_independent_of_the_basis(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, 3, 4, 4))
    mixed = np.tensordot(rng.normal(size=(3, 3)), a, 1)
    assert np.allclose(principal_angles(mixed, b), principal_angles(a, b), atol=1e-7)
    assert np.isclose(correlation(mixed, b), correlation(a, b))


@given(angle=st.floats(0, np.pi / 2), scale=st.floats(0.1, 100))
def test_known_angle(angle, scale):
    a, b = np.zeros((2, 2, 2))
    a[0, 1] = 1.0
    b[0, 1], b[1, 0] = -scale * np.cos(angle), scale * np.sin(angle)
    assert np.isclose(principal_angles(a, b)[0], angle, atol=1e-7)
    assert np.isclose(correlation(a, b), np.cos(angle), atol=1e-7)


def test_tiny_angles_are_resolved():
    a = so3()
    b = a + 1e-9 * np.random.default_rng(0).normal(size=a.shape)
    assert 0 < principal_angles(a, b)[0] < 1e-8


def test_scale_of_a_generator_does_not_matter():
    a = so3() * np.array([1e-12, 1.0, 1e12])[:, None, None]
    assert np.allclose(principal_angles(a, so3()), 0, atol=1e-12)
    assert len(principal_angles(a, so3())) == 3


def test_correlation_is_the_best_over_the_spans():
    assert np.isclose(correlation(so3()[0], so3()), 1.0)
    assert np.isclose(correlation(np.eye(3), so3()), 0.0)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (np.ones(3), np.ones(3), "`a` must be a matrix"),
        (np.ones((2, 2)), np.ones((3, 3)), "of one shape"),
        (np.zeros((2, 2)), np.ones((2, 2)), "zero matrix"),
        (np.full((2, 2), np.inf), np.ones((2, 2)), "must be finite"),
    ],
)
def test_bad_arguments_are_refused(a, b, words):
    with pytest.raises(ValueError, match=words):
        correlation(a, b)


@given(seed=st.integers(0, 2**31))
def test_align_finds_the_change_of_basis(seed):
    rng = np.random.default_rng(seed)
    change = rng.normal(size=(3, 3)) + 3 * np.eye(3)
    scales = np.array([1e-3, 1.0, 1e3])[:, None, None]
    a = LieAlgebra(so3() * scales)
    b = np.tensordot(change, a.basis, 1)
    assert np.allclose(align(a, b), change, rtol=1e-6, atol=1e-6 * np.abs(change).max())


def test_align_transforms_structure_constants():
    """The change of basis is an isomorphism: a tensor equation between constants."""
    rng = np.random.default_rng(0)
    a = sl(3)
    b = LieAlgebra(np.tensordot(rng.normal(size=(8, 8)), a.basis, 1))
    change = align(a, b)
    left = np.einsum("ia,jb,abc->ijc", change, change, a.structure_constants)
    right = np.einsum("ijk,kc->ijc", b.structure_constants, change)
    assert np.allclose(left, right)


@pytest.mark.parametrize(
    ("a", "b", "words"),
    [
        (so3(), so3()[:2], "as many matrices. Received: 3 and 2"),
        (so3()[:2], so3()[1:], "principal angle of 1.57e"),
        (so3(), np.ones((3, 2, 2)), "of one shape"),
        (so3(), np.zeros((0, 3, 3)), "`b` must hold a matrix"),
    ],
)
def test_align_refuses_other_spans(a, b, words):
    with pytest.raises(ValueError, match=words):
        align(a, b)


def test_closest_among_names_and_sequences():
    rng = np.random.default_rng(0)
    noisy = so(3, 1).basis + 0.01 * rng.normal(size=(6, 4, 4))
    candidates = {"rotations": so(4), "Lorentz": so(3, 1), "dilation": np.eye(4)}
    name, angle = closest(noisy, candidates)
    assert name == "Lorentz"
    assert np.isclose(angle, principal_angles(noisy, so(3, 1))[0])
    assert 0 < angle < 0.2
    assert closest(noisy, list(candidates.values())) == (1, angle)


def test_spans_of_other_dimension_are_at_a_right_angle():
    assert closest(so(3).basis[:2], [so(3)]) == (0, np.pi / 2)
    with pytest.raises(ValueError, match="must not be empty"):
        closest(so(3), [])
