"""Conserved quantities of data that are never in memory together."""

import functools
import itertools
import pickle

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_lconv.discovery.null_space import NUM_GROUPS
from keras_lconv.physics import (
    HamiltonianSums,
    MotionSums,
    find_conserved_quantities,
    fit_conserved_quantities,
)
from keras_lconv.physics.conservation.path_sums import PathSums
from tests.physics.conservation.kepler import kepler, points

TIMES = np.linspace(0, 6, 40)


def oscillators(num=60, seed=0, friction=0.0, offset=0.0):
    """Two oscillators of different frequencies, in canonical coordinates."""
    rng = np.random.default_rng(seed)
    size, phase = rng.uniform(0.5, 2, (num, 1, 2)), rng.uniform(0, 6, (num, 1, 2))
    angle = np.array([1.0, 1.7]) * TIMES[:, None] + phase
    paths = np.concatenate([size * np.cos(angle), -size * np.sin(angle)], axis=2)
    return paths * np.exp(-friction * TIMES)[:, None] + offset


def quartic(z):
    """Conserves itself and nothing else."""
    x, y = z[:, 0], z[:, 1]
    return np.sum(z**2, axis=1) / 2 + x**2 * y - y**3 / 3


def formulas(report):
    return [each.formula() for each in report.quantities]


def assert_same(found, expected, errors=2.0):
    assert formulas(found) == formulas(expected)
    values, wanted = found.singular_values, expected.singular_values
    assert np.allclose(values, wanted, atol=1e-6 * wanted[-1])
    assert np.isclose(found.confidence, expected.confidence, atol=0.1)
    assert np.allclose(found.errors, expected.errors, rtol=errors, atol=1e-5)
    for drift, own in zip(found.drifting, expected.drifting, strict=True):
        assert np.isclose(drift.rate, own.rate, rtol=1e-6)
        assert drift.quantity.formula() == own.quantity.formula()


# ------------------------------------------------------------ sums over trajectories

LENGTHS = st.lists(st.integers(1, 15), min_size=2, max_size=8)


@pytest.mark.backend_free
@given(lengths=LENGTHS, seed=st.integers(0, 2**32 - 1), is_even=st.booleans())
@settings(max_examples=30, deadline=None)
def test_sums_over_trajectories_by_their_definition(lengths, seed, is_even):
    rng = np.random.default_rng(seed)
    values = [rng.normal(size=(length, 2)) + 3.0 for length in lengths]
    clocks = [
        np.arange(float(length)) if is_even else np.cumsum(rng.uniform(1, 2, length))
        for length in lengths
    ]
    groups = rng.integers(0, NUM_GROUPS, len(lengths))
    half = len(lengths) // 2
    parts = [
        PathSums.of(np.concatenate(values[s]), clocks[s], groups[s])
        for s in (slice(0, half), slice(half, None))
        if lengths[s]
    ]
    sums, scales = functools.reduce(PathSums.merged, parts).standardised()
    points = np.concatenate(values)
    mean, spread = points.mean(axis=0), points.std(axis=0)
    assert np.allclose(scales, 1 / spread)
    values = [(value - mean) / spread for value in values]
    assert sums.num_points == len(points)
    slopes = []
    lines = np.zeros((2, 2))
    for group in range(NUM_GROUPS):
        own = [v for v, g in zip(values, groups, strict=True) if g == group]
        ended = [np.hstack([v, np.ones((len(v), 1))]) for v in own]
        assert np.allclose(sums.points[group], sum(v.T @ v for v in ended), atol=1e-9)
        centred = [v - v.mean(axis=0) for v in own]
        assert np.allclose(sums.along[group], sum(v.T @ v for v in centred), atol=1e-9)
    for value, clock in zip(values, clocks, strict=True):
        fit = np.polyfit(clock, value, 1)[0] if len(clock) > 1 else np.zeros(2)
        slopes.append(fit)
        line = np.outer(clock - clock.mean(), fit)
        lines += line.T @ line
    assert np.allclose(sums.lines, lines, atol=1e-9)
    means = np.array([value.mean(axis=0) for value in values])
    rows = np.hstack([means, np.ones((len(means), 1)), slopes])
    assert np.allclose(sums.paths, rows.T @ rows, atol=1e-9)
    one = [np.ones((len(value) - 1, 1)) for value in values]
    steps = [np.hstack([v[:-1], e, v[1:]]) for v, e in zip(values, one, strict=True)]
    rows = np.concatenate(steps)
    assert np.allclose(sums.steps, rows.T @ rows, atol=1e-9)
    durations = np.concatenate([np.diff(clock) for clock in clocks])
    assert np.isclose(sums.duration, np.sum(durations))
    assert sums.extremes[2] == max(lengths) - 1
    if len(durations):
        assert np.allclose(sums.extremes[:2], [-durations.min(), durations.max()])


