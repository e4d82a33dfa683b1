"""The tutorial on equations: the same answer from noisy data, and new solutions."""

import numpy as np


def test_main_job(run_example, tmp_path):
    example, _ = run_example("equation_symmetries")
    assert example.report.name == example.exact.name == "sl(2,R) ⋉ heisenberg(3)"
    assert example.report.formulas == example.exact.formulas
    assert example.report.equations[0].terms == ("u_xx", "u_x^2")
    gaussian = np.exp(-(example.y**2) / 8) / np.sqrt(2)
    np.testing.assert_allclose(np.exp(example.bell[-1]), gaussian, atol=2e-3)
    assert np.nanmax(example.misses) < 1e-2
    assert (tmp_path / "outputs" / "equation_symmetries.png").stat().st_size > 10_000
