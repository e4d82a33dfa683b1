"""The example of discovery from data: the figures that it must reach, with fewer points."""


def test_main_job(run_example, tmp_path):
    arguments = ["--samples", "8000", "--epochs", "25"]
    example, _ = run_example("discover_symmetry", *arguments)
    assert example.report.algebra.identify().name == "so(5)"
    assert example.angle < 0.3
    # Less than the spectrum alone tells: a smooth function foretells a part of what the
    # network misses on new samples.
    assert example.report.confidence > 0.8
    assert (tmp_path / "outputs" / "discover_symmetry.png").stat().st_size > 10_000
