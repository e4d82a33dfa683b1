"""The example of conservation laws, and the figures that it must reach."""

import importlib.util
import pathlib

import numpy as np


def test_main_job(tmp_path):
    path = pathlib.Path(__file__).parents[1] / "examples" / "conservation_laws.py"
    spec = importlib.util.spec_from_file_location("conservation_laws", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    results = example.main(["--output", str(tmp_path)])
    unseen = example.orbits(10, seed=3)
    for found, largest in zip(results.values(), (1e-8, 1e-8, 1e-3), strict=True):
        assert found.algebra.identify().name == "so(3)"
        assert example.correlation(found, unseen) > 0.9999
        assert np.abs(found.drift(unseen)).max() < largest
    assert (tmp_path / "conservation_laws.png").stat().st_size > 10_000
