"""Symmetries of functions that are known, found again."""

import itertools

import keras
import numpy as np
import pytest
from keras import ops

from keras_lconv import LConv
from keras_lconv import algebra as a
from keras_lconv.discovery import find_symmetries
from tests.families import relative_error, to_numpy
from tests.samples import normal


def tensor(array):
    return ops.convert_to_tensor(np.asarray(array, dtype="float32"))


def degrees(report, expected):
    return np.degrees(np.max(a.principal_angles(report.algebra, expected)))


def o5(x):
    """A function of two vectors of five components that O(5) leaves invariant."""
    u, v = x[:, :5], x[:, 5:]
    lengths = ops.sqrt(ops.sum(u**2, axis=1)), ops.sqrt(ops.sum(v**2, axis=1))
    angle = ops.sum(u * v, axis=1) / (lengths[0] * lengths[1])
    return ops.sin(lengths[0]) - lengths[1] ** 3 / 2 + angle


def interval(p, q):
    """The form of so(p,q), of one vector."""
    signs = np.repeat([1.0, -1.0], [p, q])
    return lambda x: ops.sin(ops.sum(x * x * tensor(signs), axis=1))


def symplectic(x):
    half = x.shape[1] // 4
    form = np.kron([[0, 1], [-1, 0]], np.eye(half))
    return ops.einsum("bi,ij,bj->b", x[:, : 2 * half], tensor(form), x[:, 2 * half :])


def determinant(x):
    rows = ops.reshape(x, (-1, 3, 3))
    return ops.einsum(
        "bi,bj,bk,ijk->b", *(rows[:, n] for n in range(3)), tensor(LEVI_CIVITA)
    )


LEVI_CIVITA = np.zeros((3, 3, 3))
for order in itertools.permutations(range(3)):
    LEVI_CIVITA[order] = np.linalg.det(np.eye(3)[list(order)])


def points(seed=0):
    """Pairs of points of the plane, with a third component of one."""
    x = normal(300, 6, seed=seed)
    x[:, [2, 5]] = 1.0
    return x


def distance(x):
    return (x[:, 0] - x[:, 3]) ** 2 + (x[:, 1] - x[:, 4]) ** 2


AFFINE = np.array(
    [np.outer(np.eye(3)[i], np.eye(3)[j]) for i in range(2) for j in range(3)]
)

# name of the algebra -> (function, samples, arguments, the algebra)
INVARIANT = {
    "so(5)": (o5, normal(300, 10), {"blocks": 2}, a.so(5)),
    "so(3,1)": (interval(3, 1), normal(200, 4), {}, a.so(3, 1)),
    "so(2,2)": (interval(2, 2), normal(200, 4), {}, a.so(2, 2)),
    "sp(4)": (symplectic, normal(200, 8), {"blocks": 2}, a.sp(4)),
    "sl(3)": (determinant, normal(300, 9), {"blocks": 3}, a.sl(3)),
    "se(2)": (distance, points(), {"blocks": 2, "search": AFFINE}, a.se(2)),
}


@pytest.mark.parametrize("name", INVARIANT)
def test_exact_functions(name):
    function, x, arguments, expected = INVARIANT[name]
    report = find_symmetries(function, x, **arguments)
    assert report.dimension == expected.dimension
    assert report.algebra.identify().name == expected.identify().name
    assert degrees(report, expected) < 1e-3
    assert report.confidence > 0.99
    assert np.all(report.errors < 1e-5)
    assert len(report.unidentified) == 0


def test_a_hidden_basis_is_found():
    """A change of coordinates conjugates the algebra, and its form is found with it."""
    change = np.eye(4) + 0.3 * normal(4, 4)
    report = find_symmetries(
        lambda x: interval(3, 1)(ops.einsum("ij,bj->bi", tensor(change), x)), normal(200, 4)
    )
    conjugated = np.linalg.inv(change) @ a.so(3, 1).basis @ change
    assert degrees(report, conjugated) < 1e-3
    form = a.invariant_forms(report.algebra.basis, tolerance=1e-4)
    expected = change.T @ np.diag([1, 1, 1, -1]) @ change
    assert a.correlation(form[0], expected) > 1 - 1e-6


