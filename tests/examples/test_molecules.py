"""The tutorial on molecules, and the figures that it must reach."""

import numpy as np


def test_main_job(run_example, tmp_path):
    example, _ = run_example("molecules")
    step, x = 1e-5, example.test[:3]
    for place in np.ndindex(3, 3):
        shift = np.zeros((3, 3))
        shift[place] = step
        up, down = (example.chemistry(x + sign * shift)[0] for sign in (1, -1))
        slope = (up - down)[:, 0] / (2 * step)
        assert np.allclose(-example.true[1][:3][:, *place], slope, atol=1e-5)
    assert example.error["forces"] < 0.15
    assert example.error["energy"] < 0.15
    assert np.abs(example.turned - example.found[1] @ example.turn.T).max() < 1e-3
    assert example.drift < 0.02
    assert (tmp_path / "outputs" / "molecules.png").stat().st_size > 10_000
