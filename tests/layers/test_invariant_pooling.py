"""InvariantPooling: what is invariant, how far, and what is refused."""

import json
import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_lconv import InvariantPooling
from keras_lconv import algebra as a
from keras_lconv import generators as g
from keras_lconv.algebra import eigenspaces
from tests import families
from tests.autodiff import (
    assert_gradients_match,
    either_compilation,
    float64,
    gradients,
    transformed,
)
from tests.families import relative_error, to_numpy
from tests.samples import random


def tensors(algebra):
    """The action on matrices `x -> L x + x L^T`, as matrices on their entries."""
    basis = np.asarray(algebra)
    one = np.eye(basis.shape[1])
    return np.array([np.kron(L, one) + np.kron(one, L) for L in basis])


# name -> (kind, generators, shape of the input, refine)
CASES = {
    "linear_rotation": ("linear", g.rotation, (7, 7, 2), None),
    "linear_profile": ("linear", g.rotation, (6, 6, 2), "radius"),
    "linear_translations": (
        "linear",
        lambda: g.translation(derivative="fourier"),
        (5, 4, 2),
        None,
    ),
    "linear_tensors": ("linear", lambda: tensors(a.so(3)), (9,), None),
    "spectrum_rotation": ("spectrum", g.rotation, (8, 8, 2), None),
    "spectrum_radius": ("spectrum", g.rotation, (8, 8, 2), "radius"),
    "spectrum_wavenumber": ("spectrum", g.rotation, (7, 7, 1), "wavenumber"),
    "spectrum_both": ("spectrum", g.rotation, (6, 6, 1), ["radius", "wavenumber"]),
    "spectrum_central": (
        "spectrum",
        lambda: g.rotation(2, derivative="central"),
        (6, 6, 1),
        "radius",
    ),
    "spectrum_translations": ("spectrum", g.translation, (5, 4, 2), None),
    "spectrum_so5": ("spectrum", lambda: a.so(5), (5, 3), None),
    "spectrum_tensors": ("spectrum", lambda: tensors(a.so(3)), (3, 3, 2), None),
}


@pytest.mark.parametrize("name", CASES)
def test_invariant_under_the_group(name):
    kind, make, shape, refine = CASES[name]
    layer = InvariantPooling(make(), kind=kind, refine=refine)
    f = random((2, *shape))
    expected = to_numpy(layer(f))
    assert np.max(np.abs(expected)) > 0.1
    rng = np.random.default_rng(1)
    for _ in range(2):
        t = rng.uniform(0.7, 2, layer.generators.num_generators)
        moved = to_numpy(transformed(layer.generators, f, t))
        assert relative_error(moved, f) > 0.1
        assert relative_error(layer(moved), expected) < 1e-5


def along_rows():
    """Translations along the first axis of a 5 x 6 image, on a torus."""
    shift = np.kron(g.derivative_matrix(5, "fourier"), np.eye(6))
    return g.MatrixGenerators(-shift[None])


def test_flips_leave_the_symmetric_part_of_linear_invariants():
    f = random((2, 5, 6, 1))
    for elements, number in ((None, 6), ("flips", 3)):
        layer = InvariantPooling(along_rows(), kind="linear", elements=elements)
        found = to_numpy(layer(f))
        assert found.shape == (2, number)
        flipped = to_numpy(layer(np.flip(f, 2).copy()))
        error = relative_error(flipped, found)
        assert error < 1e-5 if elements else error > 0.1


def test_spectrum_is_invariant_to_flips_and_quarter_turns():
    options = {"refine": ["radius", "wavenumber"], "elements": ["flips", "quarter_turns"]}
    layer = InvariantPooling("rotation", **options)
    f = random((2, 6, 6, 2))
    for moved in (np.flip(f, 1), np.flip(f, 2), np.rot90(f, axes=(1, 2))):
        assert relative_error(layer(moved.copy()), layer(f)) < 1e-5
    assert layer.get_config()["elements"] == ["flips", "quarter_turns"]
    # What tells left from right is refused.
    left = np.diag(np.tile([1.0, 0, 0, 0, 0, 0], 5))
    kept = InvariantPooling(along_rows(), refine=left)
    assert relative_error(kept(f[:, :5]), kept(f[:, :5, ::-1].copy())) > 0.1
    with pytest.raises(ValueError, match=r"`elements` .* must commute with `refine`"):
        InvariantPooling(along_rows(), refine=left, elements="flips").build((1, 5, 6, 1))


