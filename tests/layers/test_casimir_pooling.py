"""CasimirPooling: a blur that commutes with the group."""

import json

import keras
import numpy as np
import pytest
from keras import ops
from scipy import ndimage
from scipy.linalg import expm

from keras_lconv import CasimirPooling
from keras_lconv import algebra as a
from keras_lconv import generators as g
from keras_lconv.generators.series import decay
from tests import families
from tests.autodiff import BACKEND, assert_gradients_match, float64, run, transformed
from tests.families import euclidean, relative_error, to_numpy
from tests.samples import random


def vectors_and_tensors(algebra):
    """The sum of the defining representation and that on matrices: `C` is no number."""
    basis = np.asarray(algebra)
    n = basis.shape[1]
    one = np.eye(n)
    matrices = np.zeros((len(basis), n + n * n, n + n * n))
    for i, L in enumerate(basis):
        matrices[i, :n, :n] = L
        matrices[i, n:, n:] = np.kron(L, one) + np.kron(one, L)
    return matrices


def periodic():
    return g.translation(derivative="fourier")


# name -> (generators, tau, shape of the input)
CASES = {
    "rotation": (g.rotation, 0.05, (9, 9, 2)),
    "translations": (periodic, 0.7, (7, 5, 2)),
    "so3": (lambda: vectors_and_tensors(a.so(3)), 0.1, (12, 2)),
    "so5": (lambda: vectors_and_tensors(a.so(5)), 0.1, (30, 1)),
    "so13_vectors": (lambda: a.so(3, 1), 0.3, (4, 2)),
    "so13": (lambda: vectors_and_tensors(a.so(3, 1)), 0.05, (20, 2)),
}


def dense(generators):
    """`C` from its definition, in NumPy."""
    matrices = families.reference_matrices(generators)
    form = -np.einsum("iab,jba->ij", matrices, matrices)
    scale = np.abs(np.linalg.eigvalsh(form)).mean()
    inverse = scale * np.linalg.inv(form)
    return -np.einsum("ij,iab,jbc->ac", inverse, matrices, matrices)


@pytest.mark.parametrize("name", CASES)
def test_commutes_with_the_group(name):
    make, tau, shape = CASES[name]
    layer = CasimirPooling(make(), tau=tau)
    f = random((2, *shape))
    output = run(layer, f)
    generators = layer.generators
    for seed in range(2):
        t = 0.5 * np.random.default_rng(seed).normal(size=generators.num_generators)
        moved = to_numpy(transformed(generators, f, t))
        assert relative_error(moved, f) > 0.05
        assert relative_error(run(layer, moved), transformed(generators, output, t)) < 1e-5


@pytest.mark.parametrize("name", [n for n in CASES if n != "translations"])
def test_is_the_exponential_of_the_casimir_operator(name):
    make, tau, shape = CASES[name]
    layer = CasimirPooling(make(), tau=tau)
    f = random((2, *shape))
    output = to_numpy(run(layer, f))
    blur = expm(-tau * dense(layer.generators))
    flat = f.reshape(2, -1, shape[-1])
    expected = np.einsum("ij,bjc->bic", blur, flat).reshape(f.shape)
    assert relative_error(output, expected) < 1e-5
    assert relative_error(output, f) > 1e-2


@pytest.mark.parametrize("tau", [0.3, 2.0, 8.0])
def test_translations_give_a_gaussian_blur(tau):
    """Of variance `2 tau`, on a periodic grid whose sides differ."""
    f = random((1, 15, 21, 1))
    f = ndimage.gaussian_filter(f, (0, 1.2, 1.2, 0), mode="wrap", truncate=9)
    layer = CasimirPooling(periodic(), tau=tau)
    width = np.sqrt(2 * tau)
    expected = ndimage.gaussian_filter(
        f.astype("float64"), (0, width, width, 0), mode="wrap", truncate=9
    )
    assert relative_error(layer(f), expected) < (1e-3 if tau < 1 else 1e-5)
    assert np.array_equal(layer.form, np.eye(2))


def test_translations_with_rotations_give_a_gaussian_blur():
    """The Casimir operator of se(2) is minus the Laplacian, and commutes with both."""
    f = ndimage.gaussian_filter(random((1, 21, 21, 1)), (0, 1.5, 1.5, 0))
    window = np.exp(-np.add.outer(*2 * [(np.arange(21) - 10) ** 2]) / 10)
    f = (f * window[..., None]).astype("float32")
    layer = CasimirPooling(euclidean(), tau=1.0)
    width = np.sqrt(2.0)
    expected = ndimage.gaussian_filter(f.astype("float64"), (0, width, width, 0))
    assert relative_error(layer(f), expected) < 1e-3
    assert np.allclose(layer.form, np.diag([1.0, 1.0, 0.0]), atol=1e-9)
    turned = np.rot90(f, axes=(1, 2)).copy()
    assert relative_error(layer(turned), np.rot90(to_numpy(layer(f)), axes=(1, 2))) < 1e-5


