"""A family of one's own: `apply`, and all layers are right with it."""

import dataclasses
import inspect

import keras
import numpy as np
import pytest
from keras import ops
from scipy.linalg import expm

import keras_lconv as k
from keras_lconv import generators as g
from keras_lconv.algebra import so
from keras_lconv.callbacks import EquivarianceMonitor, GeneratorMonitor
from keras_lconv.discovery import (
    SymmetrySums,
    find_symmetries,
    fit_generators,
    fit_symmetries,
)
from keras_lconv.generators.exponential import linear_combination, operator_norm
from keras_lconv.losses import InvariantLoss
from keras_lconv.metrics import equivariance_error, invariance_error
from keras_lconv.models import equivariant_mlp, lconv_classifier
from keras_lconv.physics import (
    HamiltonianSums,
    Lagrangian,
    MotionSums,
    find_conserved_quantities,
    fit_conserved_quantities,
    flat_directions,
    robustness,
)
from tests.autodiff import run
from tests.families import random_matrices, relative_error, to_numpy
from tests.layer_contract import ANY_FAMILY, LEARNED_FAMILY
from tests.public import PUBLIC


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
    # Fields that know of frames, and no others, fit a lift.
    assert takes - {"GroupLift"} == made


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


def invariant(x):
    """A function of vectors that one of the rotations leaves as it is."""
    y = ops.matmul(x, ops.convert_to_tensor(FRAME, dtype=x.dtype))
    return ops.tanh(y[:, 0] ** 2 + y[:, 1] ** 2) + y[:, 2]


def is_not(x):
    return ops.tanh(x @ ops.convert_to_tensor(random(3, 3, seed=8), dtype=x.dtype))


X = random(60, 3)
TURNS = np.random.default_rng(1).uniform(-0.5, 0.5, (60, 3))
MOVED = np.einsum("sij,sj->si", expm(TURNS[:, :1, None] * MATRICES[0]), X)
# Squares that the same rotation leaves as they are.
SQUARES = FRAME @ np.diag([1.0, 1.0, 3.0]) @ FRAME.T
PHASE = random(200, 6)


def paths():
    """Motion of three oscillators, two of them equal."""
    t = np.linspace(0, 3, 30)[:, None]
    w = np.sqrt([1.0, 1.0, 3.0])
    q, p = PHASE[:40, None, :3], PHASE[:40, None, 3:]
    c, s = np.cos(w * t), np.sin(w * t)
    q, p = c * q + s * p / w, c * p - s * w * q
    return np.concatenate([q @ FRAME.T, p @ FRAME.T], axis=2)


def span_found(report):
    """The rotation that was found, up to a sign and a unit."""
    assert report.dimension == 1
    (found,) = report.algebra.basis
    found = np.kron(found, found) / np.sum(found**2)
    assert relative_error(found, np.kron(MATRICES[0], MATRICES[0]) / 2) < 1e-3
    return found


def conserved(report):
    """The one angular momentum that is conserved."""
    (quantity,) = report.quantities
    return np.kron(quantity.quadratic, quantity.quadratic) / np.sum(quantity.quadratic**2)


def energy(z):
    """Of these oscillators."""
    form = np.kron(np.diag([1.0, 0.0]), SQUARES) + np.diag([0.0] * 3 + [1.0] * 3)
    return ops.sum(ops.matmul(z, ops.convert_to_tensor(form, dtype=z.dtype)) * z, axis=1)