def test_elements_of_a_group_are_those_that_generate_it():
    """All permutations of five positions leave their sum, and no other linear number."""
    nothing = np.zeros((1, 5, 5))
    layer = InvariantPooling(nothing, kind="linear", elements=a.symmetric(5))
    f = random((2, 5, 1))
    found = np.abs(to_numpy(layer(f)))
    assert np.allclose(found, np.abs(f.sum(axis=1)) / np.sqrt(5), atol=1e-6)
    with pytest.raises(ValueError, match="`elements` must belong to a finite group"):
        InvariantPooling(nothing, elements=a.SO(5))


@pytest.mark.parametrize(
    ("elements", "words"),
    [
        ("turns", "`elements` must be among"),
        (np.ones((3, 4)), "must be names or matrices of shape"),
        (2 * np.eye(30), "must be orthogonal matrices"),
        (np.eye(4), r"must be matrices of shape \(30, 30\)"),
        ("quarter_turns", "needs square images or cubes"),
    ],
)
def test_elements_that_do_not_fit(elements, words):
    with pytest.raises(ValueError, match=words):
        InvariantPooling(along_rows(), elements=elements).build((None, 5, 6, 1))


def test_a_quarter_turn_takes_one_translation_to_another():
    square = -np.kron(g.derivative_matrix(4, "fourier"), np.eye(4))[None]
    layer = InvariantPooling(square, elements="quarter_turns", data_format="channels_last")
    with pytest.raises(ValueError, match="must commute with the Casimir operator"):
        layer.build((None, 4, 4, 1))
    InvariantPooling(g.translation(derivative="fourier"), elements="quarter_turns").build(
        (None, 4, 4, 1)
    )


def test_linear_of_translations_is_global_average_pooling():
    for shape in ((7, 5), (6, 4), (6, 5)):
        layer = InvariantPooling(g.translation(derivative="fourier"), kind="linear")
        f = random((3, *shape, 2))
        average = to_numpy(keras.layers.GlobalAveragePooling2D()(f))
        assert relative_error(layer(f) / np.sqrt(np.prod(shape)), average) < 1e-6
        assert tuple(layer(f).shape) == (3, 2)


@pytest.mark.parametrize("size", [7, 8])
def test_linear_of_rotation_has_n_invariants_on_n_by_n(size):
    """The left null space, against an SVD of the matrix."""
    layer = InvariantPooling("rotation", kind="linear", refine="radius")
    layer.build((None, size, size, 1))
    basis = to_numpy(layer.basis)
    (matrix,) = families.reference_matrices(layer.generators)
    left, sizes, _ = np.linalg.svd(matrix.astype("float64"))
    null = left[:, sizes < 1e-5]
    assert basis.shape == null.shape == (size**2, size)
    assert relative_error(basis @ basis.T, null @ null.T) < 1e-5
    # From the centre outwards.
    radii = layer.eigenvalues[:, 1]
    assert np.all(np.diff(radii) > 0)
    centre = np.arange(size) - (size - 1) / 2
    squares = np.add.outer(centre**2, centre**2).ravel()
    assert np.allclose(basis.T**2 @ squares, radii, rtol=1e-5)


def test_linear_basis_does_not_depend_on_the_basis_of_the_algebra():
    """Nor does it depend, except for rounding, on the vectors of the decomposition for
    equal values.
    """
    basis = tensors(a.so(3))
    mixed = np.tensordot(np.random.default_rng(0).normal(size=(3, 3)), basis, 1)
    layers = [InvariantPooling(matrices, kind="linear") for matrices in (basis, mixed)]
    f = random((2, 9))
    first, second = (to_numpy(layer(f)) for layer in layers)
    assert relative_error(first, second) < 1e-5
    trace = f[:, [0, 4, 8]].sum(axis=1, keepdims=True) / np.sqrt(3)
    assert relative_error(first, trace) < 1e-5


def test_spectrum_of_translations_is_the_power_by_wavelength():
    f = random((2, 7, 7, 1))
    layer = InvariantPooling(g.translation(derivative="fourier"))
    output = to_numpy(layer(f))
    power = np.abs(np.fft.fft2(f[..., 0])) ** 2 / 49
    index = np.fft.fftfreq(7, 1 / 7)
    shells = np.add.outer(index**2, index**2)
    squares = np.unique(shells)
    expected = np.stack([power[:, shells == s].sum(axis=1) for s in squares], axis=1)
    assert relative_error(output, np.sqrt(expected)) < 1e-5
    assert np.allclose(layer.eigenvalues[:, 0], 2 * np.pi / 7 * np.sqrt(squares))
    assert layer.multiplicities.tolist() == [np.sum(shells == s) for s in squares]


