"""The generators on the positions that a pooling keeps, and how well they intertwine."""

import numpy as np
import pytest
from scipy.linalg import expm

from keras_lconv import ClusterPooling, StridedPooling
from keras_lconv import generators as g
from tests.families import relative_error, to_numpy
from tests.layers.coarse import built, matrices, ring
from tests.samples import random


@pytest.mark.parametrize("reduction", ["subsample", "average"])
@pytest.mark.parametrize("boundary", ["periodic", "zero"])
def test_shifts_by_the_strides_are_shifts_of_the_coarse_grid(reduction, boundary):
    layer = StridedPooling(
        g.ShiftGenerators([(2, 0), (0, -3)], boundary=boundary),
        strides=(2, 3),
        reduction=reduction,
    )
    built(layer, 6, 9)
    induced = layer.induced_generators()
    assert isinstance(induced, g.ShiftGenerators)
    assert induced.offsets == ((1, 0), (0, -1))
    assert induced.boundary == boundary
    assert layer.defect < 1e-12
    moved = layer.matrix @ matrices(layer.generators)
    assert np.allclose(matrices(induced, 3, 3) @ layer.matrix, moved, atol=1e-7)


def test_every_second_position_of_an_odd_grid():
    """Without blocks there is no last one that is not full; a torus has to close."""
    layer = built(StridedPooling(g.ShiftGenerators([2]), strides=2), 7)
    assert layer.induced_generators().offsets == ((1,),)
    assert layer.defect < 1e-12
    torus = built(StridedPooling(g.ShiftGenerators([2], boundary="periodic"), strides=2), 7)
    assert isinstance(torus.induced_generators(), g.MatrixGenerators)
    # One of four rows leads to a position that is not kept.
    assert np.isclose(torus.defect, 0.5)
    halved = built(
        StridedPooling(g.ShiftGenerators([2]), strides=2, reduction="average"), 7
    )
    expected = np.diag([1.0, 1.0, 0.5], 1)
    assert np.allclose(matrices(halved.induced_generators(), 4)[0], expected, atol=1e-6)
    assert halved.defect < 1e-12


def test_translations_by_two_as_matrices_are_those_of_the_coarse_grid():
    """The same without knowing that the matrices are shifts."""
    shift = np.roll(np.eye(8), 2, axis=0)
    for reduction in ("subsample", "average"):
        layer = built(StridedPooling(shift, strides=2, reduction=reduction), 8)
        induced = layer.induced_generators()
        assert isinstance(induced, g.MatrixGenerators)
        assert np.allclose(matrices(induced, 4)[0], np.roll(np.eye(4), 1, axis=0))
        assert layer.defect < 1e-12


def test_a_shift_that_does_not_fit_has_a_defect():
    """By one step, every kept position gets a value that was not kept: 100%."""
    layer = built(StridedPooling(g.ShiftGenerators([1], boundary="periodic"), strides=2), 8)
    assert isinstance(layer.induced_generators(), g.MatrixGenerators)
    assert np.isclose(layer.defect, 1.0)
    # Averages of (x_0 + x_1) / 2 become (x_1 + x_2) / 2: half is seen.
    layer = built(
        StridedPooling(
            g.ShiftGenerators([1], boundary="periodic"), strides=2, reduction="average"
        ),
        8,
    )
    assert np.isclose(layer.defect, np.sqrt(0.5))


def test_defect_is_the_smallest_possible():
    generators = random((2, 6, 6), dtype="float64")
    layer = built(ClusterPooling(generators, clusters=[0, 0, 1, 1, 2, 2]), 6)
    induced = matrices(layer.induced_generators(), 3)
    moved = layer.matrix @ generators
    error = np.linalg.norm(moved - induced @ layer.matrix) / np.linalg.norm(moved)
    assert np.isclose(layer.defect, error, rtol=1e-5)
    for seed in range(5):
        other = induced + 0.1 * random(induced.shape, seed)
        larger = np.linalg.norm(moved - other @ layer.matrix) / np.linalg.norm(moved)
        assert larger > error


