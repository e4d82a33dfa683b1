"""Symmetries of functions of images."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_lconv import InvariantPooling
from keras_lconv import algebra as a
from keras_lconv import generators as g
from keras_lconv.discovery import find_symmetries
from tests.families import reference_matrices, relative_error, to_numpy

SIZE = 15
GRID = np.linspace(-1, 1, SIZE)
SQUARED_RADIUS = np.add.outer(GRID**2, GRID**2)
ROTATION = [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
TRANSLATIONS = np.zeros((2, 3, 3))
TRANSLATIONS[0, 0, 2] = TRANSLATIONS[1, 1, 2] = 1.0


def blobs(num, width=0.15, size=SIZE, seed=0):
    """Smooth images that vanish at the border: four Gaussians each."""
    rng = np.random.default_rng(seed)
    axis = np.linspace(-1, 1, size)
    images = np.zeros((num, size, size))
    for _ in range(4):
        centres, widths = rng.uniform(-0.35, 0.35, (2, num, 1)), rng.uniform(0.8, 1.3)
        rows, columns = np.exp(-(((axis - centres) / (widths * width)) ** 2) / 2)
        images += rng.normal(size=(num, 1, 1)) * rows[:, :, None] * columns[:, None]
    return images[..., None]


def tensor(array):
    return ops.convert_to_tensor(np.asarray(array, dtype="float32"))


def degrees(report, expected):
    return np.degrees(np.max(a.principal_angles(report.algebra, expected)))


def network(*layers):
    head = [keras.layers.Dense(16, "tanh"), keras.layers.Dense(4)]
    return keras.Sequential([keras.Input((SIZE, SIZE, 1)), *layers, *head])


def radial_moments(x):
    """`int f(x) h(|x|) dx` for three functions of the radius."""
    bell = np.exp(-4 * SQUARED_RADIUS)
    windows = tensor([bell, SQUARED_RADIUS * bell, SQUARED_RADIUS**2 * bell])
    return ops.einsum("bijc,mij->bm", x, windows)


def other_moments(x):
    """Moments with windows that are not round, and an offset one."""
    windows = [
        np.exp(-5 * (GRID[:, None] - s) ** 2 - 9 * (GRID + s) ** 2) for s in (0, 0.4)
    ]
    return ops.einsum("bijc,mij->bm", x, tensor(windows)) ** 2


def test_a_classifier_of_invariants_has_the_rotation_only():
    model = network(InvariantPooling("rotation"))
    report = find_symmetries(model, blobs(100))
    assert report.dimension == 1
    assert degrees(report, ROTATION) < 1e-3
    assert np.allclose(report.algebra.canonical_basis(), [ROTATION], atol=1e-4)
    assert report.confidence > 0.99
    assert report.sensitivities["rotation"] < 1e-5
    others = {**report.sensitivities, "rotation": np.inf}
    assert min(others.values()) > 0.3
    assert set(others) == {
        "translation 0", "translation 1", "rotation", "scaling", "stretch", "shear"
    }  # fmt: skip
    assert len(report.unidentified) == 0
    words = report.summary()
    assert "dimension 1 of 6" in words
    # Ranked, the symmetry first.
    assert words.index("rotation: ") < words.index("scaling: ")


def test_global_averages_of_local_features_have_translations():
    layers = keras.layers
    model = network(
        layers.ZeroPadding2D(2),
        layers.Conv2D(16, 5, activation=ops.square),
        layers.GlobalAveragePooling2D(),
    )
    report = find_symmetries(model, blobs(100))
    assert report.dimension == 2
    assert degrees(report, TRANSLATIONS) < 1
    assert report.algebra.is_abelian
    assert report.sensitivities["translation 1"] < 0.01 < report.sensitivities["shear"]


def test_radial_moments_have_the_rotation():
    """In closed form, up to what a grid of 15 points makes of a Gaussian."""
    report = find_symmetries(radial_moments, blobs(100))
    assert report.dimension == 1
    assert degrees(report, ROTATION) < 0.1
    assert report.gap > 100
    shifted = find_symmetries(
        lambda x: radial_moments(ops.roll(x, 3, axis=1)), blobs(100, 0.12)
    )
    # About another centre, three steps away from the centre of the grid: of seven.
    assert shifted.dimension == 1
    about = np.array(ROTATION)
    about[:2, 2] = -about[:2, :2] @ [-3 / 7, 0]
    assert degrees(shifted, about) < 2


def test_what_has_no_symmetry_has_none():
    for function in (other_moments, network(keras.layers.Flatten())):
        report = find_symmetries(function, blobs(100))
        assert report.dimension == 0
        assert report.generators is None
        assert report.algebra.matrix_size == 3
        assert min(report.sensitivities.values()) > 0.3
        assert "no symmetry" in report.summary()


def test_values_are_in_units_of_a_random_gradient():
    """For gradients of white noise all of them are 1, whatever the lengths of fields."""
    waves = np.random.default_rng(0).normal(size=(40, SIZE * SIZE)).astype("float32")

    def function(x):
        return ops.einsum("bd,md->bm", ops.reshape(x, (-1, SIZE * SIZE)), tensor(waves))

    report = find_symmetries(function, blobs(200))
    assert np.all((report.singular_values > 0.5) & (report.singular_values < 1.5))
    assert abs(np.mean(list(report.sensitivities.values())) - 1) < 0.2
    # Longer fields are the same fields.
    longer = g.VectorFieldGenerators(
        6, coefficients=np.eye(6).reshape(6, 2, 3) * np.arange(1, 7)[:, None, None]
    )
    again = find_symmetries(function, blobs(200), search=longer)
    assert np.allclose(again.singular_values, report.singular_values, rtol=1e-3)
    for name, value in report.sensitivities.items():
        assert np.isclose(again.sensitivities[name], value, rtol=1e-3), name


def test_singular_values_are_those_of_the_equations():
    """Against matrices on pixels and an SVD of all equations in NumPy."""
    x, weights = blobs(30, size=7, width=0.3), np.random.default_rng(1).normal(size=(49, 3))

    def function(x):
        return ops.tanh(ops.matmul(ops.reshape(x, (-1, 49)), tensor(weights)))

    report = find_symmetries(function, x, search="linear")
    search = g.VectorFieldGenerators(4, "linear", coefficients=np.eye(4).reshape(4, 2, 2))
    search.build((None, 7, 7, 1))
    flat = x.reshape(30, 49)
    along = np.einsum("kij,bj->bki", reference_matrices(search), flat)
    slopes = (1 - np.tanh(flat @ weights) ** 2)[:, :, None] * weights.T
    rows = np.einsum("bmd,bkd->bmk", slopes, along)
    gram = np.einsum("bkd,bld->bkl", along, along)
    squares = np.sum(slopes**2, axis=2) / 49
    sizes = np.sqrt(squares * np.trace(gram, axis1=1, axis2=2)[:, None])
    whole = np.concatenate(rows / np.sqrt(sizes)[..., None])
    unit = np.einsum("bm,bkl->kl", squares / sizes, gram)
    whitened = whole @ np.linalg.inv(np.linalg.cholesky(unit)).T
    expected = np.linalg.svd(whitened, compute_uv=False)[::-1]
    assert np.allclose(report.singular_values, expected, rtol=1e-3)
    rotation = np.array([0.0, -1.0, 1.0, 0.0])
    ratio = np.linalg.norm(whole @ rotation) / np.sqrt(rotation @ unit @ rotation)
    assert np.isclose(report.sensitivities["rotation"], ratio, rtol=1e-3)


def test_found_fields_act():
    report = find_symmetries(radial_moments, blobs(100))
    generators = report.to_generators(name="found")
    assert isinstance(generators, g.VectorFieldGenerators)
    assert generators.name == "found"
    assert not generators.is_learned
    images = blobs(4, seed=1).astype("float32")
    # A parameter is an angle, the sign is free.
    moved = to_numpy(generators.transform(images, np.pi / 2))
    quarter = [np.rot90(images, turns, axes=(1, 2)) for turns in (1, 3)]
    assert min(relative_error(moved, each) for each in quarter) < 0.02
    assert report.to_generators(trainable=True).is_learned
    assert len(report.plot().axes) == 2


def test_equivariance_on_the_grid():
    """A function of values commutes with moving them, one of places does not."""
    arguments = {"kind": "equivariance", "output": "same"}
    x = blobs(40, 0.3, size=9)
    assert find_symmetries(lambda x: ops.tanh(x / 4), x, **arguments).dimension == 6
    axis = np.linspace(-1, 1, 9)
    window = tensor(np.exp(-np.add.outer(axis**2, axis**2))[..., None])
    report = find_symmetries(lambda x: window * x, x, **arguments)
    assert report.dimension == 1
    assert degrees(report, ROTATION) < 1
    assert report.output == "same"


def test_outputs_that_transform_in_a_given_or_a_free_way():
    """First moments are a vector: rotations act on it by the same matrix, `A`."""
    bell = np.exp(-4 * SQUARED_RADIUS)
    windows = tensor([bell * GRID[:, None], bell * GRID])

    def vector(x):
        return ops.einsum("bijc,mij->bm", x, windows)

    linear = np.eye(4).reshape(4, 2, 2)
    search = g.VectorFieldGenerators(4, "linear", coefficients=linear)
    for output in (linear, "free"):
        report = find_symmetries(
            vector, blobs(100), kind="equivariance", search=search, output=output
        )
        assert report.dimension == 1
        assert degrees(report, a.so(2)) < 0.5
    assert find_symmetries(vector, blobs(100), search=search).dimension == 0


def test_other_spaces_to_search():
    x = blobs(100)
    alone = find_symmetries(radial_moments, x, search="rotation")
    assert alone.dimension == 1
    assert list(alone.sensitivities) == ["rotation"]
    quadratic = find_symmetries(radial_moments, x, search="quadratic")
    assert len(quadratic.singular_values) == 12
    assert np.isclose(
        quadratic.sensitivities["rotation"], alone.sensitivities["rotation"], rtol=0.01
    )
    line = np.random.default_rng(0).normal(size=(50, 6, 1))
    shifts = g.MatrixGenerators(a.so(6).basis[:3])
    report = find_symmetries(lambda x: ops.sum(x**2, axis=(1, 2)), line, search=shifts)
    assert report.dimension == 3
    assert list(report.sensitivities) == ["generator 0", "generator 1", "generator 2"]
    assert report.to_generators().num_generators == 3
    # Two axes are a table, whatever is searched.
    table = find_symmetries(lambda x: ops.sum(x**2, axis=1), line[..., 0], search=shifts)
    assert table.dimension == 3
    assert table.sensitivities is None


def test_fields_that_change_no_image_are_unidentified():
    """Images that are constant along one axis: shifts and shears of it do nothing."""
    stripes = np.repeat(blobs(60)[:, :, :1], SIZE, axis=2)
    search = g.affine(derivative="fourier")
    report = find_symmetries(other_moments, stripes, search=search)
    assert len(report.unidentified) == 3
    values = np.tensordot(report.unidentified, search.vector_fields(), 1)
    # Such fields have no component along the other axis.
    assert np.max(np.abs(values[..., 0])) < 1e-4 * np.max(np.abs(values))
    assert np.isnan(report.sensitivities["translation 1"])
    assert np.isfinite(report.sensitivities["translation 0"])
    assert "unidentified: 3 of 6" in report.summary()


def test_channels_first_and_batches():
    x = np.concatenate([blobs(50, seed=n) for n in range(2)], axis=-1)

    def function(x):
        return ops.concatenate([radial_moments(x[..., :1]), other_moments(x[..., 1:])], 1)

    report = find_symmetries(function, x)
    first = find_symmetries(
        lambda x: function(ops.transpose(x, (0, 2, 3, 1))),
        np.moveaxis(x, -1, 1),
        data_format="channels_first",
        batch_size=17,
        verbose=False,
    )
    assert np.allclose(first.singular_values, report.singular_values, rtol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"search": "any"}, ValueError, "`search` must be one of"),
        ({"search": 3}, TypeError, "`search` must be known"),
        (
            {"search": g.DenseGenerators(2, output_dim=3)},
            ValueError,
            "must hold square generators",
        ),
        ({"search": g.rotation(3)}, ValueError, "spatial axes"),
        ({"blocks": 2}, ValueError, "`blocks` and `scalars` apply to vectors"),
        ({"dimension": 7}, ValueError, "`dimension` must be from 0 to 6"),
        ({"data_format": "any"}, ValueError, "`data_format` must be one of"),
        ({"x": np.ones((4, 5, 5, 1)), "search": g.translation(derivative="fourier")},
         ValueError, "must change some sample"),
        ({"kind": "equivariance", "output": "tensor2"}, ValueError, "`output` must be"),
        ({"kind": "equivariance", "output": "same"}, ValueError, "on the grid"),
        ({"kind": "equivariance", "output": np.ones((2, 1, 1))}, ValueError, r"\(6, m"),
        ({"kind": "equivariance", "output": np.ones((6, 2, 2))}, ValueError, "the 1 out"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(arguments, error, words):
    settings = {
        "function": lambda x: ops.sum(x**3, axis=(1, 2)),
        "x": blobs(4, size=5),
        **arguments,
    }
    with pytest.raises(error, match=words):
        find_symmetries(**settings)
