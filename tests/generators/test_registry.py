"""From the argument of a user to generators."""

import keras
import numpy as np
import pytest

from keras_lconv import generators as g


def test_integer_is_dense():
    generators = g.get(3)
    assert type(generators) is g.DenseGenerators
    assert generators.num_generators == 3
    assert generators.is_learned


@pytest.mark.parametrize("rank", [4, (6, 3)])
def test_integer_with_rank_is_low_rank(rank):
    generators = g.get(np.int64(2), rank=rank)
    assert type(generators) is g.LowRankGenerators
    assert generators.get_config()["rank"] == (rank if rank == 4 else [6, 3])


@pytest.mark.parametrize(
    ("name", "count"),
    [("rotation", 1), ("translation", 2), ("scaling", 1), ("shear", 2), ("affine", 6)],
)
def test_name_is_fixed(name, count):
    generators = g.get(name)
    assert generators.num_generators == count
    assert not generators.is_learned


@pytest.mark.parametrize("make", [np.asarray, list, keras.ops.convert_to_tensor])
def test_array_is_fixed_matrices(make):
    generators = g.get(make(np.ones((2, 3, 3), dtype="float32")))
    assert type(generators) is g.MatrixGenerators
    assert not generators.is_learned


def test_instance_is_itself_and_config_is_equal():
    rotation = g.rotation()
    assert g.get(rotation) is rotation
    copy = g.get(keras.saving.serialize_keras_object(rotation))
    assert copy.get_config() == rotation.get_config()


def test_dtype_goes_to_what_is_made():
    assert g.get("rotation", dtype="float16").compute_dtype == "float16"


@pytest.mark.parametrize(
    ("identifier", "rank", "error", "words"),
    [
        ("rotations", None, ValueError, "Unknown name of generators"),
        ("so(3)", None, ValueError, r"as an object, such as `keras_lconv.algebra.so\(3\)`"),
        (0, None, ValueError, "positive integer"),
        (True, None, TypeError, "`generators` must be"),
        (None, None, TypeError, "`generators` must be"),
        (1.5, None, TypeError, "`generators` must be"),
        (keras.layers.Dense(1), None, TypeError, "`generators` must be"),
        ("rotation", 3, ValueError, "`rank` applies to learned generators"),
        (np.ones(3), None, ValueError, "`matrices` must have shape"),
    ],
)
def test_anything_else_is_refused(identifier, rank, error, words):
    with pytest.raises(error, match=words):
        g.get(identifier, rank=rank)


def test_what_is_refused_is_shown_in_short():
    with pytest.raises(TypeError, match="its `algebra`") as caught:
        g.get({"a report with many numbers": np.ones(1000).tolist()}.items())
    assert len(str(caught.value)) < 400


def test_config_of_another_layer_is_refused():
    config = keras.saving.serialize_keras_object(keras.layers.Dense(1))
    with pytest.raises(TypeError, match="`generators` must be"):
        g.get(config)
