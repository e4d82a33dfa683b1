"""The example of discovery from pairs of images, and figures that it must reach."""


def test_main_job(run_example, tmp_path):
    arguments = ["--affine-samples", "0", "--transformations", "rotation", "shear"]
    _, (scores, _, _) = run_example("discover_from_images", *arguments)
    least = {7: 0.96, 20: 0.99}
    assert {size for size, _ in scores} == set(least)
    for (size, _), found in scores.items():
        assert min(found) >= least[size]
    assert (tmp_path / "outputs" / "discover_from_images.png").stat().st_size > 10_000
