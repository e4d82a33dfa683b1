"""The field theory of an L-conv layer, against NumPy and against known fields."""

import keras
import numpy as np
import pytest

from keras_lconv import LConv
from keras_lconv import generators as g
from keras_lconv._backend import compiled
from keras_lconv.algebra import so
from keras_lconv.physics import Lagrangian
from tests import families
from tests.autodiff import float64, gradients
from tests.families import relative_error, to_numpy
from tests.samples import normal


def layer_of(family, channels=2, filters=3, dtype="float32", **arguments):
    """A built layer whose weights, bias included, are all of order one."""
    make, spatial = families.ALL[family] if isinstance(family, str) else family
    generators = make()
    config = {**generators.get_config(), "dtype": dtype}
    generators = type(generators).from_config(config)
    layer = LConv(filters, generators, dtype=dtype, **arguments)
    shape = (*spatial, channels)
    if arguments.get("data_format") == "channels_first":
        shape = (channels, *spatial)
    layer.build((None, *shape))
    for n, weight in enumerate(layer.weights):
        if weight.trainable:
            weight.assign(normal(*weight.shape, seed=n + 1))
    return layer, (2, *shape)


def compute(function, *arrays):
    """The result of a function in NumPy. It is compiled, because JAX takes far longer op by
    op.
    """
    tensors = [keras.ops.convert_to_tensor(array) for array in arrays]
    return keras.tree.map_structure(to_numpy, compiled(function)(*tensors))


def on_grid(generators, shape):
    """Built generators, which a graph can use."""
    generators.build((None, *shape, 1))
    return generators


def matrix_of(layer):
    """`Q` without its bias in NumPy: `(positions * filters, positions * channels)`."""
    matrices = families.reference_matrices(layer.generators)
    kernel = to_numpy(layer.kernel).astype("float64")
    total = sum(
        np.kron(matrix, weight.T)
        for matrix, weight in zip(matrices, kernel[-len(matrices) :], strict=True)
    )
    size = matrices.shape[-1]
    if layer.self_interaction == "identity":
        total = total + np.eye(size * kernel.shape[1])
    elif len(kernel) > len(matrices):
        total = total + np.kron(np.eye(size), kernel[0].T)
    return total


# ------------------------------------------------------ action and its gradient

CASES = {
    "dense": ("dense", {}),
    "low_rank": ("low_rank", {"use_bias": False}),
    "rotation": ("rotation", {}),
    "quadratic_fourier": ("quadratic_fourier", {"self_interaction": None}),
    "shifts": ("shifts", {"self_interaction": "identity", "filters": 2}),
    "strided": ("dense_strided", {}),
}


@pytest.mark.parametrize("case", CASES)
def test_action_and_its_gradient_are_those_of_the_matrix(case):
    family, arguments = CASES[case]
    layer, shape = layer_of(family, **arguments)
    theory = Lagrangian(layer)
    f = normal(*shape).astype("float32")
    matrix = matrix_of(layer)
    bias = 0 if layer.bias is None else to_numpy(layer.bias)
    output = f.reshape(2, -1).astype("float64") @ matrix.T
    output = (output.reshape(2, -1, layer.filters) + bias).reshape(2, -1)
    squares = (output**2).reshape(2, -1, layer.filters).sum(axis=-1)

    density, action, residual = compute(
        lambda f: (theory.density(f), theory.action(f), theory.euler_lagrange(f)), f
    )
    assert density.shape == layer.compute_output_shape(shape)[:-1]
    assert relative_error(density.reshape(2, -1), squares) < 1e-5
    assert relative_error(action, squares.sum(axis=1)) < 1e-5
    expected = (2 * output @ matrix).reshape(shape)
    assert relative_error(residual, expected) < 1e-5


def test_euler_lagrange_is_the_gradient_of_the_action():
    with float64():
        layer, shape = layer_of("quadratic_fourier", dtype="float64")
        theory = Lagrangian(layer)
        f = normal(*shape)
        (gradient,) = gradients(lambda f: keras.ops.sum(theory.action(f)), [f])
        found = compute(theory.euler_lagrange, f)
        assert found.dtype == np.float64
        assert relative_error(found, gradient) < 1e-12


