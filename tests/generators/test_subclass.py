"""A family of one's own: `apply`, and all layers are right with it."""

import inspect

import keras
import numpy as np
import pytest
from keras import ops
from scipy.linalg import expm

import keras_lconv as k
from keras_lconv import generators as g
from keras_lconv.algebra import principal_angles, so
from keras_lconv.callbacks import GeneratorMonitor
from keras_lconv.discovery import find_symmetries, fit_generators
from keras_lconv.generators.exponential import linear_combination, operator_norm
from keras_lconv.losses import InvariantLoss
from keras_lconv.metrics import equivariance_error
from keras_lconv.physics import Lagrangian, robustness
from tests.autodiff import run
from tests.families import random_matrices, relative_error, to_numpy
from tests.layer_contract import ANY_FAMILY, LEARNED_FAMILY


@keras.saving.register_keras_serializable(package="tests")
class MinimalGenerators(g.Generators):
    """Matrices, as `MatrixGenerators` are, with the least that a family has to say."""

    def __init__(self, values, **kwargs):
        self.values = np.asarray(values)
        super().__init__(len(self.values), **{"trainable": False, **kwargs})

    def build(self, input_shape):
        super().build(input_shape)
        self.kernel = self.add_weight(
            name="kernel",
            shape=self.values.shape,
            initializer=lambda shape, dtype=None: ops.convert_to_tensor(self.values, dtype),
            trainable=self.is_learned,
        )

    def apply(self, f):
        return ops.einsum("kij,bjc->bikc", ops.cast(self.kernel, f.dtype), f)

    def get_config(self):
        return {**super().get_config(), "values": self.values.tolist()}


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


# Antisymmetric, of another frame, and closed: every layer takes them.
FRAME = np.linalg.qr(random(3, 3, seed=5))[0]
MATRICES = FRAME @ so(3).basis @ FRAME.T
SCALES = [1.0, 5.0, 1e-3]


def test_every_layer_with_generators_is_in_the_tables():
    made = {name.split(",")[0] for name in ANY_FAMILY}
    takes = {
        name
        for name in k.layers.__all__
        if {"generators", "generators_in"}
        & set(inspect.signature(getattr(k, name)).parameters)
    }
    assert takes == made


def outputs(layer, f):
    """The result for the weights that the seed of the test gives, and the losses."""
    layer.build(f.shape)
    rng = np.random.default_rng(3)
    shared = {id(weight) for weight in layer.generators.weights}
    own = [w for w in layer.trainable_weights if id(w) not in shared]
    for weight in own:
        weight.assign(weight + 0.1 * rng.normal(size=weight.shape))
    result = to_numpy(layer(f))
    return result, [float(to_numpy(loss)) for loss in layer.losses]


@pytest.mark.parametrize(
    "scale", [5.0, *(pytest.param(s, marks=pytest.mark.thorough) for s in (1.0, 1e-3))]
)
@pytest.mark.parametrize(
    ("name", "trainable"),
    [(name, False) for name in ANY_FAMILY] + [(name, True) for name in LEARNED_FAMILY],
)
def test_a_minimal_family_is_as_right_as_matrices(name, trainable, scale):
    make, shape = ANY_FAMILY[name]
    f = random(4, *shape)
    found = []
    for family in (MinimalGenerators, g.MatrixGenerators):
        keras.utils.set_random_seed(0)
        generators = family(scale * MATRICES, trainable=trainable)
        # Learned ones count with a norm of 1 at least.
        unit = max(scale, 1.0) if trainable else scale
        found.append(outputs(make(generators, unit), f))
    (value, losses), (expected, expected_losses) = found
    assert np.linalg.norm(expected) > 1e-3
    if name == "EquivariantDense":
        # A null space has many bases: multiples of the identity, up to a sign.
        value, expected = abs(value), abs(expected)
    assert relative_error(value, expected) < 1e-5
    assert np.allclose(losses, expected_losses, rtol=1e-5)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("trainable", [False, True])
def test_what_follows_from_apply(trainable, scale):
    minimal = MinimalGenerators(scale * MATRICES, trainable=trainable)
    matrix = g.MatrixGenerators(scale * MATRICES, trainable=trainable)
    for generators in (minimal, matrix):
        generators.build((None, 3, 2))
    f, t = random(4, 3, 2), random(4, 3) / scale
    assert relative_error(minimal(f), matrix(f)) < 1e-6
    assert relative_error(minimal.to_dense(), matrix.to_dense()) < 1e-6
    assert relative_error(minimal.norm_bounds(), matrix.norm_bounds()) < 1e-6
    assert relative_error(minimal.transform(f, t), matrix.transform(f, t)) < 1e-5
    assert minimal.algebra().identify().name == "so(3)"
    assert minimal.is_antisymmetric == matrix.is_antisymmetric == (not trainable)
    frozen = minimal.frozen()
    assert not frozen.is_learned
    assert relative_error(frozen.matrices(), scale * MATRICES) < 1e-6
    t = ops.convert_to_tensor(t)
    moved = [linear_combination(L, t)(ops.convert_to_tensor(f)) for L in (minimal, matrix)]
    assert relative_error(*moved) < 1e-5
    bounds = [operator_norm(L, t) for L in (minimal, matrix)]
    assert relative_error(*bounds) < 1e-5


def test_values_of_a_fixed_family_are_known_inside_of_graphs():
    minimal = MinimalGenerators(5 * MATRICES)
    minimal.build((None, 3, 2))
    f, t = random(2, 3, 2), random(2, 3)
    moved = run(minimal.transform, f, t)
    assert relative_error(moved, g.MatrixGenerators(5 * MATRICES).transform(f, t)) < 1e-5


