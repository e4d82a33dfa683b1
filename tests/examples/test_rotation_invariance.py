"""The example of rotation invariance, on digits."""

import numpy as np

from tests.examples import load_example


def test_main_job(tmp_path):
    example = load_example("rotation_invariance")
    arguments = ["--epochs", "12", "--step", "90", "--output", str(tmp_path)]
    results, curves = example.main(arguments)
    picture = tmp_path / "rotation_invariance_digits.png"
    assert picture.stat().st_size > 10_000
    # Trained on upright images only.
    assert results["invariants, upright"][1] > 0.55
    assert results["invariants, upright"][1] > results["CNN, upright"][1] + 0.2
    assert results["invariants, rotated"][1] > results["CNN, rotated"][1]
    # Quarter turns lose nothing of an image.
    assert np.ptp(curves["invariants, upright"]) < 0.02
