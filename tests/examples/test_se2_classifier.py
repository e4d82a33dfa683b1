"""The example of SE(2), on a few digits."""

import numpy as np

from tests.examples import load_example


def test_main_job(tmp_path):
    example = load_example("se2_classifier")
    arguments = ["--epochs", "5", "--step", "90", "--output", str(tmp_path)]
    results, curves = example.main(arguments)
    assert (tmp_path / "se2_classifier_digits.png").stat().st_size > 10_000
    for images in ("upright", "rotated"):
        ours, theirs = results["SE(2)", images], results["CNN", images]
        assert theirs["weights"] >= ours["weights"]
        assert ours["rotated"] > theirs["rotated"]
        # Quarter turns change nothing, but for digits on the edge between two classes.
        assert np.ptp(curves["SE(2)", images]) < 0.005
        assert np.ptp(curves["CNN", images]) > 0.02
