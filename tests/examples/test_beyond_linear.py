"""The tutorial on fields that are not linear."""

import numpy as np


def test_main_job(run_example, tmp_path):
    example, _ = run_example("beyond_linear")
    assert example.linear.dimension == 0
    assert example.report.formulas(["x", "y"]) == ["2 y d/dx + 3 x^2 d/dy"]
    assert np.nanmax(example.changes) < 1e-6
    assert example.bent.name == "so(3)"
    assert example.projective.name == "sl(2,R)"
    formulas = [each.formula() for each in example.planet.quantities]
    assert "q1 p2^2 - q2 p1 p2 - q1 1/|q|" in formulas
    assert len(example.ecology.quantities) == 1
    assert np.max(np.abs(example.ecology.drift(example.orbits))) < 1e-6
    assert (tmp_path / "outputs" / "beyond_linear.png").stat().st_size > 10_000
