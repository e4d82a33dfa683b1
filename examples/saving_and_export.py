# %% [markdown]
# # Saving and export
#
# This page saves an algebra that was discovered. It trains a model, saves it, loads it on
# each backend, and exports it to run without Keras.
#
# Run it on any backend: `KERAS_BACKEND=jax python examples/saving_and_export.py`

# %%
import argparse
import importlib.util
import os
import pathlib
import subprocess
import sys
import time

import keras
import numpy as np

from keras_lconv import InvariantPooling, LConv
from keras_lconv.algebra import LieAlgebra
from keras_lconv.discovery import find_symmetries
from keras_lconv.generators import LowRankGenerators, MatrixGenerators

# %% [markdown]
# ## A discovered algebra
#
# `find_symmetries` reports a `LieAlgebra`. Its basis is an array `(k, n, n)`, which NumPy
# saves. The array is enough to make the algebra and generators again.


# %%
def save_algebra(path):
    """Finds the symmetry of a function and saves it; returns the algebra."""
    x = np.random.default_rng(0).normal(size=(200, 4))
    report = find_symmetries(lambda x: keras.ops.sum(x**2, axis=1), x, verbose=False)
    np.save(path, report.algebra.basis)
    return report.algebra


def load_algebra(path):
    return LieAlgebra(np.load(path))


# %% [markdown]
# Generators are part of their model. `MatrixGenerators` stores its matrices in the
# config, so a model file needs no other file.


# %%
def vector_model(algebra):
    """Channels are weighed, and the four components move by the algebra that was found."""
    return keras.Sequential(
        [keras.Input((4, 1)), LConv(3, MatrixGenerators(algebra.basis), name="found")]
    )


# %% [markdown]
# ## A model of images
#
# Two layers share their learned generators. `InvariantPooling` computes a basis of
# invariants when it is built. This basis is saved with the weights.


# %%
def digits():
    """Images `(num, 8, 8, 1)` in `[0, 1]` and labels."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return images.reshape(-1, 8, 8, 1).astype("float32") / 16, labels


def digit_model():
    shared = LowRankGenerators(2, rank=4)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            LConv(8, shared, activation="relu"),
            LConv(8, shared, activation="relu"),
            InvariantPooling("rotation", num_invariants=16, refine="radius"),
            keras.layers.Dense(10),
        ]
    )


def predict(model, images):
    return model.predict(images, batch_size=len(images), verbose=0)


def is_shared(model):
    """Whether the first two layers have one object as generators."""
    return model.layers[0].generators is model.layers[1].generators


# %% [markdown]
# ## Files of Keras, and copies
#
# | | content | shared generators |
# | --- | --- | --- |
# | `save("model.keras")` | everything, also a compiled model's optimizer | stay shared |
# | `save_weights("model.weights.h5")` | weights, for the model made again | as in it |
# | `clone_model`, `from_config(get_config())` | the architecture | become independent |
#
# A copy with independent generators has more weights than the model, so `set_weights`
# fails. The
# [questions](../faq.md#why-does-my-copied-model-not-share-its-generators-any-more) show two
# solutions.


# %%
def copies(model, folder):
    """The model from its files and from its config, by names."""
    model.save(folder / "digits.keras")
    model.save_weights(folder / "digits.weights.h5")
    from_weights = digit_model()
    from_weights.load_weights(folder / "digits.weights.h5")
    return {
        "digits.keras": keras.models.load_model(folder / "digits.keras"),
        "digits.weights.h5": from_weights,
        "clone": keras.models.clone_model(model),
        "config": keras.Sequential.from_config(model.get_config()),
    }


# %% [markdown]
# A single layer has a config, too: a dictionary of arguments, without the weights.


# %%
def layer_from_config(layer):
    return LConv.from_config(layer.get_config())


# %% [markdown]
# ## On another backend
#
# The file is the same for all backends. Load it with `compile=False` if it was compiled on
# another backend, and import `keras_lconv` first, so that Keras knows its layers.
#
# ## Export
#
# An exported model contains only the computation: it runs without Keras and without
# `keras_lconv`. The table shows the formats of Keras 3.15. The notes below it come from
# tests of this package.
#
# | format | from | needs | runs by |
# | --- | --- | --- | --- |
# | `"tf_saved_model"` | TensorFlow, JAX | `tensorflow` | `tf.saved_model.load` |
# | `"litert"` | TensorFlow | | LiteRT, on phones |
# | `"torch"` | PyTorch | | `torch.export.load`, ExecuTorch |
# | `"onnx"` | all three | `onnxscript`, `jax2onnx` or `tf2onnx` | ONNX Runtime |
#
# - From PyTorch `"tf_saved_model"` fails in Keras for every model, even a `Dense` layer.
# - LiteRT: fix the batch size. With an open batch size, the file does not load if a layer
#   multiplies by a matrix with `ops.einsum`, as vector fields do.
# - PyTorch: leave the batch size open by `dynamic_shapes`, otherwise it is 1.
# - ONNX: this page does not run it, because nothing else here needs its packages.
#   `make onnx` exports every layer from each backend, and runs it in ONNX Runtime with
#   batches of two sizes: the numbers are the same to 1e-4. Call the model once before the
#   export.
# - What exporters print may be ignored: PyTorch's `TracerWarning` is about sizes that do
#   not change, and the traceback of tf2onnx about letters of an equation is of an optimizer
#   that then leaves the equation as it is.
# - ONNX from JAX: jax2onnx has no solution of linear equations, which `LearnedPooling`
#   needs.
# - ONNX from TensorFlow: tf2onnx has no `log1p`, which `PointConv` needs, and takes many
#   minutes for products of learned generators. Load the `.keras` file on PyTorch, and
#   export it there.
# - More formats need more packages: `"openvino"`, and `"litert"` from PyTorch, which was
#   not tested.
# - Eight bits: [In your pipeline](../pipeline.md#whole-numbers-of-eight-bits).


# %%
def export_saved_model(model, folder, images):
    """From TensorFlow and JAX. Returns the artifact and its predictions."""
    import tensorflow as tf

    path = folder / f"saved_model_{keras.config.backend()}"
    model.export(path, format="tf_saved_model", verbose=False)
    loaded = tf.saved_model.load(path)
    return path, loaded.serve(images).numpy()


def export_litert(model, folder, images):
    """From TensorFlow, for batches of one size."""
    import tensorflow as tf

    path = folder / "digits.tflite"
    signature = [keras.InputSpec(shape=images.shape, dtype="float32")]
    model.export(path, format="litert", input_signature=signature, verbose=False)
    interpreter = tf.lite.Interpreter(str(path))
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], images)
    interpreter.invoke()
    return path, interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def export_torch(model, folder, images):
    """From PyTorch, for batches of up to 1024 images."""
    import torch

    path = folder / "digits.pt2"
    shapes = {0: torch.export.Dim("batch", min=1, max=1024)}
    model.export(path, format="torch", dynamic_shapes=shapes, verbose=False)
    program = torch.export.load(path).module()
    return path, program(torch.tensor(images)).detach().numpy()


EXPORTS = {
    "tensorflow": {"tf_saved_model": export_saved_model, "litert": export_litert},
    "jax": {"tf_saved_model": export_saved_model},
    "torch": {"torch": export_torch},
}

# %% [markdown]
# ## Every backend in turn
#
# For each installed backend a separate process loads the saved file and exports the model.
# All predictions are compared with those of the model before it was saved.


# %%
def size_of(path):
    """Bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def work(folder):
    """Loads and exports on the backend that runs, and prints what came out."""
    backend = keras.config.backend()
    images, expected = np.load(folder / "images.npy"), np.load(folder / "expected.npy")
    path = folder / "digits.keras"
    model = keras.models.load_model(path, compile=False)
    rows = [("load_model", path, predict(model, images))]
    for name, export in EXPORTS[backend].items():
        # SavedModels of JAX need TensorFlow.
        if name != "tf_saved_model" or importlib.util.find_spec("tensorflow"):
            rows.append((name, *export(model, folder, images)))
    for name, path, values in rows:
        error = np.max(np.abs(values - expected)) / np.max(np.abs(expected))
        print("row", backend, name, size_of(path), error)


