"""Principal angles and correlation of spans of matrices."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_lconv.algebra import correlation, principal_angles
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