def test_quotient_of_a_graph():
    """Positions of a ring with the same remainder: the quotient is a smaller ring."""
    graph = g.graph(ring(12))
    layer = built(ClusterPooling(graph, clusters=np.arange(12) % 4), 12)
    assert np.allclose(matrices(layer.induced_generators(), 4)[0], ring(4), atol=1e-6)
    assert layer.defect < 1e-6
    # Zero defect: the pooling intertwines the groups, not only the generators.
    fine, coarse = expm(0.7 * ring(12)), expm(0.7 * ring(4))
    assert np.allclose(layer.matrix @ fine, coarse @ layer.matrix)
    uneven = built(ClusterPooling(graph, clusters=np.arange(12) // 5), 12)
    assert uneven.defect > 0.1


def fields(induced, *spatial):
    if not induced.built:
        induced.build((None, *spatial, 1))
    return induced.vector_fields()


@pytest.mark.parametrize(("reduction", "size"), [("subsample", 9), ("average", 12)])
def test_rotation_stays_the_rotation(reduction, size):
    """The centre is kept: of odd grids by subsampling, of even ones by averages."""
    layer = StridedPooling("rotation", strides=2, reduction=reduction)
    induced = built(layer, size, size).induced_generators()
    coarse = -(-size // 2)
    assert induced.field == "linear"
    assert not induced.is_learned
    expected = fields(g.rotation(), coarse, coarse)
    assert np.allclose(fields(induced, coarse, coarse), expected, atol=1e-5)


def test_fields_in_coarse_coordinates():
    """A position is 2 Y + 1/2 off the centre, and velocities count half the steps."""
    induced = built(StridedPooling("rotation", strides=2), 8, 8).induced_generators()
    assert induced.field == "affine"
    values = fields(induced, 4, 4)
    points = np.arange(0, 8, 2) - 3.5
    assert np.allclose(values[0, ..., 0], -points[None, :] / 2 * np.ones((4, 1)), atol=1e-5)
    assert np.allclose(values[0, ..., 1], points[:, None] / 2 * np.ones((1, 4)), atol=1e-5)
    induced = built(StridedPooling("translation", strides=(2, 4)), 8, 8).induced_generators(
        trainable=True
    )
    assert induced.is_learned
    assert np.allclose(fields(induced, 4, 2)[0, ..., 0], 0.5)
    assert np.allclose(fields(induced, 4, 2)[1, ..., 1], 0.25)
    coefficients = random((1, 2, 6), dtype="float64")
    quadratic = g.VectorFieldGenerators(1, "quadratic", coefficients=coefficients)
    layer = built(StridedPooling(quadratic, strides=2), 7, 7)
    kept = quadratic.vector_fields()[:, ::2, ::2] / 2
    assert layer.induced_generators().field == "quadratic"
    assert np.allclose(fields(layer.induced_generators(), 4, 4), kept, atol=1e-4)
    free = g.VectorFieldGenerators(1, "free")
    layer = built(StridedPooling(free, strides=2), 7, 7)
    kept = free.vector_fields()[:, ::2, ::2] / 2
    assert np.allclose(fields(layer.induced_generators(), 4, 4), kept, atol=1e-6)
    free = g.VectorFieldGenerators(1, "free")
    average = built(StridedPooling(free, strides=2, reduction="average"), 6, 6)
    assert isinstance(average.induced_generators(), g.MatrixGenerators)


def test_smooth_images_are_pooled_equivariantly():
    """Turn, then pool; or pool, then turn by the induced generators."""
    x = np.linspace(-3, 3, 32)
    f = np.exp(-np.add.outer((x - 0.4) ** 2, 1.5 * x**2))[None, ..., None]
    layer = StridedPooling("rotation", strides=2, reduction="average")
    induced = built(layer, 32, 32).induced_generators()
    turned = to_numpy(g.rotation().transform(f, 0.5)).astype("float32")
    expected = induced.transform(to_numpy(layer(f.astype("float32"))), 0.5)
    assert relative_error(layer(turned), expected) < 1e-3
