"""The example of SE(2), on a few digits."""

import importlib.util
import pathlib

import numpy as np


def test_main_job(tmp_path):
    path = pathlib.Path(__file__).parents[1] / "examples" / "se2_classifier.py"
    spec = importlib.util.spec_from_file_location("se2_classifier_example", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    arguments = ["--epochs", "3", "--step", "90", "--output", str(tmp_path)]
    results, curves = example.main(arguments)
    assert (tmp_path / "se2_classifier_digits.png").stat().st_size > 10_000
    for images in ("upright", "rotated"):
        ours, theirs = results["SE(2)", images], results["CNN", images]
        assert theirs["weights"] >= ours["weights"]
        assert ours["rotated"] > theirs["rotated"]
        # Quarter turns change nothing, but for digits on the edge between two classes.
        assert np.ptp(curves["SE(2)", images]) < 0.005
        assert np.ptp(curves["CNN", images]) > 0.02
