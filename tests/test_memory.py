"""What would not fit into memory, or not end, is refused at once, with a way out."""

import re

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
    StridedPooling,
    TensorProduct,
    _memory,
    algebra,
    datasets,
    discovery,
    models,
)
from keras_lconv import generators as g

pytestmark = pytest.mark.backend_free

HUGE = 10**9


def built(layer, *shape):
    layer.build((None, *shape))
    return layer


def squares(x):
    return keras.ops.sum(x**2, axis=-1, keepdims=True)


def table(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def noisy_images():
    noise = np.random.default_rng(0).normal(size=(300, 8, 8))
    smooth = noise[:, 1:-1, 1:-1] * 2 + noise[:, 2:, 1:-1] + noise[:, 1:-1, 2:]
    return smooth.reshape(300, -1)


# What asks for too much, and the argument or the method that the message names.
TOO_LARGE = {
    "generators=1": lambda: built(LConv(1, 1), 2000, 2000, 1),
    "to_dense": lambda: built(g.rotation(), 2000, 2000, 1).to_dense(),
    "matrices": lambda: built(g.rotation(), 2000, 2000, 1).matrices(),
    "matrices of neighbours": lambda: g.NeighborGenerators(
        1, g.grid_neighbors((1000, 1000), 1), trainable=False
    ).matrices(),
    "the table of neighbours": lambda: g.grid_neighbors((10**5, 10**5)),
    "shape (1000000, 2, 90000)": lambda: built(
        g.VectorFieldGenerators(10**6, "free"), 300, 300, 1
    ),
    "size=1000000": lambda: g.derivative_matrix(10**6),
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
    "`num_layers`": lambda: LieBlock(2, "rotation", num_layers=HUGE),
    "hops=1000000000": lambda: built(LieMaxPooling(g.shear(), hops=HUGE), 50, 50, 9),
    "hops=400": lambda: built(LieMaxPooling(g.affine(), hops=400), 9, 9, 1),
    "`num_orientations`": lambda: SE2Lift(9, num_orientations=HUGE),
    "`max_tau`": lambda: built(CasimirPooling("rotation", tau=1e12), 9, 9, 1),
    "`t`": lambda: g.rotation().transform(np.ones((1, 9, 9, 1)), 1e9),
    "`search`": lambda: discovery.find_symmetries(squares, table(1000, 1000)),
    "`shape`": lambda: discovery.infer_grid(noisy_images(), shape=(10**5, 10**5)),
    "`x`": lambda: discovery.infer_neighbors(np.ones((2, 10**6))),
    "size=100000": lambda: datasets.image_pairs(HUGE, 10**5),
}


@pytest.mark.parametrize("name", TOO_LARGE)
def test_too_much_is_refused_before_it_is_allocated(name):
    said = name if name != "matrices of neighbours" else "`matrices`"
    with pytest.raises(ValueError, match="(?i)" + re.escape(said)):
        TOO_LARGE[name]()


def test_spaces_of_maps_that_grow_too_large_are_refused(monkeypatch):
    # What commutes with one nilpotent matrix are its 50 powers.
    monkeypatch.setattr(_memory, "physical_memory", lambda: 2_000_000)
    layer = EquivariantDense(1, np.eye(50, k=1)[None])
    with pytest.raises(ValueError, match="which commute with the generators, would take"):
        layer.build((None, 50, 1))


def test_many_learned_weights_are_told(monkeypatch):
    monkeypatch.setattr(g.families.factored, "MANY_WEIGHTS", 1000)
    with pytest.warns(UserWarning, match="not a window.*`rank=`"):
        LConv(16, 3).build((None, 6, 6, 3))


def test_long_eigenproblems_are_told(monkeypatch):
    import keras_lconv.layers.pooling.invariant_pooling as module

    monkeypatch.setattr(module, "MANY_POSITIONS", 20)
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
