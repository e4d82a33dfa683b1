"""The example of what is equivariant: which layers are, and which are not."""

import numpy as np


def test_main_job(run_example, tmp_path):
    example, _ = run_example("equivariance", "--size", "15", "--angles", "2")
    vectors, images = example.results.values()
    assert (tmp_path / "outputs" / "equivariance.png").stat().st_size > 10_000
    assert (tmp_path / "outputs" / "equivariance_errors.png").stat().st_size > 10_000
    for name, errors in vectors.items():
        # From a right angle on: at a small one the error is small.
        large_angles = errors[len(errors) // 2 - 1 :]
        assert (np.min(large_angles) > 0.1) == (name == "L-conv, all of so(3)"), name
        assert (np.max(errors) < 1e-5) == (name != "L-conv, all of so(3)"), name
    assert np.max(images["L-conv, rotation"]) < 1e-5
    assert 1e-5 < np.max(images["lift to SE(2), L-conv"]) < 1e-2
    assert np.max(images["the same, with ReLU"]) > 1e-3
    assert np.max(images["L-conv, affine"]) > 1e-2
