"""The example of field theory, and the figures that it must reach."""


def test_main_job(run_example, tmp_path):
    example, _ = run_example("field_theory", "--sizes", "65", "129")
    for errors in example.errors.values():
        coarse, fine = errors[-2:]
        assert fine[0] < 1e-3
        assert 3.7 < coarse[0] / fine[0] < 4.3
        # Off solutions the current is not conserved, on whichever grid.
        assert fine[1] > 0.3
    assert example.difference < 1e-4
    assert (tmp_path / "outputs" / "field_theory.png").stat().st_size > 10_000
