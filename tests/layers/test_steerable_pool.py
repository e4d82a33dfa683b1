"""Poolings of fields: symmetry, what they suppress, two ways to the same averages."""

import numpy as np
import pytest

from keras_lconv import SteerablePool
from keras_lconv.layers.steerable import steerable_pool
from tests.families import relative_error, to_numpy
from tests.samples import random


@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize("reduction", ["blur", "average", "max"])
def test_pooling_is_symmetric_for_any_size(size, reduction):
    f = np.random.default_rng(0).normal(size=(1, size, size, 2)).astype("float32")
    for strides in (2, 3):
        layer = SteerablePool("c4", "trivial", strides=strides, reduction=reduction)
        found = to_numpy(layer(np.rot90(f, axes=(1, 2)).copy()))
        assert found.shape == (1, *[-(-size // strides)] * 2, 2)
        assert relative_error(found, np.rot90(to_numpy(layer(f)), axes=(1, 2))) < 1e-6


def test_blur_leaves_less_of_what_the_grid_cannot_hold():
    waves = np.cos(0.8 * np.pi * np.arange(32))[None, :, None]
    left = [
        np.std(to_numpy(SteerablePool("reflection", "trivial", reduction=r)(waves)))
        for r in ("blur", "average", "max")
    ]
    assert left[0] < left[1] / 2 < left[2] / 2


@pytest.mark.parametrize("reduction", ["blur", "average"])
@pytest.mark.parametrize("strides", [1, 2, 3])
def test_averages_by_matrices_are_those_over_windows(strides, reduction, monkeypatch):
    f = random((2, 7, 8, 3, 2))
    layer = SteerablePool("so2", 1, strides=strides, reduction=reduction)
    found = to_numpy(layer(f))
    monkeypatch.setattr(steerable_pool, "LONGEST", 0)
    assert relative_error(found, to_numpy(layer(f))) < 1e-6
