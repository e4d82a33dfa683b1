"""A sample of what `make fuzz` tries: no wrong value is accepted, or fails unnamed."""

import pytest

from tests.fuzz.fuzz import run
from tests.fuzz.table import RESULTS, ROWS
from tests.public import PUBLIC


def test_every_public_name_has_a_row():
    made_by_users = {name for name in PUBLIC if not name.endswith(RESULTS)}
    assert set(ROWS) == made_by_users


@pytest.mark.parametrize("number", [60, pytest.param(300, marks=pytest.mark.thorough)])
def test_wrong_values_are_refused_by_name(number):
    found, _, done = run(number, seed=1)
    assert done == number
    assert not found
