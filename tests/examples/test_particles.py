"""The tutorial on particles, and the figures that it must reach."""

import pytest


def test_main_job(run_example):
    example, _ = run_example("particles")
    assert example.report.name == "so(3,1)"
    assert example.speed == pytest.approx(0.1, rel=0.01)
    result, errors = example.result, example.errors
    assert result.difference > 2 * result.difference_error
    steady = errors["with the symmetry", "moving"] / errors["with the symmetry", "at rest"]
    assert steady == pytest.approx(1, abs=0.1)
    assert errors["without", "moving"] > 2 * errors["without", "at rest"]
