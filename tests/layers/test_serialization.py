"""Saving, loading and cloning, with sharing kept where it can be."""

import importlib.util
import json
import os
import pathlib
import subprocess
import sys

import filelock
import keras
import numpy as np
import pytest

from keras_lconv import LConv, LieBlock
from keras_lconv import generators as g
from keras_lconv.layers.base import GeneratorLayer
from tests import families, saved_models
from tests.autodiff import BACKEND, run
from tests.families import relative_error, to_numpy

BACKENDS = ["tensorflow", "jax", "torch"]


@pytest.fixture(params=saved_models.rows())
def model(request):
    return saved_models.make(request.param)


def assert_same(copy, model):
    x = saved_models.inputs(model)
    assert relative_error(run(copy, x), run(model, x)) < 1e-5


def assert_shared(model):
    """The generators of the sharing layers are one object, with one set of weights."""
    layers = [layer for layer in model.layers if isinstance(layer, GeneratorLayer)]
    learned = {id(layer.generators) for layer in layers if layer.generators.weights}
    assert len(learned) <= 1
    assert layers or any(isinstance(layer, LieBlock) for layer in model.layers)
    for block in (layer for layer in model.layers if isinstance(layer, LieBlock)):
        assert {id(layer.generators) for layer in block.layers} == {id(block.generators)}


def test_keras_file(model, tmp_path):
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert_same(copy, model)
    assert_shared(copy)
    assert len(copy.weights) == len(model.weights)


def test_trained_and_compiled_model_goes_on_training(tmp_path):
    model = saved_models.make("sequential_shared")
    model.compile("adam", "mse")
    x = saved_models.inputs(model)
    y = np.zeros((len(x), *model.output_shape[1:]), dtype="float32")
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert_same(copy, model)
    copy.fit(x, y, verbose=0)
    model.fit(x, y, verbose=0)
    assert_same(copy, model)


def test_weights_file(model, tmp_path):
    model.save_weights(tmp_path / "model.weights.h5")
    other = saved_models.make(model.name, seed=1)
    x = saved_models.inputs(model)
    assert relative_error(run(other, x), run(model, x)) > 1e-3
    other.load_weights(tmp_path / "model.weights.h5")
    assert_same(other, model)


def test_json_keeps_the_architecture(model):
    copy = keras.models.model_from_json(model.to_json())
    assert copy.output_shape == model.output_shape
    assert [layer.name for layer in copy.layers] == [layer.name for layer in model.layers]


def test_clone_of_a_block_keeps_sharing():
    model = saved_models.make("block")
    copy = keras.models.clone_model(model)
    assert_shared(copy)
    copy.set_weights(model.get_weights())
    assert_same(copy, model)


def test_clone_unties_what_layers_share_as_documented():
    """The documented limit, pinned: `clone_model` copies layer by layer."""
    model = saved_models.make("sequential_shared")
    assert_shared(model)
    copy = keras.models.clone_model(model)
    first, second = (layer.generators for layer in copy.layers[:2])
    assert first is not second
    assert first.get_config() == {**second.get_config(), "name": first.name}


def test_clone_function_keeps_sharing_as_documented():
    model = saved_models.make("sequential_shared")
    shared = g.get(keras.saving.serialize_keras_object(model.layers[0].generators))

    def clone(layer):
        config = layer.get_config()
        if isinstance(layer, LConv):
            config["generators"] = shared
        return type(layer).from_config(config)

    copy = keras.models.clone_model(model, clone_function=clone)
    assert_shared(copy)
    copy.set_weights(model.get_weights())
    assert_same(copy, model)


@pytest.mark.parametrize("name", families.rows(families.ALL))
def test_every_family_is_saved(name, tmp_path):
    generators, spatial = families.build(name)
    model = keras.Sequential(
        [keras.Input((*spatial, 2)), LConv(3, generators), LConv(2, "translation")]
        if len(spatial) == 2 and generators.is_square
        else [keras.Input((*spatial, 2)), LConv(3, generators)]
    )
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert_same(copy, model)
    assert len(copy.trainable_weights) == len(model.trainable_weights)
    json.dumps(model.layers[0].get_config())


