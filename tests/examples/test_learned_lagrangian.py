"""The example of a learned Lagrangian: its errors, and what it conserves."""

import numpy as np


def test_main_job(run_example, tmp_path):
    example, _ = run_example("learned_lagrangian", "--time", "2")
    assert (tmp_path / "outputs" / "learned_lagrangian.png").stat().st_size > 10_000
    errors = example.errors
    assert errors["Lagrangian"] < errors["dense"] / 2
    assert errors["Lagrangian"] < 0.08
    energy, momentum = (np.max(values) for values in example.changes["Lagrangian"])
    assert energy < 2e-3
    assert momentum < 2e-3
    for name in ("local", "dense"):
        assert np.max(example.changes[name][0]) > 5e-3
    # The right side is minus the gradient of the energy: by central differences.
    u = 0.5 * np.random.default_rng(0).normal(size=(1, example.POINTS))
    for at in (0, 13):
        step = np.zeros_like(u)
        step[0, at] = 1e-2
        energies = [example.learned_potential(u + sign * step)[0] for sign in (1, -1)]
        force = example.models["Lagrangian"].predict(u, verbose=0)[0, at]
        slope = (energies[0] - energies[1]) / 2e-2
        assert abs(slope + force) < 2e-2 * (1 + abs(force))