def test_spectrum_of_tensors_is_that_of_their_irreducible_parts():
    f = random((2, 3, 3, 1))
    layer = InvariantPooling(tensors(a.so(3)))
    x = f[..., 0]
    trace = np.einsum("bii->b", x) / np.sqrt(3)
    odd = np.linalg.norm(x - x.swapaxes(1, 2), axis=(1, 2)) / 2
    total = np.linalg.norm(x, axis=(1, 2))
    even = np.sqrt(total**2 - trace**2 - odd**2)
    expected = np.stack([np.abs(trace), odd, even], axis=1)
    assert relative_error(layer(f), expected) < 1e-5
    assert layer.multiplicities.tolist() == [1, 3, 5]
    # l (l + 1), up to the unit.
    squares = layer.eigenvalues[:, 0] ** 2
    assert np.allclose(squares, squares[1] / 2 * np.array([0, 2, 6]))


def test_num_invariants_are_the_lowest_ones():
    f = random((2, 7, 7, 2))
    few = InvariantPooling("rotation", num_invariants=9, refine="radius")
    everything = InvariantPooling("rotation", refine="radius")
    assert relative_error(few(f), to_numpy(everything(f))[:, : 9 * 2]) < 1e-5
    assert np.all(np.diff(everything.eigenvalues[:, 0]) > -1e-6)
    assert tuple(few.basis.shape) == (49, int(few.multiplicities.sum()))


@pytest.mark.parametrize("kind", ["linear", "spectrum"])
def test_no_nan_at_zero(kind):
    layer = InvariantPooling("rotation", kind=kind)
    layer.build((None, 5, 5, 1))
    for f in (np.zeros((1, 5, 5, 1), "float32"), np.full((1, 5, 5, 1), 1e-25, "float32")):
        (gradient,) = gradients(lambda x: ops.sum(layer(x)), [f])
        assert np.all(np.isfinite(gradient))
        # Norms of rows of an orthonormal basis change no faster than the vector.
        assert np.linalg.norm(gradient) <= 1.001 * np.sqrt(layer.basis.shape[1])


def test_gradients_equal_finite_differences():
    with float64():
        layer = InvariantPooling(g.get(a.so(4), dtype="float64"), dtype="float64")
        layer.build((None, 4, 2))
        assert_gradients_match(
            lambda f: ops.sum(layer(f) ** 3), [random((2, 4, 2), dtype="float64")]
        )


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("shape", [(6, 6, 2), (6, 2), (6,), (4, 3, 3, 2)])
def test_shapes(shape, keepdims):
    ndim = max(len(shape) - 1, 1)
    layer = InvariantPooling(
        g.translation(ndim, derivative="fourier"),
        kind="linear",
        keepdims=keepdims,
        name="pool",
    )
    before = layer.compute_output_shape((None, *shape))
    output = layer(random((2, *shape)))
    m = len(layer.multiplicities)
    channels = shape[1:][-1:]
    if keepdims:
        expected = (m, *(1,) * (ndim - 1), *channels)
    else:
        # For each invariant all channels.
        expected = (m * math.prod(channels),)
    assert tuple(output.shape) == (2, *expected)
    assert before == layer.compute_output_shape((None, *shape)) == (None, *expected)


def test_channels_first():
    f = random((2, 6, 6, 3))
    last = InvariantPooling("rotation")
    first = InvariantPooling("rotation", data_format="channels_first")
    # The flat output is the same in both formats.
    assert relative_error(first(np.moveaxis(f, -1, 1)), last(f)) < 1e-6
    kept = InvariantPooling("rotation", keepdims=True, data_format="channels_first")
    assert (
        kept(np.moveaxis(f, -1, 1)).shape[1:]
        == kept.compute_output_shape((None, 3, 6, 6))[1:]
    )


def test_masked_positions_are_zero():
    f, mask = random((2, 6, 3)), np.array([[1, 1, 0, 1, 0, 0], [1, 0, 1, 1, 1, 1]], bool)
    layer = InvariantPooling(g.translation(1))
    masked = layer(f, mask=mask)
    assert relative_error(masked, layer(f * mask[..., None])) < 1e-6
    assert layer.compute_mask(f, mask) is None


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", ["mixed_float16", "mixed_bfloat16", "float64"])
def test_dtypes(dtype):
    f = 100 * random((2, 6, 6, 1))
    expected = to_numpy(InvariantPooling("rotation", refine="radius")(f))
    with float64():
        layer = InvariantPooling("rotation", refine="radius", dtype=dtype)
        output = layer(f)
        assert keras.backend.standardize_dtype(output.dtype) == layer.compute_dtype
        output = to_numpy(ops.cast(output, "float32"))
    assert relative_error(output, expected) < {"float64": 1e-6}.get(dtype, 2e-2)


