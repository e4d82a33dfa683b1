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
from keras_lconv.algebra import principal_angles, so
from keras_lconv.discovery import (
    GridSums,
    SymmetrySums,
    find_symmetries,
    infer_grid,
    infer_neighbors,
)
from keras_lconv.discovery.null_space import NUM_GROUPS, groups_of
from keras_lconv.discovery.pixels.moments import Moments
from keras_lconv.physics import find_conserved_quantities


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
        with pytest.raises(ValueError, match="must be finite"):
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
    with pytest.raises(ValueError, match="the same number of positions in each batch"):
        sums.merge(other)
    with pytest.raises(ValueError, match="the same number of positions in each batch"):
        sums.update(np.zeros((20, 8)))
    with pytest.raises(ValueError, match="same arguments"):
        sums.merge(GridSums(min_correlation=0.2))
    with pytest.raises(TypeError, match="GridSums"):
        sums.merge(np.eye(2))


# ------------------------------------------------------------------ functions


def squares(x):
    return keras.ops.sum(x[:, :3] ** 2, axis=1) * x[:, 3]


def about_a_centre(x):
    return keras.ops.exp(-keras.ops.sum((x - 2.0) ** 2, axis=1))


def products(x):
    """Two vectors with a scalar before them, to a vector."""
    a, b = x[:, 1:4], x[:, 4:]
    return x[:, :1] * a + keras.ops.sum(a * b, axis=1, keepdims=True) * b


def table(size, num=600):
    return np.random.default_rng(0).normal(size=(num, size)) + 1.0


def images():
    noise = np.random.default_rng(2).normal(size=(120, 9, 9, 1))
    return gaussian_filter(noise, (0, 1.5, 1.5, 0))


def energy(x):
    return keras.ops.sum(x**2, axis=(1, 2))


VECTOR = {"kind": "equivariance", "blocks": 2, "scalars": 1, "output": so(3).basis}
QUESTIONS = {
    "linear": (squares, table(4), {"search": "linear"}),
    "affine": (about_a_centre, table(3), {}),
    "equivariance": (products, table(7), {**VECTOR, "search": so(3).basis}),
    "free": (products, table(7), {**VECTOR, "output": "free", "search": "linear"}),
    "library": (squares, table(4), {"search": [lambda v: v[:, 0], lambda v: v[:, 1]]}),
    "images": (energy, images(), {}),
}


def assert_same_symmetries(found, expected):
    assert found.dimension == expected.dimension
    scale = expected.singular_values[-1]
    assert np.allclose(found.singular_values, expected.singular_values, atol=1e-6 * scale)
    if expected.dimension:
        assert np.max(principal_angles(found.basis, expected.basis)) < 1e-4
    # Samples are dealt out to other groups.
    assert np.isclose(found.confidence, expected.confidence, atol=0.1)
    assert np.allclose(found.errors, expected.errors, rtol=2.0, atol=1e-4)


@pytest.mark.parametrize("question", QUESTIONS)
def test_symmetries_of_streams_are_those_of_all_samples(question):
    function, x, asked = QUESTIONS[question]
    expected = find_symmetries(function, x, verbose=False, **asked)
    found = find_symmetries(function, iter(np.split(x, 4)), verbose=False, **asked)
    assert_same_symmetries(found, expected)


@pytest.mark.parametrize("stream", STREAMS)
def test_symmetries_of_every_kind_of_stream(stream):
    x = table(4, 500).astype("float32")
    report = find_symmetries(squares, stream(x), search="linear", verbose=False)
    assert report.dimension == 4  # three rotations, and sizes against the last column