def test_of_volumes_se3_is_the_laplacian():
    layer = CasimirPooling(euclidean(3), tau=0.5)
    layer.build((None, 5, 5, 5, 1))
    assert np.allclose(layer.form, np.diag([1.0] * 3 + [0.0] * 3), atol=1e-9)


def test_a_nilpotent_shear_has_minus_its_square():
    """Its trace form is zero."""
    shear = np.eye(4, k=1)
    layer = CasimirPooling(shear, tau=0.7)
    f = random((2, 4, 3))
    expected = np.einsum("ij,bjc->bic", expm(0.7 * shear @ shear), f)
    assert relative_error(layer(f), expected) < 1e-6


def test_rotation_blurs_along_circles():
    """Angular order `m` is damped by `exp(-tau m^2)`."""
    x = np.arange(21) - 10
    y, x = np.meshgrid(x, x, indexing="ij")
    window = np.exp(-(x**2 + y**2) / 6)
    waves = {
        0: window,
        1: x * window,
        2: (x**2 - y**2) * window,
        3: (x**3 - 3 * x * y**2) * window,
    }
    layer = CasimirPooling("rotation", tau=0.1)
    for order, wave in waves.items():
        f = wave[None, ..., None].astype("float32")
        assert relative_error(layer(f), np.exp(-0.1 * order**2) * f) < 1e-4


def test_does_not_depend_on_the_basis():
    f = random((2, 30, 1))
    basis = vectors_and_tensors(a.so(5))
    orthogonal = np.linalg.qr(random((10, 10), dtype="float64"))[0]
    first = CasimirPooling(basis, tau=0.1)
    second = CasimirPooling(np.tensordot(orthogonal, basis, 1), tau=0.1)
    assert relative_error(second(f), first(f)) < 1e-5


def test_tau_has_the_unit_of_a_squared_parameter():
    f = random((2, 12, 2))
    basis = vectors_and_tensors(a.so(3))
    degrees = CasimirPooling(basis * np.pi / 180, tau=0.1 * (180 / np.pi) ** 2)
    assert relative_error(degrees(f), CasimirPooling(basis, tau=0.1)(f)) < 1e-5


def test_metric_is_used():
    f = random((1, 9, 9, 1))
    layer = CasimirPooling(periodic(), tau=2.0, form=[[1.0, 0.0], [0.0, 0.0]])
    expected = ndimage.gaussian_filter(
        f.astype("float64"), (0, 2, 0, 0), mode="wrap", truncate=9
    )
    assert relative_error(layer(f), expected) < 1e-5


@pytest.mark.parametrize("norm", [0.0, 0.5, 30.0, 900.0])
def test_series_agrees_with_scipy(norm):
    matrix = random((12, 12), dtype="float64")
    values, vectors = np.linalg.eigh(matrix @ matrix.T)
    values = norm * (values - values[0]) / (values[-1] - values[0])
    matrix = (vectors * values) @ vectors.T
    f = random((12, 2))
    operator = ops.convert_to_tensor(matrix.astype("float32"))
    for bound in (norm, 2 * norm):
        result = decay(
            lambda f: ops.matmul(operator, f), ops.convert_to_tensor(f), bound, "float32"
        )
        assert np.max(np.abs(to_numpy(result) - expm(-matrix) @ f)) < 1e-5


@pytest.mark.parametrize(
    ("strides", "shape", "kept"),
    [
        (2, (9, 9, 1), [range(0, 9, 2)] * 2),
        ((3, 1), (9, 5, 2), [range(1, 9, 3), range(5)]),
        (2, (8, 7, 1), [range(0, 8, 2), range(0, 7, 2)]),
        (4, (9,), [range(0, 9, 4)]),
    ],
)
def test_strides_keep_positions_about_the_centre(strides, shape, kept):
    generators = g.translation(max(len(shape) - 1, 1), derivative="fourier")
    f = random((2, *shape))
    smooth = to_numpy(CasimirPooling(generators, tau=0.5)(f))
    layer = CasimirPooling(generators, tau=0.5, strides=strides)
    expected = smooth[np.ix_(range(2), *kept)]
    assert relative_error(layer(f), expected) < 1e-6
    assert layer.compute_output_shape((None, *shape)) == (None, *expected.shape[1:])


