"""Poolings to fewer positions: values, learning, and what is refused."""

import itertools
import json

import keras
import numpy as np
import pytest
from keras import ops

from keras_lconv import ClusterPooling, LConv, LearnedPooling, StridedPooling
from keras_lconv import generators as g
from tests.autodiff import BACKEND, assert_gradients_match, float64, run
from tests.families import relative_error, to_numpy
from tests.layers.coarse import matrices, ring
from tests.samples import random


def coarse(generators, **arguments):
    """The layer that takes these arguments."""
    if "clusters" in arguments:
        return ClusterPooling(generators, **arguments)
    return (LearnedPooling if "output_dim" in arguments else StridedPooling)(
        generators, **arguments
    )


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
            "`strides` must be one number or 2, one for each axis",
        ),
        (
            lambda: ClusterPooling(1, clusters=[0, 1])(np.ones((1, 3, 1))),
            ValueError,
            "an input with 2 positions",
        ),
        (
            lambda: LearnedPooling(1, output_dim=4)(np.ones((1, 3, 1))),
            ValueError,
            "at most the 3 positions",
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
