"""The example of scrambled images, on patches of photographs."""

import pytest


def test_main_job(run_example, tmp_path):
    arguments = ["--samples", "3000", "--test-samples", "1000", "--epochs", "3"]
    _, (figures, accuracies) = run_example("scrambled_images", *arguments)
    # All varying pixels on their cell, all pairs of neighbours and no others.
    assert figures[0] == pytest.approx((1.0, 1.0, 1.0))
    (original,), (hidden,), (recovered,) = accuracies.values()
    assert recovered > hidden + 3
    assert abs(recovered - original) < 3
    for name in ("", "_grid", "_accuracy"):
        picture = tmp_path / "outputs" / f"scrambled_images_photos{name}.png"
        assert picture.stat().st_size > 5_000