def inertia(x):
    """The tensor of inertia of five points: masses, then positions."""
    masses, places = x[:, :5], ops.reshape(x[:, 5:], (-1, 5, 3))
    squares = ops.einsum("bn,bni,bni->b", masses, places, places)
    tensors = ops.einsum("bn,bni,bnj->bij", masses, places, places)
    return squares[:, None, None] * tensor(np.eye(3)) - tensors


ELEMENTARY = np.eye(9).reshape(9, 3, 3)
# Masses stay unchanged, and positions move together.
ON_POINTS = np.zeros((9, 20, 20))
ON_POINTS[:, 5:, 5:] = [np.kron(np.eye(5), m) for m in ELEMENTARY]
RANK_TWO = np.array([np.kron(m, np.eye(3)) + np.kron(np.eye(3), m) for m in ELEMENTARY])
MASSES_AND_PLACES = np.concatenate(
    [np.random.default_rng(1).uniform(0.5, 2, (300, 5)), normal(300, 15)], axis=1
)


def test_inertia_as_a_tensor_has_rotations_and_a_dilation():
    report = find_symmetries(
        inertia, MASSES_AND_PLACES, kind="equivariance", search=ON_POINTS, output=RANK_TWO
    )
    assert report.algebra.identify().name == "so(3) + R"
    similar = np.concatenate([a.so(3).basis, np.eye(3)[None]])
    expected = np.tensordot(similar.reshape(4, 9), ON_POINTS, 1)
    assert degrees(report, expected) < 1e-3
    assert report.output == "matrices"


def test_scalars_say_the_same_shortly():
    """Five masses before five positions: matrices are those on one position."""
    arguments = {"blocks": 5, "scalars": 5}
    report = find_symmetries(
        inertia, MASSES_AND_PLACES, kind="equivariance", output="tensor2", **arguments
    )
    assert report.algebra.identify().name == "so(3) + R"
    similar = np.concatenate([a.so(3).basis, np.eye(3)[None]])
    assert degrees(report, similar) < 1e-3
    generators = report.to_generators()
    generators.build((None, 20))
    whole = to_numpy(generators.to_dense())
    assert not np.any(whole[:, :5])
    assert not np.any(whole[:, :, :5])
    assert relative_error(whole[:, 5:8, 5:8], report.algebra.basis) < 1e-6
    found = find_symmetries(
        inertia, MASSES_AND_PLACES, kind="equivariance", output="free", **arguments
    )
    assert found.algebra.identify().name == "gl(3,R)"

    def moved(x):
        """Positions scaled by the sum of the masses: as the input does, these stay."""
        return ops.concatenate([x[:, :5], x[:, 5:] * ops.sum(x[:, :5], 1, True)], axis=1)

    same = find_symmetries(
        moved, MASSES_AND_PLACES, kind="equivariance", output="same", **arguments
    )
    assert same.dimension == 9


def test_inertia_with_any_action_on_the_output_has_all_of_gl3():
    report = find_symmetries(
        inertia, MASSES_AND_PLACES, kind="equivariance", search=ON_POINTS, output="free"
    )
    assert report.algebra.identify().name == "gl(3,R)"
    assert "free" in report.summary()
    assert "does not change" not in report.summary()


def test_equivariant_vectors():
    def rotated_and_scaled(x):
        return x * ops.cos(ops.sum(x**2, axis=1, keepdims=True))

    report = find_symmetries(
        rotated_and_scaled, normal(200, 3), kind="equivariance", output="same"
    )
    assert degrees(report, a.so(3)) < 1e-3


def test_equivariant_tensors():
    """`x y^T + y x^T` transforms by `L F + F L^T` under all of gl(3)."""

    def product(x):
        u, v = x[:, :3], x[:, 3:]
        outer = u[:, :, None] * v[:, None, :]
        return outer + ops.transpose(outer, (0, 2, 1))

    arguments = {"kind": "equivariance", "blocks": 2}
    report = find_symmetries(product, normal(200, 6), output="tensor2", **arguments)
    assert report.dimension == 9

    def length_too(x):
        return product(x) + ops.sum(x**2, axis=1)[:, None, None] * tensor(np.eye(3))

    report = find_symmetries(length_too, normal(200, 6), output="tensor2", **arguments)
    assert report.algebra.identify().name == "so(3) + R"


