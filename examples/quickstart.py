# %% [markdown]
# # Quickstart: three things to do with symmetry
#
# 1. Classify images in any orientation from a few hundred examples, beside a convolutional
#    network that is trained for as long on images at all angles.
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
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from keras_lconv import LConv
from keras_lconv.algebra import correlation
from keras_lconv.datasets import RandomRotations, cell_images, image_pairs
from keras_lconv.discovery import fit_symmetries
from keras_lconv.estimators import InvariantFeatures
from keras_lconv.generators import VectorFieldGenerators, rotation
from keras_lconv.models import equivariant_mlp, steerable_classifier
from keras_lconv.visualization import plot_vector_field

# %% [markdown]
# ## 1. Images in any orientation
#
# The images show cells with two to five lobes, in any orientation, near the centre, in
# noise. A turn does not change the class of a cell. There are two ways to use this:
#
# - The steerable network is a convolutional network whose kernels turn with the image. It
#   trains on angles up to 45 degrees only, because quarter turns do not change its answer.
# - Invariants are numbers that rotations about the centre of the image do not change. A
#   logistic regression on them takes a fraction of a second. It suits objects near the
#   centre, and loses its lead if objects are off the centre.
#
# The usual way is a convolutional network that sees images at all angles. It has about as
# many weights as the steerable one and the same learning rate, and it trains for as many
# CPU seconds.


# %%
def convolutional_network(shape, classes):
    """As many weights as the steerable network has."""
    layers = keras.layers
    model = keras.Sequential([keras.Input(shape)])
    for number, filters in enumerate((8, 15, 30)):
        if number:
            model.add(layers.AveragePooling2D(2))
        model.add(layers.Conv2D(filters, 5, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.ReLU())
    model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dropout(0.2))
    model.add(layers.Dense(classes))
    return model


class Training(keras.callbacks.Callback):
    """A rate that rises and falls until `epochs` are over, or `limit` seconds of the CPU.

    `seconds` counts from the end of the first step, which compiles.
    """

    def __init__(self, rate, epochs, limit=None):
        super().__init__()
        self.rate, self.epochs, self.limit = rate, epochs, limit
        self.start, self.seconds = None, 0.0

    def on_epoch_begin(self, epoch, logs=None):
        done = self.seconds / self.limit if self.limit else epoch / self.epochs
        falls = (1 + np.cos(np.pi * min(done, 1.0))) / 2
        self.model.optimizer.learning_rate = self.rate * min(0.1 + 8 * done, falls)

    def on_train_batch_end(self, batch, logs=None):
        self.start = self.start or time.process_time()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds = time.process_time() - self.start
        over = self.seconds >= self.limit if self.limit else epoch + 1 == self.epochs
        self.model.stop_training = over


def train_classifier(build, data, check, seed, rates, epochs, limit=None):
    """The network whose rate is best on validation images, and its training."""
    candidates = []
    for rate in rates:
        keras.utils.set_random_seed(seed)
        model, training = build(), Training(rate, epochs, limit)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        optimizer = keras.optimizers.AdamW(weight_decay=1e-4)
        model.compile(optimizer, loss, metrics=["accuracy"])
        model.fit(data(), epochs=10**6, verbose=0, callbacks=[training])
        right = accuracy(model, *check) if len(rates) > 1 else 0.0
        candidates.append((right, -rate, model, training.seconds))
    return max(candidates, key=lambda found: found[:2])[2:]


def accuracy(model, x, y):
    return model.evaluate(x, y, batch_size=500, verbose=0)[1]


def classify_cells(number, epochs, rates, seed):
    """Accuracy on new images, seconds and weights of each way."""
    images, labels = cell_images(number, max_shift=1.0, seed=seed)
    check = cell_images(500, max_shift=1.0, seed=10**6)
    test = cell_images(1000, max_shift=1.0, seed=10**6 + 1)
    shape = images.shape[1:]

    def steerable():
        return steerable_classifier(
            input_shape=shape,
            classes=4,
            classifier_activation=None,
            size="tiny",
            padding=0,
        )

    networks = {
        "steerable": (steerable, 45),
        "CNN": (lambda: convolutional_network(shape, 4), 180),
    }
    results, limit = {}, None
    for name, (build, degrees) in networks.items():

        def data(degrees=degrees):
            settings = {"max_degrees": degrees, "batch_size": 16, "seed": seed}
            return RandomRotations(images, labels, **settings)

        # The second network trains for as long as the first one did.
        model, seconds = train_classifier(build, data, check, seed, rates, epochs, limit)
        limit = limit or seconds
        weights = sum(int(np.prod(w.shape)) for w in model.trainable_weights)
        results[name] = accuracy(model, *test), seconds, weights

    start = time.process_time()
    features = InvariantFeatures("rotation"), StandardScaler()
    model = make_pipeline(*features, LogisticRegression(max_iter=500)).fit(images, labels)
    seconds = time.process_time() - start
    results["invariants"] = model.score(*test), seconds, model[-1].coef_.size
    return results


# %% [markdown]
# ## 2. The symmetry of a table
#
# Each row of a table has a position and a velocity, and a measured number. `fit_symmetries`
# fits this number by small networks, and finds the linear maps that leave the fit
# unchanged. `equivariant_mlp` builds a network with this symmetry. The plain network trains
# for four times as many epochs, which take about as long. The learning rate is the same.


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
# Each pair is $(x, y)$, and $y$ is a rotated copy of $x$. The angle differs from pair to
# pair and is unknown. A vector field with six numbers, $v(x) = A x + b$, gives the
# generator $L = -v \cdot \nabla$. The model predicts $y$ as $x + t L x$. The angle $t$ with
# the best fit has a closed form.


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
# ## Run all, and draw the results
#
# The scale and the sign of a generator are a convention, because $t$ absorbs them. The
# picture shows the learned generator at the scale of the true one.

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
            xytext=(9, 0),
            textcoords="offset points",
            va="center",
            color=color,
        )
    longest = max(seconds for result in cells for _, seconds, _ in result.values())
    axes[0].set(
        xlabel="CPU seconds of training",
        ylabel="accuracy on new images",
        xlim=(-0.05 * longest, 1.4 * longest),
        ylim=(0.4, 1),
    )
    axes[0].set_title("1. Cells in any orientation")
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
    parser.add_argument("--images", type=int, default=320, help="of cells, to train on")
    parser.add_argument("--image-epochs", type=int, default=11, help="steerable network")
    parser.add_argument("--rates", type=float, nargs="+", default=[1e-2])
    parser.add_argument("--rows", type=int, default=500, help="of the table")
    parser.add_argument("--table-epochs", type=int, default=20)
    parser.add_argument("--samples", type=int, default=4096, help="pairs of images")
    parser.add_argument("--epochs", type=int, default=8, help="for the generator")
    parser.add_argument("--seeds", type=int, default=1, help="how often, for the first two")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    options = parser.parse_args(arguments)

    start = time.time()
    cells, tables = [], []
    for seed in range(options.seeds):
        how = options.images, options.image_epochs, options.rates
        cells.append(classify_cells(*how, seed))
        print(f"\n1. {options.images} images of cells in any orientation, seed {seed}:")
        for name, (accuracy, seconds, weights) in cells[-1].items():
            print(
                f"  {name:10s} {accuracy:.3f} right  ({seconds:.1f} s, {weights} weights)"
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
