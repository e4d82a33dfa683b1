"""Convolutions on points: against NumPy, and what moves them."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy.linalg import expm

from keras_lconv import PointConv, PointPooling
from keras_lconv.algebra import LieAlgebra, O, equivariant_kernels, intertwiners, sl, so
from keras_lconv.layers.points import geometry
from keras_lconv.layers.points.kernels import Kernels
from tests.autodiff import float64, run
from tests.families import relative_error, to_numpy

LAST = {"data_format": "channels_last"}


def cloud(number=6, size=3, seed=0):
    """Numbers and positions of two samples."""
    rng = np.random.default_rng(seed)
    return (
        rng.normal(size=(2, number, 2)).astype("float32"),
        rng.normal(size=(2, number, size)).astype("float32"),
    )


def of(layer, *inputs, **kwargs):
    if not layer.built:
        layer.build([x.shape for x in inputs])
    return to_numpy(run(lambda *arrays: layer(list(arrays), **kwargs), *inputs))


def silu(x):
    return x / (1 + np.exp(-x))


def expected(layer, f, x, of_pairs=None):
    """The formula of the docstring, pair by pair, for numbers that become vectors."""
    weights = {w.path.split("/")[-1]: to_numpy(w) for w in layer.weights}
    kernels = equivariant_kernels(
        layer.group, layer.representation_in, layer.representation_out, layer.degree
    )
    kernel, channels = weights["kernel"], f.shape[-1]
    y = np.zeros((*f.shape[:2], 3, layer.filters))
    for b, i in np.ndindex(*f.shape[:2]):
        for j in range(f.shape[1]):
            if i == j:
                continue
            d = x[b, j] - x[b, i]
            q = d @ d
            seen = [np.log1p(q)] if of_pairs is None else [np.log1p(q), *of_pairs[b, i, j]]
            hidden = seen @ weights["edge_kernel"] + weights["hidden_bias"]
            hidden = hidden + f[b, i] @ weights["target_kernel"]
            hidden = hidden + f[b, j] @ weights["source_kernel"]
            r = silu(hidden) @ weights["hidden_0_kernel"] + weights["hidden_0_bias"]
            r = r.reshape(len(kernels), channels)
            values = kernels(d / (1 + q**2) ** 0.25)
            told = np.einsum("poi,pc,c,pcf->of", values, r, f[b, j], kernel)
            y[b, i] += told / (f.shape[1] - 1)
    return y


def test_the_formula_of_the_docstring():
    f, x = cloud()
    layer = PointConv(3, "so3", representation_out="standard", **LAST)
    assert not len(intertwiners(layer.representation_in, layer.representation_out))
    found = of(layer, f, x)
    assert relative_error(found, expected(layer, f, x)) < 1e-5


def test_numbers_of_pairs_are_seen_by_the_network():
    f, x = cloud()
    charges = np.random.default_rng(3).normal(size=(2, 6, 6, 2)).astype("float32")
    layer = PointConv(3, "so3", representation_out="standard", **LAST)
    found = of(layer, f, x, charges)
    assert relative_error(found, expected(layer, f, x, charges)) < 1e-5


@pytest.mark.parametrize("is_mixed", [False, True])
def test_messages_between_parts_are_those_of_whole_kernels(is_mixed):
    """Of a vector, a number and a vector, as they are or in coordinates that mix them."""
    group, rng = O(3), np.random.default_rng(0)
    vector, number = group.standard, group.trivial()
    fields = vector + number + vector
    if is_mixed:
        fields = fields.on(np.linalg.qr(rng.normal(size=(7, 7)))[0])
    kernels = equivariant_kernels(group, fields, number + vector, 2)
    arrays = x, factors, weights, f, mixing = [
        rng.normal(size=size).astype("float32")
        for size in (
            (2, 3, 5, 3),
            (2, 3, 5, len(kernels), 2),
            (2, 3, 5),
            (2, 3, 5, 7, 2),
            (len(kernels), 2, 4),
        )
    ]
    messages = Kernels(kernels)
    tensors = map(keras.ops.convert_to_tensor, arrays)
    found = to_numpy(run(lambda *given: messages(*given), *tensors))
    expected = np.einsum(
        "pbnkoi,bnkpc,bnk,bnkic,pcf->bnof", kernels(x), factors, weights, f, mixing
    )
    assert relative_error(found, expected) < 1e-5


@pytest.mark.parametrize("choice", ["number", "table", "mask"])
def test_numbers_of_pairs_follow_their_neighbours(choice):
    """Chosen, in a table, or among points that are not there: those of the same pairs."""
    f, x = cloud()
    pairs = np.random.default_rng(3).normal(size=(2, 6, 6, 2)).astype("float32")
    dense = PointConv(3, "o3", aggregation="sum", **LAST)
    if choice == "mask":
        alone = of(dense, f[:, :4], x[:, :4], pairs[:, :4, :4])
        pairs[:, 4:], pairs[:, :, 4:] = np.nan, np.nan
        mask = keras.ops.convert_to_tensor(np.arange(6)[None] < np.array([[4], [4]]))
        found = of(dense, f, x, pairs, mask=[mask, None, None])
        assert relative_error(found[:, :4], alone) < 1e-5
        return
    distances = np.linalg.norm(x[:, :, None] - x[:, None], axis=-1)
    order = np.argsort(distances, axis=-1)[..., 1:4].astype("int32")
    reference = of(dense, f, x, order, np.take_along_axis(pairs, order[..., None], axis=2))
    if choice == "number":
        few = PointConv(3, "o3", aggregation="sum", num_neighbors=3, **LAST)
        few.build([f.shape, x.shape, pairs.shape])
        few.set_weights(dense.get_weights())
        assert relative_error(of(few, f, x, pairs), reference) < 1e-5
        return
    table = np.tile(np.arange(6, dtype="int32"), (2, 6, 1))
    near = np.any(table[..., None] == order[:, :, None], axis=-1)
    inputs = f, x, np.where(near, table, -1), pairs
    assert relative_error(of(dense, *inputs), reference) < 1e-5


@pytest.mark.backend_free
def test_numbers_of_pairs_of_both_data_formats():
    f, x = cloud()
    pairs = np.random.default_rng(3).normal(size=(2, 6, 6, 2)).astype("float32")
    last = PointConv(3, "o3", **LAST)
    expected = of(last, f, x, pairs)
    first = PointConv(3, "o3", data_format="channels_first")
    inputs = [np.moveaxis(each, -1, 1) for each in (f, x, pairs)]
    first.build([each.shape for each in inputs])
    first.set_weights(last.get_weights())
    found = np.moveaxis(of(first, *inputs), 1, -1)
    assert relative_error(found, expected) < 1e-6
    with pytest.raises(ValueError, match=r"2 numbers of each pair\. Received: 2 "):
        last([f, x, pairs[..., :1]])
    for wrong in (pairs[:, :, :5], pairs[:, :5], pairs[..., :0]):
        with pytest.raises(ValueError, match=r"expects features|defined number"):
            PointConv(3, "o3", **LAST).build([f.shape, x.shape, wrong.shape])


def lorentz(rapidity):
    """A boost and a turn, of the coordinates `(x, y, z, t)`."""
    basis = so(3, 1).basis
    boosts = [L for L in basis if np.allclose(L, L.T)]
    turns = [L for L in basis if np.allclose(L, -L.T)]
    return expm(rapidity * boosts[0]) @ expm(0.8 * turns[1])


def test_boosts_of_rapidity_three_in_float64():
    x = cloud(size=4)[1].astype("float64")
    g = lorentz(3.0)
    vectors = np.random.default_rng(1).normal(size=(2, 6, 4, 2))
    with float64():
        layer = PointConv(
            3,
            so(3, 1),
            representation_in="standard",
            representation_out="standard",
            dtype="float64",
            **LAST,
        )
        first = of(layer, vectors, x)
        moved = np.einsum("ij,bnjc->bnic", g, vectors)
        second = of(layer, moved, x @ g.T + 2.0)
    assert relative_error(second, np.einsum("ij,bnjc->bnic", g, first)) < 1e-9


def test_an_algebra_in_other_coordinates():
    """As one that was found in data: its form is another one."""
    change = np.eye(3) + 0.3 * np.random.default_rng(2).normal(size=(3, 3))
    algebra = LieAlgebra(np.linalg.inv(change) @ so(3).basis @ change)
    g = expm(np.tensordot([0.5, -1.0, 0.7], algebra.basis, 1))
    f, x = cloud()
    layer = PointConv(3, algebra, representation_out="standard", **LAST)
    first, second = of(layer, f, x), of(layer, f, (x @ g.T).astype("float32"))
    assert relative_error(second, np.einsum("ij,bnjc->bnic", g, first)) < 1e-5


@pytest.mark.parametrize("aggregation", ["average", "attention"])
def test_points_that_are_masked_are_not_there(aggregation):
    f, x = cloud()
    layer = PointConv(3, "o3", aggregation=aggregation, relative=False, **LAST)
    alone = of(layer, f[:, :4], x[:, :4])
    f[:, 4:], x[:, 4:] = np.nan, np.nan
    mask = keras.ops.convert_to_tensor(np.arange(6)[None] < np.array([[4], [4]]))
    found = of(layer, f, x, mask=[mask, None])
    assert relative_error(found[:, :4], alone) < 1e-5


def test_masks_of_both_inputs_count():
    f, x = cloud()
    layer = PointConv(3, "o3", **LAST)
    alone = of(layer, f[:, :4], x[:, :4])
    f[:, 4], x[:, 5] = np.nan, np.nan
    masks = [np.arange(6)[None].repeat(2, 0) != hidden for hidden in (4, 5)]
    found = of(layer, f, x, mask=[keras.ops.convert_to_tensor(m) for m in masks])
    assert relative_error(found[:, :4], alone) < 1e-5


@pytest.mark.parametrize("choice", ["number", "table"])
def test_neighbours_are_the_nearest(choice):
    f, x = cloud()
    distances = np.linalg.norm(x[:, :, None] - x[:, None], axis=-1)
    order = np.argsort(distances, axis=-1)[..., 1:4]
    near = np.zeros(distances.shape, bool)
    np.put_along_axis(near, order, True, axis=-1)
    dense = PointConv(3, "o3", aggregation="sum", **LAST)
    table = np.where(near, np.arange(6), -1).astype("int32")
    reference = of(dense, f, x, table)
    few = PointConv(3, "o3", aggregation="sum", num_neighbors=3, **LAST)
    few.build([f.shape, x.shape])
    few.set_weights(dense.get_weights())
    inputs = (f, x) if choice == "number" else (f, x, order.astype("int32"))
    layer = few if choice == "number" else dense
    assert relative_error(of(layer, *inputs), reference) < 1e-5
    assert relative_error(of(dense, f, x), reference) > 1e-2


def test_functions_of_distances_tell_small_changes():
    """They are of order one, and so is what a stretched bond of 1 angstrom changes."""
    lengths = np.linspace(0.2, 4.5, 300)
    found = to_numpy(geometry.bumps(ops.convert_to_tensor(lengths**2), 5.0))
    assert 0.5 < np.mean(found**2) < 2
    ends = ops.convert_to_tensor(np.array([1.0, 1.05]) ** 2)
    assert np.linalg.norm(np.diff(to_numpy(geometry.bumps(ends, 5.0)), axis=0)) > 0.5


def test_messages_vanish_smoothly_at_the_radius():
    f = np.ones((1, 2, 1), "float32")

    def at(distance):
        return of(layer, f, np.array([[[0, 0, 0], [distance, 0, 0]]], "float32"))

    layer = PointConv(1, "o3", radius=2.0, aggregation="sum", **LAST)
    far = at(5.0)
    assert np.array_equal(at(2.0), far)
    step = 1e-2
    assert np.max(np.abs(at(2.0 - step) - far)) < 1e3 * step**3
    assert np.max(np.abs(at(1.0) - far)) > 1e-3


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("num_neighbors", [None, 3])
def test_small_clouds(number, num_neighbors):
    f, x = cloud()
    layer = PointConv(3, "o3", num_neighbors=num_neighbors, **LAST)
    layer.build([(None, number or 1, 2), (None, number or 1, 3)])
    found = of(layer, f[:, :number], x[:, :number])
    assert found.shape == (2, number, 3)
    assert np.all(np.isfinite(found))


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("arguments", "shapes", "message"),
    [
        ({"group": "so3"}, [(None, 4, 1), (None, 4, 2)], "expects features of shape"),
        ({"group": "so3"}, [(None, 4, 1), (None, 5, 3)], "expects features of shape"),
        ({"group": "so3"}, [(None, 4, 1)], "expects features of shape"),
        ({"group": "so3", "num_neighbors": 3}, [(None, None, 1), (None, None, 3)], "Pad"),
        ({"group": so(3, 1), "radius": 1.0}, None, "preserves a distance"),
        ({"group": sl(3), "num_neighbors": 2}, None, "invariant form"),
        (
            {"group": "so3", "representation_out": "standard", "activation": "relu"},
            None,
            "`activation` must be None unless",
        ),
        ({"group": so(8), "degree": 5}, None, "`degree` must be lower"),
        ({"group": "so3", "aggregation": "max"}, None, "`aggregation` must be one of"),
        (
            {"group": "so3", "representation_out": 2, "degree": 1},
            None,
            None,
        ),
        (
            {"group": "o3", "representation_out": "standard", "degree": 0},
            [(None, 4, 1), (None, 4, 3)],
            "has no kernel up to degree=0",
        ),
        (
            {"group": "so3"},
            [(None, 100_000, 1), (None, 100_000, 3)],
            "Set `num_neighbors` to limit them",
        ),
    ],
)
def test_what_does_not_fit_is_refused(arguments, shapes, message):
    if message is None:
        assert PointConv(2, **arguments).filters == 2
        return
    with pytest.raises(ValueError, match=message):
        PointConv(2, **arguments, **LAST).build(shapes)


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("reduction", "rule"), [("sum", np.sum), ("average", np.mean), ("max", np.max)]
)
def test_pooling_of_what_is_there(reduction, rule):
    f = np.random.default_rng(0).normal(size=(2, 5, 3)).astype("float32")
    mask = np.array([[True, True, False, True, False], [False] * 5])
    f[~mask] = np.nan
    layer = PointPooling(reduction=reduction, **LAST)
    found = to_numpy(layer(f, mask=keras.ops.convert_to_tensor(mask)))
    assert np.allclose(found[0], rule(f[0, mask[0]], axis=0), atol=1e-6)
    assert np.array_equal(found[1], np.zeros(3))


@pytest.mark.backend_free
def test_pooling_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match="expects features of shape"):
        PointPooling(reduction="max").build((None, 5, 3, 2))
    with pytest.raises(ValueError, match="`reduction` must be one of"):
        PointPooling(reduction="norm")


def test_a_table_tells_samples_apart():
    """A number that is none of a point is padding, and not a point of the next sample."""
    f, x = cloud()
    layer = PointConv(3, "o3", aggregation="sum", **LAST)
    padded, alone = (np.full((2, 6, 1), number, "int32") for number in (6, -1))
    assert np.array_equal(of(layer, f, x, padded), of(layer, f, x, alone))
    with pytest.raises(ValueError, match="expects features of shape"):
        layer([f, x, alone[:, :4]])
    with pytest.raises(ValueError, match="needs inputs with 2 channels"):
        layer([f[..., :1], x])


def test_tables_are_of_integers():
    f, x = cloud()
    table = np.ones((2, 6, 1))
    layer = PointConv(3, "o3", **LAST)
    for kind in ("float32", "bool"):
        with pytest.raises(TypeError, match=f"must be of integers.*{kind}"):
            layer([f, x, table.astype(kind)])
    first, second = (of(layer, f, x, table.astype(d)) for d in ("int32", "uint8"))
    assert np.array_equal(first, second)


@pytest.mark.backend_free
def test_all_inputs_have_the_same_samples():
    f, x = cloud()
    table, pairs = np.zeros((2, 6, 1), "int32"), np.zeros((2, 6, 1, 1), "float32")
    layer = PointConv(3, "o3", **LAST)
    layer.build([each.shape for each in (f, x, table, pairs)])
    inputs = [f, x, table, pairs]
    for number, each in enumerate(inputs):
        fewer = [*inputs[:number], each[:1], *inputs[number + 1 :]]
        with pytest.raises(ValueError, match="expects features of shape"):
            layer(fewer)


def test_neighbours_are_counted_in_each_call():
    f, x = cloud()
    layer = PointConv(3, "o3", num_neighbors=5, aggregation="sum", **LAST)
    layer.build([(None, 3, 2), (None, 3, 3)])
    dense = PointConv(3, "o3", aggregation="sum", **LAST)
    dense.build([f.shape, x.shape])
    dense.set_weights(layer.get_weights())
    for number in (2, 6):
        few = f[:, :number], x[:, :number]
        assert relative_error(of(layer, *few), of(dense, *few)) < 1e-5


def test_positions_in_metres():
    """Squares of invariants overflow, messages do not vanish."""
    f, x = cloud()
    layer = PointConv(3, "o3", representation_out="standard", degree=1, **LAST)
    first, second = (of(layer, f, (scale * x).astype("float32")) for scale in (1e9, 1e11))
    assert 0.3 < np.linalg.norm(second) / np.linalg.norm(first) < 3


def test_integer_positions_keep_their_digits():
    positions = np.array([[[0, 0, 0], [2049, 1, 0], [70000, 0, 2]]], "int32")
    layer = PointConv(2, "o3", dtype="mixed_float16", **LAST)
    f = np.ones((1, 3, 1), "float32")
    first, second = (of(layer, f, positions.astype(d)) for d in ("int32", "float32"))
    assert np.array_equal(first, second)


@pytest.mark.backend_free
def test_pooling_of_large_numbers():
    many = np.full((1, 5000, 1), 20.0, "float32")
    average = PointPooling(reduction="average", dtype="mixed_float16", **LAST)(many)
    assert to_numpy(average).item() == 20
    largest = PointPooling(reduction="max", **LAST)(
        np.array([[[-np.inf], [np.inf]]], "float32")
    )
    assert to_numpy(largest).item() == np.inf


@pytest.mark.backend_free
def test_networks_of_layers_start_with_the_seed():
    edges = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        layer = PointConv(2, "o3", **LAST)
        layer.build([(None, 4, 1), (None, 4, 3)])
        edges += [to_numpy(w) for w in layer.weights if w.name == "edge_kernel"]
    assert not np.allclose(*edges)
