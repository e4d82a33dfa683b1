"""Which matrices are elements of a group: by its law, and not by a search that may fail."""

import numpy as np
import pytest
from scipy.linalg import expm

from keras_lconv import algebra as a
from keras_lconv.algebra.components import Components
from tests.algebra.table import conditioned


def unimodular(matrix):
    """A matrix of determinant 1, from any other."""
    determinant = np.linalg.det(matrix)
    matrix[0] *= np.sign(determinant)
    return matrix / np.abs(determinant) ** (1 / len(matrix))


@pytest.mark.parametrize("n", [2, 3, 4])
def test_each_invertible_matrix_is_in_gl(n):
    rng = np.random.default_rng(0)
    linear, special = a.GL(n), a.SL(n)
    for matrix in rng.normal(size=(40, n, n)):
        assert linear.contains(matrix)
        assert special.contains(matrix) == np.isclose(np.linalg.det(matrix), 1)
        assert special.contains(unimodular(matrix))


@pytest.mark.parametrize("group", [a.Sp(4), a.SO(2, 1), a.SO(2, 2)])
def test_products_far_from_the_identity(group):
    """They have boosts up to a condition of a million."""
    n = group.matrix_size
    other = np.diag([-1.0, *[1.0] * (n - 2), -1.0])
    # It is no element of Sp(4), and in another component than SO(p, q), of determinant 1.
    assert not group.contains(other)
    for seed in range(15):
        g = np.linalg.multi_dot(group.random_elements(4, seed=seed))
        assert group.contains(g)
        assert not group.contains(g @ other)
        assert not group.contains(1.001 * g)


@pytest.mark.parametrize("unit", [1e-8, 1e-3, 1.0, 1e8])
def test_units_do_not_matter(unit):
    one = np.eye(3)
    dilations = a.MatrixGroup([one])
    assert a.GL(3).contains(unit * one)
    assert a.GL(8).contains(unit * np.eye(8))
    assert dilations.contains(unit * one)
    assert not dilations.contains(unit * np.diag([1.0, 1.0, 2.0]))
    assert not a.GL(3).contains(unit * np.diag([1.0, 1.0, 0.0]))


def test_similarities_of_the_plane():
    plane = a.MatrixGroup([*a.so(2).basis, np.eye(2)])
    moves = a.with_translations(plane)
    assert moves.contains(np.diag([1e-4, 1e-4, 1.0]))
    assert not moves.contains(np.diag([1e-4, 2e-4, 1.0]))
    assert not moves.contains(np.diag([1.0, 1.0, 2.0]))


def test_what_is_not_known_is_said():
    """In a basis that is no usual one nothing tells the components of SO(2, 1)."""
    by = conditioned(np.random.default_rng(0), 3, 5.0)
    inverse = np.linalg.inv(by)
    group = a.MatrixGroup(by @ a.so(2, 1).basis @ inverse)
    assert group.contains(by @ a.SO(2, 1).random_elements(1)[0] @ inverse)
    assert not group.contains(by @ np.diag([1.0, 2.0, 1.0]) @ inverse)
    with pytest.raises(ValueError, match="It is not known whether `matrix` is in"):
        group.contains(by @ np.diag([-1.0, 1.0, -1.0]) @ inverse)


def test_full_turns_of_a_circle_that_is_known_to_a_few_digits():
    """An ellipse's rotation from derivatives in float32, with a drift of 1e-8."""
    turn = np.array([[-0.000553563, -0.797648674], [0.603121861, 0.000553568]])
    group = Components(turn[None], np.zeros((0, 2, 2)), 1e-3)
    for angle in (0.3, 2.0, np.pi, 5.0):
        element = expm(angle / np.linalg.norm(turn, 2) * turn)
        assert group.is_connected(element, np.eye(2)) is True
    assert group.is_connected(-np.eye(2), np.eye(2)) is True
