"""The example of scrambled images, on patches of photographs."""

import pytest

from tests.examples import load_example


def test_main_job(tmp_path):
    example = load_example("scrambled_images")
    arguments = ["--samples", "3000", "--test-samples", "1000", "--epochs", "3"]
    figures, accuracies = example.main([*arguments, "--output", str(tmp_path)])
    # All varying pixels on their cell, all pairs of neighbours and no others.
    assert figures[0] == pytest.approx((1.0, 1.0, 1.0))
    (original,), (hidden,), (recovered,) = accuracies.values()
    assert recovered > hidden + 3
    assert abs(recovered - original) < 3
    for name in ("", "_grid", "_accuracy"):
        picture = tmp_path / f"scrambled_images_photos{name}.png"
        assert picture.stat().st_size > 5_000
