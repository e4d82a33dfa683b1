"""Poolings to fewer positions, the generators there, and how well they intertwine."""

import itertools
import json

import keras
import numpy as np
import pytest
from keras import ops
from scipy.linalg import expm

from keras_lconv import ClusterPooling, LConv, LearnedPooling, StridedPooling
from keras_lconv import generators as g
from tests.autodiff import BACKEND, assert_gradients_match, float64, run
from tests.families import relative_error, to_numpy


def coarse(generators, **arguments):
    """The layer that takes these arguments."""
    if "clusters" in arguments:
        return ClusterPooling(generators, **arguments)
    return (LearnedPooling if "output_dim" in arguments else StridedPooling)(
        generators, **arguments
    )


def random(shape, seed=0, dtype="float32"):
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def built(layer, *spatial):
    layer.build((None, *spatial, 1))
    return layer


def matrices(generators, *spatial):
    if not generators.built:
        generators.build((None, *spatial, 1))
    return to_numpy(generators.to_dense()).astype("float64")


def ring(size, step=1):
    """The adjacency of a closed chain, or of every n-th neighbour."""
    forth = np.roll(np.eye(size), step, axis=0)
    return forth + forth.T


# ------------------------------------------------------------------------ pooling


@pytest.mark.parametrize("spatial", [(6, 4), (7, 5)])
@pytest.mark.parametrize("reduction", ["subsample", "average"])
def test_strides(spatial, reduction):
    f = random((3, *spatial, 2))
    layer = StridedPooling("rotation", strides=(2, 3), reduction=reduction)
    if reduction == "subsample":
        expected = f[:, ::2, ::3]
    else:
        rows, columns = (range(0, n, s) for n, s in zip(spatial, (2, 3), strict=True))
        expected = np.array(
            [[f[:, i : i + 2, j : j + 3].mean(axis=(1, 2)) for j in columns] for i in rows]
        ).transpose(2, 0, 1, 3)
    assert relative_error(layer(f), expected) < 1e-6
    assert layer.compute_output_shape((None, *f.shape[1:])) == (None, *expected.shape[1:])
    by_matrix = layer.matrix @ f.reshape(3, -1, 2)
    assert relative_error(by_matrix.reshape(expected.shape), expected) < 1e-6


def test_averages_of_whole_blocks_are_those_of_keras():
    f = random((2, 6, 8, 3))
    expected = keras.layers.AveragePooling2D(2)(f)
    value = StridedPooling("rotation", strides=2, reduction="average")(f)
    assert relative_error(value, expected) < 1e-6


def test_clusters_are_averages():
    f, labels = random((3, 2, 4, 2)), np.array([[2, 0, 0, 1], [1, 2, 2, 0]])
    layer = ClusterPooling(1, clusters=labels)
    expected = np.stack([f[:, labels == n].mean(axis=1) for n in range(3)], axis=1)
    assert relative_error(layer(f), expected) < 1e-6
    assert layer.compute_output_shape(f.shape) == (3, 3, 2)
    assert np.allclose(layer.matrix @ f.reshape(3, 8, 2), expected, atol=1e-6)


@pytest.mark.parametrize(("units", "spatial"), [(3, (3,)), ((2, 2), (2, 2))])
def test_learned_rows_are_positive_and_sum_to_one(units, spatial):
    layer = LearnedPooling("translation", output_dim=units)
    f = random((2, 4, 5, 3))
    value = to_numpy(layer(f))
    assert value.shape == (2, *spatial, 3) == layer.compute_output_shape(f.shape)
    weights = layer.matrix
    assert np.all(weights > 0)
    assert np.allclose(weights.sum(axis=1), 1)
    # 90% on the row's own run of positions.
    rows = len(weights)
    own = np.arange(20) * rows // 20 == np.arange(rows)[:, None]
    assert np.allclose(np.sum(weights * own, axis=1), 0.9, atol=0.02)
    expected = (weights @ f.reshape(2, 20, 3)).reshape(value.shape)
    assert relative_error(value, expected) < 1e-6


