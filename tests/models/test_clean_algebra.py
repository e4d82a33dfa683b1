"""Algebras of maps with errors: they have the invariants that the true ones have."""

import numpy as np
import pytest
from scipy.linalg import block_diag

from keras_lconv.algebra import invariant_forms, principal_angles, so
from keras_lconv.models.clean_algebra import clean_algebra, has_enough_invariants

pytestmark = pytest.mark.backend_free

TURN = np.array([[0.0, -1], [1, 0]])
NONE = np.zeros((2, 2))
# Generators, and how many quadratic forms they leave invariant.
ALGEBRAS = {
    "a rotation of the plane": (TURN[None], 1),
    "a squeeze": (np.diag([1.0, -1])[None], 1),
    "a rotation about an axis": (block_diag(TURN, 0)[None], 2),
    "rotations of two planes": (
        np.array([block_diag(TURN, NONE), block_diag(NONE, TURN)]),
        2,
    ),
    "rotations of space": (so(3).basis, 1),
}


def normed(maps):
    """An orthonormal basis of the span."""
    flat = np.linalg.svd(maps.reshape(len(maps), -1), full_matrices=False)[2]
    return flat.reshape(maps.shape)


@pytest.mark.parametrize("name", ALGEBRAS)
@pytest.mark.parametrize("error", [0.0, 1e-3, 2e-2])
def test_the_invariants_are_those_without_errors(name, error):
    maps, forms = ALGEBRAS[name]
    size = maps.shape[1]
    rng = np.random.default_rng(0)
    skew = np.eye(size) + 0.2 * rng.normal(size=(size, size))
    maps = normed(skew @ maps @ np.linalg.inv(skew))
    found = clean_algebra(maps + error * rng.normal(size=maps.shape) / size, error)
    assert principal_angles(maps, found)[0] < 2 * error + 1e-9
    assert found.closure_error < 1e-12
    assert len(invariant_forms(found, tolerance=1e-9)) == forms
    assert has_enough_invariants(found.basis, 2)


@pytest.mark.parametrize("trace", [0.01, 0.3])
def test_a_spiral_remains_a_spiral_if_errors_are_smaller(trace):
    spiral = normed((TURN + trace * np.eye(2))[None])
    found = clean_algebra(spiral, error=trace / 10)
    assert principal_angles(spiral, found)[0] < 1e-12
    assert not has_enough_invariants(found.basis, 2)
