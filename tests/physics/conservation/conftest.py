"""Orbits that nothing was fitted to."""

import pytest

from tests.physics.conservation.kepler import kepler_orbits


@pytest.fixture(scope="module")
def unseen():
    return kepler_orbits(5, 3, seed=7)