@pytest.mark.parametrize(
    "arguments",
    [
        {"strides": 2},
        {"strides": 2, "reduction": "average"},
        {"clusters": [0, 1, 1, 0, 2, 2]},
        {"output_dim": 2},
    ],
)
def test_vectors_channels_first_and_masks(arguments):
    f = random((3, 6, 2))
    layer = coarse(1, **arguments)
    value = to_numpy(layer(f))
    first = coarse(1, data_format="channels_first", **arguments)
    moved = to_numpy(first(np.swapaxes(f, 1, 2)))
    assert np.allclose(np.swapaxes(moved, 1, 2), value, atol=1e-6)
    vectors = coarse(1, **arguments)(f[..., 0])
    assert np.allclose(to_numpy(vectors), value[..., 0], atol=1e-6)
    mask = random((3, 6)) > 0
    masked = to_numpy(layer(f, mask=mask))
    assert np.allclose(masked, to_numpy(layer(f * mask[..., None])), atol=1e-6)
    assert layer.compute_mask(f, mask) is None


# -------------------------------------------------------------- induced generators


@pytest.mark.parametrize("reduction", ["subsample", "average"])
@pytest.mark.parametrize("boundary", ["periodic", "zero"])
def test_shifts_by_the_strides_are_shifts_of_the_coarse_grid(reduction, boundary):
    layer = StridedPooling(
        g.ShiftGenerators([(2, 0), (0, -3)], boundary=boundary),
        strides=(2, 3),
        reduction=reduction,
    )
    built(layer, 6, 9)
    induced = layer.induced_generators()
    assert isinstance(induced, g.ShiftGenerators)
    assert induced.offsets == ((1, 0), (0, -1))
    assert induced.boundary == boundary
    assert layer.defect < 1e-12
    moved = layer.matrix @ matrices(layer.generators)
    assert np.allclose(matrices(induced, 3, 3) @ layer.matrix, moved, atol=1e-7)


def test_every_second_position_of_an_odd_grid():
    """Without blocks there is no last one that is not full; a torus has to close."""
    layer = built(StridedPooling(g.ShiftGenerators([2]), strides=2), 7)
    assert layer.induced_generators().offsets == ((1,),)
    assert layer.defect < 1e-12
    torus = built(StridedPooling(g.ShiftGenerators([2], boundary="periodic"), strides=2), 7)
    assert isinstance(torus.induced_generators(), g.MatrixGenerators)
    # One of four rows leads to a position that is not kept.
    assert np.isclose(torus.defect, 0.5)
    halved = built(
        StridedPooling(g.ShiftGenerators([2]), strides=2, reduction="average"), 7
    )
    expected = np.diag([1.0, 1.0, 0.5], 1)
    assert np.allclose(matrices(halved.induced_generators(), 4)[0], expected, atol=1e-6)
    assert halved.defect < 1e-12


def test_translations_by_two_as_matrices_are_those_of_the_coarse_grid():
    """The same without knowing that the matrices are shifts."""
    shift = np.roll(np.eye(8), 2, axis=0)
    for reduction in ("subsample", "average"):
        layer = built(StridedPooling(shift, strides=2, reduction=reduction), 8)
        induced = layer.induced_generators()
        assert isinstance(induced, g.MatrixGenerators)
        assert np.allclose(matrices(induced, 4)[0], np.roll(np.eye(4), 1, axis=0))
        assert layer.defect < 1e-12


def test_a_shift_that_does_not_fit_has_a_defect():
    """By one step, every kept position gets a value that was not kept: 100%."""
    layer = built(StridedPooling(g.ShiftGenerators([1], boundary="periodic"), strides=2), 8)
    assert isinstance(layer.induced_generators(), g.MatrixGenerators)
    assert np.isclose(layer.defect, 1.0)
    # Averages of (x_0 + x_1) / 2 become (x_1 + x_2) / 2: half is seen.
    layer = built(
        StridedPooling(
            g.ShiftGenerators([1], boundary="periodic"), strides=2, reduction="average"
        ),
        8,
    )
    assert np.isclose(layer.defect, np.sqrt(0.5))


def test_defect_is_the_smallest_possible():
    generators = random((2, 6, 6), dtype="float64")
    layer = built(ClusterPooling(generators, clusters=[0, 0, 1, 1, 2, 2]), 6)
    induced = matrices(layer.induced_generators(), 3)
    moved = layer.matrix @ generators
    error = np.linalg.norm(moved - induced @ layer.matrix) / np.linalg.norm(moved)
    assert np.isclose(layer.defect, error, rtol=1e-5)
    for seed in range(5):
        other = induced + 0.1 * random(induced.shape, seed)
        larger = np.linalg.norm(moved - other @ layer.matrix) / np.linalg.norm(moved)
        assert larger > error


