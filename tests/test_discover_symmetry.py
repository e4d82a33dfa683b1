"""The example of discovery from data, and the figures that it must reach."""

import importlib.util
import pathlib


def test_main_job(tmp_path):
    path = pathlib.Path(__file__).parents[1] / "examples" / "discover_symmetry.py"
    spec = importlib.util.spec_from_file_location("discover_symmetry", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    report, angle = example.main(["--output", str(tmp_path)])
    assert report.algebra.identify().name == "so(5)"
    assert angle < 0.3
    assert report.confidence > 0.9
    assert (tmp_path / "discover_symmetry.png").stat().st_size > 10_000
