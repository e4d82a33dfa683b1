"""Requests that would not fit into memory, or not end, are refused at once, with
a way out.
"""

import re
import tracemalloc

import keras
import numpy as np
import pytest

from keras_lconv import (
    CasimirPooling,
    EquivariantDense,
    FourierActivation,
    InvariantPooling,
    LConv,
    LearnedPooling,
    LieBlock,
    LieExponential,
    LieMaxPooling,
    OrbitPooling,
    SE2Lift,
    SteerableConv,
    SteerablePool,
    SteerableUpSampling,
    StridedPooling,
    TensorProduct,
    _memory,
    algebra,
    datasets,
    discovery,
    models,
)
from keras_lconv import generators as g
from keras_lconv.discovery import map_space
from keras_lconv.discovery.pixels import moments
from keras_lconv.layers.pooling import matrix_room

pytestmark = pytest.mark.backend_free

HUGE = 10**9


def built(layer, *shape):
    layer.build((None, *shape))
    return layer


def test_powers_are_refused_before_they_are_built(monkeypatch):
    """Also where their sizes are beyond the largest float."""
    monkeypatch.setattr(algebra.Representation, "__mul__", None)
    for group, power in ((algebra.SO(3), 20), (algebra.symmetric(40), 100)):
        with pytest.raises(ValueError, match=r"of memory, .* A lower power"):
            group.standard**power


def squares(x):
    return keras.ops.sum(x**2, axis=-1, keepdims=True)


