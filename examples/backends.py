# %% [markdown]
# # Switching backends, and several devices
#
# One script runs on TensorFlow, JAX and PyTorch. Install one of them, and name it before
# Keras is imported:
#
# ```
# pip install ".[jax,examples]"    # or tensorflow, torch in place of jax
# KERAS_BACKEND=jax python examples/backends.py
# ```
#
# In a notebook, set `os.environ["KERAS_BACKEND"]` in the first cell: Keras reads it once,
# when it is imported. If the variable is not set, Keras uses the entry `"backend"` of
# the file `~/.keras/keras.json`.
#
# Below, a model is trained on the backend that runs this script, and saved. Every
# installed backend then loads it in a separate process, predicts, and continues the
# training, on one device and on several.

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

from keras_lconv import LConv
from keras_lconv.generators import LowRankGenerators

# %% [markdown]
# ## A model
#
# The first layer has a fixed generator. The other two learn theirs, and share them. The
# activation is smooth. With a ReLU, rounding may decide on which side of zero a feature is,
# and training then continues with other gradients.


# %%
def digits():
    """Images `(num, 8, 8, 1)` in `[0, 1]` and labels, for training and for testing."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1).astype("float32") / 16
    train, test = slice(0, 1280), slice(1280, 1792)  # whole batches
    return (images[train], labels[train]), (images[test], labels[test])


def digit_model():
    shared = LowRankGenerators(2, rank=4)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            LConv(8, "rotation", activation="swish"),
            LConv(8, shared, activation="swish"),
            LConv(8, shared, activation="swish"),
            keras.layers.Flatten(),
            keras.layers.Dense(10, dtype="float32"),
        ]
    )


def crossentropy():
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def logits(model, images):
    return model.predict(images, batch_size=len(images), verbose=0)


def accuracy(model, images, labels):
    return float(np.mean(logits(model, images).argmax(-1) == labels))


# %% [markdown]
# ## GPU and mixed precision
#
# A GPU needs no change of the code. If the backend finds one, it computes there. On every
# backend `keras.ops.ones(1).device` shows the device of a tensor. To stay on the
# CPU, set `CUDA_VISIBLE_DEVICES` to an empty value. JAX reserves most of the memory of a
# GPU when it starts, unless `XLA_PYTHON_CLIENT_PREALLOCATE=false` is set.
#
# Mixed precision is a policy of Keras: `"mixed_bfloat16"`, or `"mixed_float16"` for older
# GPUs, computes in 16 bits and keeps the weights in 32. The last layer above computes in
# float32, as Keras advises for logits.


# %%
def in_mixed_precision(model):
    """The same weights, with layers that compute in bfloat16."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    copy = digit_model()
    keras.config.set_dtype_policy(before)
    copy.set_weights(model.get_weights())
    return copy


# %% [markdown]
# ## Several devices
#
# Data parallel training is the same on every backend: each device has all weights and
# takes its share of each batch, and the gradients are averaged. So one step gives the same
# weights as on one device, up to rounding. On one device training is:

# %%
BATCH_SIZE = 64


def optimizer():
    # Not Adam: it divides by the size of gradients, and so shows their rounding enlarged.
    return keras.optimizers.SGD(0.05, momentum=0.9)


def train(model, images, labels):
    """One pass over the images, in their order."""
    model.compile(optimizer(), crossentropy())
    model.fit(images, labels, batch_size=BATCH_SIZE, shuffle=False, verbose=0)


# %% [markdown]
# **JAX**: `keras.distribution`. Everything made after `set_distribution` is on all
# devices, and `fit` stays the same. `keras.distribution` works on JAX only.


# %%
def train_on_jax(path, images, labels):
    """Returns the trained model, and on how many devices it is."""
    distribution = keras.distribution.DataParallel()  # all devices that there are
    keras.distribution.set_distribution(distribution)
    model = keras.models.load_model(path, compile=False)
    train(model, images, labels)
    return model, len(model.weights[0].value.devices())


# %% [markdown]
# **TensorFlow**: a strategy of `tf.distribute`. Make model and optimizer in its scope.


# %%
def train_on_tensorflow(path, images, labels):
    """Returns the trained model, and on how many devices it is."""
    import tensorflow as tf

    names = [device.name for device in tf.config.list_logical_devices()]
    strategy = tf.distribute.MirroredStrategy(names)  # without names: all GPUs
    with strategy.scope():
        model = keras.models.load_model(path, compile=False)
        train(model, images, labels)
    return model, len(strategy.experimental_local_results(model.weights[0].value))


# %% [markdown]
# **PyTorch**: `torchrun` starts a process for each device, and `DistributedDataParallel`
# averages the gradients, but only if the model is called through it. Keras' `fit` calls the
# model directly, so a loop replaces it. The loop has to do three things that `fit` does: it
# sets `training=True`, adds the losses of regularizers and layers, and updates by Keras'
# optimizer. An optimizer of PyTorch would skip the constraints of weights, such as that of
# `tau` in `CasimirPooling`.


# %%
def train_in_parallel(model, images, labels):
    """The loop of one process. Its `parallel` ends here, before the process group does."""
    import torch
    import torch.distributed

    rank, size = torch.distributed.get_rank(), torch.distributed.get_world_size()
    parallel = torch.nn.parallel.DistributedDataParallel(model)
    loss_of, update = crossentropy(), optimizer()
    weights = model.trainable_weights
    for start in range(0, len(images), BATCH_SIZE):
        share = slice(start + rank, start + BATCH_SIZE, size)
        model.zero_grad()
        loss = loss_of(labels[share], parallel(images[share], training=True))
        (loss + sum(model.losses)).backward()
        with torch.no_grad():
            update.apply([weight.value.grad for weight in weights], weights)


