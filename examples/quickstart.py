# %% [markdown]
# # Quickstart: three things to do with symmetry
#
# 1. Classify images in any orientation from a few hundred examples, with a network that
#    turns do not change, beside a convolutional network that is trained for as long.
# 2. Find the symmetry of a table, and build a network from it.
# 3. Learn a generator from pairs of images.
#
# Run it on any backend: `KERAS_BACKEND=jax python examples/quickstart.py`

# %%
import argparse
import pathlib
import time

import keras
import numpy as np
from keras import ops

from keras_lconv import LConv
from keras_lconv.algebra import correlation
from keras_lconv.datasets import RandomRotations, cell_images, image_pairs
from keras_lconv.discovery import fit_symmetries
from keras_lconv.generators import VectorFieldGenerators, rotation
from keras_lconv.models import equivariant_mlp, lconv_classifier, steerable_classifier
from keras_lconv.visualization import plot_vector_field

# %% [markdown]
# ## 1. Images in any orientation
#
# Cells with two to five lobes, in any orientation, off the centre, in noise. The steerable
# network needs angles up to 45 degrees only, since quarter turns do not change it. The
# convolutional one has to see all. It has as many weights, and trains for as long. The
# third network pools each image to numbers that rotations about the *centre of the image*
# do not change: a good choice for centred objects, and quick, but these cells are not
# centred.