# The flows of the energies of both.
FLOWS = [
    np.kron([[0.0, 1.0], [-1.0, 0.0]], np.diag(each)) for each in ([1.0, 0.0], [0.0, 1.0])
]
QUESTIONS = {
    "affine": ({}, {}),
    "matrices": ({}, {"search": FLOWS}),
    "far": ({"offset": 100.0}, {}),
    "decaying": ({"friction": 0.2}, {}),
    "drifting": ({"friction": 0.002}, {}),
    "polynomial": ({}, {"search": "polynomial", "degree": 4}),
}


@pytest.mark.backend_free
@pytest.mark.parametrize("question", QUESTIONS)
def test_quantities_of_streams_are_those_of_all_trajectories(question):
    motion, asked = QUESTIONS[question]
    paths = oscillators(**motion)
    expected = fit_conserved_quantities(paths, times=TIMES, **asked)
    found = fit_conserved_quantities(iter(np.split(paths, 4)), times=TIMES, **asked)
    assert_same(found, expected, errors=5.0)
    assert len(found.quantities) + len(found.drifting) > 0


@pytest.mark.backend_free
@pytest.mark.parametrize("question", ["affine", "decaying", "polynomial"])
def test_sums_of_trajectories_merge_in_any_order(question):
    motion, asked = QUESTIONS[question]
    paths = oscillators(**motion)
    first = MotionSums(paths[:20], times=TIMES, **asked)
    parts = []
    for part in np.split(paths, [10, 25]):
        sums = pickle.loads(pickle.dumps(first)).fresh()
        sums.update(part, TIMES)
        parts.append(pickle.loads(pickle.dumps(sums)))
    whole = first.fresh()
    whole.update(paths, TIMES)
    expected = whole.result()
    for a, b, c in itertools.permutations(parts):
        for found in (a.merge(b).merge(c), a.merge(b.merge(c)).merge(first.fresh())):
            assert_same(found.result(), expected, errors=1e-2)
    # Neither changes.
    assert_same(parts[0].merge(parts[1]).merge(parts[2]).result(), expected, errors=1e-2)


class Batches(keras.utils.PyDataset):
    """Trajectories with their times."""

    def __init__(self, paths):
        super().__init__()
        self._paths = paths

    def __len__(self):
        return len(self._paths) // 10

    def __getitem__(self, index):
        part = self._paths[index * 10 : (index + 1) * 10]
        return part, np.tile(TIMES, (10, 1))


def of_tensorflow(paths):
    import tensorflow as tf

    times = np.tile(TIMES, (len(paths), 1))
    return tf.data.Dataset.from_tensor_slices((paths, times)).batch(10)


def of_pytorch(paths):
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    times = np.tile(TIMES, (len(paths), 1))
    return DataLoader(
        TensorDataset(torch.tensor(paths), torch.tensor(times)), batch_size=10
    )


def of_lists(paths):
    return ((list(part), [TIMES] * len(part)) for part in np.split(paths, 3))


def one_by_one(paths):
    return ((path, TIMES) for path in paths)


OWN = {"tensorflow": [of_tensorflow], "torch": [of_pytorch]}
STREAMS = [Batches, of_lists, one_by_one, *OWN.get(keras.config.backend(), [])]


@pytest.mark.parametrize("stream", STREAMS)
def test_trajectories_in_batches_of_every_kind(stream):
    paths = oscillators(friction=0.2)
    expected = fit_conserved_quantities(paths, times=TIMES)
    found = fit_conserved_quantities(stream(paths))
    assert found.drifting  # whose rates have the unit of the times
    assert_same(found, expected)


@pytest.mark.backend_free
def test_labels_beside_trajectories_do_not_count():
    paths = oscillators()
    labelled = ((part, np.zeros(len(part)), None) for part in np.split(paths, 3))
    expected = fit_conserved_quantities(paths)
    assert_same(fit_conserved_quantities(labelled), expected)
    assert_same(fit_conserved_quantities([part] for part in np.split(paths, 3)), expected)
    assert_same(fit_conserved_quantities(list(part) for part in (paths,)), expected)