@pytest.mark.parametrize("layer_class", [LConv, LieBlock])
def test_config_round_trip_keeps_every_argument(layer_class):
    arguments = {
        "filters": 3,
        "generators": 2,
        "rank": (5, 2),
        "self_interaction": "identity",
        "num_steps": 2,
        "data_format": "channels_first",
        "activation": "relu",
        "use_bias": True,
        "kernel_initializer": keras.initializers.RandomNormal(stddev=0.2, seed=1),
        "bias_initializer": "ones",
        "kernel_regularizer": keras.regularizers.L2(0.1),
        "bias_regularizer": keras.regularizers.L1(0.1),
        "activity_regularizer": keras.regularizers.L1(0.2),
        "kernel_constraint": "non_neg",
        "bias_constraint": keras.constraints.MaxNorm(3.0),
        "name": "layer",
        "dtype": "mixed_bfloat16",
    }
    if layer_class is LieBlock:
        arguments["num_layers"] = 2
    layer = layer_class(**arguments)
    copy = layer_class.from_config(layer.get_config())
    assert copy.get_config() == layer.get_config()
    config = json.loads(json.dumps(layer.get_config()))
    for key in set(arguments) - {"rank"}:
        assert key in config
    assert type(copy.generators) is g.LowRankGenerators
    assert copy.compute_dtype == "bfloat16"


def test_frozen_layer_stays_frozen(tmp_path):
    model = saved_models.make("sequential_shared")
    model.layers[0].generators.trainable = False
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert copy.layers[0].generators.trainable_variables == []
    copy.layers[0].generators.trainable = True
    assert len(copy.layers[0].generators.trainable_variables) == 2


@pytest.mark.parametrize(
    "other",
    # Within a backend, other tests save and load.
    [pytest.param(b, marks=[pytest.mark.nightly] * (b == BACKEND)) for b in BACKENDS],
)
@pytest.mark.parametrize("name", saved_models.MODELS)
def test_saved_in_another_backend(other, name, files_of_backends):
    """Saved in each backend, loaded in this one: the tests run on all three."""
    folder = files_of_backends(other)
    # A compiled torch model cannot be loaded with its optimizer elsewhere.
    copy = keras.models.load_model(folder / f"{name}.keras", compile=False)
    data = np.load(folder / f"{name}.npz")
    assert relative_error(run(copy, data["inputs"]), data["outputs"]) < 1e-5
    assert_shared(copy)
    weights = saved_models.make(name, seed=1)
    weights.load_weights(folder / f"{name}.weights.h5")
    assert relative_error(run(weights, data["inputs"]), data["outputs"]) < 1e-5


@pytest.fixture(scope="session")
def files_of_backends(request):
    """Saves the models in a process that runs another backend, once for each.

    They stay in pytest's cache until the code changes: for the other backends' tests too.
    """
    root = pathlib.Path(__file__).parents[2]
    version = saved_models.version()

    def save_in(backend):
        if importlib.util.find_spec(backend) is None:
            pytest.skip(f"{backend} is not installed")
        folder = request.config.cache.mkdir(f"saved-in-{backend}")
        made = folder / "version"
        # Of several test processes the first one saves, and the others wait.
        with filelock.FileLock(folder / "lock"):
            if not made.exists() or made.read_text() != version:
                made.unlink(missing_ok=True)
                subprocess.run(
                    [sys.executable, "-m", "tests.saved_models", str(folder)],
                    env={**os.environ, "KERAS_BACKEND": backend},
                    cwd=root,
                    check=True,
                    capture_output=True,
                    timeout=600,
                )
                assert (folder / "backend").read_text() == backend
                made.write_text(version)
        return folder

    return save_in


def test_all_backends_are_covered():
    assert BACKEND in BACKENDS


def test_weights_of_shared_generators_are_counted_once():
    model = saved_models.make("sequential_shared")
    names = [weight.path for weight in model.weights]
    assert len(names) == len(set(names))
    # Two factors, and kernel and bias of two layers, and of the dense layer.
    assert len(model.weights) == 2 + 4 + 2
    assert all(np.all(np.isfinite(to_numpy(w))) for w in model.weights)
