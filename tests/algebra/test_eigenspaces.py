"""Averages over a one-parameter group, against sums over its elements."""

import numpy as np
from scipy.linalg import block_diag, expm

from keras_lconv.algebra.eigenspaces import average_over_orbit, frequency_spaces


def test_the_average_of_an_operator_over_turns():
    rng = np.random.default_rng(0)
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    change = np.linalg.qr(rng.normal(size=(7, 7)))[0]
    generator = change @ block_diag(turn, turn, 2 * turn, [[0.0]]) @ change.T
    operator = rng.normal(size=(7, 7))
    operator = operator + operator.T
    angles = 2 * np.pi * np.arange(16) / 16
    expected = np.mean(
        [expm(t * generator) @ operator @ expm(-t * generator) for t in angles], axis=0
    )
    spaces = frequency_spaces(-generator @ generator, 1e-9)
    blocks = average_over_orbit(operator, generator, spaces)
    assert sorted(len(block) for block in blocks) == [1, 2, 4]
    found = sum(
        space @ block @ space.T for space, block in zip(spaces.split(), blocks, strict=True)
    )
    assert np.allclose(found, expected, atol=1e-12)
