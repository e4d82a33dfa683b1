"""How sure the null space of a few equations is."""

import numpy as np
import pytest

from keras_lconv.discovery.null_space import NormalMatrices

pytestmark = pytest.mark.backend_free


def solved(rows):
    system = NormalMatrices(rows.shape[2])
    system.add(rows, np.ones(len(rows)))
    return system.solve()


def test_as_many_random_equations_as_unknowns_are_not_sure_of_a_symmetry():
    """In some of them a vector is nearly a solution by chance."""
    rng = np.random.default_rng(0)
    found = [solved(rng.normal(size=(4, 1, 4))) for _ in range(200)]
    wrong = [space.confidence for space in found if space.dimension]
    assert len(wrong) > 10
    assert np.sum(np.array(wrong) > 0.9) < 0.02 * len(found)


def test_a_solution_of_many_equations_is_sure():
    rows = np.random.default_rng(0).normal(size=(40, 1, 4))
    rows[..., 0] *= 1e-3
    space = solved(rows)
    assert space.dimension == 1
    assert space.confidence > 0.99
    assert np.isclose(abs(space.basis[0, 0]), 1, atol=1e-4)