def test_what_samples_do_not_reach_is_no_symmetry():
    """Two bodies about their common centre: four of eight directions are empty."""
    orbits = normal(300, 4)
    x = np.concatenate([orbits, -orbits], axis=1)
    turns = np.kron(np.eye(4), [[0.0, -1.0], [1.0, 0.0]])

    def angular_momentum_and_energy(x):
        q, p = x[:, 0:2], x[:, 2:4]
        turn = q[:, 0] * p[:, 1] - q[:, 1] * p[:, 0]
        return turn**3 + ops.sum(q**2, axis=1) + 2 * ops.sum(p**4, axis=1) ** 0.5

    report = find_symmetries(angular_momentum_and_energy, x)
    assert len(report.unidentified) == 4
    assert np.allclose(report.unidentified @ x.T, 0, atol=1e-9)
    assert "unidentified: 4 of 8" in report.summary()
    search = np.stack([turns, np.kron(np.eye(4), np.diag([1.0, -1.0]))])

    def invariant(x):
        q, p = x[:, 0:2], x[:, 2:4]
        return ops.sum(q**2, axis=1) * ops.sum(p**2, axis=1) + ops.sum(q * p, axis=1)

    report = find_symmetries(invariant, x, search=search)
    assert report.dimension == 1
    reached = np.eye(8) - report.unidentified.T @ report.unidentified
    assert degrees(report, [reached @ turns @ reached]) < 1e-3


@pytest.mark.thorough
def test_functions_without_symmetry_have_none():
    """Of fifty random functions, one at most seems to have any."""
    found = 0
    for seed in range(50):
        rng = np.random.default_rng(seed)
        size = 2 + seed % 4
        x = rng.normal(size=(200, size))
        waves, phases = tensor(rng.normal(size=(size, 12))), tensor(rng.normal(size=12))
        weights = tensor(rng.normal(size=12))

        def function(x, waves=waves, phases=phases, weights=weights):
            return ops.einsum("bn,n->b", ops.sin(ops.matmul(x, waves) + phases), weights)

        found += find_symmetries(function, x).dimension > 0
    assert found <= 1


def test_a_broken_symmetry_is_found_as_far_as_it_goes():
    x = normal(400, 3)

    def nearly_round(x, size):
        return ops.sum(x**2, axis=1) + size * x[:, 0] * x[:, 1] * x[:, 2]

    gaps = []
    for size in (0.0, 1e-3, 1e-2):
        report = find_symmetries(lambda x, size=size: nearly_round(x, size), x)
        assert report.dimension == 3
        assert degrees(report, a.so(3)) < 90 * size + 1e-3
        gaps.append(report.gap)
    assert gaps[0] > gaps[1] > gaps[2]
    assert find_symmetries(lambda x: nearly_round(x, 3.0), x).dimension == 0


def test_error_bars_have_the_size_of_the_errors():
    """Noise in the function, different for each sample."""
    errors, bars = [], []
    for seed in range(5):
        x = normal(400, 3, seed=seed)

        def noisy(x):
            return ops.sum(x**2, axis=1) + 0.003 * ops.sum(ops.sin(40 * x), axis=1)

        report = find_symmetries(noisy, x, dimension=3)
        errors.append(np.radians(degrees(report, a.so(3))))
        bars.append(np.max(report.errors))
    assert 0.5 < np.mean(bars) / np.mean(errors) < 2


def perceptron(seed=3):
    """Weights of a hidden layer on the form of so(2,1), and of a part that breaks it."""
    rng = np.random.default_rng(seed)
    shapes = {"form": (1, 6), "bias": (6,), "first": (3, 6), "last": (6, 2)}
    return {name: rng.normal(size=shape) for name, shape in shapes.items()}


