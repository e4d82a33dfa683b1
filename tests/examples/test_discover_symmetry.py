"""The example of discovery from data: the figures that it must reach, with fewer points."""

from tests.examples import load_example


def test_main_job(tmp_path):
    example = load_example("discover_symmetry")
    report, angle = example.main(
        ["--samples", "8000", "--epochs", "25", "--output", str(tmp_path)]
    )
    assert report.algebra.identify().name == "so(5)"
    assert angle < 0.3
    assert report.confidence > 0.9
    assert (tmp_path / "discover_symmetry.png").stat().st_size > 10_000
