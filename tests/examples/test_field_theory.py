"""The example of field theory, and the figures that it must reach."""

from tests.examples import load_example


def test_main_job(tmp_path):
    example = load_example("field_theory")
    arguments = ["--sizes", "65", "129", "--output", str(tmp_path)]
    results, difference = example.main(arguments)
    for errors in results.values():
        coarse, fine = errors
        assert fine[0] < 1e-3
        assert 3.7 < coarse[0] / fine[0] < 4.3
        # Off solutions the current is not conserved, on whichever grid.
        assert fine[1] > 0.3
    assert difference < 1e-4
    assert (tmp_path / "field_theory.png").stat().st_size > 10_000
