"""The example of rotation invariance, on digits."""

import numpy as np


def test_main_job(run_example, tmp_path):
    arguments = ["--epochs", "12", "--step", "90"]
    _, (results, curves) = run_example("rotation_invariance", *arguments)
    picture = tmp_path / "outputs" / "rotation_invariance_digits.png"
    assert picture.stat().st_size > 10_000
    # Trained on upright images only.
    assert results["invariants, upright"][1] > 0.55
    assert results["invariants, upright"][1] > results["CNN, upright"][1] + 0.2
    assert results["invariants, rotated"][1] > results["CNN, rotated"][1]
    # Quarter turns lose nothing of an image.
    curve = curves["invariants, upright"]
    assert np.ptp(curve[:: len(curve) // 4]) < 0.02