def test_strided_layer_commutes_with_translations_by_strides():
    f = random((1, 12, 12, 1))
    layer = CasimirPooling(periodic(), tau=0.5, strides=3)
    moved = layer(np.roll(f, (6, -3), axis=(1, 2)))
    expected = np.roll(to_numpy(layer(f)), (2, -1), axis=(1, 2))
    assert relative_error(moved, expected) < 1e-5


def test_smoothing_protects_strides_from_aliasing():
    """A wave that the coarse grid cannot hold: it is damped before it is folded."""
    wave = np.cos(2 * np.pi * 7 * np.arange(16) / 16)[None, :, None].astype("float32")
    plain = wave[:, ::2]
    layer = CasimirPooling(g.translation(1, derivative="fourier"), tau=0.5, strides=2)
    assert np.abs(to_numpy(layer(wave))).max() < 0.03 * np.abs(plain).max()


def test_gradients_equal_finite_differences():
    with float64():
        generators = g.get(vectors_and_tensors(a.so(3)), dtype="float64")
        layer = CasimirPooling(generators, tau=0.1, trainable_tau=True, dtype="float64")
        layer.build((None, 12, 2))
        fixed = [ops.convert_to_tensor(v) for v in layer.non_trainable_variables]

        def loss(f, tau):
            return ops.sum(layer.stateless_call([tau[0]], fixed, f)[0] ** 3)

        f = random((2, 12, 2), dtype="float64")
        assert_gradients_match(loss, [f, np.array([0.13])])


@pytest.mark.thorough
@pytest.mark.parametrize("algebra", [a.so(3), a.so(2, 1)])
def test_learns_how_far_to_smooth(algebra):
    # `torch.compile` takes a minute for a series, and has nothing of its own to show.
    jit_compile = BACKEND != "torch"
    generators = g.MatrixGenerators(vectors_and_tensors(algebra))
    target = CasimirPooling(generators, tau=0.2)
    f = random((64, 12, 1))
    y = to_numpy(target(f))
    # No `Input`: the form is found while a graph is traced.
    layer = CasimirPooling(generators, tau=0.1, trainable_tau=True)
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.Adam(0.02), "mse", jit_compile=jit_compile)
    model.fit(f, y, epochs=25, batch_size=16, verbose=0)
    assert abs(float(to_numpy(layer.tau)) - 0.2) < 2e-3
    assert relative_error(model.predict(f, verbose=0), layer(f)) < 1e-5


@pytest.mark.thorough
def test_tau_stays_in_its_interval():
    model = keras.Sequential(
        [keras.Input((5, 5, 1)), CasimirPooling("rotation", tau=0.1, trainable_tau=True)]
    )
    model.compile(keras.optimizers.SGD(1e4), "mse")
    f = random((4, 5, 5, 1))
    model.fit(f, 3 * f, verbose=0)
    assert float(to_numpy(model.layers[0].tau)) == 0.0
    model.fit(f, 0 * f, verbose=0)
    layer = model.layers[0]
    assert 0 <= float(to_numpy(layer.tau)) <= np.float32(0.4)
    # A value that was assigned beyond the bound counts as the bound.
    layer.tau.assign(0.4)
    expected = to_numpy(layer(f))
    layer.tau.assign(100.0)
    assert relative_error(layer(f), expected) < 1e-6


def test_learned_generators_train_and_stay_finite():
    layer = CasimirPooling(2, tau=0.5, trainable_tau=True)
    model = keras.Sequential([keras.Input((6,)), layer])
    model.compile("adam", "mse")
    f = random((16, 6))
    model.fit(f, np.roll(f, 1, axis=1), verbose=0, epochs=2)
    assert len(layer.trainable_weights) == 2
    # They may grow far beyond the bound of the series.
    layer.generators.L.assign(1e3 * to_numpy(layer.generators.L))
    assert np.all(np.isfinite(to_numpy(layer(f))))