def test_euler_lagrange_can_be_trained_through():
    """Its square depends on the weights: the derivative is that by differences."""
    with float64():
        layer, shape = layer_of("dense_vector", dtype="float64", use_bias=False)
        theory = Lagrangian(layer)
        f, direction = normal(*shape), normal(*layer.kernel.shape, seed=5)
        kernel = to_numpy(layer.kernel)

        def size(kernel):
            with keras.StatelessScope([(layer.kernel, kernel)]):
                return keras.ops.sum(theory.euler_lagrange(f) ** 2)

        (gradient,) = gradients(size, [kernel])
        values = [
            float(to_numpy(size(keras.ops.convert_to_tensor(kernel + step * direction))))
            for step in (1e-5, -1e-5)
        ]
        slope = (values[0] - values[1]) / 2e-5
        assert np.isclose(np.sum(gradient * direction), slope, rtol=1e-7)


def test_channels_first_is_the_same_theory():
    last, shape = layer_of("rotation", use_bias=False)
    first, _ = layer_of("rotation", use_bias=False, data_format="channels_first")
    f = normal(*shape).astype("float32")
    moved = np.moveaxis(f, -1, 1)
    turn = on_grid(g.rotation(), shape[1:-1])

    def all_of(layer):
        theory = Lagrangian(layer)
        return lambda f: (
            theory.density(f),
            theory.noether_current(f, turn),
            theory.noether_current(f, np.eye(2)),
            theory.euler_lagrange(f),
        )

    *expected, residual = compute(all_of(last), f)
    *found, residual_first = compute(all_of(first), moved)
    for ours, theirs in zip(expected, found, strict=True):
        assert relative_error(theirs, ours) < 1e-5
    assert relative_error(np.moveaxis(residual_first, 1, -1), residual) < 1e-5


def test_vectors_are_fields_on_a_line():
    layer, _ = layer_of("translation_line", channels=1)
    theory = Lagrangian(layer)
    f = normal(3, *families.LINE).astype("float32")
    expected = compute(
        lambda f: (theory.density(f), theory.euler_lagrange(f)), f[..., None]
    )
    line = LConv(3, layer.generators)
    line.build((None, *families.LINE))
    line.set_weights(layer.get_weights())
    theory, move = Lagrangian(line), on_grid(g.translation(1), families.LINE)
    density, residual, current = compute(
        lambda f: (
            theory.density(f),
            theory.euler_lagrange(f),
            theory.noether_current(f, move),
        ),
        f,
    )
    assert relative_error(density, expected[0]) < 1e-5
    assert relative_error(residual[..., None], expected[1]) < 1e-5
    assert current.shape == (3, *families.LINE, 1, 1)


def test_half_precision_does_not_overflow_in_the_action():
    layer, shape = layer_of("rotation", dtype="mixed_float16", channels=1)
    f = np.full(shape, 60.0)
    action = compute(Lagrangian(layer).action, f)
    assert action.dtype == np.float32
    assert np.all(np.isfinite(action))
    assert np.max(action) > 65504


# ------------------------------------------------- mass, metric and drift


@pytest.mark.parametrize("family", ["affine", "quadratic_fourier", "affine_3d_central"])
def test_density_is_that_of_mass_metric_and_drift(family):
    """With derivatives by NumPy; `f` is a row of channels."""
    layer, shape = layer_of(family, use_bias=False)
    theory = Lagrangian(layer)
    f = normal(*shape).astype("float32")
    kind = layer.generators.derivative
    slopes = []
    for axis, size in enumerate(shape[1:-1], start=1):
        matrix = families.reference_derivative(size, kind)
        slopes.append(np.moveaxis(np.tensordot(matrix, f, (1, axis)), 0, axis))
    slopes = np.stack(slopes, axis=-2)
    expected = np.einsum("...c,cd,...d->...", f, theory.mass, f)
    expected += np.einsum("n...c,...acd,n...ad->n...", f, theory.drift, slopes)
    expected += np.einsum("n...ac,...abcd,n...bd->n...", slopes, theory.metric, slopes)
    assert relative_error(compute(theory.density, f), expected) < 1e-5


@pytest.mark.parametrize(
    ("interaction", "expected"), [("identity", np.eye(2)), (None, np.zeros((2, 2)))]
)
def test_mass_without_a_learned_self_interaction(interaction, expected):
    layer, _ = layer_of("dense", filters=2, self_interaction=interaction)
    assert np.array_equal(Lagrangian(layer).mass, expected)


def test_isotropic_translations_are_klein_gordon():
    """The metric is a multiple of the identity, the same at each point."""
    with float64():
        theory = Lagrangian(klein_gordon((6, 5), mass=0.5, speed=3.0))
    assert np.allclose(theory.mass, 0.25)
    assert np.allclose(theory.metric[..., 0, 0], 9 * np.eye(2))
    assert np.allclose(theory.drift, 0)