# %%
def convolutional_network(shape, classes):
    """As many weights as the steerable network has."""
    layers = keras.layers
    model = keras.Sequential([keras.Input(shape), layers.ZeroPadding2D(2)])
    for number, filters in enumerate((15, 30, 60)):
        if number:
            model.add(layers.AveragePooling2D(2))
        model.add(layers.Conv2D(filters, 5, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dropout(0.2))
    model.add(layers.Dense(classes))
    return model


def train_classifier(model, data, epochs):
    """Trains with a rate that rises and falls; the seconds of a later epoch."""
    steps = epochs * len(data)
    rate = keras.optimizers.schedules.CosineDecay(
        5e-4, steps - steps // 8, warmup_target=5e-3, warmup_steps=steps // 8
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(
        keras.optimizers.AdamW(rate, weight_decay=1e-4), loss, metrics=["accuracy"]
    )
    ends = EpochEnds()
    model.fit(data, epochs=epochs, verbose=0, callbacks=[ends])
    return float(np.mean(np.diff(ends.times)))


class EpochEnds(keras.callbacks.Callback):
    """The times at which epochs end: the first one has compiled what follows."""

    def __init__(self):
        super().__init__()
        self.times = []

    def on_epoch_end(self, epoch, logs=None):
        self.times.append(time.perf_counter())


def classify_cells(number, epochs, seed):
    """Accuracy on new images, seconds and weights of each network."""
    x, y = cell_images(number, seed=seed)
    x_test, y_test = cell_images(2000, seed=10**6)
    shape = x.shape[1:]
    ready = {"input_shape": shape, "classes": 4, "classifier_activation": None}
    networks = {
        "steerable": (lambda: steerable_classifier(**ready), 45, 1),
        "CNN": (lambda: convolutional_network(shape, 4), 180, 1),
        "invariants": (lambda: lconv_classifier(filters=(), **ready), 0, 0.2),
    }
    results, budget = {}, None
    for name, (build, degrees, share) in networks.items():
        data = RandomRotations(x, y, max_degrees=degrees, batch_size=16, seed=seed)
        some = epochs
        if budget:
            # As many epochs as fit into the time of the first network, or a part of it.
            some = max(int(share * budget / train_classifier(build(), data, 3)), 2)
        keras.utils.set_random_seed(seed)
        model = build()
        seconds = some * train_classifier(model, data, some)
        budget = budget or seconds
        accuracy = model.evaluate(x_test, y_test, verbose=0, batch_size=500)[1]
        weights = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
        results[name] = accuracy, seconds, weights
    return results


# %% [markdown]
# ## 2. The symmetry of a table
#
# A table has a position and a velocity in each row, and a number that was measured.
# `fit_symmetries` fits it by small networks, and finds the maps that leave the fit
# unchanged. `equivariant_mlp` builds a network with this symmetry. The plain network trains
# for four times as many epochs, which take about as long. The rate is the same.


# %%
def measure(number, seed):
    """Rows `(number, 6)`, and what was measured, with an error of two percent."""
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(number, 6))
    position, velocity = rows[:, :3], rows[:, 3:]
    energy = np.sum(velocity**2, axis=1) * np.exp(-np.sum(position**2, axis=1) / 2)
    values = energy + np.sum(position * velocity, axis=1)
    return rows, values + 0.02 * np.std(values) * rng.normal(size=number)


def find_in_table(number, epochs, seed):
    """The report of the symmetry, and the relative error of networks on new rows."""
    keras.utils.set_random_seed(seed)
    rows, values = measure(number, seed)
    report = fit_symmetries(rows, values, blocks=2, epochs=60, verbose=0)
    networks = {
        "plain": (keras.Sequential([keras.Input((6,)), *hidden_layers()]), 4 * epochs)
    }
    if report.algebra is not None and report.algebra.dimension:
        algebra = report.algebra.nearest_closed()
        built = equivariant_mlp(
            algebra, blocks=2, hidden_units=(32, 32), vectors=4, learn_frame=True
        )
        networks["symmetric"] = built, epochs
    new_rows, new_values = measure(4000, 10**6)
    mean, spread = np.mean(values), np.std(values)
    errors = {}
    for name, (model, some) in networks.items():
        rate = keras.optimizers.schedules.CosineDecay(1e-2, some * -(-number // 25))
        model.compile(keras.optimizers.Adam(rate), "mse")
        model.fit(rows, (values - mean) / spread, batch_size=25, epochs=some, verbose=0)
        found = mean + spread * model.predict(new_rows, batch_size=1000, verbose=0)[:, 0]
        errors[name] = float(np.std(found - new_values) / np.std(new_values))
    return report, errors


def hidden_layers():
    """Of a plain network, with about twice as many weights as the other."""
    return [
        keras.layers.Dense(64, activation="swish"),
        keras.layers.Dense(64, activation="swish"),
        keras.layers.Dense(1),
    ]


# %% [markdown]
# ## 3. Learn the generator of rotations
#
# Each pair is $(x, y)$ with $y$ a rotated copy of $x$; the angle differs from pair to
# pair and is unknown. A vector field with six numbers, $v(x) = A x + b$, gives the
# generator $L = -v \cdot \nabla$. The model predicts $y$ as $x + t L x$, with the angle
# $t$ that fits best: it has a closed form.


# %%
@keras.saving.register_keras_serializable(package="quickstart")
class BestStep(keras.layers.Layer):
    """`x + t L x` with the `t`, for each sample, that comes closest to `y`."""

    def call(self, x, lie_derivative, y):
        axes = (1, 2, 3)
        overlap = ops.sum(lie_derivative * (y - x), axis=axes, keepdims=True)
        length = ops.sum(lie_derivative**2, axis=axes, keepdims=True)
        return x + overlap / (length + keras.config.epsilon()) * lie_derivative


def learn_rotation(size, num_samples, epochs, seed=0):
    """Learns a generator from pairs; returns it, its truth and their correlation."""
    x, y, _ = image_pairs(num_samples, size, "rotation", (-0.5, 0.5), seed=seed)
    learned = VectorFieldGenerators(1, field="affine")
    inputs, targets = keras.Input(x.shape[1:]), keras.Input(y.shape[1:])
    # One filter with the weight 1: the layer is the generator.
    lie_derivative = LConv(
        1, learned, self_interaction=None, use_bias=False, kernel_initializer="ones"
    )(inputs)
    prediction = BestStep()(inputs, lie_derivative, targets)
    model = keras.Model([inputs, targets], prediction)
    model.compile(keras.optimizers.Adam(0.02), "mse")
    model.fit([x, y], y, epochs=epochs, batch_size=64)

    true = rotation()
    true.build(x.shape)
    matrices = [ops.convert_to_numpy(g.to_dense())[0] for g in (learned, true)]
    return learned, true, correlation(*matrices)


# %% [markdown]
# ## Run all, and draw what came out
#
# The scale and the sign of a generator are a matter of convention, since $t$ absorbs
# them. The picture brings the learned one to the scale of the true one.

# %%
COLORS = {"steerable": "C0", "CNN": "gray", "invariants": "C2"}


def save_picture(cells, tables, generators, path):
    """The three results beside each other: means and each seed."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(12.5, 4), layout="constrained")
    for name, color in COLORS.items():
        for result in cells:
            accuracy, seconds, _ = result[name]
            axes[0].plot(seconds, accuracy, "o", color=color, markersize=9)
        accuracy, seconds, _ = cells[0][name]
        axes[0].annotate(
            f"{name}\n{np.mean([r[name][0] for r in cells]):.3f}",
            (seconds, accuracy),
            xytext=(-10, -4),
            textcoords="offset points",
            ha="right",
            va="center",
            color=color,
        )
    axes[0].set(
        xlabel="seconds of training", ylabel="accuracy on new images", ylim=(0.4, 1)
    )
    axes[0].set_title("1. Cells in any orientation")
    axes[0].margins(x=0.3)
    axes[0].set_xlim(left=0)
    axes[0].grid(alpha=0.3)
    names = [name for name in ("plain", "symmetric") if name in tables[0][1]]
    labels = {"plain": "plain network", "symmetric": "network with the\nsymmetry found"}
    values = [np.mean([errors[name] for _, errors in tables]) for name in names]
    bars = axes[1].barh([labels[n] for n in names], values, color=["gray", "C0"])
    axes[1].bar_label(bars, fmt="%.3f", padding=3)
    axes[1].set(xlabel="relative error on new rows", xlim=(0, 1.2 * max(values)))
    axes[1].set_title(f"2. A table: {tables[0][0].name or 'no symmetry'}")
    learned, true = (g.vector_fields()[0] for g in generators)
    scale = np.sum(learned * true) / np.sum(learned**2)
    plot_vector_field(scale * learned, axes[2], "3. Learned from pairs: a rotation")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Three things to do with symmetry.")
    parser.add_argument("--images", type=int, default=300, help="of cells, to train on")
    parser.add_argument("--image-epochs", type=int, default=12)
    parser.add_argument("--rows", type=int, default=500, help="of the table")
    parser.add_argument("--table-epochs", type=int, default=30)
    parser.add_argument("--samples", type=int, default=4096, help="pairs of images")
    parser.add_argument("--epochs", type=int, default=8, help="for the generator")
    parser.add_argument("--seeds", type=int, default=1, help="how often, for the first two")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    options = parser.parse_args(arguments)

    start = time.time()
    cells, tables = [], []
    for seed in range(options.seeds):
        cells.append(classify_cells(options.images, options.image_epochs, seed))
        print(f"\n1. {options.images} images of cells in any orientation, seed {seed}:")
        for name, (accuracy, seconds, weights) in cells[-1].items():
            print(
                f"  {name:10s} {accuracy:.3f} right  ({seconds:.0f} s, {weights} weights)"
            )
        tables.append(find_in_table(options.rows, options.table_epochs, seed))
        report, errors = tables[-1]
        print(f"\n2. A table of {options.rows} rows, seed {seed}:\n{report.summary()}")
        for name, error in errors.items():
            print(f"  relative error of a {name} network on new rows: {error:.3f}")
    keras.utils.set_random_seed(0)
    learned, true, agreement = learn_rotation(20, options.samples, options.epochs)
    print(f"\n3. The generator of {options.samples} pairs of images:")
    print(f"  absolute correlation with the rotation: {agreement:.4f}")
    picture = options.output / "quickstart.png"
    save_picture(cells, tables, (learned, true), picture)
    print(f"\nPicture: {picture}")
    print(f"Backend: {keras.config.backend()}, {time.time() - start:.0f} s")
    return cells, tables, agreement


if __name__ == "__main__":
    main()