def test_channels_first_masks_and_vectors():
    f = random((2, 9, 9, 3))
    last = CasimirPooling("rotation", tau=0.05, strides=2)
    first = CasimirPooling("rotation", tau=0.05, strides=2, data_format="channels_first")
    expected = np.moveaxis(to_numpy(last(f)), -1, 1)
    assert relative_error(first(np.moveaxis(f, -1, 1)), expected) < 1e-6
    shape = first.compute_output_shape((None, 3, 9, 9))
    assert shape == (None, *expected.shape[1:])

    mask = np.random.default_rng(1).random((2, 9, 9)) < 0.7
    assert relative_error(last(f, mask=mask), last(f * mask[..., None])) < 1e-6
    kept = to_numpy(last.compute_mask(f, ops.convert_to_tensor(mask)))
    assert np.array_equal(kept, mask[:, ::2, ::2])
    assert last.compute_mask(f, None) is None
    vectors = CasimirPooling(a.so(3, 1), tau=0.1)(random((2, 4)))
    assert tuple(vectors.shape) == (2, 4)


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_dtypes(dtype):
    f = random((2, 9, 9, 1))
    expected = to_numpy(CasimirPooling("rotation", tau=0.05)(f))
    with float64():
        output = CasimirPooling("rotation", tau=0.05, dtype=dtype)(f)
        assert keras.backend.standardize_dtype(output.dtype) == {"float64": "float64"}.get(
            dtype, dtype[6:]
        )
        output = to_numpy(ops.cast(output, "float32"))
    assert relative_error(output, expected) < {"float64": 1e-6}.get(dtype, 2e-2)


def test_saved_and_cloned(tmp_path):
    model = keras.Sequential(
        [
            keras.Input((7, 7, 2)),
            CasimirPooling(
                "rotation", tau=0.05, strides=(2, 1), trainable_tau=True, max_tau=0.1
            ),
            CasimirPooling(periodic(), tau=0.2, form=np.eye(2)),
        ]
    )
    model.layers[0].tau.assign(0.08)
    f = random((2, 7, 7, 2))
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert relative_error(copy(f), model(f)) < 1e-6
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    assert relative_error(clone(f), model(f)) < 1e-6
    for layer in model.layers:
        json.dumps(layer.get_config())
        assert (
            type(layer).from_config(layer.get_config()).get_config() == layer.get_config()
        )


@pytest.mark.parametrize(
    ("make", "shape", "error", "words"),
    [
        (
            lambda: CasimirPooling("rotation", tau=0),
            None,
            ValueError,
            "`tau` must be a positive",
        ),
        (lambda: CasimirPooling("rotation", tau="a"), None, TypeError, "`tau` must be"),
        (
            lambda: CasimirPooling("rotation", tau=1.0, max_tau=0.5),
            None,
            ValueError,
            "`max_tau` must be at least",
        ),
        (
            lambda: CasimirPooling("rotation", tau=1.0, strides=0),
            None,
            ValueError,
            "`strides`",
        ),
        (
            lambda: CasimirPooling("rotation", tau=1.0, strides=1.5),
            None,
            TypeError,
            "`strides`",
        ),
        (
            lambda: CasimirPooling("rotation", tau=0.1, strides=(2, 2, 2)),
            (5, 5, 1),
            ValueError,
            "`strides` must be one number or 2, one for each axis",
        ),
        (
            lambda: CasimirPooling("rotation", tau=0.1, form=[[0, 1], [2, 0]]),
            None,
            ValueError,
            "`form` must be a symmetric",
        ),
        (
            lambda: CasimirPooling("rotation", tau=0.1, form=np.eye(2)),
            (5, 5, 1),
            ValueError,
            r"`form` of .* must have shape \(1, 1\)",
        ),
        (
            lambda: CasimirPooling("translation", tau=0.1, form=np.eye(1)),
            (5, 5, 1),
            ValueError,
            r"`form` of .* must have shape \(2, 2\)",
        ),
        (
            lambda: CasimirPooling(a.aff(2), tau=0.1),
            (3,),
            ValueError,
            "no quadratic Casimir operator.*a `form`",
        ),
        (
            lambda: CasimirPooling(a.so(3, 1), tau=100.0),
            (4,),
            ValueError,
            "may overflow.*`max_tau` must be at most",
        ),
        (
            # Antisymmetric generators, but a form that is not positive.
            lambda: CasimirPooling(a.so(3), tau=100.0, form=np.diag([1.0, 1.0, -1.0])),
            (3,),
            ValueError,
            "may overflow.*`max_tau` must be at most",
        ),
        (
            lambda: CasimirPooling("scaling", tau=1.0),
            (28, 28, 1),
            ValueError,
            "may overflow.*`max_tau` must be at most",
        ),
        (
            lambda: CasimirPooling(np.ones((1, 2, 3)), tau=1.0),
            (3,),
            ValueError,
            "must be square",
        ),
    ],
)
def test_bad_arguments_are_refused(make, shape, error, words):
    with pytest.raises(error, match=words):
        make().build((None, *shape))