def test_metric_of_a_rotation_is_along_its_circles():
    """`h^ab = v^a v^b W W^T` with `v = (-y, x)`, on rows and columns."""
    layer, _ = layer_of((g.rotation, (4, 5)))
    weight = to_numpy(layer.kernel)[1]
    x = np.arange(4)[:, None] - 1.5 + np.zeros(5)
    y = np.arange(5) - 2.0 + np.zeros((4, 1))
    field = np.stack([-y, x], axis=-1)
    expected = np.einsum("...a,...b,cf,df->...abcd", field, field, weight, weight)
    theory = Lagrangian(layer)
    assert relative_error(theory.metric, expected) < 1e-6
    assert np.allclose(np.linalg.det(theory.metric[..., 0, 0]), 0, atol=1e-5)


# --------------------------------------------------------------- currents


def klein_gordon(shape, mass, speed=1.0, fields=1, derivative="central"):
    """A layer with `|Q f|^2 = m^2 f^2 + speed^2 |grad f|^2`, for each of some fields."""
    generators = g.translation(len(shape), derivative=derivative, dtype="float64")
    terms = len(shape) + 1
    layer = LConv(fields * terms, generators, use_bias=False, dtype="float64")
    layer.build((None, *shape, fields))
    kernel = np.zeros((terms, fields, fields, terms))
    for term, weight in enumerate([mass, *[speed] * len(shape)]):
        kernel[term, :, :, term] = weight * np.eye(fields)
    layer.kernel.assign(kernel.reshape(terms, fields, -1))
    return layer


def solutions(size, mass=1.0):
    """Two fields with `m^2 f = (d_x^2 + d_y^2) f` on a square, and the grid's step.

    Each is a sum of `cos(k y) cosh(sqrt(k^2 + m^2) x)` and of the like, turned.
    """
    step = 2 / (size - 1)
    x = (np.arange(size) * step - 1)[:, None]
    y = x.T

    def waves(terms):
        total = 0
        for k, phase, angle in terms:
            along = np.cos(angle) * x + np.sin(angle) * y
            across = np.cos(angle) * y - np.sin(angle) * x
            total = total + np.cos(k * across + phase) * np.cosh(np.hypot(k, mass) * along)
        return total

    first = waves([(1.0, 0.3, 0.0), (0.5, 1.0, 0.8)])
    second = waves([(1.5, -0.5, 0.4), (0.2, 0.0, 2.0)])
    return np.stack([first, second], axis=-1)[None], step


CHARGE = np.array([[0.0, -1.0], [1.0, 0.0]])
SYMMETRIES = {
    "momentum": lambda shape: on_grid(g.translation(dtype="float64"), shape),
    "angular_momentum": lambda shape: on_grid(g.rotation(dtype="float64"), shape),
    "charge": lambda shape: CHARGE,
}


def currents_of(layer, f, symmetries):
    """For each symmetry its current and the divergence; and the residual."""
    theory = Lagrangian(layer)

    def all_of(f):
        currents = [theory.noether_current(f, symmetry) for symmetry in symmetries]
        divergences = [theory.divergence(current) for current in currents]
        return currents, divergences, theory.euler_lagrange(f)

    return compute(all_of, f)


def relative_divergences(size):
    """`|div J|` relative to the terms of its sum, away from the border."""
    f, step = solutions(size)
    # In grid steps the mass is `m h`.
    layer = klein_gordon((size, size), step, fields=2)
    symmetries = [make((size, size)) for make in SYMMETRIES.values()]
    currents, divergences, _ = currents_of(layer, f, symmetries)
    errors = []
    for current, divergence in zip(currents, divergences, strict=True):
        slopes = [np.gradient(current[..., axis], axis=axis + 1) for axis in range(2)]
        inside = np.s_[:, 3:-3, 3:-3]
        terms = sum(np.abs(slope) for slope in slopes)[inside]
        errors.append(np.sqrt(np.mean(divergence[inside] ** 2) / np.mean(terms**2)))
    return np.array(errors)


def test_currents_are_conserved_on_solutions():
    """The divergence is of the order of the derivative's error, `h^2`."""
    with float64():
        coarse, fine = relative_divergences(65), relative_divergences(129)
    assert np.all(fine < 1e-3), fine
    assert np.all(np.abs(np.log2(coarse / fine) - 2) < 0.1), (coarse, fine)


