"""The example of conservation laws, and the figures that it must reach."""

import numpy as np


def test_main_job(run_example, tmp_path):
    example, _ = run_example("conservation_laws")
    unseen = example.orbits(10, seed=3)
    for found, largest in zip(example.results.values(), (1e-8, 1e-3, 1e-8), strict=True):
        assert found.algebra.identify().name == "so(3)"
        assert example.correlation(found, unseen) > 0.9999
        assert np.abs(found.drift(unseen)).max() < largest
    assert (tmp_path / "outputs" / "conservation_laws.png").stat().st_size > 10_000
