"""EquivariantDense and equivariant_mlp for groups with elements beside an algebra."""

import tracemalloc

import keras
import numpy as np
import pytest

from keras_lconv import EquivariantDense, FibreNorm, NormActivation, NormMaxPooling
from keras_lconv import algebra as a
from keras_lconv.generators.families.group import GroupGenerators
from keras_lconv.models import equivariant_mlp
from tests.families import relative_error, to_numpy
from tests.samples import random

SPACE, PLANE, SET, SQUARE = a.O(3), a.O(2), a.symmetric(5), a.dihedral(4)
V, S = SPACE.standard, SET.standard
REGULAR = SQUARE.regular()

# name -> representations in and out, number of maps, of invariant directions
CASES = {
    "vectors": (SPACE, None, 1, 0),
    "no cross product": (V * V + V, V, 1, 0),
    "pseudovectors": (V * V, V.pseudo, 1, 0),
    "dot product": (V * V, "trivial", 1, 1),
    "the plane": (PLANE, None, 1, 0),
    "spacetime": (a.O(3, 1).standard ** 2, None, 3, 1),
    "a set": (SET, None, 2, 1),
    "edges": (S**2, S**2, 15, 2),
    "a sum over a set": (SET, "trivial", 1, 1),
    "turns of a square": (SQUARE.standard, REGULAR, 2, 1),
    "convolution over a group": (REGULAR, None, 8, 1),
    "a ring": (a.cyclic_shifts(6), None, 6, 1),
    "a cube": (a.polyhedral("cube").standard ** 2, a.polyhedral("cube").standard, 1, 0),
}


def representation(value, other=None):
    if value is None:
        return representation(other)
    if isinstance(value, str):
        return representation(other).group.trivial()
    return getattr(value, "standard", value)


def layer_of(name, units=3, channels=2, **kwargs):
    source, target, _, _ = CASES[name]
    layer = EquivariantDense(units, source, generators_out=target, **kwargs)
    layer.build((None, representation(source).size, channels))
    if layer.bias is not None:
        layer.bias.assign(random(layer.bias.shape, 7))
    return layer


@pytest.mark.parametrize("name", CASES)
def test_all_maps_and_an_invariant_bias(name):
    source, target, num_maps, num_invariants = CASES[name]
    source, target = representation(source), representation(target, source)
    layer = layer_of(name)
    assert layer.num_maps == num_maps == len(a.intertwiners(source, target))
    assert (0 if layer.bias is None else layer.bias.shape[0]) == num_invariants
    f = random((4, source.size, 2))
    output = to_numpy(layer(f)).reshape(4, target.size, 3)
    assert np.abs(output).max() > 0.1
    pairs = zip(source.random_elements(4, 1), target.random_elements(4, 1), strict=True)
    for before, after in pairs:
        moved = np.einsum("ij,bjc->bic", before, f).astype("float32")
        expected = np.einsum("ij,bjc->bic", after, output)
        found = to_numpy(layer(moved)).reshape(expected.shape)
        assert relative_error(found, expected) < 1e-5 * np.linalg.norm(before)


@pytest.mark.parametrize("name", ["a set", "edges", "turns of a square", "a ring"])
def test_pointwise_activations_of_permutations(name):
    source, target, _, _ = CASES[name]
    source, target = representation(source), representation(target, source)
    layer = layer_of(name, activation="relu")
    f = random((4, source.size, 2))
    output = to_numpy(layer(f))
    assert np.mean(output == 0) > 0.1
    pairs = zip(source.random_elements(4, 1), target.random_elements(4, 1), strict=True)
    for before, after in pairs:
        moved = np.einsum("ij,bjc->bic", before, f).astype("float32")
        expected = np.einsum("ij,bjc->bic", after, output)
        assert relative_error(layer(moved), expected) < 1e-5


@pytest.mark.parametrize("generators", [SPACE, SQUARE, a.SO(2), a.cyclic(4)])
def test_pointwise_activations_of_others_are_refused(generators):
    with pytest.raises(ValueError, match="or the group permutes components"):
        EquivariantDense(2, generators, activation="relu")


def test_variance_is_kept():
    for name in ("vectors", "a set", "convolution over a group", "edges"):
        source = representation(CASES[name][0])
        layer = EquivariantDense(400, *CASES[name][:1], use_bias=False)
        f = random((50, source.size, 4))
        output = to_numpy(layer(f))
        assert 0.7 < np.mean(output**2) / np.mean(f**2) < 1.4, name