def bumps(shape, channels):
    """Smooth fields that have decayed at the border."""
    axes = np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in shape], indexing="ij")
    fields = []
    for channel in range(channels):
        centre = 0.8 * np.random.default_rng(channel).normal(size=len(shape))
        moved = [x - c for x, c in zip(axes, centre, strict=True)]
        width = 2.8 + 0.3 * channel
        square = sum(x**2 * (1 + 0.2 * a) for a, x in enumerate(moved))
        fields.append((1 + 0.3 * moved[0]) * np.exp(-square / (2 * width**2)))
    return np.stack(fields, axis=-1)[None]


def off_solution_errors(layer, f, symmetries, changes):
    """`|div J + E . (K f)|` relative to `|E . (K f)|`, with the changes `K f` given."""
    _, divergences, residual = currents_of(layer, f, symmetries)
    return [
        relative_error(divergence, -np.sum(residual * change, axis=-1)[..., None])
        for divergence, change in zip(divergences, changes, strict=True)
    ]


def test_divergence_off_solutions_is_the_residual_times_the_variation():
    shape = (35, 35)
    with float64():
        f = bumps(shape, 2)
        turn, down = (
            on_grid(generators, shape)
            for generators in (
                g.rotation(dtype="float64"),
                g.VectorFieldGenerators(
                    1, coefficients=[[[1, 0, 0], [0, 0, 0]]], trainable=False
                ),
            )
        )
        symmetries = [turn, down, CHARGE, so(2)]
        changes = [
            *(np.squeeze(compute(each, f), -2) for each in (turn, down)),
            f @ CHARGE.T,
            f @ so(2).basis[0].T,
        ]
        isotropic = klein_gordon(shape, 0.4, fields=2, derivative="spectral")
        errors = off_solution_errors(isotropic, f, symmetries, changes)
        assert max(errors) < 1e-5

        # Random weights have no symmetry but that of the generators, each of its own.
        layer, _ = layer_of((g.rotation, shape), dtype="float64", use_bias=False)
        errors = off_solution_errors(layer, f, symmetries, changes)
        assert errors[0] < 1e-5
        assert min(errors[1:]) > 0.1
        layer, _ = layer_of((g.translation, shape), dtype="float64", use_bias=False)
        errors = off_solution_errors(layer, f, symmetries, changes)
        assert errors[1] < 1e-5
        assert min(errors[0], *errors[2:]) > 0.1


def test_a_field_with_a_divergence_carries_the_density_away():
    """Scaling commutes with the rotation, and leaves `(div xi) |r|^2`, here `2 |r|^2`."""
    shape = (35, 35)
    with float64():
        f = bumps(shape, 2)
        scaling = on_grid(g.scaling(dtype="float64"), shape)
        change = np.squeeze(compute(scaling, f), -2)
        layer, _ = layer_of((g.rotation, shape), dtype="float64", use_bias=False)
        _, (divergence,), residual = currents_of(layer, f, [scaling])
        density = to_numpy(Lagrangian(layer).density(f))[..., None]
    expected = 2 * density - np.sum(residual * change, axis=-1)[..., None]
    assert relative_error(divergence, expected) < 1e-5
    assert relative_error(divergence, expected - 2 * density) > 0.1


def test_a_bias_breaks_the_symmetries_of_channels():
    layer, shape = layer_of("rotation")
    assert np.any(to_numpy(layer.bias))
    with pytest.raises(ValueError, match="if there is a bias or a target"):
        Lagrangian(layer).noether_current(np.ones(shape), CHARGE)


# ------------------------------------------------- symmetries of the action


def translations_with(kernel, shape=(25, 25), **arguments):
    """A theory of translations with given weights, `(3, channels, filters)`."""
    kernel = np.asarray(kernel, dtype="float64")
    generators = g.translation(dtype="float64")
    layer = LConv(kernel.shape[-1], generators, dtype="float64", **arguments)
    layer.build((None, *shape, kernel.shape[1]))
    layer.kernel.assign(kernel)
    return Lagrangian(layer)


ELLIPSE = [[[0.4, 0, 0]], [[0, 1, 2]], [[0, 0, 1]]]
THEORIES = {
    # Of Klein and Gordon: rigid motions; without a mass, in the plane, scalings too.
    "isotropic": (np.diag([0.5, 1, 1])[:, None], "se(2)"),
    "massless": (np.diag([0, 1, 1])[:, None], "sim(2)"),
    # Killing fields of `h = [[5, 2], [2, 1]]`, which do not commute with the layer.
    "ellipse": (ELLIPSE, "se(2)"),
    # Two fields: rotations of space, and a charge.
    "charged": (np.kron(np.diag([0.5, 1, 1]), np.eye(2)).reshape(3, 2, 6), "se(2) + R"),
    "random": (normal(3, 1, 4), "R^2"),
}


