"""How layers start: near a mix of channels, and keeping the variance."""

import keras
import numpy as np
import pytest

from keras_lconv import LConv, LieBlock
from keras_lconv import generators as g
from keras_lconv.initializers import activation_gain
from tests.families import relative_error, to_numpy

# Families as users make them, with their own initialization, and larger grids than in
# the table of formulas, so that norms are those of real use.
FAMILIES = {
    "dense": lambda: (g.DenseGenerators(4), (8, 8)),
    "low_rank": lambda: (g.LowRankGenerators(4, 8), (16, 16)),
    "low_rank_chain": lambda: (g.LowRankGenerators(4, (16, 4)), (16, 16)),
    "matrix": lambda: (
        g.MatrixGenerators(np.random.default_rng(0).normal(size=(3, 64, 64))),
        (8, 8),
    ),
    "linear": lambda: (g.VectorFieldGenerators(3, "linear"), (16, 16)),
    "affine_learned": lambda: (g.VectorFieldGenerators(3, "affine"), (16, 16)),
    "quadratic": lambda: (g.VectorFieldGenerators(3, "quadratic"), (16, 16)),
    "free": lambda: (g.VectorFieldGenerators(3, "free", derivative="central"), (16, 16)),
    "translations": lambda: (g.translation(), (16, 16)),
    "line": lambda: (g.translation(1, derivative="fourier"), (100,)),
    "rotation": lambda: (g.rotation(), (28, 28)),
    "rotation_3d": lambda: (g.rotation(3), (7, 7, 7)),
    "scaling": lambda: (g.scaling(), (16, 16)),
    "shear": lambda: (g.shear(derivative="central"), (16, 16)),
    "affine": lambda: (g.affine(), (16, 16)),
}


def images(kind, spatial, channels):
    """White noise, or smooth images: the two ends of how large derivatives are."""
    rng = np.random.default_rng(0)
    f = rng.normal(size=(8, *spatial, channels))
    if kind == "smooth":
        from scipy.ndimage import gaussian_filter

        sigma = [0, *[0.15 * n for n in spatial], 0]
        f = gaussian_filter(f, sigma, mode="constant")
        f = f / np.std(f)
    return f.astype("float32")


@pytest.mark.thorough
@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(
    "kind", ["noise", pytest.param("smooth", marks=pytest.mark.thorough)]
)
def test_variance_stays_over_ten_layers(name, kind):
    generators, spatial = FAMILIES[name]()
    f = images(kind, spatial, 3)
    start = np.var(f)
    for depth in range(1, 11):
        f = LConv(8, generators)(f)
        ratio = float(np.var(to_numpy(f)) / start)
        assert 1 / 4 < ratio < 4, f"depth {depth}: {ratio}"


@pytest.mark.thorough
@pytest.mark.parametrize("activation", ["relu", "leaky_relu", "gelu"])
@pytest.mark.parametrize("name", ["dense", "rotation", "affine_learned"])
def test_second_moment_stays_over_ten_activations(name, activation):
    """Of many channels: how much of a few a ReLU keeps is a matter of chance."""
    generators, _ = FAMILIES[name]()
    f = images("noise", (8, 8), 128)[:2]
    start = np.mean(f**2)
    for depth in range(1, 11):
        f = LConv(128, generators, activation=activation)(f)
        ratio = float(np.mean(to_numpy(f) ** 2) / start)
        assert 1 / 4 < ratio < 4, f"depth {depth}: {ratio}"


@pytest.mark.thorough
@pytest.mark.parametrize("channels", [1, 2, 64])
@pytest.mark.parametrize("filters", [1, 2, 64])
def test_variance_stays_for_any_number_of_channels(channels, filters):
    f = images("noise", (8, 8), channels)
    output = to_numpy(LConv(filters, "rotation")(f))
    assert 1 / 4 < np.var(output) / np.var(f) < 4