def test_a_layer_of_sets_is_that_of_deep_sets():
    layer = EquivariantDense(3, SET, use_bias=False)
    f = random((4, 5, 2))
    output = to_numpy(layer(f))
    total = f.sum(axis=1, keepdims=True).repeat(5, axis=1)
    features = np.concatenate([f, total], axis=2).reshape(-1, 4)
    fitted, *_ = np.linalg.lstsq(features, output.reshape(-1, 3), rcond=None)
    assert relative_error(features @ fitted, output.reshape(-1, 3)) < 1e-5


def test_saved_and_cloned(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((5, 2)),
            EquivariantDense(4, SET, activation="relu"),
            EquivariantDense(3, SET, generators_out=S**2),
            EquivariantDense(2, S**2, generators_out="trivial"),
        ]
    )
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    f = random((3, 5, 2))
    assert relative_error(copy(f), model(f)) < 1e-6
    for layer in model.layers:
        again = type(layer).from_config(layer.get_config())
        assert again.get_config() == layer.get_config()


@pytest.mark.thorough
def test_trains():
    """The largest spread of a set, from the layer of DeepSets."""
    x = random((256, 5, 1))
    y = x.max(axis=1) - x.min(axis=1)
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((5, 1)),
            EquivariantDense(32, SET, activation="relu"),
            EquivariantDense(32, SET, activation="relu"),
            EquivariantDense(16, SET, generators_out="trivial", activation="relu"),
            keras.layers.Dense(1),
        ]
    )
    model.compile(keras.optimizers.Adam(3e-3), "mse", jit_compile=False)
    model.fit(x, y, epochs=60, batch_size=64, verbose=0)
    assert model.evaluate(x, y, verbose=0) < 0.1 * np.var(y)


@pytest.mark.thorough
def test_a_perceptron_with_reflections():
    """A triple product has a sign that they change, a torque one that vectors have not."""
    turns = equivariant_mlp(a.SO(3), blocks=3, hidden_units=(16, 16), vectors=6)
    both = equivariant_mlp(SPACE, blocks=3, hidden_units=(16, 16), vectors=6)
    torque = equivariant_mlp(
        SPACE, blocks=2, generators_out=V.pseudo, order=2, hidden_units=(16, 16)
    )
    x = random((6, 9))
    (g,) = SPACE.random_elements(1, seed=3)
    for element in (g, -g):
        moved = np.einsum("ij,bvj->bvi", element, x.reshape(6, 3, 3)).astype("float32")
        moved = moved.reshape(6, 9)
        assert relative_error(both(moved), both(x)) < 1e-4
        is_turn = np.linalg.det(element) > 0
        assert (relative_error(turns(moved), turns(x)) < 1e-4) == is_turn
        expected = (1 if is_turn else -1) * np.einsum(
            "ij,bjc->bic", element, to_numpy(torque(x[:, :6]))
        )
        assert relative_error(torque(moved[:, :6]), expected) < 1e-4
    assert relative_error(both(x), 0 * x[:, :1]) > 0.01


@pytest.mark.parametrize(
    "representation",
    [a.O(3, 1).standard, V + V.pseudo, S, SQUARE.standard, a.cyclic(3).standard],
    ids=lambda W: W.name,
)
@pytest.mark.parametrize("layer", [FibreNorm, NormActivation, NormMaxPooling])
def test_forms_are_invariant_under_the_whole_group(representation, layer):
    options = {"pool_size": 2} if layer is NormMaxPooling else {}
    layer = layer(representation, form="nearest", **options)
    f = random((2, 6, representation.size, 3))
    output = to_numpy(layer(f))
    assert layer.defect < 1e-6
    for g in representation.random_elements(3, seed=2):
        moved = to_numpy(layer(np.einsum("ij,bpjc->bpic", g, f).astype("float32")))
        expected = output
        if output.ndim == 4:
            expected = np.einsum("ij,bpjc->bpic", g, output)
        assert relative_error(moved, expected) < 1e-4 * np.linalg.norm(g)


def test_reflections_leave_fewer_forms():
    """Vectors and pseudovectors mix under rotations, and not under reflections."""
    both = V + V.pseudo
    assert len(a.invariant_forms(both.restrict(a.SO(3)))) == 3
    mixed = np.kron([[0, 1], [1, 0]], np.eye(3))
    assert np.allclose(FibreNorm(both.restrict(a.SO(3)), form=mixed).form, mixed)
    with pytest.raises(ValueError, match="`form` must be invariant"):
        FibreNorm(both, form=mixed)


def test_defect_is_that_of_the_elements():
    layer = FibreNorm(a.cyclic(4), form="nearest")
    layer.build((None, 2, 1))
    layer._form = np.diag([1.0, 0.5])
    turn = a.cyclic(4).elements[0]
    change = turn.T @ layer._form @ turn - layer._form
    scale = 2 * np.linalg.norm(turn - np.eye(2)) * np.linalg.norm(layer._form)
    assert np.isclose(layer.defect, np.linalg.norm(change) / scale, rtol=1e-5)