@pytest.mark.thorough
@pytest.mark.parametrize("case", THEORIES)
def test_symmetries_have_currents(case):
    kernel, name = THEORIES[case]
    with float64():
        theory = translations_with(kernel, use_bias=False)
        found = theory.symmetries()
        assert found.algebra.identify().name == name
        assert np.all(found.singular_values[: found.dimension] < 1e-7)
        assert np.all(found.singular_values[found.dimension :] > 1e-3)
        f = bumps((25, 25), np.shape(kernel)[1])
        assert np.max(to_numpy(theory.noether_defect(f, found))) < 2e-3
        broken = to_numpy(theory.noether_defect(f, g.shear(dtype="float64")))
    assert np.min(broken) > 0.1


@pytest.mark.thorough
def test_killing_fields_of_an_ellipse():
    """`xi = h eps x`, of which the layer's generators know nothing."""
    with float64():
        theory = translations_with(ELLIPSE, use_bias=False)
        found = theory.symmetries()
        f = bumps((25, 25), 1)
        turn = to_numpy(theory.noether_defect(f, g.rotation(dtype="float64")))
    h = np.array([[5.0, 2.0], [2.0, 1.0]])
    assert np.allclose(theory.metric[0, 0, ..., 0, 0], h)
    expected = h @ [[0, 1], [-1, 0]]
    (turning,) = [field[:, 1:] for field in found.fields if np.any(field[:, 1:])]
    cosine = np.sum(turning * expected) / np.linalg.norm(turning) / np.linalg.norm(expected)
    assert np.isclose(abs(cosine), 1)
    assert np.min(turn) > 0.5


@pytest.mark.thorough
def test_a_field_with_a_divergence_takes_a_weight_of_the_field():
    """Scaling is a symmetry of the rotation layer's action with `M = -1`: areas grow."""
    with float64():
        layer, _ = layer_of((g.rotation, (25, 25)), dtype="float64", use_bias=False)
        theory = Lagrangian(layer)
        found = theory.symmetries()
        assert found.dimension == 2
        (scaling,) = [i for i in range(2) if found.matrices[i].any()]
        assert np.allclose(found.matrices[scaling], -np.eye(2))
        assert np.allclose(found.fields[scaling], [[0, 1, 0], [0, 0, 1]])
        assert "channels" in found.summary()
        defect = to_numpy(theory.noether_defect(bumps((25, 25), 2), found))
    assert np.max(defect) < 2e-3


@pytest.mark.thorough
def test_a_bias_counts_and_few_symmetries_are_left():
    theory = translations_with(np.diag([0.5, 1, 1])[:, None], shape=(5, 5))
    assert theory.symmetries().dimension == 3
    theory.layer.bias.assign([0, 1.0, 0])
    assert theory.symmetries().dimension == 2
    affine = Lagrangian(layer_of((g.affine, (5, 5)))[0])
    empty = affine.symmetries()
    assert empty.dimension == 0
    assert empty.algebra is None
    with pytest.raises(ValueError, match="must not be empty"):
        affine.noether_current(np.ones((1, 5, 5, 2)), empty)
    with pytest.raises(ValueError, match="no symmetry was found"):
        empty.to_generators()
    with pytest.raises(ValueError, match="at least 3 points"):
        Lagrangian(layer_of((g.affine, (2, 5)))[0]).symmetries()


# ------------------------------------------------------------------- targets


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_with_a_target_the_action_is_the_squared_error(data_format):
    """It is stationary at the solution of least squares."""
    with float64():
        layer, shape = layer_of("rotation", dtype="float64", data_format=data_format)
        output = layer.compute_output_shape(shape)
        target = normal(*output, seed=3)
        theory = Lagrangian(layer, target=target)
        f = normal(*shape)
        squares = np.sum((to_numpy(layer(f)) - target) ** 2, axis=(1, 2, 3))
        assert relative_error(compute(theory.action, f), squares) < 1e-12
        (gradient,) = gradients(lambda f: keras.ops.sum(theory.action(f)), [f])
        assert relative_error(compute(theory.euler_lagrange, f), gradient) < 1e-12

        bias = to_numpy(layer.bias)
        bias = bias[:, None, None] if data_format == "channels_first" else bias
        wanted, field = target - bias, f
        if data_format == "channels_first":
            wanted, field = np.moveaxis(wanted, 1, -1), np.moveaxis(field, 1, -1)
        solved = np.linalg.lstsq(matrix_of(layer), wanted.reshape(2, -1).T, rcond=None)[0]
        solved = solved.T.reshape(field.shape)
        if data_format == "channels_first":
            solved = np.moveaxis(solved, -1, 1)
        assert np.max(np.abs(compute(theory.euler_lagrange, solved))) < 1e-9
        assert np.min(compute(theory.action, solved)) > 0.1


