"""The example of discovery from data: the figures that it must reach, with fewer points."""


def test_main_job(run_example, tmp_path):
    arguments = ["--samples", "8000", "--epochs", "25"]
    example, _ = run_example("discover_symmetry", *arguments)
    assert example.report.algebra.identify().name == "so(5)"
    assert example.angle < 0.3
    assert example.report.confidence > 0.9
    assert (tmp_path / "outputs" / "discover_symmetry.png").stat().st_size > 10_000