def slopes_in_numpy(x, weights, broken):
    """The derivatives of the network below by the chain rule, `(batch, 2, 3)`."""
    signs = np.array([1.0, 1.0, -1.0])
    form = np.sum(x**2 * signs, axis=1, keepdims=True)
    hidden = np.tanh(
        form @ weights["form"] + weights["bias"] + broken * x @ weights["first"]
    )
    inner = (2 * x * signs)[:, :, None] * weights["form"][0] + broken * weights["first"]
    return np.einsum("bih,bh,hm->bmi", inner, 1 - hidden**2, weights["last"])


def test_every_backend_finds_the_algebra_of_one_reference():
    """The weights are copied, the null space is that of all equations in NumPy.

    The symmetry is broken by a percent, so that the algebra is not known beforehand.
    """
    weights, broken, x = perceptron(), 0.01, normal(300, 3)

    def network(x):
        form = ops.sum(x**2 * tensor([1.0, 1.0, -1.0]), axis=1, keepdims=True)
        hidden = ops.matmul(form, tensor(weights["form"])) + tensor(weights["bias"])
        hidden = hidden + broken * ops.matmul(x, tensor(weights["first"]))
        return ops.matmul(ops.tanh(hidden), tensor(weights["last"]))

    report = find_symmetries(network, x)
    root = np.linalg.cholesky(x.T @ x / len(x))  # standard coordinates: x = root u
    u, slopes = np.linalg.solve(root, x.T).T, slopes_in_numpy(x, weights, broken) @ root
    slopes = slopes / np.sqrt(np.mean(np.sum(slopes**2, axis=2), axis=0))[:, None]
    rows = np.einsum("bmi,bj->bmij", slopes, u)
    steep, long = np.eye(3), np.eye(3)
    for _ in range(4):  # an equation counts by its size, which second moments measure
        steepness = np.einsum("bmi,ij,bmj->bm", slopes, np.linalg.inv(steep), slopes)
        lengths = np.einsum("bi,ij,bj->b", u, np.linalg.inv(long), u)[:, None]
        sizes = np.sqrt(steepness * lengths)
        counted = sizes
        for _ in range(50):  # up to three times the mean
            counted = np.minimum(counted, 3 * np.mean(counted))
        counts = counted / sizes**2
        steep = np.einsum("bm,bmi,bmj->ij", counts * lengths, slopes, slopes)
        long = np.einsum("bm,bi,bj->ij", counts * steepness, u, u)
        steep, long = 3 * steep / np.trace(steep), 3 * long / np.trace(long)
    rows = (rows * np.sqrt(counts)[..., None, None]).reshape(-1, 9)
    unit = np.linalg.cholesky(np.kron(steep, long))
    found = np.linalg.solve(
        unit.T, np.linalg.svd(np.linalg.solve(unit, rows.T).T)[2][-3:].T
    )
    expected = root @ found.T.reshape(3, 3, 3) @ np.linalg.inv(root)
    assert report.dimension == 3
    assert degrees(report, expected) < 0.01
    # It is another one than the algebra without the breaking.
    assert degrees(report, a.so(2, 1)) > 0.1


def test_batches_do_not_matter():
    function, x, arguments, expected = INVARIANT["so(3,1)"]
    small = find_symmetries(function, x, batch_size=7, verbose=False, **arguments)
    whole = find_symmetries(function, x, **arguments)
    assert np.allclose(small.singular_values, whole.singular_values, atol=1e-6)
    assert degrees(small, expected) < 1e-3


def test_models_are_called_in_inference_mode():
    inputs = keras.Input((3,))
    # In training, dropping squares would break the symmetry.
    squares = keras.layers.Dropout(0.5)(inputs**2)
    model = keras.Model(inputs, ops.sum(squares, axis=1, keepdims=True))
    report = find_symmetries(model, normal(100, 3))
    assert degrees(report, a.so(3)) < 1e-3


def test_dimension_can_be_given():
    report = find_symmetries(o5, normal(300, 10), blocks=2, dimension=4)
    assert report.dimension == 4
    assert find_symmetries(o5, normal(300, 10), blocks=2, dimension=0).dimension == 0