def table(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def noisy_images():
    noise = np.random.default_rng(0).normal(size=(300, 8, 8))
    smooth = noise[:, 1:-1, 1:-1] * 2 + noise[:, 2:, 1:-1] + noise[:, 1:-1, 2:]
    return smooth.reshape(300, -1)


# Requests for too much, and the argument or the method that the message names.
TOO_LARGE = {
    "generators=1": lambda: built(LConv(1, 1), 2000, 2000, 1),
    "to_dense": lambda: built(g.rotation(), 2000, 2000, 1).to_dense(),
    "matrices": lambda: built(g.rotation(), 2000, 2000, 1).matrices(),
    "matrices of neighbours": lambda: g.NeighborGenerators(
        1, g.grid_neighbors((1000, 1000), 1), trainable=False
    ).matrices(),
    "the table of neighbours": lambda: g.grid_neighbors((10**5, 10**5)),
    "shape (10000, 2, 9000000)": lambda: built(
        g.VectorFieldGenerators(10**4, "free"), 3000, 3000, 1
    ),
    "size=1000000": lambda: g.derivative_matrix(10**6),
    "grid of shape (1000000000,)": lambda: built(LConv(1, g.scaling(1)), HUGE, 1),
    "size=2000000": lambda: built(LConv(1, g.translation(1)), 2 * 10**6, 1),
    "invariants": lambda: built(InvariantPooling("rotation"), 2000, 2000, 1),
    "pooling='avg'": lambda: models.lconv_classifier(input_shape=(999, 999, 3)),
    "`matrix`": lambda: built(StridedPooling("rotation"), 3000, 3000, 1).matrix,
    "shape (1000000, 4000000)": lambda: built(
        LearnedPooling("rotation", output_dim=10**6), 2000, 2000, 1
    ),
    "p=2000": lambda: algebra.so(2000),
    "p=1000": lambda: algebra.su(1000),
    "n=1000": lambda: algebra.gl(1000),
    "n=999": lambda: algebra.sl(999),
    "n=2000": lambda: algebra.sp(2000),
    "n=20000": lambda: algebra.abelian(20000),
    "n=1000000": lambda: algebra.symmetric(10**6),
    "degree=100": lambda: algebra.SO(5).harmonics(100),
    "`degree`": lambda: algebra.SO(2).harmonics(HUGE),
    "degree` must": lambda: FourierActivation("so2", HUGE),
    "num_samples=1000000000": lambda: FourierActivation("so2", 2, num_samples=HUGE),
    "products of one sample": lambda: TensorProduct().build(
        [(None, 10**6, 1), (None, 10**6, 1)]
    ),
    "`num_samples`": lambda: OrbitPooling("rotation", num_samples=HUGE, period=6.0),
    "num_elements": lambda: built(
        LieExponential(2, "rotation", num_elements=10 * HUGE), 9, 9, 1
    ),
    "`num` must": lambda: g.DenseGenerators(HUGE),
    "`matrices` must": lambda: g.MatrixGenerators(np.zeros((10_001, 1, 1))),
    "`generators` must be generators": lambda: LConv(1, HUGE),
    "`num_steps`": lambda: LConv(1, "rotation", num_steps=HUGE),
    "`order` must": lambda: LConv(1, "rotation", order=HUGE),
    "order=20": lambda: LConv(1, "affine", order=20),
    "`order`": lambda: SE2Lift(1, order=HUGE),
    "`power`": lambda: algebra.SO(3).trivial() ** HUGE,
    "`kernel_size`": lambda: SteerableConv(1, HUGE, group="c4"),
    "`size`": lambda: SteerableUpSampling("c4", "regular", size=HUGE),
    "`strides`": lambda: SteerablePool("c4", "regular", strides=HUGE),
    "`classes`": lambda: models.lconv_classifier(input_shape=(9, 9, 1), classes=HUGE),
    "`hidden_units`": lambda: models.equivariant_mlp(algebra.so(3), hidden_units=HUGE),
    "`outputs`": lambda: models.equivariant_mlp(algebra.so(3), outputs=HUGE),
    "`scalars`": lambda: models.equivariant_mlp(algebra.so(3), scalars=HUGE),
    "`ndim`": lambda: g.rotation(HUGE),
    "`degree` must be at most 1,000": lambda: g.chebyshev_graph(np.ones((2, 2)), HUGE),
    "n=99999": lambda: algebra.se(99999),
    "n=1000000000": lambda: algebra.sim(HUGE),
    "size=100000": lambda: algebra.trivial(3, 10**5),
    "`num_generators` must": lambda: algebra.trivial(HUGE),
    "number=1000000": lambda: algebra.wreath_product(algebra.cyclic(4), 10**6),
    "`num_neighbors`": lambda: discovery.infer_neighbors(table(50, 3), num_neighbors=HUGE),
    "`num_layers`": lambda: LieBlock(2, "rotation", num_layers=HUGE),
    "hops=1000000000": lambda: built(LieMaxPooling(g.shear(), hops=HUGE), 50, 50, 9),
    "hops=400": lambda: built(LieMaxPooling(g.affine(), hops=400), 9, 9, 1),
    "`num_orientations`": lambda: SE2Lift(9, num_orientations=HUGE),
    "`max_tau`": lambda: built(CasimirPooling("rotation", tau=1e12), 9, 9, 1),
    "`t`": lambda: g.rotation().transform(np.ones((1, 9, 9, 1)), 1e9),
    "`search`": lambda: discovery.find_symmetries(squares, table(1000, 1000)),
    "`shape`": lambda: discovery.infer_grid(noisy_images(), shape=(10**5, 10**5)),
    "`x`": lambda: discovery.infer_neighbors(np.ones((2, 10**6))),
    "size=200000": lambda: datasets.image_pairs(HUGE, 2 * 10**5),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_too_much_is_refused_before_it_is_allocated(name):
    said = name if name != "matrices of neighbours" else "`matrices`"
    with pytest.raises(ValueError, match="(?i)" + re.escape(said)):
        TOO_LARGE[name]()


# Calls that allocate about as much as they are asked for.
ESTIMATES = {
    "moments": lambda: discovery.infer_neighbors(table(60, 300)),
    "map_space": lambda: discovery.find_symmetries(squares, table(100, 14)),
    "invariant_pooling": lambda: built(InvariantPooling("rotation"), 18, 18, 1),
}
ASKING = {
    "moments": moments,
    "map_space": map_space,
    "invariant_pooling": matrix_room,
}


@pytest.mark.parametrize("name", ESTIMATES)
def test_estimates_bound_what_is_allocated(name, monkeypatch):
    asked = []
    monkeypatch.setattr(ASKING[name], "require_memory", lambda *a: asked.append(8 * a[1]))
    ESTIMATES[name]()
    tracemalloc.start()
    ESTIMATES[name]()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.3 * max(asked) < peak < max(asked)


def test_spaces_of_maps_that_grow_too_large_are_refused(monkeypatch):
    # Only its 50 powers commute with one nilpotent matrix.
    monkeypatch.setattr(_memory, "physical_memory", lambda: 2_000_000)
    layer = EquivariantDense(1, np.eye(50, k=1)[None])
    with pytest.raises(ValueError, match="which commute with the generators, would take"):
        layer.build((None, 50, 1))


def test_many_learned_weights_are_told(monkeypatch):
    monkeypatch.setattr(g.families.factored, "MANY_WEIGHTS", 1000)
    with pytest.warns(UserWarning, match="not a window.*`rank=`"):
        LConv(16, 3).build((None, 6, 6, 3))


def test_searches_among_many_columns_are_told():
    with pytest.warns(UserWarning, match="41 components.*takes minutes"):
        map_space.maps_among("linear", 41)


def test_long_eigenproblems_are_told(monkeypatch):
    monkeypatch.setattr(matrix_room, "MANY_POSITIONS", 20)
    with pytest.warns(UserWarning, match="minutes.*strides=2"):
        built(InvariantPooling("rotation"), 5, 5, 1)


def test_the_share_of_the_memory_is_an_environment_variable(monkeypatch):
    monkeypatch.setattr(_memory, "physical_memory", lambda: 1000)
    _memory.require_memory("This", 60, "Take less")
    monkeypatch.setenv(_memory.VARIABLE, "0.4")
    with pytest.raises(ValueError, match=r"^This would take 480 bytes.* 400 bytes .*less"):
        _memory.require_memory("This", 60, "Take less")
    monkeypatch.setenv(_memory.VARIABLE, "half")
    with pytest.raises(ValueError, match=_memory.VARIABLE):
        _memory.require_memory("This", 1, "Take less")


def test_memory_is_known_or_assumed(monkeypatch):
    assert _memory.physical_memory() > 2**28
    monkeypatch.delattr("os.sysconf")
    assert _memory.physical_memory() == _memory.UNKNOWN_MEMORY
