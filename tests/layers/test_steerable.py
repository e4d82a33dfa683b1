"""Steerable convolutions: equivariance by an independent turn of grids, and variance."""

import keras
import numpy as np
import pytest
from scipy import ndimage

from keras_lconv import (
    FieldDropout,
    FieldNormalization,
    FourierActivation,
    GroupPooling,
    SteerableConv,
    SteerablePool,
)
from keras_lconv.algebra import MatrixGroup, named_group, so
from keras_lconv.layers.steerable.basis import steerable_basis
from keras_lconv.layers.steerable.grid import Grid, solid_harmonics
from tests.autodiff import run
from tests.families import relative_error, to_numpy


def moved(f, group, representation, element):
    """`(g f)(x) = rho(g) f(g^-1 x)`, for an element that maps the grid onto itself."""
    size, n = f.shape[1], group.matrix_size
    axes = np.meshgrid(*[np.arange(size) - (size - 1) / 2] * n, indexing="ij")
    points = np.stack(axes, axis=-1) @ element  # g^-1 x, for orthogonal g
    index = np.rint(points + (size - 1) / 2).astype(int)
    f = f[:, *np.moveaxis(index, -1, 0)]
    if representation is None:
        return f
    return np.einsum("ij,...jc->...ic", representation.at(element), f)


def randomized(layer, shape, seed=0):
    """A built layer, or model, with a bias that is not zero."""
    layer.build((None, *shape))
    rng = np.random.default_rng(seed)
    for weight in layer.trainable_weights:
        weight.assign(to_numpy(weight) + 0.1 * rng.normal(size=weight.shape))
    return layer


# Group, fields before and after, window, elements that map the grid onto itself.
EXACT = {
    "c4": ("c4", "regular", "regular", 5),
    "d4": ("d4", "regular", "regular", 3),
    "c8, even size": ("c8", "trivial", "regular", 5),
    "so2": ("so2", 2, 3, 5),
    "o2": ("o2", "sign", "standard", 5),
    "cube": ("cube", "standard", 2, 3),
    "o3": ("o3", 1, "standard", 3),
    "reflection": ("reflection", "regular", "sign", 5),
}


def exact_elements(group):
    """Signed permutation matrices of the group, four at most."""
    n = group.matrix_size
    everything = named_group("d4" if n == 2 else "cube").all_elements()
    if n == 1:
        everything = -np.eye(1)[None]
    found = [g for g in everything if group.contains(g) and not np.allclose(g, np.eye(n))]
    return found[:4]


@pytest.mark.parametrize("name", EXACT)
def test_elements_that_map_the_grid_onto_itself_are_exact(name):
    group_name, before, after, window = EXACT[name]
    group = named_group(group_name)
    layer = SteerableConv(
        3,
        window,
        group=group_name,
        representation_in=before,
        representation_out=after,
    )
    size = 8 if "even" in name else 7
    fibre = () if before == "trivial" else (layer.representation_in.size,)
    shape = (*[size] * group.matrix_size, *fibre, 2)
    randomized(layer, shape)
    f = np.random.default_rng(1).normal(size=(1, *shape)).astype("float32")
    output = to_numpy(run(layer, f))
    elements = exact_elements(group)
    assert elements
    for g in elements:
        turned = moved(f, group, layer.representation_in if fibre else None, g)
        assert relative_error(turned, f) > 0.1
        expected = moved(output, group, layer.representation_out, g)
        assert (
            relative_error(to_numpy(run(layer, turned.astype("float32"))), expected) < 1e-5
        )


def smooth_fields(size, channels):
    """Blobs of the same size relative to the image, that fade before its border."""
    rng = np.random.default_rng(0)
    waves = rng.normal(size=(3, 3, channels)) + 1j * rng.normal(size=(3, 3, channels))
    ticks = (np.arange(size) - (size - 1) / 2) / size
    phases = np.exp(2j * np.pi * np.outer(ticks, np.arange(-1, 2)))
    f = np.einsum("xa,yb,abc->xyc", phases, phases, waves).real
    radius = np.hypot(*np.meshgrid(ticks, ticks))
    return (f * np.exp(-((radius / 0.28) ** 4))[..., None])[None].astype("float32")