def every_backend(folder, backends):
    """Rows `(backend, what, bytes, relative error)` from a process for each backend."""
    rows = []
    for backend in backends:
        done = subprocess.run(
            [sys.executable, __file__, "--worker", str(folder)],
            env={**os.environ, "KERAS_BACKEND": backend},
            capture_output=True,
            text=True,
            timeout=600,
        )
        if done.returncode:
            raise RuntimeError(f"{backend} failed:\n{done.stderr[-3000:]}")
        lines = [line.split() for line in done.stdout.splitlines()]
        found = [line[1:] for line in lines if line[:1] == ["row"]]
        rows += [(name, what, int(size), float(error)) for name, what, size, error in found]
    return rows


# %% [markdown]
# ## Results


# %%
def main(arguments=None):
    names = ("tensorflow", "jax", "torch")
    installed = [name for name in names if importlib.util.find_spec(name)]
    parser = argparse.ArgumentParser(description="Save, load and export a model.")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--backends", nargs="+", choices=names, default=installed)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    parser.add_argument("--worker", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        return work(options.worker)

    start = time.time()
    keras.utils.set_random_seed(0)
    folder = options.output / "saving_and_export"
    folder.mkdir(parents=True, exist_ok=True)

    algebra = save_algebra(folder / "algebra.npy")
    again = load_algebra(folder / "algebra.npy")
    print(f"Found {algebra.identify().name}, loaded {again.identify().name}")
    model = vector_model(again)
    model.save(folder / "vectors.keras")
    found = keras.models.load_model(folder / "vectors.keras").get_layer("found").generators
    matrices = keras.ops.convert_to_numpy(found.to_dense())
    same = np.max(np.abs(matrices - algebra.basis))
    print(f"Generators in vectors.keras: {len(matrices)}, off by {same:.1e}")

    images, labels = digits()
    model = digit_model()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss)
    model.fit(images, labels, batch_size=64, epochs=options.epochs, verbose=0)
    some = images[:128]
    expected = predict(model, some)
    np.save(folder / "images.npy", some)
    np.save(folder / "expected.npy", expected)

    print(f"\nThe model has {model.count_params()} numbers in its weights. Its copies:")
    shared = {}
    for name, copy in copies(model, folder).items():
        shared[name] = is_shared(copy), copy.count_params()
        print(f"  {name:18s} {'shared' if shared[name][0] else 'untied'} {shared[name][1]}")
    layer = layer_from_config(model.layers[0])
    print(f"A layer from its config: {layer.filters} filters, {layer.generators.name}")

    rows = every_backend(folder, options.backends)
    print("\nbackend      what               bytes   relative error of predictions")
    for backend, what, size, error in rows:
        print(f"{backend:12s} {what:15s} {size:8d}   {error:.1e}")
    print(f"\nSaved on {keras.config.backend()}, {time.time() - start:.0f} s")
    return {"algebra": same, "shared": shared, "rows": rows}


if __name__ == "__main__":
    main()

# %% [markdown]
# Files keep shared generators, and copies by config do not. On every backend and in every
# format the predictions are the same up to rounding.
