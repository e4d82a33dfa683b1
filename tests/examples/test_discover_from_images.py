"""The example of discovery from pairs of images, and figures that it must reach."""

from tests.examples import load_example


def test_main_job(tmp_path):
    example = load_example("discover_from_images")
    arguments = ["--affine-samples", "0", "--output", str(tmp_path)]
    arguments += ["--transformations", "rotation", "shear"]
    scores, _, _ = example.main(arguments)
    least = {7: 0.96, 20: 0.99}
    assert {size for size, _ in scores} == set(least)
    for (size, _), found in scores.items():
        assert min(found) >= least[size]
    assert (tmp_path / "discover_from_images.png").stat().st_size > 10_000