def test_norms_are_saved(tmp_path):
    model = keras.Sequential([keras.Input((6, 4, 2)), FibreNorm(a.O(3, 1), form="nearest")])
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    f = random((3, 6, 4, 2))
    assert relative_error(copy(f), model(f)) < 1e-6


def test_o5_has_the_maps_of_so5():
    """Up to products of four vectors no reflection matters in five dimensions."""
    one = equivariant_mlp(a.so(5), blocks=2, hidden_units=(8, 8), vectors=3)
    other = equivariant_mlp(a.O(5), blocks=2, hidden_units=(8, 8), vectors=3)
    trainable = [[tuple(w.shape) for w in m.trainable_weights] for m in (one, other)]
    assert trainable[0] == trainable[1]


@pytest.mark.parametrize(
    ("p", "q"), [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1), (2, 2)]
)
def test_maps_of_permuted_tensors_without_their_matrices(p, q):
    """As many as partitions of the indices, and those of the null space."""
    number = {1: 1, 2: 2, 3: 5, 4: 15}[p + q]
    layer = EquivariantDense(1, S**p, generators_out=S**q, use_bias=False)
    layer.build((None, 5**p, 1))
    assert layer.num_maps == number
    assert [weight.path.split("/")[-1] for weight in layer.weights].count("kernel") == 1
    assert sum(int(np.prod(w.shape)) for w in layer.trainable_weights) == number
    # All matrices, one for each coefficient.
    found = []
    for coefficients in np.eye(number, dtype="float32"):
        layer.kernel.assign(coefficients[:, None, None])
        output = to_numpy(layer(np.eye(5**p, dtype="float32")[..., None]))
        found.append(output.reshape(5**p, 5**q).T.ravel())
    basis = a.intertwiners(S**p, S**q).reshape(number, -1)
    assert np.linalg.matrix_rank(found, tol=1e-4) == number
    assert relative_error(np.array(found) @ basis.T @ basis, np.array(found)) < 1e-5


def test_maps_of_large_permuted_tensors():
    """A matrix, of a map or of an element, has six million entries: there is none."""
    edges = a.symmetric(50).standard ** 2
    layer = EquivariantDense(2, edges, use_bias=False, data_format="channels_last")
    f = random((2, 2500, 3))
    tracemalloc.start()
    try:
        layer.build(f.shape)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1e7
    output = to_numpy(layer(f)).reshape(2, 50, 50, 2)
    order = np.random.default_rng(0).permutation(50)
    moved = f.reshape(2, 50, 50, 3)[:, order][:, :, order].reshape(f.shape)
    expected = output[:, order][:, :, order]
    assert layer.num_maps == 15
    assert relative_error(to_numpy(layer(moved)).reshape(expected.shape), expected) < 1e-5


def test_no_matrix_of_an_element_is_made_to_save(tmp_path, monkeypatch):
    """Keras reads all properties of objects that it saves."""
    edges = a.symmetric(12).standard ** 2
    model = keras.Sequential([keras.Input((144, 2)), EquivariantDense(2, edges)])
    made = []
    for module in ("generators.families.permutation", "algebra.permutations"):
        monkeypatch.setattr(f"keras_lconv.{module}.matrices_of", made.append)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert not made
    f = random((2, 144, 2))
    assert np.array_equal(to_numpy(copy(f)), to_numpy(model(f)))


def test_elements_that_permute_are_integers_in_a_configuration():
    generators = EquivariantDense(2, S**2).generators
    config = generators.get_config()
    assert np.array_equal(config["images"], (S**2).images)
    copy = type(generators).from_config(config)
    copy.build((None, 25, 1))
    assert not copy.weights
    f = random((3, 25, 2))
    expected = np.einsum("kij,bjc->bikc", (S**2).elements - np.eye(25), f)
    assert np.abs(to_numpy(copy(f)) - expected).max() < 1e-6
    # By their matrices, as in models that hold these, they have the same maps.
    dense = EquivariantDense(3, GroupGenerators([], (S**2).elements))
    dense.build((None, 25, 2))
    assert dense.num_maps == 15
    for images, words in (([[0, 1, 1]], "all numbers below"), ([1, 0], "must have shape")):
        with pytest.raises(ValueError, match=words):
            type(generators)(images)
    with pytest.raises(TypeError, match="`images` must be integers"):
        type(generators)([[0.0, 1.0]])
    with pytest.raises(ValueError, match="permute 25 components"):
        copy.from_config(config).build((None, 24, 1))