def test_what_is_too_large_for_matrices_still_moves(monkeypatch):
    generators = g.LowRankGenerators(1, 2, trainable=False)
    generators.build((None, 6, 1))
    monkeypatch.setenv("KERAS_LCONV_MEMORY_SHARE", "1e-12")
    f = random(2, 6, 1)
    moved = to_numpy(generators.transform(f, 0.1))
    assert not generators.is_antisymmetric
    monkeypatch.undo()
    expected = g.MatrixGenerators(generators.matrices()).transform(f, 0.1)
    assert relative_error(moved, expected) < 1e-5


def test_apply_of_another_shape_is_refused():
    class Transposed(MinimalGenerators):
        def apply(self, f):
            return ops.swapaxes(super().apply(f), 1, 2)

    family = Transposed(random_matrices(2, 3, 3))
    family.build((None, 3, 2))
    with pytest.raises(ValueError, match=r"`apply` of .* \(batch, 3, 2, 1\)"):
        family.matrices()


class Swirl(g.Generators):
    """A turn of an image: a vector field, with the least that such a family has to say."""

    def __init__(self, **kwargs):
        super().__init__(1, **{**kwargs, "trainable": False})

    def vector_field_tensor(self, dtype=None):
        points = np.indices(self.spatial_shape) - 2.0
        field = np.stack([-points[1], points[0]], axis=-1)[None]
        return ops.convert_to_tensor(field, dtype=dtype or self.compute_dtype)

    def apply(self, f):
        grid = ops.reshape(f, (-1, *self.spatial_shape, f.shape[-1]))
        field = self.vector_field_tensor(f.dtype)
        terms = [
            ops.einsum("kij,bijc->bijkc", field[..., a], self.differentiate(grid, a))
            for a in range(2)
        ]
        return -ops.reshape(terms[0] + terms[1], (-1, self.size, 1, f.shape[-1]))


def test_a_minimal_family_of_vector_fields_has_the_physics_of_fields():
    f, currents, fields = random(2, 5, 5, 2), [], []
    for family in (Swirl(), g.rotation()):
        layer = k.LConv(3, family)
        layer.build(f.shape)
        layer.kernel.assign(random(2, 2, 3))
        lagrangian = Lagrangian(layer)
        currents.append(lagrangian.noether_current(f, "scaling"))
        fields.append(family.vector_fields())
        divergence = lagrangian.divergence(currents[-1])
        assert divergence.shape == (2, 5, 5, 1)
        assert family.is_antisymmetric
    assert relative_error(*fields) < 1e-6
    assert relative_error(*currents) < 1e-5


def test_measures_with_a_minimal_family():
    minimal, matrix = MinimalGenerators(MATRICES), g.MatrixGenerators(MATRICES)
    f, t = random(4, 3), random(2, 3)
    layer = keras.Sequential([keras.layers.Dense(3, activation="tanh")])
    layer(f)
    errors = [equivariance_error(layer, L, f, t).errors for L in (minimal, matrix)]
    assert np.allclose(*errors, rtol=1e-4)
    losses = [InvariantLoss(L)(f[..., None], 0 * f[..., None]) for L in (minimal, matrix)]
    assert relative_error(*losses) < 1e-5
    gains = [robustness(layer, f, L).sensitivity for L in (minimal, matrix)]
    assert relative_error(*gains) < 1e-4


def invariant(x):
    """A function of vectors that the rotations leave as it is."""
    return ops.tanh(ops.sum(x**2, axis=1))


def test_discovery_among_a_minimal_family():
    x = random(200, 3)
    turns = np.random.default_rng(1).uniform(-0.5, 0.5, (60, 3))
    elements = expm(np.tensordot(turns, MATRICES, 1))
    moved = np.einsum("sij,sj->si", elements, x[:60])
    for scale in SCALES:
        found, pairs = [], []
        for family in (MinimalGenerators, g.MatrixGenerators):
            generators = family(scale * MATRICES)
            generators.build((None, 3))
            report = find_symmetries(invariant, x, search=generators)
            assert report.dimension == 3
            found.append(report.algebra.basis)
            report = fit_generators(x[:60], moved, search=generators, dimension=3)
            pairs.append(report.algebra.basis)
        assert principal_angles(*found)[0] < 1e-5
        assert principal_angles(*pairs)[0] < 1e-5
        assert principal_angles(pairs[0], MATRICES)[0] < 1e-4


def test_learned_generators_of_a_minimal_family_are_trained_and_saved(tmp_path):
    family = MinimalGenerators(MATRICES, trainable=True)
    model = keras.Sequential([keras.Input((3, 2)), k.LConv(5, family), k.LConv(1, family)])
    f = random(8, 3, 2)
    monitor = GeneratorMonitor(family, reference=so(3))
    model.compile("sgd", "mse")
    model.fit(f, f[..., :1], callbacks=[monitor], verbose=0)
    assert monitor.snapshots[0].shape == (3, 3, 3)
    assert np.linalg.norm(to_numpy(family.kernel) - MATRICES) > 1e-4
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert copy.layers[0].generators is copy.layers[1].generators
    assert relative_error(copy(f), model(f)) < 1e-6


@pytest.mark.parametrize("trainable", [False, True])
def test_a_layer_survives_generators_that_grow(trainable):
    """Parameters of group elements are scaled back to where the series is exact."""
    results = []
    for family in (MinimalGenerators, g.MatrixGenerators):
        keras.utils.set_random_seed(0)
        generators = family(0.1 * MATRICES, trainable=trainable)
        layer = k.LieExponential(2, generators, num_elements=2, max_parameter=1.0)
        layer.build((None, 3, 2))
        generators.weights[0].assign(100.0 * MATRICES)
        results.append(to_numpy(layer(random(2, 3, 2))))
    assert np.all(np.abs(results[0]) < 10)
    assert relative_error(*results) < 1e-5
