"""The example of group convolutions: the orders of its errors."""

import numpy as np


def test_main_job(run_example, tmp_path):
    example, _ = run_example("group_convolution", "--depth", "16")
    assert (tmp_path / "outputs" / "group_convolution.png").stat().st_size > 10_000
    assert len(example.results) == 2
    for curves in example.results.values():
        for order, errors in curves.items():
            # Half of the error, or a quarter, from 8 layers to 16; at order 4 it is still
            # falling faster or slower than in the limit.
            assert abs(np.log2(errors[1] / errors[2]) - order) < (0.2 if order < 4 else 0.6)