def test_a_target_that_moves_is_a_source_of_the_current():
    """`div J = -E . (K f) + 2 r . (K y)`: none where the symmetry leaves `y` as it is."""
    shape = (35, 35)
    with float64():
        layer, _ = layer_of((g.rotation, shape), dtype="float64", use_bias=False)
        f, target = bumps(shape, 2), bumps(shape, 3)
        turn = on_grid(g.rotation(dtype="float64"), shape)
        change, source = (np.squeeze(compute(turn, each), -2) for each in (f, target))
        theory = Lagrangian(layer, target=target)
        divergence = compute(
            lambda f: theory.divergence(theory.noether_current(f, turn)), f
        )
        residual = compute(theory.euler_lagrange, f)
        error = to_numpy(layer(f)) - target
    expected = 2 * np.sum(error * source, -1) - np.sum(residual * change, -1)
    assert relative_error(divergence[..., 0], expected) < 1e-5


def test_targets_that_do_not_fit():
    layer, shape = layer_of("rotation", use_bias=False)
    with pytest.raises(ValueError, match=r"\(batch, 4, 4, 3\)"):
        Lagrangian(layer, target=np.ones((2, 4, 4, 2)))
    theory = Lagrangian(layer, target=np.ones((1, 4, 4, 3)))
    with pytest.raises(ValueError, match="or a target"):
        theory.noether_current(np.ones(shape), CHARGE)


def test_divergence_is_the_sum_of_derivatives():
    layer, _ = layer_of("translations")
    current = normal(2, *families.PLANE, 3, 2).astype("float32")
    expected = 0
    for axis, size in enumerate(families.PLANE):
        matrix = families.reference_derivative(size, "fourier")
        slope = np.tensordot(matrix, current[..., axis], (1, axis + 1))
        expected = expected + np.moveaxis(slope, 0, axis + 1)
    divergence = compute(Lagrangian(layer).divergence, current)
    assert relative_error(divergence, expected) < 1e-5


# ------------------------------------------------------------------ errors


def test_layers_that_are_no_free_fields():
    with pytest.raises(TypeError, match="`layer` must be an `LConv`"):
        Lagrangian(keras.layers.Dense(2))
    with pytest.raises(ValueError, match="must be built"):
        Lagrangian(LConv(2, "rotation"))
    for arguments in ({"activation": "relu"}, {"num_steps": 2, "filters": 2}):
        with pytest.raises(ValueError, match=next(iter(arguments))):
            Lagrangian(layer_of("rotation", **arguments)[0])


def test_what_needs_vector_fields_says_so():
    layer, shape = layer_of("shifts")
    theory = Lagrangian(layer)
    asked = {
        "metric": lambda: theory.metric,
        "drift": lambda: theory.drift,
        "noether_current": lambda: theory.noether_current(np.ones(shape), np.eye(2)),
        "divergence": lambda: theory.divergence(np.ones((1, 4, 5, 1, 2))),
    }
    for name, call in asked.items():
        with pytest.raises(ValueError, match=f"`{name}` needs .* ShiftGenerators"):
            call()


def test_symmetries_that_do_not_fit():
    layer, shape = layer_of("rotation")
    theory, f = Lagrangian(layer), np.ones(shape)
    with pytest.raises(ValueError, match=r"matrices of the 2 channels"):
        theory.noether_current(f, np.eye(3))
    with pytest.raises(ValueError, match="must have vector fields"):
        theory.noether_current(f, g.ShiftGenerators([(0, 1)]))
    built = g.rotation()
    built.build((None, 7, 7, 1))
    with pytest.raises(ValueError, match="spatial shape"):
        theory.noether_current(f, built)
    with pytest.raises(ValueError, match=r"\(batch, 4, 4, k, 2\)"):
        theory.divergence(np.ones((1, 5, 5, 2)))
