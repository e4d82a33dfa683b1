"""Arguments and default values of the public names are those that are written down."""

import pytest

from tests.signatures import FILE, signatures


@pytest.mark.backend_free
def test_signatures_are_those_written_down():
    written = FILE.read_text().splitlines()
    changed = set(written) ^ set(signatures())
    assert not changed, (
        "`python -m tests.signatures` writes them down, if the change is meant: "
        f"{sorted(changed)}"
    )