def turned_image(f, degrees):
    return ndimage.rotate(f, degrees, axes=(2, 1), reshape=False, order=5)


def rotation_errors(model, size, angles, fields=None):
    """The distance between the output for a turned image and the turned output."""
    f = smooth_fields(size, 2)
    output = to_numpy(run(model, f))
    ticks = np.arange(size) - (size - 1) / 2
    inside = np.hypot(*np.meshgrid(ticks, ticks)) < size / 2 - 3
    for angle in angles:
        found = to_numpy(run(model, turned_image(f, angle)))
        expected = turned_image(output, angle)
        if fields is not None:
            c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
            matrix = fields.at(np.array([[c, -s], [s, c]]))
            expected = np.einsum("ij,...jc->...ic", matrix, expected)
        yield relative_error(found[:, inside], expected[:, inside])


def network(group, middle, activation):
    """From images to images, by way of other fields."""
    keras.utils.set_random_seed(0)
    wide = {"representation_in": middle, "representation_out": middle}
    layers = [
        SteerableConv(4, 5, group=group, representation_out=middle),
        activation(),
        SteerableConv(4, 5, group=group, **wide),
        activation(),
        SteerableConv(4, 5, group=group, representation_in=middle),
    ]
    return keras.Sequential(layers)


@pytest.mark.parametrize("window", [3, 5])
def test_rotations_by_any_angle_up_to_the_resolution(window):
    """To fields of all degrees up to 3: at most 1e-2, falling with the resolution."""
    keras.utils.set_random_seed(0)
    layer = SteerableConv(4, window, group="so2", representation_out=3)
    errors = [
        max(rotation_errors(layer, size, range(15, 90, 15), layer.representation_out))
        for size in (29, 65)
    ]
    assert errors[0] < 1e-2
    assert errors[1] < errors[0] / 4


def test_rotations_of_a_network_with_activations():
    model = network("so2", 2, lambda: FourierActivation("so2", 2))
    assert max(rotation_errors(model, 29, (15, 30, 45))) < 3e-2


def test_eighth_turns_of_a_network_of_regular_fields():
    model = network("c8", "regular", lambda: keras.layers.Activation("relu"))
    assert max(rotation_errors(model, 65, (45,))) < 3e-2


@pytest.mark.parametrize(("group", "fields"), [("c8", "regular"), ("so2", 2)])
def test_variance_is_kept_through_ten_layers(group, fields):
    f = np.random.default_rng(0).normal(size=(2, 17, 17, 8)).astype("float32")
    keras.utils.set_random_seed(1)
    x, before = f, "trivial"
    for _ in range(10):
        layer = SteerableConv(
            8, 5, group=group, representation_in=before, representation_out=fields
        )
        x, before = layer(x), fields
        x = keras.ops.relu(x) if fields == "regular" else FourierActivation(group, 2)(x)
    assert 0.1 < np.mean(to_numpy(x) ** 2) < 10