@pytest.mark.parametrize("question", ["affine", "free", "images"])
def test_sums_merge_in_any_order(question):
    function, x, asked = QUESTIONS[question]
    first = SymmetrySums(function, x, **asked)
    given = []
    for part in np.split(x, [len(x) // 7, len(x) // 2]):
        given.append(first.fresh())
        given[-1].update(part)
    a, b, c = given
    whole = first.fresh()
    whole.update(x)
    expected = whole.result()
    for merged in (a.merge(b).merge(c), a.merge(b.merge(c)), c.merge(a).merge(b)):
        found = merged.result()
        assert_same_symmetries(found, expected)
        # Groups follow from the samples: here all is the same.
        assert np.isclose(found.confidence, expected.confidence, atol=1e-6)
        assert np.allclose(found.errors, expected.errors, rtol=1e-3, atol=1e-7)
    # Neither changes.
    twice = a.merge(b).merge(c)
    assert_same_symmetries(twice.result(), expected)


def test_sums_travel_between_processes():
    function, x, asked = QUESTIONS["affine"]
    first = pickle.loads(pickle.dumps(SymmetrySums(function, x, **asked)))
    sums = first.fresh()
    sums.update(x)
    sums = pickle.loads(pickle.dumps(sums))
    sums.update(x[:50] + 0.01)
    assert sums.result().name == "so(3)"
    function, x, asked = QUESTIONS["images"]
    sums = pickle.loads(pickle.dumps(SymmetrySums(function, x, **asked)))
    sums.update(x)
    expected = find_symmetries(function, x, **asked)
    assert_same_symmetries(pickle.loads(pickle.dumps(sums)).result(), expected)


class Frame:
    """The part of pandas' reader of chunks that is used."""

    def __init__(self, values):
        self.columns, self._values = ["m", "x", "y", "z"], values

    def __len__(self):
        return len(self._values)

    def to_numpy(self):
        return self._values


def test_streams_of_data_frames_have_names():
    x = table(4)

    def turned(x):
        return keras.ops.sum(x[:, 1:] ** 2, axis=1) * x[:, 0]

    asked = {"columns": ["x", "y", "z"], "scalars": ["m"], "search": "linear"}
    chunks = (Frame(part) for part in np.split(x, 3))
    report = find_symmetries(turned, chunks, verbose=False, **asked)
    assert report.names == ("x", "y", "z")
    assert report.name == "so(3)"


def test_more_samples_than_determine_the_units(monkeypatch):
    monkeypatch.setattr("keras_lconv.discovery.functions.sums.FIRST_SAMPLES", 100)
    x = table(3)
    report = find_symmetries(about_a_centre, iter(np.split(x, 20)), verbose=False)
    expected = find_symmetries(about_a_centre, x, verbose=False)
    assert report.dimension == expected.dimension == 3
    assert np.max(principal_angles(report.algebra, expected.algebra)) < 1e-4
    assert np.allclose(report.centre, 2.0, atol=1e-4)


def test_samples_in_order_are_refused(monkeypatch):
    """The first ones lie in a plane, or are much closer together."""
    monkeypatch.setattr("keras_lconv.discovery.functions.sums.FIRST_SAMPLES", 100)
    flat = table(3)
    flat[:100, 2] = 1.0
    with pytest.raises(ValueError, match="directions in which the first ones do not"):
        find_symmetries(about_a_centre, iter(np.split(flat, 6)), verbose=False)
    close = table(3)
    close[:100] = 1.0 + 0.01 * (close[:100] - 1.0)
    with pytest.raises(ValueError, match="times the spread of the first ones"):
        find_symmetries(about_a_centre, iter(np.split(close, 6)), verbose=False)


def test_what_needs_all_samples_at_once_is_refused():
    x = table(3)
    with pytest.raises(ValueError, match="in memory for polynomial fields"):
        find_symmetries(about_a_centre, iter([x]), search="polynomial")
    with pytest.raises(ValueError, match="in memory for polynomial fields"):
        SymmetrySums(about_a_centre, x, search="polynomial")
    with pytest.raises(ValueError, match="`derivatives`"):
        find_symmetries(about_a_centre, iter([x]), derivatives=x)
    first = SymmetrySums(about_a_centre, x)
    with pytest.raises(ValueError, match="call `update`"):
        first.result()
    with pytest.raises(ValueError, match="shape of the first samples"):
        first.update(x[:, :2])
    with pytest.raises(ValueError, match="Make it by `fresh`"):
        first.merge(SymmetrySums(about_a_centre, x + 1))
    with pytest.raises(TypeError, match="SymmetrySums"):
        first.merge(GridSums())


def test_discrete_symmetries_of_streams_are_those_of_the_first_samples():
    report = find_symmetries(
        lambda x: keras.ops.sum(x**4, axis=1), iter([table(2, 200)]), discrete=True
    )
    assert report.discrete.order == 8


def kepler(z):
    q, p = z[:, :2], z[:, 2:]
    return keras.ops.sum(p**2, axis=1) / 2 - 1 / keras.ops.sqrt(keras.ops.sum(q**2, axis=1))


def test_conserved_quantities_of_streams():
    z = np.random.default_rng(0).normal(size=(500, 4))
    report = find_conserved_quantities(kepler, iter(np.split(z, 5)))
    expected = find_conserved_quantities(kepler, z)
    assert [each.formula() for each in report.quantities] == ["q1 p2 - q2 p1"]
    assert np.allclose(report.singular_values, expected.singular_values, atol=1e-6)
    with pytest.raises(ValueError, match="positions, then n momenta"):
        find_conserved_quantities(kepler, iter([z[:, :3]]))


@pytest.mark.backend_free
@given(seed=st.integers(0, 2**32 - 1), size=st.integers(1, 20))
@settings(max_examples=25, deadline=None)
def test_groups_follow_from_samples_and_are_alike_in_size(seed, size):
    x = np.random.default_rng(seed).normal(size=(4000, size))
    groups = groups_of(x)
    counts = np.bincount(groups, minlength=NUM_GROUPS)
    # Six standard deviations of a binomial distribution.
    assert np.all(np.abs(counts - 500) < 6 * np.sqrt(500 * 7 / 8))
    order = np.random.default_rng(seed).permutation(4000)
    assert np.array_equal(groups_of(x[order]), groups[order])
    assert np.array_equal(groups_of(-0.0 * x), groups_of(0.0 * x))
    whole = np.random.default_rng(seed).integers(0, 30, (4000, size + 1)).astype(float)
    counts = np.bincount(groups_of(np.unique(whole, axis=0)), minlength=NUM_GROUPS)
    assert np.min(counts) > 0.5 * np.mean(counts)