@pytest.mark.thorough
@pytest.mark.parametrize("self_interaction", ["learned", "identity"])
@pytest.mark.parametrize("num_steps", [2, 30])
@pytest.mark.parametrize("name", ["rotation", "dense", "matrix"])
def test_variance_stays_over_steps(self_interaction, num_steps, name):
    generators, spatial = FAMILIES[name]()
    f = images("noise", spatial, 8)
    layer = LConv(8, generators, num_steps=num_steps, self_interaction=self_interaction)
    assert 1 / 4 < np.var(to_numpy(layer(f))) / np.var(f) < 4


def test_variance_stays_over_identity_layers():
    generators, spatial = FAMILIES["matrix"]()
    f = images("noise", spatial, 8)
    block = LieBlock(8, generators, num_layers=10, self_interaction="identity")
    assert 1 / 4 < np.var(to_numpy(block(f))) / np.var(f) < 4


@pytest.mark.parametrize(
    "make",
    [
        lambda: g.DenseGenerators(3, output_dim=(4, 4)),
        lambda: g.LowRankGenerators(3, 16, output_dim=16),
    ],
)
def test_variance_stays_to_another_grid(make):
    f = images("noise", (8, 8), 4)
    assert 1 / 4 < np.var(to_numpy(LConv(8, make())(f))) / np.var(f) < 4


@pytest.mark.parametrize(
    "name",
    ["dense", "low_rank", "low_rank_chain", "affine_learned", "quadratic", "free"],
)
def test_learned_generators_start_near_a_mix_of_channels(name):
    generators, spatial = FAMILIES[name]()
    layer = LConv(6, generators, use_bias=False)
    f = images("noise", spatial, 6)
    output = to_numpy(layer(f))
    mix = f @ to_numpy(layer.kernel)[0]
    assert 0 < np.linalg.norm(output - mix) / np.linalg.norm(mix) < 0.1


def test_mix_of_channels_is_orthogonal():
    layer = LConv(5, "rotation")
    layer.build((None, 6, 6, 5))
    mix = to_numpy(layer.kernel)[0]
    assert relative_error(mix @ mix.T, np.eye(5)) < 1e-5


def test_layers_start_differently_and_a_seed_decides():
    def kernels():
        keras.utils.set_random_seed(3)
        layers = [LConv(4, "rotation") for _ in range(2)]
        for layer in layers:
            layer.build((None, 6, 6, 4))
        return [to_numpy(layer.kernel) for layer in layers]

    first, again = kernels(), kernels()
    assert np.array_equal(first, again)
    assert relative_error(first[0], first[1]) > 0.1


@pytest.mark.parametrize(
    ("activation", "gain"),
    [
        ("linear", 1.0),
        ("relu", np.sqrt(2)),
        ("leaky_relu", np.sqrt(2 / (1 + 0.2**2))),
        ("tanh", 1.5925),
        ("softmax", 1.0),
        (lambda x: 0 * x, 1.0),
    ],
)
def test_activation_gain(activation, gain):
    assert np.isclose(activation_gain(keras.activations.get(activation)), gain, rtol=5e-3)


def test_softmax_raises_no_warning(recwarn):
    LConv(4, "rotation", activation="softmax")
    assert not [warning for warning in recwarn.list if warning.category is UserWarning]


def test_layer_as_activation_is_not_called_before_its_time():
    layer = LConv(4, "rotation", activation=keras.layers.PReLU())
    assert tuple(layer(np.ones((2, 5, 5, 3))).shape) == (2, 5, 5, 4)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_weights_start_without_a_half_precision_decomposition(dtype):
    layer = LConv(4, 2, dtype=dtype)
    layer.build((None, 5, 3))
    kernel = to_numpy(keras.ops.cast(layer.kernel, "float32"))
    assert np.all(np.isfinite(kernel))
    assert keras.backend.standardize_dtype(layer.kernel.dtype) == dtype
