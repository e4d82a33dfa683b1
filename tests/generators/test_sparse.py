"""Generators of neighbours, shifts and graphs."""

import itertools

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import ops
from scipy import sparse

from keras_lconv import LConv
from keras_lconv import generators as g
from tests import families
from tests.families import random_matrices, relative_error, to_numpy, weighted_graph

WINDOW = list(itertools.product((-1, 0, 1), repeat=2))


@pytest.mark.parametrize("boundary", ["zero", "periodic"])
@pytest.mark.parametrize(
    ("shape", "size"), [((4, 5), 3), ((6,), 5), ((3, 4, 2), (3, 1, 1)), ((2, 2), 5)]
)
def test_grid_neighbors_one_by_one(shape, size, boundary):
    table = g.grid_neighbors(shape, size, boundary)
    sizes = size if isinstance(size, tuple) else (size,) * len(shape)
    positions = {point: n for n, point in enumerate(np.ndindex(*shape))}
    for point, row in positions.items():
        expected = []
        for step in itertools.product(*(range(-(n // 2), n // 2 + 1) for n in sizes)):
            moved = tuple(a + b for a, b in zip(point, step, strict=True))
            if boundary == "periodic":
                moved = tuple(a % n for a, n in zip(moved, shape, strict=True))
            expected.append(positions.get(moved, -1))
        assert table[row].tolist() == expected


@given(
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    boundary=st.sampled_from(["zero", "periodic"]),
    data=st.data(),
)
def test_shifts_move_as_numpy_does(shape, boundary, data):
    offset = [data.draw(st.integers(-6, 6)) for _ in shape]
    f = np.random.default_rng(0).normal(size=(2, *shape, 3)).astype("float32")
    found = to_numpy(g.ShiftGenerators([offset], boundary=boundary)(f))[..., 0, :]
    axes = tuple(range(1, len(shape) + 1))
    if boundary == "periodic":
        expected = np.roll(f, [-step for step in offset], axes)
    else:
        padded = np.pad(f, [(0, 0), *[(6, 6)] * len(shape), (0, 0)])
        kept = tuple(slice(6 + o, 6 + o + n) for o, n in zip(offset, shape, strict=True))
        expected = padded[(slice(None), *kept)]
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("name", ["neighbor", "neighbor_periodic"])
def test_norms_of_neighbors_are_those_of_the_sums_of_rows_and_columns(name):
    generators, _ = families.build(name)
    sizes = np.abs(families.reference_matrices(generators))
    expected = np.sqrt(sizes.sum(axis=1).max(axis=1) * sizes.sum(axis=2).max(axis=1))
    assert relative_error(generators.norm_bounds(), expected) < 1e-5


def test_shifts_that_leave_the_grid_are_zero():
    generators = g.ShiftGenerators([(7, 0), (0, 1)])
    generators.build((None, 4, 5, 1))
    assert to_numpy(generators.norm_bounds()).tolist() == [0.0, 1.0]
    assert not np.any(to_numpy(generators.to_dense())[0])


@pytest.mark.parametrize("boundary", ["zero", "periodic"])
def test_shifts_are_the_group_of_translations(boundary):
    """`exp(t L)` of the derivative is the shift, where it is exact."""
    f = np.random.default_rng(0).normal(size=(1, 7, 7, 2)).astype("float32")
    moved = to_numpy(g.translation(derivative="fourier").transform(f, [-2.0, 0.0]))
    shifted = to_numpy(g.ShiftGenerators([(2, 0)], boundary=boundary)(f))[..., 0, :]
    inner = slice(None) if boundary == "periodic" else slice(0, 5)
    assert np.allclose(moved[:, inner], shifted[:, inner], atol=1e-5)


@pytest.mark.parametrize("filters", [2, 6])
def test_layer_with_shifts_is_a_convolution(filters):
    """The same numbers as `Conv2D` with the same kernel."""
    f = np.random.default_rng(0).normal(size=(2, 6, 5, 3)).astype("float32")
    layer = LConv(filters, g.ShiftGenerators(WINDOW), self_interaction=None)
    conv = keras.layers.Conv2D(filters, 3, padding="same")
    layer.build(f.shape)
    conv.build(f.shape)
    conv.set_weights([to_numpy(layer.kernel).reshape(3, 3, 3, filters), np.ones(filters)])
    layer.bias.assign(np.ones(filters))
    assert relative_error(layer(f), to_numpy(conv(f))) < 1e-5


@pytest.mark.parametrize("boundary", ["zero", "periodic"])
def test_tables_of_grids_are_applied_as_slices(boundary):
    """Slices give the same as indices: on a line of equally many positions they are no
    shifts.
    """
    table = g.grid_neighbors((5, 6), 3, boundary)
    values = random_matrices(30, 9, 2)
    on_grid = g.NeighborGenerators(2, table, values=values)
    by_index = g.NeighborGenerators(2, table, values=values)
    f = np.random.default_rng(0).normal(size=(2, 5, 6, 3)).astype("float32")
    on_grid.build((None, 5, 6, 3))
    by_index.build((None, 30, 3))
    assert on_grid._shifts is not None
    assert by_index._shifts is None
    flat = f.reshape(2, 30, 3)
    found = to_numpy(on_grid(f)).reshape(2, 30, 2, 3)
    assert relative_error(by_index(flat), found) < 1e-6
    z = np.random.default_rng(1).normal(size=(2, 30, 2, 3)).astype("float32")
    z = ops.convert_to_tensor(z)
    assert relative_error(by_index.combine(z), on_grid.combine(z)) < 1e-6


@pytest.mark.thorough
def test_neighbor_generators_learn_a_derivative():
    """The central difference is among them, and least squares finds it."""
    rng = np.random.default_rng(0)
    f = rng.normal(size=(400, 8)).astype("float32")
    truth = g.translation(1, derivative="central")
    truth.build((None, 8, 1))
    y = f @ to_numpy(truth.to_dense())[0].T
    generators = g.NeighborGenerators(1, g.grid_neighbors((8,)))
    inputs = keras.Input((8,))
    outputs = keras.layers.Flatten()(generators(inputs))
    model = keras.Model(inputs, outputs)
    model.compile(keras.optimizers.Adam(0.05), "mse")
    model.fit(f, y, batch_size=100, epochs=60, verbose=0)
    assert relative_error(generators.to_dense(), to_numpy(truth.to_dense())) < 0.02


@pytest.mark.parametrize("make", [np.asarray, sparse.csr_array, sparse.coo_matrix])
@pytest.mark.parametrize("kind", ["adjacency", "laplacian", "normalized"])
def test_graph_matrices_by_their_definitions(kind, make):
    adjacency = weighted_graph(9)
    degrees = adjacency.sum(axis=1)
    roots = np.diag([1 / np.sqrt(d) if d > 0 else 0.0 for d in degrees])
    expected = {
        "adjacency": adjacency,
        "laplacian": np.diag(degrees) - adjacency,
        "normalized": roots @ adjacency @ roots,
    }[kind]
    generators = g.graph(make(adjacency), kind)
    generators.build((None, 9, 1))
    assert not generators.is_learned
    assert relative_error(generators.to_dense(), expected[None]) < 1e-6


def test_directed_graphs_send_from_column_to_row():
    adjacency = np.zeros((3, 3))
    adjacency[2, 0] = 5.0
    sent = to_numpy(g.graph(adjacency)(np.array([[1.0, 0, 0]])))
    assert sent.ravel().tolist() == [0, 0, 5]


def test_graph_convolution_of_kipf_and_welling():
    adjacency = (weighted_graph(9) > 0).astype(float)
    loops = adjacency + np.eye(9)
    hat = loops / np.sqrt(np.outer(loops.sum(1), loops.sum(1)))
    layer = LConv(4, g.graph(loops, "normalized"), self_interaction=None, use_bias=False)
    f = np.random.default_rng(0).normal(size=(2, 9, 3)).astype("float32")
    found = layer(f)
    assert relative_error(found, hat @ f @ to_numpy(layer.kernel)[0]) < 1e-5


def test_graph_without_edges():
    generators = g.graph(np.zeros((4, 4)), "normalized")
    assert not np.any(to_numpy(generators(np.ones((1, 4)))))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: g.ShiftGenerators([(0.5, 1)]), TypeError, "`offsets` must be integers"),
        (
            lambda: g.ShiftGenerators([(-2,)], boundary="valid").build((None, 2, 1)),
            ValueError,
            "keeps no position",
        ),
        (lambda: g.ShiftGenerators([]), ValueError, "`offsets` must have shape"),
        (lambda: g.ShiftGenerators([[[1]]]), ValueError, "`offsets` must have shape"),
        (
            lambda: g.ShiftGenerators([1], boundary="reflect"),
            ValueError,
            "`boundary` must be one of",
        ),
        (
            lambda: g.ShiftGenerators([1])(np.ones((1, 4, 4, 1))),
            ValueError,
            "2 spatial axes",
        ),
        (lambda: g.grid_neighbors((4, 4), 2), ValueError, "`size` must be odd"),
        (lambda: g.grid_neighbors((4, 4), (3, 3, 3)), ValueError, "one for each axis"),
        (lambda: g.grid_neighbors((4, 0)), ValueError, "`shape` must be a positive"),
        (lambda: g.grid_neighbors((4,), 3, "same"), ValueError, "`boundary` must be"),
        (
            lambda: g.NeighborGenerators(1, [[0.0]]),
            TypeError,
            "`neighbors` must be integers",
        ),
        (lambda: g.NeighborGenerators(1, [0, 1]), ValueError, r"shape `\(d, n\)`"),
        (lambda: g.NeighborGenerators(1, [[0], [2]]), ValueError, "from 0 to 1, or -1"),
        (lambda: g.NeighborGenerators(1, [[-2]]), ValueError, "entries from -2"),
        (
            lambda: g.NeighborGenerators(2, [[0], [1]], values=np.ones((2, 1, 1))),
            ValueError,
            r"`values` must have shape.*\(2, 1, 2\)",
        ),
        (
            lambda: g.NeighborGenerators(1, [[0], [1]])(np.ones((1, 3))),
            ValueError,
            "is for 2 positions",
        ),
        (lambda: g.graph(np.ones((2, 3))), ValueError, "must be a square matrix"),
        (lambda: g.graph([[np.nan]]), ValueError, "`adjacency` must be finite"),
        (lambda: g.graph(np.eye(2), "signed"), ValueError, "`kind` must be one of"),
        (lambda: g.graph(-np.eye(2), "normalized"), ValueError, "not be negative"),
    ],
)
def test_bad_arguments_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("boundary", ["zero", "periodic", "valid"])
def test_many_shifts_are_taken_by_indices(boundary):
    """As many as a window of 12 x 12 has, on a grid that is smaller in one direction."""
    reach = range(-2, 2) if boundary == "valid" else range(-6, 6)
    offsets = list(itertools.product(reach, repeat=2))
    offsets = offsets * (144 // len(offsets))
    generators = g.ShiftGenerators(offsets, boundary=boundary, strides=(1, 2))
    f = np.random.default_rng(0).normal(size=(2, 5, 7, 3)).astype("float32")
    found = to_numpy(generators(f))
    matrices = families.reference_matrices(generators)
    expected = np.einsum("kij,bjc->bikc", matrices, f.reshape(2, 35, 3))
    assert found.shape == generators.compute_output_shape(f.shape)
    assert relative_error(found.reshape(expected.shape), expected) < 1e-6
