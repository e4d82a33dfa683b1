"""The Lie algebra of generators."""

import numpy as np
import pytest

from keras_lconv import LConv
from keras_lconv import algebra as a
from keras_lconv import generators as g
from tests import families
from tests.families import to_numpy

MATRICES = [
    name
    for name in families.SQUARE
    if not isinstance(
        families.SQUARE[name][0](), (g.LeftInvariantGenerators, g.VectorFieldGenerators)
    )
]


@pytest.mark.thorough
@pytest.mark.parametrize("name", MATRICES)
def test_algebra_of_matrices_is_their_span(name):
    generators, _ = families.build(name)
    algebra = generators.algebra()
    assert algebra.dimension == generators.num_generators
    expected = families.reference_matrices(generators)
    assert np.allclose(algebra.basis, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: g.translation(), "R^2"),
        (lambda: g.translation(3), "R^3"),
        (lambda: g.rotation(), "R"),
        (lambda: g.rotation(3), "so(3)"),
        (lambda: g.rotation(4), "so(4)"),
        (lambda: g.scaling(), "R"),
        (lambda: g.shear(), "sl(2,R)"),
        (lambda: g.affine(), "aff(2)"),
        (lambda: g.affine(1), "aff(1)"),
        (lambda: g.affine(3), "aff(3)"),
    ],
)
def test_algebra_of_ready_fields_before_and_after_build(make, name):
    generators = make()
    ndim = generators.get_config()["coefficients"]
    ndim = np.shape(ndim)[1]
    before = generators.algebra()
    generators.build((None, *range(4, 4 + ndim), 1))
    after = generators.algebra()
    if name == "sl(2,R)":
        # Two shears generate sl(2), and do not span it.
        assert before.identify().name == after.identify().name == "not closed"
        return
    assert before.identify().name == after.identify().name == name


def smooth_images(n):
    """Small blobs near the centre, where the border does not count."""
    x = np.arange(n) - (n - 1) / 2
    blob = np.exp(-np.add.outer((x - 0.7) ** 2, (x + 0.4) ** 2) / 8)
    return np.stack([blob, blob * x[:, None], blob * x], axis=-1)[None]


@pytest.mark.parametrize("make", [g.affine, lambda: g.VectorFieldGenerators(3, "linear")])
def test_brackets_on_images_are_those_of_the_algebra(make):
    """`[L_i, L_j] f = sum_k c_ijk L_k f`: the signs of fields and matrices agree."""
    generators = make()
    generators.build((None, 25, 25, 1))
    if generators.is_learned:
        # A basis of sl(2), which is closed, in general position.
        change = np.random.default_rng(0).normal(size=(3, 3))
        basis = np.tensordot(change, a.sl(2).basis, 1)
        generators.coefficients.assign(basis.astype("float32"))
    constants = generators.algebra().structure_constants
    f = smooth_images(25).astype("float32")
    k = generators.num_generators
    first = to_numpy(generators(f))  # (1, 25, 25, k, 3)
    both = np.stack([to_numpy(generators(first[..., j, :])) for j in range(k)], axis=3)
    # both[..., j, i, :] = L_i L_j f
    brackets = np.swapaxes(both, 3, 4) - both
    expected = np.einsum("ijk,bxykc->bxyijc", constants, first)
    scale = np.max(np.abs(both))
    assert np.max(np.abs(brackets - expected)) < 1e-3 * scale


def test_learned_fields_need_values():
    with pytest.raises(ValueError, match="needs the spatial shape"):
        g.VectorFieldGenerators(2, "affine").algebra()
    with pytest.raises(ValueError, match="needs the spatial shape"):
        g.DenseGenerators(2).algebra()


def test_free_fields_give_matrices_on_the_grid():
    generators = g.VectorFieldGenerators(2, "free")
    generators.build((None, 4, 5, 1))
    assert generators.algebra().matrix_size == 20


def test_generators_that_are_not_square_have_no_algebra():
    generators = g.DenseGenerators(2, output_dim=3)
    generators.build((None, 5))
    with pytest.raises(ValueError, match="Only square generators span a Lie algebra"):
        generators.algebra()
    with pytest.raises(ValueError, match="square matrices"):
        g.MatrixGenerators(np.ones((1, 2, 3))).algebra()


def test_dependent_generators_are_refused():
    generators = g.MatrixGenerators([np.eye(3), 2 * np.eye(3)])
    with pytest.raises(ValueError, match="linearly independent"):
        generators.algebra()


def test_float32_weights_are_no_noise():
    """The rounding of the weights is known, and does not cost a name."""
    rng = np.random.default_rng(0)
    basis = np.tensordot(rng.normal(size=(10, 10)), a.so(5).basis, 1)
    generators = g.MatrixGenerators(basis, trainable=True)
    generators.build((None, 5))
    found = generators.algebra().identify()
    assert found.name == "so(5)"
    assert found.confidence > 0.99


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_algebra_of_half_precision_weights(dtype):
    generators = g.MatrixGenerators(a.so(3), dtype=dtype)
    generators.build((None, 3))
    assert generators.algebra().identify().name == "so(3)"


def test_tolerance_is_passed_on():
    generators = g.MatrixGenerators(a.so(3))
    assert generators.algebra(0.01).tolerance == 0.01
    generators.build((None, 3))
    assert generators.algebra(0.01).tolerance == 0.01
    assert g.affine().algebra(0.01).tolerance == 0.01


def test_a_lie_algebra_makes_generators_for_a_layer():
    generators = g.get(a.so(3, 1))
    assert type(generators) is g.MatrixGenerators
    assert np.array_equal(generators.get_config()["matrices"], a.so(3, 1).basis)
    layer = LConv(4, a.so(3, 1))
    assert tuple(layer(np.ones((2, 4, 3), "float32")).shape) == (2, 4, 4)
    assert layer.generators.num_generators == 6
    copy = LConv.from_config(layer.get_config())
    assert copy.generators.algebra().identify().name == "so(3,1)"