@pytest.mark.backend_free
def test_more_trajectories_than_determine_the_units(monkeypatch):
    monkeypatch.setattr("keras_lconv.physics.conservation.motion_sums.FIRST_POINTS", 400)
    paths = oscillators()
    expected = fit_conserved_quantities(paths, times=TIMES)
    found = fit_conserved_quantities(iter(np.split(paths, 12)), times=TIMES)
    assert_same(found, expected)
    close = np.concatenate([0.01 * paths[:20], paths])
    with pytest.raises(ValueError, match="times the spread of the first ones"):
        fit_conserved_quantities(iter(np.split(close, 8)))
    flat = np.concatenate([paths[:20] * [1, 0, 1, 0], paths])
    with pytest.raises(ValueError, match="directions in which the first ones do not"):
        fit_conserved_quantities(iter(np.split(flat, 8)))


@pytest.mark.backend_free
def test_sums_of_trajectories_that_do_not_fit_are_refused():
    paths = oscillators()
    first = MotionSums(paths)
    with pytest.raises(ValueError, match="at least 2 different trajectories"):
        first.result()
    first.update(paths[:1])
    with pytest.raises(ValueError, match="at least 2 different trajectories"):
        first.result()
    with pytest.raises(ValueError, match="4 coordinates of the first ones"):
        first.update(paths[..., :2])
    with pytest.raises(ValueError, match="Make it by `fresh`"):
        first.merge(MotionSums(paths + 1))
    with pytest.raises(TypeError, match="MotionSums"):
        first.merge(paths)
    with pytest.raises(ValueError, match="must move"):
        MotionSums(paths[:, :1] + 0 * paths)
    with pytest.raises(ValueError, match="at least 2 different trajectories"):
        fit_conserved_quantities(iter([paths[:1]]))


# ------------------------------------------------------------------ Hamiltonians

HAMILTONIANS = {
    "affine": (kepler, points(4), {}),
    "linear": (kepler, points(4), {"action": "linear"}),
    "polynomial": (quartic, points(4, 700), {"search": "polynomial", "degree": 3}),
    "functions": (
        kepler,
        points(4, 700),
        {"search": {"1/|q|": lambda z: 1 / np.linalg.norm(z[:, :2], axis=1)}},
    ),
}


@pytest.mark.parametrize("question", HAMILTONIANS)
def test_quantities_at_streams_are_those_at_all_points(question):
    hamiltonian, z, asked = HAMILTONIANS[question]
    expected = find_conserved_quantities(hamiltonian, z, **asked)
    found = find_conserved_quantities(hamiltonian, iter(np.split(z, 5)), **asked)
    assert len(found) >= 1
    assert_same(found, expected, errors=5.0)


@pytest.mark.parametrize("question", HAMILTONIANS)
def test_sums_at_points_merge_in_any_order(question):
    hamiltonian, z, asked = HAMILTONIANS[question]
    first = HamiltonianSums(hamiltonian, z[:300], **asked)
    if question != "functions":  # which are lambdas here
        first = pickle.loads(pickle.dumps(first))
    parts = []
    for part in np.split(z, [100, 250]):
        parts.append(first.fresh())
        parts[-1].update(part)
    whole = first.fresh()
    whole.update(z)
    expected = whole.result()
    a, b, c = parts
    for merged in (a.merge(b).merge(c), c.merge(first.fresh()).merge(b.merge(a))):
        assert_same(merged.result(), expected, errors=1e-2)


def test_sums_at_points_that_do_not_fit_are_refused():
    first = HamiltonianSums(kepler, points(4), search="polynomial")
    with pytest.raises(ValueError, match="call `update`"):
        first.result()
    with pytest.raises(ValueError, match="4 coordinates of the first points"):
        first.update(points(6))
    with pytest.raises(ValueError, match="Make it by `fresh`"):
        first.merge(HamiltonianSums(kepler, points(4)))
    with pytest.raises(TypeError, match="HamiltonianSums"):
        first.merge(MotionSums(oscillators()))
    first.update(100 * points(4))
    with pytest.raises(ValueError, match="times the spread of the first ones"):
        first.result()
