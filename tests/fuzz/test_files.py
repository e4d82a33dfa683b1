"""A sample of what `make fuzz-files` tries: hostile files run nothing and crash nothing."""

import sys

import keras
import pytest

from tests.fuzz.files import run

pytestmark = [
    pytest.mark.backend_free,
    pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux processes"),
    pytest.mark.skipif(
        keras.backend.backend() != "torch",
        reason="a fork of a process with the threads of JAX or TensorFlow may hang",
    ),
]


def test_hostile_files_are_harmless():
    outcomes, found = run(24, seed=1, models=("vector_fields", "sparse"))
    assert not found
    # A file with an edit that does not matter still loads.
    assert outcomes["refused"] > 10
    assert outcomes["loaded"] > 2
