"""The tutorial on latent symmetries, and the figures that it must reach."""


def test_main_job(run_example, tmp_path):
    example, _ = run_example("latent_symmetry")
    assert example.report.dimension == 2
    assert example.report.formulas[0] == "d/dt"
    assert example.angle < 5
    assert example.after < example.before + 0.05
    assert example.bent.confidence < 0.6
    assert (tmp_path / "outputs" / "latent_symmetry.png").stat().st_size > 10_000