@either_compilation
def test_builds_and_trains_inside_of_fit(jit_compile, tmp_path):
    """No `Input`: the constants are found while a graph is traced."""
    f = random((8, 5, 5, 2))
    model = keras.Sequential(
        [
            InvariantPooling("rotation", refine=["radius"], name="pool"),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
    )
    model.compile("adam", "mse", jit_compile=jit_compile)
    history = model.fit(f, random((8, 2)), epochs=2, verbose=0).history["loss"]
    assert np.all(np.isfinite(history))
    assert len(model.trainable_weights) == 2
    eager = InvariantPooling("rotation", refine="radius")
    assert relative_error(model.layers[0](f), eager(f)) < 1e-5

    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert relative_error(copy(f), model(f)) < 1e-6
    clone = keras.models.clone_model(model)
    clone(f)
    clone.set_weights(model.get_weights())
    assert relative_error(clone(f), model(f)) < 1e-6


def test_config_keeps_every_argument():
    layer = InvariantPooling(
        a.so(3),
        num_invariants=2,
        refine=["radius", np.eye(3)],
        keepdims=True,
        tolerance=1e-4,
        data_format="channels_first",
        name="pool",
    )
    config = json.loads(json.dumps(layer.get_config()))
    copy = InvariantPooling.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    assert config["refine"] == ["radius", np.eye(3).tolist()]
    assert (copy.num_invariants, copy.keepdims, copy.tolerance) == (2, True, 1e-4)


def test_tolerance_joins_frequencies():
    counts = []
    for tolerance in (1e-7, 1e-3):
        layer = InvariantPooling("rotation", tolerance=tolerance)
        layer.build((None, 15, 15, 1))
        counts.append(len(layer.multiplicities))
    assert counts[1] < counts[0]


@pytest.mark.parametrize(
    ("arguments", "shape", "error", "words"),
    [
        (("spectre", "rotation"), None, ValueError, "`kind` must be one of"),
        (("linear", 3), None, ValueError, "must be fixed.*frozen"),
        (
            ("linear", "rotation", 0),
            None,
            ValueError,
            "`num_invariants` must be a positive",
        ),
        (
            ("linear", "rotation", 1.0),
            None,
            TypeError,
            "`num_invariants` must be a positive",
        ),
        (("linear", a.so(3)), (3,), ValueError, "have no linear invariants"),
        (("linear", "rotation", 9), (8, 8, 1), ValueError, "finds 8 linear invariants"),
        (("linear", np.ones((1, 2, 3))), (3,), ValueError, "needs square generators"),
        (("spectrum", a.so(3, 1)), (4,), ValueError, "needs antisymmetric generators"),
        (("spectrum", "scaling"), (4, 4, 1), ValueError, "needs antisymmetric generators"),
        (("spectrum", "shear"), (4, 4, 1), ValueError, "must commute with the generators"),
        (
            ("spectrum", lambda: g.rotation(3)),
            (4, 4, 4, 1),
            ValueError,
            "The Casimir operator of .* must commute",
        ),
    ],
)
def test_bad_arguments_are_refused(arguments, shape, error, words):
    kind, generators, *number = arguments
    generators = generators() if callable(generators) else generators
    options = {"kind": kind, **({"num_invariants": number[0]} if number else {})}
    with pytest.raises(error, match=words):
        InvariantPooling(generators, **options).build((None, *(shape or (4, 4, 1))))


@pytest.mark.parametrize(
    ("tolerance", "error"),
    [
        (0, ValueError),
        (1, ValueError),
        (-1e-3, ValueError),
        ([0.1], TypeError),
        ("0.1", TypeError),
        (True, TypeError),
    ],
)
def test_bad_tolerance_is_refused(tolerance, error):
    with pytest.raises(error, match="`tolerance` must be a number"):
        InvariantPooling("rotation", kind="linear", tolerance=tolerance)


def test_the_eigenproblem_is_solved_once(monkeypatch):
    solved = []
    spaces = eigenspaces.frequency_spaces

    def counted(*args):
        solved.append(1)
        return spaces(*args)

    monkeypatch.setattr(eigenspaces, "frequency_spaces", counted)
    layer = InvariantPooling("rotation", refine=["radius", "wavenumber"])
    layer.compute_output_shape((None, 5, 5, 1))
    layer.build((None, 5, 5, 1))
    layer.compute_output_shape((None, 5, 5, 1))
    assert len(solved) == 1
