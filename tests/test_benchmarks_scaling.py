"""The counts behind the page about scaling, and sums that travel between processes."""

import concurrent.futures
import functools
import multiprocessing

import numpy as np
import pytest

from keras_lconv.algebra import principal_angles
from keras_lconv.discovery import SymmetrySums, find_symmetries
from tests.test_benchmarks import load

pytestmark = pytest.mark.backend_free
computed = load("computed")


def test_sums_over_images_are_as_large_as_computed():
    for pixels in (60, 120):
        # Beside the three matrices there are vectors.
        assert 1 <= computed.pickled_bytes(pixels) / computed.grid_bytes(pixels) < 1.2


def test_an_l_conv_grows_as_its_count():
    """Products along both axes, and channels at each position: `d (2 n c + 2 c + c^2)`."""
    small, large = (computed.layer_cost(size, 4).multiply_adds for size in (16, 64))
    assert 16 * 1 < large / small < 16 * 4


def turned(x):
    """Invariant to rotations in the plane of the first two."""
    return np.sum(x[:, :2] ** 2, axis=1) ** 2 + x[:, 2] ** 4


def part(first, seed):
    """What one worker makes of its part of the data."""
    sums = first.fresh()
    sums.update(np.random.default_rng(seed).normal(size=(300, 3)))
    return sums


@pytest.mark.nightly
def test_two_processes_find_what_one_finds():
    asked = {"search": "linear", "derivatives": "finite"}
    first = SymmetrySums(turned, np.random.default_rng(0).normal(size=(300, 3)), **asked)
    # Processes that are forked would share the threads of the backend.
    spawned = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=spawned) as pool:
        parts = list(pool.map(functools.partial(part, first), [1, 2]))
    report = functools.reduce(SymmetrySums.merge, parts).result()
    x = [np.random.default_rng(seed).normal(size=(300, 3)) for seed in (1, 2)]
    expected = find_symmetries(turned, np.concatenate(x), verbose=False, **asked)
    assert report.dimension == expected.dimension == 1
    assert np.max(principal_angles(report.basis, expected.basis)) < 1e-4
