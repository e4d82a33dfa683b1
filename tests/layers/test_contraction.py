"""The orders of the products in LConv: the same numbers, and the cheapest is taken."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lconv import LConv, LieBlock
from keras_lconv import generators as g
from keras_lconv.generators.contraction import (
    contract,
    contraction_cost,
    contractions,
    cost,
)
from keras_lconv.generators.cost import SAMPLES
from tests import families
from tests.autodiff import BACKEND, gradients, run
from tests.families import relative_error, to_numpy
from tests.samples import random

ORDERS = ["generators_first", "channels_first", "precombined"]


def layers_in_all_orders(name, filters, channels):
    """Layers that share their weights, one for each order that the family can do."""
    generators, spatial = families.build(name)
    layers = []
    for order in contractions(generators):
        layer = LConv(filters, generators, contraction=order)
        layer.build((None, *spatial, channels))
        layers.append(layer)
    for layer in layers[1:]:
        layer.kernel.assign(layers[0].kernel)
    return layers, spatial


@pytest.mark.parametrize(("channels", "filters"), [(2, 3), (3, 2), (1, 4)])
@pytest.mark.parametrize("name", families.rows(families.ALL))
def test_all_orders_agree_with_the_plain_formula(name, channels, filters):
    layers, spatial = layers_in_all_orders(name, filters, channels)
    matrices = families.reference_matrices(layers[0].generators)
    f = random((2, *spatial, channels))
    flat = f.reshape(2, -1, channels)
    kernel = to_numpy(layers[0].kernel)
    expected = sum(
        matrix @ flat @ weight
        for matrix, weight in zip(matrices, kernel[-len(matrices) :], strict=True)
    )
    if len(kernel) > len(matrices):
        expected = expected + flat @ kernel[0]
    for layer in layers:
        output = to_numpy(run(layer, f)).reshape(expected.shape)
        assert relative_error(output, expected) < 1e-5, layer.contraction


@pytest.mark.parametrize(
    "name", ["dense", "low_rank_chain", "rotation_3d", "neighbor", "shifts", "se2"]
)
@pytest.mark.parametrize("channels", [1, 3])
def test_all_orders_have_the_same_gradients(name, channels):
    layers, spatial = layers_in_all_orders(name, 2, channels)
    f = random((2, *spatial, channels))
    kernel = to_numpy(layers[0].kernel)
    found = []
    for layer in layers:

        def loss(f, kernel, layer=layer):
            flat = ops.reshape(f, (2, -1, channels))
            order = layer.contraction
            output = contract(layer.generators, flat, kernel[1:], order)
            return ops.sum(output**3)

        found.append(gradients(loss, [f, kernel]))
    for other in found[1:]:
        for value, expected in zip(other, found[0], strict=True):
            assert relative_error(value, expected) < 1e-4


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("generators", "spatial", "channels", "filters", "expected"),
    [
        # The generators act on the smaller number of channels.
        (lambda: g.DenseGenerators(4), (8, 8), 1, 32, "generators_first"),
        (lambda: g.DenseGenerators(4), (8, 8), 32, 8, "channels_first"),
        # One matrix, where channels are fewer than generators.
        (lambda: g.DenseGenerators(16), (8, 8), 3, 3, "precombined"),
        # Fields differentiate once before, and for each generator after the channels.
        (lambda: g.affine(), (8, 8), 8, 4, "generators_first"),
        (lambda: g.rotation(), (8, 8), 8, 2, "channels_first"),
        (lambda: g.LowRankGenerators(4, 2), (8, 8), 8, 4, "between_factors"),
        (lambda: g.LowRankGenerators(4, 8), (8, 8), 1, 32, "generators_first"),
        (lambda: g.ShiftGenerators([(0, 1), (1, 0)]), (8, 8), 8, 16, "generators_first"),
        # As many products either way: fewer numbers go to memory and back.
        (
            lambda: g.NeighborGenerators(8, g.grid_neighbors((8, 8))),
            (8, 8),
            32,
            32,
            "precombined",
        ),
    ],
)
def test_cheapest_order_is_taken(generators, spatial, channels, filters, expected):
    layer = LConv(filters, generators(), kernel_initializer="zeros")
    assert layer.contraction == "auto"
    layer.build((None, *spatial, channels))
    assert layer.contraction == expected
    costs = layer.contraction_costs(channels)
    assert costs[expected].effort == min(cost.effort for cost in costs.values())


def test_effort_weighs_products_and_memory():
    assert g.Cost(100, 0).effort == 100
    assert g.Cost(100, 10).effort > g.Cost(110, 0).effort


# The values of polynomial fields, and a kernel in the frames of the orientations.
WITHOUT_SAMPLES = ("kap,pd->kad", "jia,icf->jacf")


def count_products(function):
    """Multiply-adds of the `einsum`s that a function calls, by their formulas."""
    total = 0
    einsum = ops.einsum

    def counting(formula, *operands, **kwargs):
        nonlocal total
        if len(operands) == 2 and formula not in WITHOUT_SAMPLES:
            letters = {}
            for term, operand in zip(
                formula.split("->")[0].split(","), operands, strict=True
            ):
                letters.update(zip(term, operand.shape, strict=True))
            total += int(np.prod(list(letters.values())))
        return einsum(formula, *operands, **kwargs)

    ops.einsum = counting
    try:
        if BACKEND == "jax":
            import jax

            jax.eval_shape(function)  # counts as well, and compiles nothing
        else:
            function()
    finally:
        ops.einsum = einsum
    return total


@pytest.mark.thorough
@pytest.mark.parametrize(("channels", "filters"), [(2, 3), (3, 2), (1, 2)])
@pytest.mark.parametrize(
    "name",
    [
        "dense",
        "low_rank",
        "low_rank_chain",
        "rotation",
        "affine",
        "neighbor",
        "shifts",
        "se2",
    ],
)
def test_costs_of_orders_are_the_products_that_are_done(name, channels, filters):
    generators, spatial = families.build(name)
    k = generators.num_generators
    f = ops.convert_to_tensor(random((1, generators.size, channels)))
    kernel = ops.convert_to_tensor(random((k, channels, filters)))
    for order in contractions(generators):
        done = count_products(lambda order=order: contract(generators, f, kernel, order))
        expected = contraction_cost(generators, order, channels, filters).multiply_adds
        if order == "precombined":
            # The batch of one sample makes its matrix alone.
            per_row = getattr(generators, "neighbors", np.eye(np.prod(spatial))).shape[1]
            entries = np.prod(spatial) * per_row * channels * filters
            assert expected == entries + k * entries // SAMPLES
            expected = entries * (1 + k)
        assert done == expected, order


@pytest.mark.thorough
@pytest.mark.parametrize("operation", ["apply", "combine"])
@pytest.mark.parametrize(
    "name",
    ["dense", "low_rank", "low_rank_chain", "rotation", "affine", "neighbor", "se2"],
)
def test_costs_are_the_products_that_are_done(name, operation):
    generators, _ = families.build(name)
    k, channels = generators.num_generators, 3
    size = generators.size
    shape = (1, size, channels) if operation == "apply" else (1, size, k, channels)
    f = ops.convert_to_tensor(random(shape))
    done = count_products(lambda: getattr(generators, operation)(f))
    assert done == cost(generators, channels, operation).multiply_adds


@pytest.mark.parametrize("operation", ["apply", "combine"])
def test_costs_of_products_of_generators(operation):
    layer = LConv(2, "translation", order=3, smoothing=(0.3, 1.0))
    layer.build((None, 5, 4, 3))
    products = layer.operators
    shape = (1, 20, 3) if operation == "apply" else (1, 20, products.num_generators, 3)
    f = ops.convert_to_tensor(random(shape))
    done = count_products(lambda: getattr(products, operation)(f))
    assert cost(products, 3, operation).multiply_adds == done
    # All six fields act on the channels, and on their derivatives.
    layer = LConv(2, "affine", order=2)
    layer.build((None, 5, 4, 3))
    steps = [cost(layer.generators, channels, operation) for channels in (3, 6 * 3)]
    expected = sum(step.multiply_adds for step in steps)
    assert cost(layer.operators, 3, operation).multiply_adds == expected


def test_structure_costs_less_than_dense():
    size = 32 * 32
    costs = {}
    for name, generators in {
        "dense": g.MatrixGenerators(np.zeros((2, size, size))),
        "low_rank": g.LowRankGenerators(2, 8),
        "field": g.VectorFieldGenerators(2),
        "central": g.VectorFieldGenerators(2, derivative="central"),
        "neighbor": g.NeighborGenerators(2, g.grid_neighbors((32, 32))),
        "shift": g.ShiftGenerators([(0, 1), (1, 0)]),
    }.items():
        generators.build((None, 32, 32, 1))
        costs[name] = cost(generators, 4).multiply_adds
    assert costs["dense"] == 2 * size**2 * 4
    order = ["shift", "central", "low_rank", "field", "dense"]
    assert sorted(order, key=lambda name: costs[name]) == order
    assert costs["neighbor"] == 2 * 9 * size * 4


def test_order_survives_in_configurations():
    layer = LConv(2, 3, contraction="channels_first")
    assert LConv.from_config(layer.get_config()).contraction == "channels_first"
    built = LConv(32, 3)
    built.build((None, 5, 1))
    assert built.contraction == "generators_first"
    assert LConv.from_config(built.get_config()).contraction == "auto"
    block = LieBlock(2, 3, num_layers=2, contraction="precombined")
    assert all(layer.contraction == "precombined" for layer in block.layers)


def test_order_that_generators_cannot_do_is_refused():
    words = "`contraction` must be one of 'auto', 'generators_first', 'channels_first'"
    for contraction in ("precombined", 3):
        with pytest.raises(ValueError, match=words):
            LConv(2, "rotation", contraction=contraction)


def test_training_in_each_order_reaches_the_same(tmp_path):
    x, y = random((16, 6, 2)), random((16, 6, 3), 1)
    results = []
    for order in ORDERS:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((6, 2)), LConv(3, 2, contraction=order)])
        model.compile(keras.optimizers.SGD(0.05), "mse")
        model.fit(x, y, epochs=3, shuffle=False, verbose=0)
        results.append(model.predict(x, verbose=0))
    for other in results[1:]:
        assert relative_error(other, results[0]) < 1e-5