def monitored(L, s):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3)])
    model.set_weights([random(3, 3), random(3)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    monitor = EquivarianceMonitor(L, X[:4], TURNS[:2] / s)
    model.fit(X[:4], X[:4], callbacks=[monitor], verbose=0)
    return monitor.history["mean"]


def flat(L, s):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.set_weights([random(3, 2), random(2)])
    return flat_directions(model, "mse", (X, X[:, :2]), L).slopes / s


def of_model(model, *shape):
    """The output for weights of a seed."""
    rng = np.random.default_rng(3)
    for weight in model.trainable_weights:
        weight.assign(weight + 0.1 * rng.normal(size=weight.shape))
    return model(random(4, *shape))


def monitored_generators(L, s):
    monitor = GeneratorMonitor(L, reference=so(3))
    model = keras.Sequential([keras.Input((3, 2)), k.LConv(2, L)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(random(4, 3, 2), random(4, 3, 2), callbacks=[monitor], verbose=0)
    return monitor.snapshots[0]


# Calls that take generators, of a size, but for layers.
LEARNED_CALLS = {
    "equivariance_error": lambda L, s: (
        equivariance_error(is_not, L, X, TURNS[:2] / s).errors
    ),
    "invariance_error": lambda L, s: invariance_error(is_not, L, X, TURNS[:2] / s).errors,
    "InvariantLoss": lambda L, s: InvariantLoss(L)(X[..., None], 0 * X[..., None]),
    "EquivarianceMonitor": monitored,
    "robustness": lambda L, s: robustness(is_not, X, L).sensitivity,
    "lconv_classifier": lambda L, s: of_model(
        lconv_classifier(
            input_shape=(3, 2), classes=2, generators=L, filters=(3,), activation="relu"
        ),
        *(3, 2),
    ),
    "GeneratorMonitor": monitored_generators,
}


def summed(sums, samples):
    """The result on all samples, in one batch."""
    sums.update(samples)
    return sums.result()


FIXED_CALLS = {
    "find_symmetries": lambda L, s: span_found(find_symmetries(invariant, X, search=L)),
    "find_symmetries, equivariance": lambda L, s: span_found(
        find_symmetries(
            lambda x: x * invariant(x)[:, None],
            X,
            kind="equivariance",
            output="same",
            search=L,
        )
    ),
    "find_symmetries, positions": lambda L, s: span_found(
        find_symmetries(lambda x: invariant(x[..., 0]), X[..., None], search=L)
    ),
    "SymmetrySums": lambda L, s: span_found(
        summed(SymmetrySums(invariant, X, search=L), X)
    ),
    "fit_symmetries": lambda L, s: span_found(
        fit_symmetries(X, np.sum(X @ SQUARES * X, axis=1), search=L, verbose=False)
    ),
    "fit_generators": lambda L, s: span_found(
        fit_generators(X[:20], MOVED[:20], search=L, dimension=1)
    ),
    "find_conserved_quantities": lambda L, s: conserved(
        find_conserved_quantities(energy, PHASE, search=L, action="linear")
    ),
    "fit_conserved_quantities": lambda L, s: conserved(
        fit_conserved_quantities(paths(), search=L, action="linear")
    ),
    "HamiltonianSums": lambda L, s: conserved(
        summed(HamiltonianSums(energy, PHASE, search=L, action="linear"), PHASE)
    ),
    "MotionSums": lambda L, s: conserved(
        summed(MotionSums(paths(), search=L, action="linear"), paths())
    ),
    "flat_directions": flat,
    "equivariant_mlp": lambda L, s: of_model(
        equivariant_mlp(L, outputs=1, hidden_units=(4,), vectors=2), 3
    ),
}
CALLS = {**LEARNED_CALLS, **FIXED_CALLS}
# Discrete elements are searched among elements, not among generators, the classifier of a
# table is an `equivariant_mlp`, and symmetries of equations are fields on their variables.
WITHOUT_GENERATORS = {
    "classifier",
    "find_discrete_symmetries",
    "find_point_symmetries",
    "SolutionWindows",
}


def test_every_call_with_generators_is_in_the_tables():
    rooms = ("callbacks", "discovery", "losses", "metrics", "models", "physics")
    takes = {
        name.split(".")[-1]
        for name, value in PUBLIC.items()
        if name.split(".")[1] in rooms
        and not dataclasses.is_dataclass(value)
        and {"generators", "search"} & set(inspect.signature(value).parameters)
    }
    made = {name.split(",")[0] for name in CALLS}
    assert takes == made | WITHOUT_GENERATORS


# Of each kind one call on every backend; the others are made of the same parts.
BY_DAY = ("equivariance_error", "InvariantLoss", "find_symmetries")


def all_calls():
    """`(name, trainable, scale)`, all thorough but some."""
    for name in CALLS:
        for trainable in [False, True] if name in LEARNED_CALLS else [False]:
            for scale in (5.0, 1e-3):
                by_day = name in BY_DAY and scale == 5.0 and not trainable
                marks = () if by_day else pytest.mark.thorough
                yield pytest.param(name, trainable, scale, marks=marks)


@pytest.mark.parametrize(("name", "trainable", "scale"), all_calls())
def test_a_minimal_family_in_all_other_calls(name, trainable, scale):
    found = []
    for family in (MinimalGenerators, g.MatrixGenerators):
        keras.utils.set_random_seed(0)
        generators = family(scale * MATRICES, trainable=trainable)
        generators.build((None, 3, 2))
        found.append(np.asarray(to_numpy(CALLS[name](generators, scale)), "float64"))
    assert np.linalg.norm(found[1]) > 1e-5
    assert relative_error(*found) < 1e-5


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
