"""The example of group convolutions: the orders of its errors."""

import numpy as np

from tests.examples import load_example


def test_main_job(tmp_path):
    example = load_example("group_convolution")
    results = example.main(["--depth", "16", "--output", str(tmp_path)])
    assert (tmp_path / "group_convolution.png").stat().st_size > 10_000
    assert len(results) == 2
    for curves in results.values():
        for order, errors in curves.items():
            # Half of the error, or a quarter, from 8 layers to 16; at order 4 it is still
            # falling faster or slower than in the limit.
            assert abs(np.log2(errors[1] / errors[2]) - order) < (0.2 if order < 4 else 0.6)
