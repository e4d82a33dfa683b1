"""The example of SE(2), on a few digits."""

import numpy as np


def test_main_job(run_example, tmp_path):
    arguments = ["--epochs", "5", "--step", "90"]
    _, (results, curves) = run_example("se2_classifier", *arguments)
    quarter_turns = {name: curve[:: len(curve) // 4] for name, curve in curves.items()}
    assert (tmp_path / "outputs" / "se2_classifier_digits.png").stat().st_size > 10_000
    for images in ("upright", "rotated"):
        ours, theirs = results["SE(2)", images], results["CNN", images]
        assert theirs["weights"] >= ours["weights"]
        assert ours["rotated"] > theirs["rotated"]
        # Quarter turns change nothing, but for digits on the edge between two classes.
        assert np.ptp(quarter_turns["SE(2)", images]) < 0.005
        assert np.ptp(quarter_turns["CNN", images]) > 0.02