def test_report_becomes_generators():
    report = find_symmetries(o5, normal(300, 10), blocks=2)
    generators = report.to_generators()
    layer = LConv(3, generators)
    assert tuple(layer(normal(2, 10)).shape) == (2, 10, 3)
    dense = to_numpy(generators.to_dense())
    expected = [np.kron(np.eye(2), matrix) for matrix in report.algebra.basis]
    assert relative_error(dense, expected) < 1e-6
    moved = generators.transform(normal(4, 10).astype("float32"), 0.3 * normal(10))
    assert relative_error(o5(moved), o5(tensor(normal(4, 10)))) < 1e-4


def test_report_without_symmetries():
    report = find_symmetries(lambda x: x[:, 0] + ops.sin(x[:, 1] * x[:, 0]), normal(200, 2))
    assert report.dimension == 0
    assert "no symmetry" in report.summary()
    with pytest.raises(ValueError, match="no symmetry was found"):
        report.to_generators()
    assert len(report.plot().axes) == 1


def test_summary_and_plot():
    report = find_symmetries(o5, normal(300, 10), blocks=2)
    words = report.summary()
    assert "so(5)" in words
    assert "dimension 10 of 25" in words
    # The spectrum, and ten matrices with their scales of colours.
    assert len(report.plot().axes) == 21


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"function": 3}, TypeError, "`function` must be a model"),
        ({"function": lambda x: "none"}, TypeError, "`function` must return one tensor"),
        ({"function": lambda x: 3.0}, ValueError, "must change with its input"),
        ({"function": lambda x: 0 * x}, ValueError, "must depend on its input"),
        ({"function": lambda x: ops.sqrt(x)}, ValueError, "finite values"),
        ({"x": np.ones(4)}, ValueError, "`x` must have shape"),
        ({"x": np.full((4, 4), np.nan)}, ValueError, "`x` must be finite"),
        ({"kind": "both"}, ValueError, "`kind` must be one of"),
        ({"blocks": 3}, ValueError, "`blocks` must divide"),
        ({"scalars": 4}, ValueError, "`scalars` must leave some"),
        ({"scalars": 1, "blocks": 2}, ValueError, "that are no scalars"),
        ({"scalars": -1}, ValueError, "`scalars` must be an integer"),
        ({"scalars": 0.5}, TypeError, "`scalars` must be an integer"),
        ({"search": np.ones((2, 3, 3))}, ValueError, "`search` must be matrices"),
        ({"search": []}, ValueError, "`search` must be .* at least one"),
        ({"search": a.SO(4)}, TypeError, "or a `LieAlgebra`.*Give its `algebra`"),
        ({"search": a.SO(4).standard}, TypeError, "Give its `generators`"),
        (
            {"search": a.so(2), "x": np.ones((3, 5, 5, 1))},
            ValueError,
            "must fit.* d=2 ",
        ),
        (
            {"function": keras.layers.Lambda(ops.transpose), "x": normal(20, 7)},
            ValueError,
            r"a value for each sample.*\(7, 20\) for 20",
        ),
        ({"output": "same"}, ValueError, "`output` states how .*kind='invariance'"),
        ({"output": np.ones((16, 1, 1))}, ValueError, "`output` states how"),
        (
            {"function": lambda x: ops.sum(x, axis=1)[:7]},
            ValueError,
            r"a value for each sample.*\(7,\) for 20",
        ),
        ({"dimension": 17}, ValueError, "`dimension` must be from 0 to 16"),
        ({"kind": "equivariance", "output": "same"}, ValueError, "with 4 outputs"),
        ({"kind": "equivariance", "output": "any"}, ValueError, "`output` must be one of"),
        (
            {"kind": "equivariance", "output": np.ones((2, 1, 1))},
            ValueError,
            r"matrices of shape \(16, 1, 1\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused(arguments, error, words):
    settings = {"function": lambda x: ops.sum(x, axis=1), "x": normal(20, 4), **arguments}
    with pytest.raises(error, match=words):
        find_symmetries(**settings)
