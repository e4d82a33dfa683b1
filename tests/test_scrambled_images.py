"""The example of scrambled images, on patches of photographs."""

import importlib.util
import pathlib

import pytest


def test_main_job(tmp_path):
    path = pathlib.Path(__file__).parents[1] / "examples" / "scrambled_images.py"
    spec = importlib.util.spec_from_file_location("scrambled_images", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
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