def train_on_torch(path, images, labels):
    """Returns the trained model, and on how many devices it is."""
    import torch.distributed

    torch.distributed.init_process_group("gloo")
    size = torch.distributed.get_world_size()
    model = keras.models.load_model(path, compile=False)
    train_in_parallel(model, images, labels)
    # If this came while `parallel` is alive, the process could hang at its end.
    torch.distributed.destroy_process_group()
    return model, size


# %% [markdown]
# With GPUs, the process group is `"nccl"`, and
# `torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))` comes before the model.
#
# All shares must have the same size, also those of the last batch. JAX refuses others; the
# loop for PyTorch would average them as if they were equal.
#
# If a `keras.distribution` is set, `find_symmetries` distributes its batches, too; see
# [several devices](../faq.md#several-devices).
#
# ## A process for each backend
#
# Without GPUs, the CPU can act as several devices: four on JAX, two on TensorFlow,
# and two processes on PyTorch. Each backend has its own switch for this, which must be set
# before the backend starts.


# %%
def run(backend, *arguments):
    """Runs this script on another backend, and on several devices."""
    command = [sys.executable, __file__, *map(str, arguments)]
    environment = {**os.environ, "KERAS_BACKEND": backend, "CUDA_VISIBLE_DEVICES": ""}
    if backend == "jax":
        flags = "--xla_force_host_platform_device_count=4"
        environment["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flags}"
    if backend == "torch":
        # The same as the command `torchrun`.
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
        command[1:1] = torchrun
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=600
    )
    if done.returncode:
        raise RuntimeError(f"{backend} failed:\n{done.stderr[-3000:]}")


def split_tensorflow_cpu():
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    half = tf.config.LogicalDeviceConfiguration()
    tf.config.set_logical_device_configuration(cpu, [half, half])


# %% [markdown]
# Each process stores its results: the predictions of the saved model, and the
# weights after four more steps of training, on one device and on several.


# %%
def work(path):
    """What the backend that runs makes of the saved model."""
    backend = keras.config.backend()
    if backend == "tensorflow":
        split_tensorflow_cpu()
    (x_train, y_train), (x_test, _) = digits()
    steps = slice(4 * BATCH_SIZE)
    data = x_train[steps], y_train[steps]
    model = keras.models.load_model(path, compile=False)
    result = {"logits": logits(model, x_test)}
    train(model, *data)
    train_on_several = {
        "jax": train_on_jax,
        "tensorflow": train_on_tensorflow,
        "torch": train_on_torch,
    }[backend]
    copy, result["devices"] = train_on_several(path, *data)
    for name, trained in {"one": model, "several": copy}.items():
        result[name] = np.concatenate([w.ravel() for w in trained.get_weights()])
    # On PyTorch there are several processes, with the same weights in the end.
    if os.environ.get("RANK", "0") == "0":
        np.savez(path.parent / f"backend_{backend}.npz", **result)


def compare(model, path, backends):
    """The largest differences between backends, and between one and several devices."""
    _, (images, _) = digits()
    here = logits(model, images)
    before = np.concatenate([w.ravel() for w in model.get_weights()])
    rows = {}
    for backend in backends:
        run(backend, "--worker", path)
        found = np.load(path.parent / f"backend_{backend}.npz")
        rows[backend] = {
            "logits": np.max(np.abs(found["logits"] - here)),
            "devices": int(found["devices"]),
            "trained": np.max(np.abs(found["one"] - before)),
            "weights": np.max(np.abs(found["several"] - found["one"])),
        }
    return rows


# %% [markdown]
# ## The comparison


# %%
def main(arguments=None):
    names = ("tensorflow", "jax", "torch")
    installed = [name for name in names if importlib.util.find_spec(name)]
    parser = argparse.ArgumentParser(description="One model on several backends.")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--backends", nargs="+", choices=names, default=installed)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    parser.add_argument("--worker", type=pathlib.Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.worker:
        return work(options.worker)

    start_time = time.time()
    keras.utils.set_random_seed(0)
    data, test = digits()
    model = digit_model()
    model.compile(keras.optimizers.Adam(3e-3), crossentropy())
    model.fit(*data, batch_size=BATCH_SIZE, epochs=options.epochs, verbose=0)
    print(f"Trained on {keras.config.backend()}, on {keras.ops.ones(1).device}")
    print(f"Accuracy: {accuracy(model, *test):.3f}")
    print(f"Accuracy in mixed_bfloat16: {accuracy(in_mixed_precision(model), *test):.3f}")

    options.output.mkdir(parents=True, exist_ok=True)
    path = options.output / "digits.keras"
    model.save(path)
    rows = compare(model, path, options.backends)
    scale = np.max(np.abs(logits(model, test[0])))
    print(f"\nLargest differences, of logits (up to {scale:.0f}) and of weights")
    print("                        weights, after four steps")
    print("backend      logits     moved by     on one device or several")
    for backend, row in rows.items():
        print(
            f"{backend:10s}   {row['logits']:.1e}   {row['trained']:8.2f}     "
            f"{row['weights']:.1e}, on {row['devices']} devices"
        )
    print(f"\n{time.time() - start_time:.0f} s")
    return rows


if __name__ == "__main__":
    main()

# %% [markdown]
# All differences are rounding errors of float32: between backends, and between one device
# and several.