def test_quotient_of_a_graph():
    """Positions of a ring with the same remainder: the quotient is a smaller ring."""
    graph = g.graph(ring(12))
    layer = built(ClusterPooling(graph, clusters=np.arange(12) % 4), 12)
    assert np.allclose(matrices(layer.induced_generators(), 4)[0], ring(4), atol=1e-6)
    assert layer.defect < 1e-6
    # Zero defect: the pooling intertwines the groups, not only the generators.
    fine, coarse = expm(0.7 * ring(12)), expm(0.7 * ring(4))
    assert np.allclose(layer.matrix @ fine, coarse @ layer.matrix)
    uneven = built(ClusterPooling(graph, clusters=np.arange(12) // 5), 12)
    assert uneven.defect > 0.1


def fields(induced, *spatial):
    if not induced.built:
        induced.build((None, *spatial, 1))
    return induced.vector_fields()


@pytest.mark.parametrize(("reduction", "size"), [("subsample", 9), ("average", 12)])
def test_rotation_stays_the_rotation(reduction, size):
    """The centre is kept: of odd grids by subsampling, of even ones by averages."""
    layer = StridedPooling("rotation", strides=2, reduction=reduction)
    induced = built(layer, size, size).induced_generators()
    coarse = -(-size // 2)
    assert induced.field == "linear"
    assert not induced.is_learned
    expected = fields(g.rotation(), coarse, coarse)
    assert np.allclose(fields(induced, coarse, coarse), expected, atol=1e-5)


def test_fields_in_coarse_coordinates():
    """A position is 2 Y + 1/2 off the centre, and velocities count half the steps."""
    induced = built(StridedPooling("rotation", strides=2), 8, 8).induced_generators()
    assert induced.field == "affine"
    values = fields(induced, 4, 4)
    points = np.arange(0, 8, 2) - 3.5
    assert np.allclose(values[0, ..., 0], -points[None, :] / 2 * np.ones((4, 1)), atol=1e-5)
    assert np.allclose(values[0, ..., 1], points[:, None] / 2 * np.ones((1, 4)), atol=1e-5)
    induced = built(StridedPooling("translation", strides=(2, 4)), 8, 8).induced_generators(
        trainable=True
    )
    assert induced.is_learned
    assert np.allclose(fields(induced, 4, 2)[0, ..., 0], 0.5)
    assert np.allclose(fields(induced, 4, 2)[1, ..., 1], 0.25)
    coefficients = random((1, 2, 6), dtype="float64")
    quadratic = g.VectorFieldGenerators(1, "quadratic", coefficients=coefficients)
    layer = built(StridedPooling(quadratic, strides=2), 7, 7)
    kept = quadratic.vector_fields()[:, ::2, ::2] / 2
    assert layer.induced_generators().field == "quadratic"
    assert np.allclose(fields(layer.induced_generators(), 4, 4), kept, atol=1e-4)
    free = g.VectorFieldGenerators(1, "free")
    layer = built(StridedPooling(free, strides=2), 7, 7)
    kept = free.vector_fields()[:, ::2, ::2] / 2
    assert np.allclose(fields(layer.induced_generators(), 4, 4), kept, atol=1e-6)
    free = g.VectorFieldGenerators(1, "free")
    average = built(StridedPooling(free, strides=2, reduction="average"), 6, 6)
    assert isinstance(average.induced_generators(), g.MatrixGenerators)


def test_smooth_images_are_pooled_equivariantly():
    """Turn, then pool; or pool, then turn by the induced generators."""
    x = np.linspace(-3, 3, 32)
    f = np.exp(-np.add.outer((x - 0.4) ** 2, 1.5 * x**2))[None, ..., None]
    layer = StridedPooling("rotation", strides=2, reduction="average")
    induced = built(layer, 32, 32).induced_generators()
    turned = to_numpy(g.rotation().transform(f, 0.5)).astype("float32")
    expected = induced.transform(to_numpy(layer(f.astype("float32"))), 0.5)
    assert relative_error(layer(turned), expected) < 1e-3


# ----------------------------------------------------------------------- learning


@pytest.mark.parametrize("jit_compile", {"torch": [False]}.get(BACKEND, [True]))
def test_loss_is_the_defect_and_training_lowers_it(jit_compile):
    """Learned rows find a pooling that the shifts by one on a ring of six allow."""
    layer = LearnedPooling(
        g.ShiftGenerators([1, -1], boundary="periodic"), output_dim=3, defect_weight=2.0
    )
    f = random((16, 6, 1))
    layer(f)
    before = layer.defect
    assert before > 0.3
    assert np.isclose(float(to_numpy(layer.losses[0])), 2 * before**2, rtol=1e-3)
    model = keras.Sequential([keras.Input((6, 1)), layer])
    model.compile(keras.optimizers.Adam(0.1), "mse", jit_compile=jit_compile)
    model.fit(f, to_numpy(layer(f)), epochs=40, verbose=0)
    assert layer.defect < before / 2
    induced = matrices(layer.induced_generators(), 3)
    moved = layer.matrix @ matrices(layer.generators)
    error = np.linalg.norm(moved - induced @ layer.matrix) / np.linalg.norm(moved)
    assert np.isclose(error, layer.defect, atol=1e-5)


def test_learned_generators_are_trained_by_the_defect():
    generators = g.DenseGenerators(1, initializer="random_normal")
    layer = StridedPooling(generators, strides=2, defect_weight=1.0, reduction="average")
    f = random((8, 6, 1))
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.Adam(0.02), "mse")
    model.build(f.shape)
    before = layer.defect
    model.fit(f, np.zeros((8, 3, 1)), epochs=40, verbose=0)
    assert before > 0.3 > layer.defect


def test_gradients_equal_finite_differences():
    with float64():
        layer = LearnedPooling(1, output_dim=2, dtype="float64")
        layer.build((None, 5, 2))

        def loss(f, logits):
            fixed = [ops.convert_to_tensor(v) for v in layer.non_trainable_variables]
            others = [ops.convert_to_tensor(v) for v in layer.trainable_variables]
            given = [
                logits if v.path.endswith("logits") else other
                for v, other in zip(layer.trainable_variables, others, strict=True)
            ]
            return ops.sum(layer.stateless_call(given, fixed, f)[0] ** 3)

        arrays = [random((2, 5, 2), dtype="float64"), random((2, 5), 1, "float64")]
        assert_gradients_match(loss, arrays)


# ------------------------------------------------------------- Keras' conventions


@pytest.mark.thorough
@pytest.mark.parametrize("dtype", ["mixed_float16", "float64"])
@pytest.mark.parametrize(
    "arguments",
    [{"strides": 2, "reduction": "average"}, {"clusters": [0, 1, 1, 0]}, {"output_dim": 2}],
)
def test_dtypes(dtype, arguments):
    with float64():
        learned = {"defect_weight": 1.0} if "output_dim" in arguments else {}
        layer = coarse(ring(4), dtype=dtype, **arguments, **learned)
        f = random((2, 4, 1), dtype=layer.compute_dtype)
        output = layer(f)
        assert keras.backend.standardize_dtype(output.dtype) == layer.compute_dtype
        tolerance = 1e-2 if dtype == "mixed_float16" else 1e-7
        assert np.allclose(to_numpy(output), layer.matrix @ f, atol=tolerance)


def test_in_a_model_that_is_saved_and_cloned(tmp_path):
    shared = g.ShiftGenerators(
        [o for o in itertools.product((-2, 0, 2), repeat=2) if o != (0, 0)],
        boundary="periodic",
    )
    pool = StridedPooling(shared, strides=2, reduction="average")
    inputs = keras.Input((8, 8, 1))
    x = pool(LConv(3, shared, activation="relu")(inputs))
    x = LConv(2, pool.induced_generators())(x)
    x = LearnedPooling(2, rank=2, output_dim=(2, 3), defect_weight=0.1)(x)
    x = ClusterPooling(g.graph(ring(6)), clusters=[0, 1, 1, 0, 2, 2])(x)
    model = keras.Model(inputs, x)
    f = random((3, 8, 8, 1))
    model.compile("sgd", "mse")
    model.fit(f, np.zeros((3, 3, 2)), verbose=0)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    expected = run(model, f)
    assert relative_error(run(copy, f), expected) < 1e-5
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    assert relative_error(run(clone, f), expected) < 1e-5


@pytest.mark.parametrize(
    "arguments",
    [
        {"strides": (2, 3), "reduction": "average"},
        {"clusters": [0, 1, 1]},
        {
            "output_dim": 2,
            "initializer": keras.initializers.RandomNormal(stddev=0.2, seed=1),
            "regularizer": keras.regularizers.L2(0.1),
            "defect_weight": 0.5,
            "data_format": "channels_first",
            "name": "coarse",
        },
    ],
)
def test_config_keeps_every_argument(arguments):
    layer = coarse(2, **arguments)
    config = layer.get_config()
    again = type(layer).from_config(json.loads(json.dumps(config)))
    assert again.get_config() == config
    assert set(arguments) <= set(config)


@pytest.mark.parametrize("jit_compile", {"torch": [False]}.get(BACKEND, [True]))
def test_is_built_inside_fit(jit_compile):
    model = keras.Sequential(
        [
            StridedPooling("rotation", strides=2, reduction="average"),
            LearnedPooling("rotation", output_dim=3, defect_weight=0.1),
        ]
    )
    model.compile("sgd", "mse", jit_compile=jit_compile)
    history = model.fit(random((4, 6, 6, 1)), np.zeros((4, 3, 1)), verbose=0)
    assert np.all(np.isfinite(history.history["loss"]))
    assert model.layers[0].defect > 0.1


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: StridedPooling(1, strides=0), ValueError, "`strides` must be a positive"),
        (lambda: StridedPooling(1, strides=()), ValueError, "`strides` must not be empty"),
        (
            lambda: LearnedPooling(1, output_dim=1.5),
            TypeError,
            "`output_dim` must be a positive",
        ),
        (lambda: ClusterPooling(1, clusters=[0, 2]), ValueError, "the label of each"),
        (lambda: ClusterPooling(1, clusters=[0, 0, 2]), ValueError, "must use all labels"),
        (
            lambda: ClusterPooling(1, clusters=[0.5]),
            TypeError,
            "must be integers",
        ),
        (
            lambda: StridedPooling(1, strides=2, reduction="max"),
            ValueError,
            "`reduction` must be one",
        ),
        (
            lambda: StridedPooling("rotation", strides=2, defect_weight=1.0),
            ValueError,
            "`defect_weight` of StridedPooling needs learned",
        ),
        (
            lambda: StridedPooling(1, strides=2, defect_weight=-1.0),
            ValueError,
            "not negative",
        ),
        (
            lambda: StridedPooling(np.ones((1, 2, 3)), strides=2),
            ValueError,
            "must be square",
        ),
        (
            lambda: StridedPooling("rotation", strides=(2, 2, 2))(np.ones((1, 4, 4, 1))),
            ValueError,
            "must be one number, or 2",
        ),
        (
            lambda: ClusterPooling(1, clusters=[0, 1])(np.ones((1, 3, 1))),
            ValueError,
            "labels for 2 positions",
        ),
        (
            lambda: LearnedPooling(1, output_dim=4)(np.ones((1, 3, 1))),
            ValueError,
            "no more than the 3 positions",
        ),
        (
            lambda: StridedPooling("rotation", strides=2).defect,
            ValueError,
            "`defect` needs the",
        ),
        (
            lambda: StridedPooling("rotation", strides=2).matrix,
            ValueError,
            "`matrix` needs the",
        ),
        (
            lambda: StridedPooling("rotation", strides=2).induced_generators(),
            ValueError,
            "`induced_generators` needs the",
        ),
    ],
)
def test_bad_arguments_are_refused(call, error, words):
    with pytest.raises(error, match=words):
        call()


def test_fields_from_values():
    """The inverse of `vector_fields`, and the nearest field of a kind."""
    for field, size in (("linear", 2), ("affine", 3), ("quadratic", 6)):
        coefficients = random((2, 2, size), dtype="float64")
        source = g.VectorFieldGenerators(2, field, coefficients=coefficients)
        values = fields(source, 5, 6)
        again = g.VectorFieldGenerators.from_values(values, field, derivative="fourier")
        assert again.derivative == "fourier"
        assert np.allclose(again.get_config()["coefficients"], coefficients, atol=1e-4)
    nearest = g.VectorFieldGenerators.from_values(values, "affine")
    basis = np.stack([np.ones((5, 6)), *np.mgrid[:5, :6]], axis=-1).reshape(30, 3)
    flat = values[0].reshape(30, 2)
    expected = basis @ np.linalg.lstsq(basis, flat, rcond=None)[0]
    assert np.allclose(fields(nearest, 5, 6)[0].reshape(30, 2), expected, atol=1e-3)
    with pytest.raises(ValueError, match="`values` must have shape"):
        g.VectorFieldGenerators.from_values(np.ones((1, 4, 4, 3)))
