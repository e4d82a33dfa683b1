"""Speed and memory of L-conv layers and of their references.

    python benchmarks/layers.py

prints a table for each backend and those over all, and writes
`outputs/benchmark_layers.json` and a plot beside it. The page of benchmarks is made from a
copy of that file in `docs/assets`. Times are medians over rounds in which
all layers of one size take turns, in one process; what counts are the ratios within a row
of sizes and channels:

- to `Conv2D` with 3x3 kernels and as many filters;
- to the plain formula, `einsum("kij,bjc->bkic")` and then `einsum("bkic,kcf->bif")`, with
  dense matrices, where these fit;
- to the bare matrix products that the dense layer needs, with nothing else around them.

Memory is the peak of the main memory of a process that trains one layer, above what it has
before there is data. On a machine with a GPU the same table is made there, also with
`--dtypes mixed_bfloat16`, and the rate of the dense layer beside that of a matrix product.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from layers_report import plot, report, step_table

FILTERS = 8  # also the number of generators, and the rank of the low-rank ones
LARGEST_DENSE = 32
LARGEST_INPUT = 250_000  # numbers in a sample


def layers(size, filters):
    """The layers of one size by name, references first."""
    import itertools

    import keras

    from keras_lconv import LConv
    from keras_lconv import generators as g

    window = [o for o in itertools.product((-1, 0, 1), repeat=2) if o != (0, 0)]
    k = FILTERS
    found = {"Conv2D": keras.layers.Conv2D(filters, 3, padding="same")}
    if size <= LARGEST_DENSE:
        found["plain formula"] = references(keras)["plain"](filters)
        found["bare products"] = references(keras)["bare"](filters)
        found["dense"] = LConv(filters, k)
    return {
        **found,
        "low rank": LConv(filters, k, rank=k),
        "neighbor": LConv(filters, g.NeighborGenerators(k, g.grid_neighbors((size, size)))),
        "shifts": LConv(filters, g.ShiftGenerators(window)),
        "rotation": LConv(filters, "rotation"),
        "rotation, central": LConv(filters, g.rotation(derivative="central")),
        "affine": LConv(filters, "affine"),
    }


def references(keras):
    """Layers with the weights of a dense L-conv that only do the products in their name."""
    ops = keras.ops

    class Reference(keras.layers.Layer):
        def __init__(self, filters):
            super().__init__()
            self.filters = filters

        def build(self, shape):
            self.positions, channels = shape[1] * shape[2], shape[3]
            small = keras.initializers.RandomNormal(stddev=0.01)
            d = self.positions
            self.L = self.add_weight(shape=(FILTERS, d, d), initializer=small)
            self.W = self.add_weight(
                shape=(FILTERS + 1, channels, self.filters), initializer=small
            )

        def compute_output_shape(self, shape):
            return (*shape[:3], self.filters)

    class Plain(Reference):
        def call(self, f):
            shape = f.shape
            f = ops.reshape(f, (-1, self.positions, shape[-1]))
            terms = ops.einsum("kij,bjc->bkic", self.L, f)
            output = ops.einsum("bkic,kcf->bif", terms, self.W[1:])
            output = output + ops.einsum("bic,cf->bif", f, self.W[0])
            return ops.reshape(output, (-1, *shape[1:3], self.filters))

    class Bare(Reference):
        """Products of the right sizes: nothing is brought into order for them."""

        def call(self, f):
            d, channels = self.positions, f.shape[-1]
            acted = min(channels, self.filters)
            rows = ops.reshape(f, (-1, channels))
            if acted < channels:
                rows = ops.matmul(rows, self.W[0])
            products = ops.matmul(
                ops.reshape(self.L, (FILTERS * d, d)), ops.reshape(rows, (d, -1))
            )
            kernel = ops.reshape(self.W[1:], (FILTERS * channels, self.filters))
            if acted == channels:
                products = ops.matmul(
                    ops.reshape(products, (-1, FILTERS * channels)), kernel
                )
            else:
                products = ops.sum(ops.reshape(products, (FILTERS, -1)), axis=0)
            return ops.reshape(products, (-1, *f.shape[1:3], self.filters))

    return {"plain": Plain, "bare": Bare}


def compiled_models(size, channels, filters, batch, only=None):
    """Models of one layer each by name, and a batch to train them on."""
    import keras
    import numpy as np

    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, size, size, channels)).astype("float32")
    y = rng.normal(size=(batch, size, size, filters)).astype("float32")
    models = {}
    for name, layer in layers(size, filters).items():
        if only in (None, name):
            models[name] = keras.Sequential([keras.Input(x.shape[1:]), layer])
            models[name].compile(keras.optimizers.SGD(1e-4), "mse")
    # With a GPU the data are moved there first.
    return models, keras.ops.convert_to_tensor(x), keras.ops.convert_to_tensor(y)


def measure_times(rounds, **settings):
    """Medians of a forward pass and a training step of each layer, in seconds."""
    models, x, y = compiled_models(**settings)
    times = {name: {"forward": [], "step": []} for name in models}
    for turn in range(rounds + 2):
        for name, model in models.items():
            start = time.perf_counter()
            model.predict_on_batch(x)
            middle = time.perf_counter()
            model.train_on_batch(x, y)
            end = time.perf_counter()
            if turn > 1:  # the first turns compile and warm up
                times[name]["forward"].append(middle - start)
                times[name]["step"].append(end - middle)
    medians = {
        name: {what: statistics.median(values) for what, values in found.items()}
        for name, found in times.items()
    }
    d = settings["size"] ** 2
    operations = 2 * FILTERS * d * d * min(settings["channels"], settings["filters"])
    found = {"times": medians, "device": device(), "product_rate": product_rate()}
    if "dense" in medians:
        seconds = medians["dense"]["forward"]
        found["dense_rate"] = operations * settings["batch"] / seconds
    return found


def measure_memory(**settings):
    """Peak memory of three training steps of one layer, in MiB."""
    import keras

    keras.ops.matmul(keras.ops.ones((8, 8)), keras.ops.ones((8, 8)))
    before = memory(reset=True)
    models, x, y = compiled_models(**settings)
    for model in models.values():
        for _ in range(3):
            model.train_on_batch(x, y)
    return {"memory": memory() - before}


def memory(reset=False):
    """Peak memory of the process since the last reset, in MiB (Linux only)."""
    if reset:
        pathlib.Path("/proc/self/clear_refs").write_text("5")
    status = pathlib.Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 2**10


def device():
    """The name of the GPU, or "cpu"."""
    backend = os.environ["KERAS_BACKEND"]
    if backend == "torch":
        import torch

        return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    if backend == "jax":
        import jax

        found = jax.devices()[0]
        return "cpu" if found.platform == "cpu" else found.device_kind
    import tensorflow as tf

    return "GPU" if tf.config.list_physical_devices("GPU") else "cpu"


def product_rate():
    """Operations a second of a product of two large matrices, in the dtype of layers."""
    import keras

    size = 1024 if device() == "cpu" else 8192
    dtype = keras.config.dtype_policy().compute_dtype
    matrix = keras.ops.ones((size, size), dtype=dtype)
    seconds = []
    for _ in range(7):
        start = time.perf_counter()
        product = keras.ops.matmul(matrix, matrix)
        keras.ops.convert_to_numpy(product[0, 0])
        seconds.append(time.perf_counter() - start)
    return 2 * size**3 / statistics.median(seconds)


def run_worker(backend, **settings):
    """Measures in a new process."""
    environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, __file__, "--worker", json.dumps(settings)],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def names(size):
    """The layers of a size."""
    return {"names": list(layers(size, FILTERS))}


def work(what, dtype, **settings):
    """The work of a new process."""
    import keras

    keras.config.set_dtype_policy(dtype)
    tasks = {"times": measure_times, "memory": measure_memory, "names": names}
    return tasks[what](**settings)


def batch_of(size, channels):
    """Large batches for small images."""
    return 128 if size * size * channels <= 28 * 28 * 32 else 16


def print_steps(backend, rows):
    """The seconds of one backend, and how near dense products come to the best rate."""
    row = rows[0]
    print(f"\n{backend} on {row['device']}, {row['dtype']}")
    if row["device"] == "cpu":
        print("There is no GPU: run this on a machine that has one to measure it.")
    print("\nTraining step (forward pass), as ratios:\n")
    print(step_table(rows))
    for row in rows:
        if "dense_rate" in row:
            share = row["dense_rate"] / row["product_rate"]
            print(
                f"{row['size']}x{row['size']}x{row['channels']}: dense runs at {share:.0%} "
                f"of the rate of a large product, {row['product_rate'] / 1e9:.0f} GFLOP/s"
            )


def environment(backends, rounds):
    """The conditions of the times."""
    packages = ("keras", "numpy", *backends)
    return {
        "date": datetime.date.today().isoformat(),
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "cores": os.cpu_count(),
        "rounds": rounds,
    }


def rounded(value):
    """Results with six significant digits, more than are certain."""
    if isinstance(value, dict):
        return {name: rounded(part) for name, part in value.items()}
    if isinstance(value, list):
        return [rounded(part) for part in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def times_of(backend, dtype, arguments):
    """A row for each size and number of channels."""
    rows = []
    for size in arguments.sizes:
        for channels in arguments.channels:
            if size * size * channels > LARGEST_INPUT:
                continue
            settings = {
                "size": size,
                "channels": channels,
                "filters": FILTERS if channels == 1 else channels,
                "batch": batch_of(size, channels),
            }
            found = run_worker(
                backend, what="times", dtype=dtype, rounds=arguments.rounds, **settings
            )
            rows.append({"backend": backend, "dtype": dtype, **settings, **found})
    return rows


def memory_of(backend, dtype, arguments):
    """A row for each layer and size."""
    rows = []
    for size in arguments.memory_sizes:
        for name in run_worker(backend, what="names", dtype=dtype, size=size)["names"]:
            settings = {"size": size, "channels": 3, "filters": FILTERS, "batch": 16}
            found = run_worker(backend, what="memory", dtype=dtype, only=name, **settings)
            rows.append(
                {"backend": backend, "dtype": dtype, "layer": name, **settings, **found}
            )
    return rows


def main(arguments):
    folder = pathlib.Path("outputs")
    folder.mkdir(exist_ok=True)
    results = {"environment": environment(arguments.backends, arguments.rounds)}
    results |= {"times": [], "memory": []}
    for backend in arguments.backends:
        for dtype in arguments.dtypes:
            rows = rounded(times_of(backend, dtype, arguments))
            print_steps(backend, rows)
            results["times"] += rows
            results["memory"] += rounded(memory_of(backend, dtype, arguments))
        (folder / "benchmark_layers.json").write_text(json.dumps(results, indent=1) + "\n")
    print("\n" + report(results))
    plot(results["times"], folder / "benchmark_layers.png")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "jax", "torch"])
    parser.add_argument("--sizes", nargs="+", type=int, default=[8, 28, 56, 112, 224])
    parser.add_argument("--channels", nargs="+", type=int, default=[1, 16, 64])
    parser.add_argument("--memory-sizes", nargs="*", type=int, default=[28, 224])
    parser.add_argument("--dtypes", nargs="+", default=["float32"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parsed = parser.parse_args()
    if parsed.worker:
        print(json.dumps(work(**json.loads(parsed.worker))))
    else:
        main(parsed)
