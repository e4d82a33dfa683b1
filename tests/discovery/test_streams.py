"""Discovery in batches that are never in memory together."""

import functools
import itertools
import pickle

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from keras_lconv._streams import batches_of, is_stream
from keras_lconv.discovery import GridSums, infer_grid, infer_neighbors
from keras_lconv.discovery.pixels.moments import Moments


class Batches(keras.utils.PyDataset):
    """Pairs of inputs and targets, as Keras trains on."""

    def __init__(self, x, size):
        super().__init__()
        self._x, self._size = x, size

    def __len__(self):
        return -(-len(self._x) // self._size)

    def __getitem__(self, index):
        part = self._x[index * self._size : (index + 1) * self._size]
        return part, np.zeros(len(part))


def parts(x, sizes):
    return np.split(x, np.cumsum(sizes)[:-1])


def of_tensorflow(x):
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices((x, x[:, 0])).batch(100)


def of_pytorch(x):
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    return DataLoader(TensorDataset(torch.tensor(x)), batch_size=100)


def of_keras(x):
    return Batches(x, 100)


def of_function(x):
    def batches():
        yield from np.split(x, 5)

    return batches


def of_iterator(x):
    return iter(np.split(x, 5))


# Those of a framework run on its backend.
OWN = {"tensorflow": [of_tensorflow], "torch": [of_pytorch]}
STREAMS = [of_keras, of_function, of_iterator, *OWN.get(keras.config.backend(), [])]


# ----------------------------------------------------------------- batches


@pytest.mark.parametrize("stream", STREAMS)
def test_batches_of_every_kind_are_read_in_order(stream):
    x = np.random.default_rng(0).normal(size=(500, 3))
    made = stream(x)
    assert is_stream(made)
    batches = [keras.ops.convert_to_numpy(each) for each in batches_of("x", made)]
    assert len(batches) == 5
    assert np.array_equal(np.concatenate(batches), x)


@pytest.mark.backend_free
@pytest.mark.parametrize(
    "value", [np.eye(2), [[1.0]], ((1, 2),), "text", {"a": 1}, {1, 2}, 3, None, dict, len]
)
def test_what_is_no_stream(value):
    assert not is_stream(value)


def test_tensors_and_models_are_no_streams():
    assert not is_stream(keras.ops.ones((2, 2)))
    assert not is_stream(keras.layers.Dense(1))


@pytest.mark.backend_free
def test_streams_that_are_empty_or_endless_are_refused():
    used = iter([np.eye(2)])
    assert len(list(batches_of("x", used))) == 1
    with pytest.raises(ValueError, match="`x` must give batches"):
        list(batches_of("x", used))
    endless = Batches(np.eye(2), 1)
    type(endless).num_batches = property(lambda self: None)
    try:
        with pytest.raises(ValueError, match="must end"):
            list(batches_of("x", endless))
    finally:
        del type(endless).num_batches


# ------------------------------------------------------------------ pixels


def moments_by_definition(x, units):
    c = (x - x.mean(axis=0)) / units
    return (
        np.einsum("si,sj->ij", c, c),
        np.einsum("si,sj->ij", c**2, c),
        np.einsum("si,sj->ij", c**2, c**2),
    )


def assert_same_moments(found, x):
    expected = moments_by_definition(x, found.units)
    assert found.count == len(x)
    assert np.allclose(found.mean, x.mean(axis=0), rtol=1e-12, atol=1e-13)
    for sums, wanted in zip(
        (found.products, found.skewed, found.squares), expected, strict=True
    ):
        scale = np.sqrt(np.outer(np.diag(expected[2]), np.diag(expected[2]))) + len(x)
        assert np.max(np.abs(sums - wanted) / scale) < 1e-10


@pytest.mark.backend_free
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    offset=st.floats(-100, 100),
    power=st.integers(-60, 60),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=50, deadline=None)
def test_moments_of_batches_are_those_of_all_samples(sizes, offset, power, seed):
    rng = np.random.default_rng(seed)
    x = (rng.normal(size=(sum(sizes), 3)) ** 3 + offset) * 10.0**power
    given = [Moments.of(part) for part in parts(x, sizes)]
    assert_same_moments(functools.reduce(Moments.merged, given), x)
    # In another order, and merged from the other end.
    order = rng.permutation(len(given))
    backwards = functools.reduce(
        lambda a, b: b.merged(a), [given[number] for number in order]
    )
    assert_same_moments(backwards, x)


@functools.cache
def scrambled():
    rng = np.random.default_rng(1)
    images = gaussian_filter(rng.normal(size=(500, 6, 7)), (0, 1, 1)) + 3.0
    return images.reshape(500, 42)[:, rng.permutation(42)]


def assert_same_grid(found, expected):
    assert found.shape == expected.shape
    assert np.array_equal(found.cells, expected.cells)
    assert np.array_equal(found.data_pairs, expected.data_pairs)
    assert found.confidence == expected.confidence


@pytest.mark.parametrize("stream", STREAMS)
def test_grids_and_neighbors_of_streams(stream):
    x = scrambled()
    assert_same_grid(infer_grid(stream(x)), infer_grid(x))
    assert np.array_equal(infer_neighbors(stream(x)), infer_neighbors(x))


@pytest.mark.backend_free
def test_grid_sums_merge_in_any_order_and_survive_a_pickle():
    x, expected = scrambled(), infer_grid(scrambled(), shape=(6, 7))
    given = []
    for part in parts(x, [100, 50, 200, 150]):
        sums = GridSums(shape=(6, 7))
        sums.update(part)
        given.append(pickle.loads(pickle.dumps(sums)))
    for order in itertools.islice(itertools.permutations(given), 0, None, 7):
        first, second, third, fourth = order
        assert_same_grid(first.merge(second).merge(third).merge(fourth).result(), expected)
        assert_same_grid(first.merge(second.merge(third.merge(fourth))).result(), expected)
    # Neither changes, and sums of no images are a unit.
    with pytest.raises(ValueError, match="update"):
        GridSums().result()
    alone = GridSums(shape=(6, 7)).merge(given[2]).merge(GridSums(shape=(6, 7)))
    assert_same_grid(alone.result(), given[2].result())


@pytest.mark.backend_free
def test_grid_sums_that_do_not_fit_are_refused():
    sums, other = GridSums(), GridSums()
    sums.update(np.random.default_rng(0).normal(size=(20, 9)))
    other.update(np.random.default_rng(0).normal(size=(20, 8)))
    with pytest.raises(ValueError, match="as many positions in each batch"):
        sums.merge(other)
    with pytest.raises(ValueError, match="as many positions in each batch"):
        sums.update(np.zeros((20, 8)))
    with pytest.raises(ValueError, match="same arguments"):
        sums.merge(GridSums(min_correlation=0.2))
    with pytest.raises(TypeError, match="GridSums"):
        sums.merge(np.eye(2))