@pytest.mark.backend_free
@pytest.mark.parametrize("window", [(3, 3), (5, 5), (4, 4), (3, 3, 3)])
def test_functions_on_the_grid_have_the_moments_of_harmonics(window):
    """Of no other degree, and of each of their own the same."""
    grid = Grid(window)
    ring = len(grid.radii) - 1
    square = np.sum(grid.points**2, axis=1, keepdims=True)
    for degree in range(grid.degree + 1):
        functions = grid.harmonics(degree, ring)
        moments = functions.T @ solid_harmonics(grid.points, degree)
        own = moments[0, 0]
        assert np.allclose(moments, own * np.eye(len(moments)), atol=1e-9 * abs(own))
        for other in set(range(grid.degree + 1)) - {degree}:
            for k in range((grid.degree - other) // 2 + 1):
                polynomials = square**k * solid_harmonics(grid.points, other)
                assert np.abs(functions.T @ polynomials).max() < 1e-9 * abs(own)


@pytest.mark.backend_free
def test_vectors_have_no_kernel_at_the_centre():
    group = named_group("so2")
    basis = steerable_basis(group.trivial(), group.standard, (5, 5), (0, 2, 4))
    assert np.abs(basis[:, 2, 2]).max() < 1e-12


def test_bias_is_in_invariant_directions_only():
    layer = SteerableConv(2, 3, group="so2", representation_out=2, bias_initializer="ones")
    zero = np.zeros((1, 5, 5, 1), "float32")
    assert np.allclose(to_numpy(layer(zero))[0, 2, 2, :, 0], np.sqrt(5) * np.eye(5)[0])
    assert layer.bias.shape == (1, 2)
    vectors = SteerableConv(2, 3, group="so2", representation_out="standard")
    vectors.build((None, 5, 5, 1))
    assert vectors.bias is None


def test_basis_is_no_weight():
    layer = SteerableConv(2, 5, group="c4", representation_out="regular")
    layer.build((None, 9, 9, 3))
    assert [w.shape for w in layer.weights] == [(len(layer.basis), 3, 2), (1, 2)]


def test_groups_of_channels_do_not_mix():
    layer = SteerableConv(
        4,
        3,
        group="c4",
        representation_in="regular",
        representation_out="regular",
        groups=2,
    )
    f = np.random.default_rng(0).normal(size=(1, 5, 5, 4, 6)).astype("float32")
    before = to_numpy(layer(f))
    f[..., :3] += 1
    after = to_numpy(layer(f))
    assert np.allclose(before[..., 2:], after[..., 2:], atol=1e-5)
    assert relative_error(after[..., :2], before[..., :2]) > 0.01
    parts = [
        SteerableConv(
            2, 3, group="c4", representation_in="regular", representation_out="regular"
        )
        for _ in range(2)
    ]
    for number, part in enumerate(parts):
        part.build((None, 5, 5, 4, 3))
        part.kernel.assign(to_numpy(layer.kernel)[..., 2 * number : 2 * number + 2])
    alone = [to_numpy(part(f[..., 3 * i : 3 * i + 3])) for i, part in enumerate(parts)]
    assert relative_error(after, np.concatenate(alone, axis=-1)) < 1e-5


@pytest.mark.backend_free
@pytest.mark.parametrize(
    "group", ["c6", so(2), MatrixGroup(elements=[np.diag([1.0, -1.0])], name="mirror")]
)
def test_groups_and_representations_are_written_down(group):
    layer = SteerableConv(2, 3, group=group)
    fields = layer.group.standard + layer.group.trivial()
    layer = SteerableConv(2, 3, group=group, representation_out=fields)
    copy = SteerableConv.from_config(layer.get_config())
    for one, other in (
        (copy.group.standard, layer.group.standard),
        (copy.representation_out, fields),
    ):
        assert np.array_equal(one.generators, other.generators)
        assert np.array_equal(one.elements, other.elements)


def test_normalization_of_regular_fields_is_shared_batch_normalization():
    f = np.random.default_rng(0).normal(2, 3, size=(4, 5, 5, 4, 3)).astype("float32")
    layer = FieldNormalization("c4", "regular", momentum=0.5)
    other = keras.layers.BatchNormalization(momentum=0.5)
    for training in (True, False):
        found, expected = layer(f, training=training), other(f, training=training)
        assert relative_error(to_numpy(found), to_numpy(expected)) < 1e-4


def test_normalization_of_vectors_keeps_their_direction():
    f = np.random.default_rng(0).normal(2, 3, size=(4, 5, 5, 2, 3)).astype("float32")
    output = to_numpy(FieldNormalization("so2", "standard")(f, training=True))
    assert np.allclose(np.mean(output**2, axis=(0, 1, 2, 3)), 1, atol=1e-3)
    assert np.allclose(output / f, (output / f)[:1, :1, :1, :1], rtol=1e-4)


def test_dropout_of_whole_fields():
    f = np.ones((2, 6, 6, 4, 8), "float32")
    for kind, axes in (("position", 3), ("channel", (1, 2, 3))):
        output = to_numpy(FieldDropout(0.5, "c4", "regular", kind=kind)(f, training=True))
        assert np.ptp(output, axis=axes).max() == 0
        assert set(np.unique(output)) == {0.0, 2.0}


def test_activation_of_functions_on_the_circle_is_exact_for_sample_turns():
    """And a linear one does nothing."""
    f = np.random.default_rng(0).normal(size=(1, 3, 3, 7, 2)).astype("float32")
    same = FourierActivation("so2", 3, activation="linear")
    assert relative_error(to_numpy(same(f)), f) < 1e-5
    layer = FourierActivation("so2", 3, num_samples=10)
    angle = 2 * np.pi * 3 / 10
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = layer.representation.at(turn)
    moved = np.einsum("ij,...jc->...ic", matrix, f).astype("float32")
    expected = np.einsum("ij,...jc->...ic", matrix, to_numpy(layer(f)))
    assert relative_error(to_numpy(layer(moved)), expected) < 1e-5


def test_group_pooling_is_invariant_to_values():
    f = np.random.default_rng(0).normal(size=(2, 3, 3, 16, 2)).astype("float32")
    group = named_group("d8")
    matrix = group.regular().at(group.elements[0])
    moved = np.einsum("ij,...jc->...ic", matrix, f).astype("float32")
    for reduction in ("max", "average", "norm"):
        layer = GroupPooling("d8", "regular", reduction=reduction)
        assert relative_error(to_numpy(layer(moved)), to_numpy(layer(f))) < 1e-6


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: SteerableConv(2, 3, group="e8"), ValueError, "must be that of a group"),
        (lambda: SteerableConv(2, 3, group=8), TypeError, "`group` must be the name"),
        (lambda: SteerableConv(2, (3, 3, 3), group="c4"), ValueError, "`kernel_size`"),
        (lambda: SteerableConv(2, 3, group=so(3, 1)), ValueError, "orthogonal matrices"),
        (
            lambda: SteerableConv(2, 3, group="so2", representation_out="spin"),
            ValueError,
            "`representation_out` must be one of 'trivial'",
        ),
        (
            lambda: SteerableConv(
                2, 3, group="so2", representation_out=2, activation="relu"
            ),
            ValueError,
            "`FourierActivation`",
        ),
        (
            lambda: SteerableConv(2, 3, group="c4", strides=2, dilation_rate=2),
            ValueError,
            "cannot both be above 1",
        ),
        (
            lambda: SteerableConv(2, 5, group="c4", degrees=(0, 2)),
            ValueError,
            "one number for each of the radii",
        ),
        (
            lambda: SteerableConv(
                2, 3, group="c4", representation_in=named_group("c8").regular()
            ),
            ValueError,
            "must be a representation of",
        ),
        (
            lambda: SteerableConv(2, 3, group="c4").build((None, 5, 5, 4, 2)),
            ValueError,
            r"expects an input of shape \(batch, size, size, channels\)",
        ),
        (
            lambda: SteerableConv(2, 1, group="so2", representation_out="standard").build(
                (None, 5, 5, 2)
            ),
            ValueError,
            "has no kernel from",
        ),
        (lambda: GroupPooling("so2", 2), ValueError, "others have a norm"),
        (
            lambda: FourierActivation("so2", 3, num_samples=5),
            ValueError,
            "`num_samples` must be at least 7",
        ),
    ],
)
def test_bad_arguments_are_refused(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize("degrees", [True, 2, 2.5, np.nan, 1j, "012", [[0, 1]], [0]])
def test_degrees_are_one_for_each_ring(degrees):
    with pytest.raises(ValueError, match="`degrees` must hold one number for each"):
        SteerableConv(2, 3, group="c4", degrees=degrees)


def test_channels_stay_those_of_the_weights():
    layer = FieldNormalization("c4", "regular")
    layer(np.zeros((1, 5, 5, 4, 2), "float32"))
    with pytest.raises(ValueError, match=r"expected axis -1 .* to have value 2"):
        layer(np.zeros((1, 5, 5, 4, 3), "float32"))


@pytest.mark.parametrize("make", [SteerablePool, FieldNormalization, GroupPooling])
def test_no_channel_is_refused(make):
    with pytest.raises(ValueError, match="at least one channel"):
        make("c4", "regular")(np.zeros((1, 4, 4, 4, 0), "float32"))
