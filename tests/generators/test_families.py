"""What every family of generators promises, over one table of all families."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

from keras_lconv import generators as g
from keras_lconv.generators.exponential import operator_norm
from tests import families
from tests.autodiff import assert_gradients_match, float64, run
from tests.families import relative_error, to_numpy

every_family = pytest.mark.parametrize("name", families.ALL)
# Tests in which one family of a class stands for the others.
some_families = pytest.mark.parametrize("name", families.rows(families.ALL))
square_families = pytest.mark.parametrize("name", families.rows(families.SQUARE))


def images(spatial, channels=3, batch=2, seed=1, dtype="float32"):
    shape = (batch, *spatial, channels)
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def applied(matrices, f):
    """`L_i f` by NumPy, with positions flattened: `(batch, d', k, channels)`."""
    flat = f.reshape(len(f), -1, f.shape[-1])
    return np.einsum("kij,bjc->bikc", matrices, flat)


@every_family
def test_call_is_all_lie_derivatives(name):
    generators, spatial = families.build(name)
    f = images(spatial)
    expected = applied(families.reference_matrices(generators), f)
    result = run(generators, f)
    assert tuple(result.shape) == generators.compute_output_shape(f.shape)
    assert relative_error(ops.reshape(result, expected.shape), expected) < 1e-5


@every_family
def test_combine_is_sum_of_generators(name):
    generators, spatial = families.build(name)
    k = generators.num_generators
    size = np.prod(spatial)
    z = np.random.default_rng(0).normal(size=(2, size, k, 3)).astype("float32")
    matrices = families.reference_matrices(generators)
    expected = np.einsum("kij,bjkc->bic", matrices, z)
    assert relative_error(run(generators.combine, z), expected) < 1e-5
    # The default of the base class is right for every family.
    default = run(functools.partial(g.Generators.combine, generators), z)
    assert relative_error(default, expected) < 1e-5


@every_family
def test_to_dense_is_the_matrices(name):
    generators, _ = families.build(name)
    expected = families.reference_matrices(generators)
    assert relative_error(run(generators.to_dense), expected) < 1e-5


@some_families
def test_to_dense_is_as_precise_as_the_weights(name):
    generators, _ = families.build_in("mixed_float16", name)
    dense = run(generators.to_dense)
    assert keras.backend.standardize_dtype(dense.dtype) == "float32"


@some_families
def test_norm_bounds_bound_the_norms(name):
    generators, _ = families.build(name)
    bounds = to_numpy(run(generators.norm_bounds))
    exact = np.linalg.norm(families.reference_matrices(generators), 2, axis=(1, 2))
    assert bounds.shape == (generators.num_generators,)
    assert np.all(bounds >= exact * (1 - 1e-6))
    assert np.all(bounds <= 10 * exact), "a bound this loose makes transform slow"
    # The default of the base class is right for every family.
    bounds = to_numpy(g.Generators.norm_bounds(generators))
    assert np.all(bounds >= exact * (1 - 1e-6))


@pytest.mark.backend_free
def test_norm_bounds_hold_for_single_rows_and_columns():
    """There the smaller one of `|L|_1` and `|L|_inf` is no bound."""
    one = np.zeros((5, 5))
    one[:, 2] = 1.0
    for matrix in (one, one.T):
        for trainable in (False, True):
            generators = g.MatrixGenerators(matrix, trainable=trainable)
            generators.build((None, 5))
            bounds = to_numpy(generators.norm_bounds()), generators.initial_norm_bounds()
            assert np.allclose(bounds, np.sqrt(5))  # the norm itself


LEARNED = [name for name, (make, _) in families.ALL.items() if make().is_learned]


@pytest.mark.parametrize("name", LEARNED)
def test_norm_bounds_follow_the_weights(name):
    generators, _ = families.build(name)
    for weight in generators.weights:
        weight.assign(0.01 * weight)
    bounds = to_numpy(run(generators.norm_bounds))
    exact = np.linalg.norm(families.reference_matrices(generators), 2, axis=(1, 2))
    assert np.all(bounds >= exact * (1 - 1e-6))
    assert np.all(bounds <= 10 * exact)


@square_families
def test_operator_norm_bounds_the_norm(name):
    generators, _ = families.build(name)
    matrices = families.reference_matrices(generators)
    t = np.random.default_rng(5).normal(size=(4, len(matrices))).astype("float32")
    exact = np.linalg.norm(np.einsum("bk,kij->bij", t, matrices), 2, axis=(1, 2))
    bounds = to_numpy(run(functools.partial(operator_norm, generators), t))
    assert bounds.shape == exact.shape
    assert np.all(bounds >= exact * (1 - 1e-6))
    one = run(functools.partial(operator_norm, generators), t[0])
    assert relative_error(one, bounds[0]) < 1e-6


@every_family
def test_what_is_called_antisymmetric_is_so(name):
    generators, _ = families.build(name)
    matrices = families.reference_matrices(generators)
    is_fixed = not generators.is_learned
    if generators.is_square:
        asymmetry = np.abs(matrices + matrices.transpose(0, 2, 1)).max()
        is_antisymmetric = bool(asymmetry < 1e-6 * np.abs(matrices).max())
    else:
        is_antisymmetric = False
    assert generators.is_antisymmetric == (is_fixed and is_antisymmetric)


@pytest.mark.backend_free
def test_opposite_weights_of_neighbors_are_antisymmetric():
    """Central differences; and not any more if one weight is another."""
    values = np.tile([[-0.5], [0.0], [0.5]], (6, 1, 1))
    for change, expected in ((0.0, True), (1e-4, False)):
        values[2, 0, 0] += change
        generators = g.NeighborGenerators(
            1, g.grid_neighbors((6,)), values=values, trainable=False
        )
        assert generators.is_antisymmetric == expected


@pytest.mark.parametrize("name", families.ALL)
def test_initial_norm_bounds_bound_the_norms_at_start(name):
    make, spatial = families.ALL[name]
    generators = make()
    generators.build((None, *spatial, 1))
    exact = np.linalg.norm(families.reference_matrices(generators), 2, axis=(1, 2))
    if generators.is_square:
        # Learned ones are random: their norm scatters around the bound.
        assert np.all(exact <= generators.initial_norm_bounds() * 1.5)


@square_families
def test_generators_act_on_each_sample_and_channel_alone(name):
    generators, spatial = families.build(name)
    f = images(spatial)
    together = to_numpy(run(generators, f))
    alone = to_numpy(run(generators, f[1:, ..., 2:]))
    assert relative_error(together[1:, ..., 2:], alone) < 1e-6


@every_family
def test_config_round_trip_makes_the_same_generators(name):
    generators, spatial = families.build(name)
    copy = type(generators).from_config(generators.get_config())
    copy.build((None, *spatial, 1))
    assert copy.get_config() == generators.get_config()
    assert len(copy.trainable_weights) == len(generators.trainable_weights)
    copy.set_weights(generators.get_weights())
    f = images(spatial)
    expected = run(generators, f)
    assert relative_error(run(copy, f), expected) < 1e-6
    if not generators.is_learned:
        fresh = type(generators).from_config(generators.get_config())
        assert relative_error(run(fresh, f), expected) < 1e-6


@some_families
@pytest.mark.parametrize("method", ["call", "combine"])
def test_gradients_equal_finite_differences(name, method):
    with float64():
        generators, spatial = families.build_in("float64", name)
        rng = np.random.default_rng(0)
        axes = spatial if method == "call" else (generators.size, generators.num_generators)
        f = rng.normal(size=(2, *axes, 2))
        # A random linear form of the output, squared, so that no gradient vanishes.
        probe = rng.normal(size=generators.compute_output_shape((2, *spatial, 2)))
        if method == "combine":
            probe = probe[..., 0, :].reshape(2, -1, 2)
        probe = ops.convert_to_tensor(probe)
        weights = [np.asarray(w) for w in generators.get_weights()]

        def loss(f, *weights):
            values, _ = generators.stateless_call(list(weights), [], f)
            return ops.sum(values * probe) ** 2

        def loss_of_combine(f, *weights):
            pairs = zip(generators.weights, weights, strict=True)
            with keras.StatelessScope(state_mapping=list(pairs)):
                return ops.sum(generators.combine(f) * probe) ** 2

        if method == "combine":
            assert_gradients_match(loss_of_combine, [f, *weights])
        elif generators.is_learned:
            assert_gradients_match(loss, [f, *weights])
        else:
            assert_gradients_match(lambda f: ops.sum(generators.call(f) * probe) ** 2, [f])


@some_families
def test_symbolic_shapes_with_unknown_batch(name):
    generators, spatial = families.build(name)
    inputs = keras.Input((*spatial, 3))
    outputs = generators(inputs)
    model = keras.Model(inputs, outputs)
    f = images(spatial, batch=5)
    assert outputs.shape[0] is None
    assert relative_error(run(model, f), run(generators, f)) < 1e-6
    assert tuple(outputs.shape) == (
        None,
        *generators.output_spatial_shape(spatial),
        generators.num_generators,
        3,
    )


def test_vector_without_channels_is_one_channel():
    generators, _ = families.build("so3")
    x = images((3,))[..., 0]
    assert relative_error(generators(x), generators(x[..., None])) == 0
    assert tuple(generators(x).shape) == (2, 3, 3, 1)
    assert tuple(generators.transform(x, [0.1, 0.2, 0.3]).shape) == (2, 3)


def test_base_class_names_what_a_subclass_must_implement():
    generators = g.Generators(2)
    generators.build((None, 4, 1))
    with pytest.raises(NotImplementedError, match="Generators does not implement `apply"):
        generators.call(np.ones((1, 4, 1)))


def test_learned_generators_keep_being_frozen():
    generators = g.DenseGenerators(2)
    generators.trainable = False
    copy = g.DenseGenerators.from_config(generators.get_config())
    copy.build((None, 4, 1))
    assert copy.trainable_weights == []
    copy.trainable = True
    assert len(copy.trainable_weights) == 1


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: g.DenseGenerators(0), ValueError, "`num` must be a positive"),
        (lambda: g.DenseGenerators(-1), ValueError, "`num` must be a positive"),
        (lambda: g.DenseGenerators(2.0), TypeError, "`num` must be a positive"),
        (lambda: g.DenseGenerators(True), TypeError, "`num` must be a positive"),
        (lambda: g.DenseGenerators(1, output_dim=0), ValueError, "`output_dim`"),
        (lambda: g.DenseGenerators(1, output_dim=()), ValueError, "`output_dim`"),
        (lambda: g.DenseGenerators(1, output_dim="3"), TypeError, "`output_dim`"),
        (lambda: g.LowRankGenerators(2, 0), ValueError, "`rank`"),
        (lambda: g.LowRankGenerators(2, ()), ValueError, "`rank` must not be empty"),
        (lambda: g.LowRankGenerators(2, (4, -1)), ValueError, "`rank`"),
        (lambda: g.LowRankGenerators(2, 1.5), TypeError, "`rank`"),
        (lambda: g.MatrixGenerators([1.0, 2.0]), ValueError, r"shape \(2,\)"),
        (lambda: g.MatrixGenerators("rotation"), TypeError, "`matrices`"),
        (
            lambda: g.MatrixGenerators(np.ones((1, 2, 3))).build((None, 4, 1)),
            ValueError,
            "act on d=3 positions",
        ),
        (lambda: g.MatrixGenerators([[[np.nan]]]), ValueError, "must be finite"),
        (lambda: g.MatrixGenerators(np.zeros((0, 3, 3))), ValueError, "at least one"),
        (
            lambda: g.MatrixGenerators(np.ones((6, 4)), output_dim=(2, 2)),
            ValueError,
            "d'=6 rows",
        ),
        (lambda: g.VectorFieldGenerators(1, "cubic"), ValueError, "`field` must be"),
        (
            lambda: g.VectorFieldGenerators(1, derivative="exact"),
            ValueError,
            "`derivative` must be one of 'spectral', 'fourier', 'central'",
        ),
        (
            lambda: g.VectorFieldGenerators(2, coefficients=np.ones((1, 2, 3))),
            ValueError,
            r"`coefficients` must have shape `\(k, ndim, p\)` with k=2",
        ),
        (
            lambda: g.VectorFieldGenerators(1, "linear", coefficients=np.ones((1, 2, 3))),
            ValueError,
            "p=2 monomials",
        ),
        (lambda: g.rotation(1), ValueError, "`ndim` must be at least 2"),
        (lambda: g.shear(1), ValueError, "`ndim` must be at least 2"),
        (lambda: g.translation(0), ValueError, "`ndim`"),
        (lambda: g.rotation(derivative="sobel"), ValueError, "`derivative`"),
        (lambda: g.derivative_matrix(0), ValueError, "`size`"),
        (lambda: g.derivative_matrix(4, "sobel"), ValueError, "`kind`"),
    ],
)
def test_bad_arguments_are_named(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize(
    ("make", "shape", "words"),
    [
        (lambda: g.DenseGenerators(1), (None, None, 4, 1), "defined spatial dim"),
        (lambda: g.DenseGenerators(1), (None,), r"\(batch, d\)"),
        (lambda: g.DenseGenerators(1), (None, 0, 4, 1), "at least one position"),
        (lambda: g.MatrixGenerators(np.eye(4)), (None, 3, 3, 1), "d=4 positions"),
        (lambda: g.rotation(), (None, 8, 1), "an input with 2 spatial axes"),
        (lambda: g.translation(1), (None, 8, 8, 1), "an input with 1 spatial axes"),
        (lambda: g.rotation(), (None, 28, 28), "an axis of channels"),
    ],
)
def test_input_that_does_not_fit_is_refused(make, shape, words):
    with pytest.raises(ValueError, match=words):
        make().build(shape)


def test_methods_before_build_say_what_is_missing():
    with pytest.raises(ValueError, match="needs the spatial shape"):
        g.rotation().to_dense()
    with pytest.raises(ValueError, match="needs the spatial shape"):
        g.rotation().vector_fields()


@square_families
def test_matrices_are_the_matrices(name):
    generators, _ = families.build(name)
    if generators.is_learned:
        with pytest.raises(ValueError, match="are learned"):
            generators.matrices()
    else:
        known = generators.matrices()
        assert known.dtype == np.float64
        assert relative_error(known, families.reference_matrices(generators)) < 1e-6
        brackets = generators.representation()
        assert brackets.shape[0] == generators.num_generators
