# %% [markdown]
# # Quickstart: learn a symmetry, then build with it
#
# First a generator is learned from pairs of images that are rotated by unknown angles.
# Then L-conv layers classify digits, beside a dense and a convolutional network of
# similar size.
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
from keras_lconv.datasets import image_pairs
from keras_lconv.generators import VectorFieldGenerators, rotation
from keras_lconv.visualization import plot_matrix, plot_vector_field

# %% [markdown]
# ## 1. Learn the generator of rotations
#
# Each pair is $(x, y)$ with $y$ a rotated copy of $x$; the angle is different in each
# pair and known to nobody. A vector field with six numbers, $v(x) = A x + b$, gives the
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
# The scale and the sign of a generator are a matter of convention, since $t$ absorbs
# them. The picture brings the learned one to the scale of the true one.


# %%
def save_picture(learned, true, path):
    """Draws the learned and the true generator beside each other."""
    import matplotlib.pyplot as plt

    fields = [g.vector_fields()[0] for g in (learned, true)]
    matrices = [ops.convert_to_numpy(g.to_dense())[0] for g in (learned, true)]
    scale = np.sum(fields[0] * fields[1]) / np.sum(fields[0] ** 2)
    figure, axes = plt.subplots(2, 2, figsize=(9, 8.5), layout="constrained")
    for column, name in enumerate(["learned", "true"]):
        factor = scale if name == "learned" else 1.0
        plot_vector_field(factor * fields[column], axes[0, column], f"{name} vector field")
        # The middle rows: a few pixels in a row, and what reaches them.
        size = fields[0].shape[0]
        middle = slice(size * (size // 2 - 2), size * (size // 2 + 2))
        block = factor * matrices[column][middle, middle]
        title = f"{name} matrix L, four rows of pixels"
        plot_matrix(block, axes[1, column], title)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


# %% [markdown]
# ## 2. Classify digits
#
# Two L-conv layers with learned generators of low rank, in a `Sequential` like any
# other. The other two networks have about as many weights.


# %%
def digit_models():
    """Networks of similar size for 8 x 8 digits."""
    layers = keras.layers
    return {
        "LConv": [
            LConv(16, generators=4, rank=8, activation="relu"),
            LConv(16, generators=4, rank=8, activation="relu"),
            layers.Flatten(),
        ],
        "Dense": [
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dense(64, activation="relu"),
        ],
        "Conv2D": [
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.Conv2D(60, 3, padding="same", activation="relu"),
            layers.AveragePooling2D(2),
            layers.Flatten(),
        ],
    }


def classify_digits(epochs):
    """Trains each network; returns test accuracies and numbers of weights."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1).astype("float32") / 16
    split = train_test_split(images, labels, test_size=0.3, random_state=0, stratify=labels)
    x_train, x_test, y_train, y_test = split
    results = {}
    for name, body in digit_models().items():
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((8, 8, 1)), *body])
        model.add(keras.layers.Dense(10))
        model.compile(
            keras.optimizers.Adam(3e-3),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        print(f"\n{name}: {model.count_params()} weights")
        model.fit(x_train, y_train, epochs=epochs, batch_size=64, verbose=2)
        accuracy = model.evaluate(x_test, y_test, verbose=0)[1]
        results[name] = (accuracy, model.count_params())
    return results


# %% [markdown]
# ## Run both


# %%
def main(arguments=None):
    parser = argparse.ArgumentParser(description="Learn a rotation, then digits.")
    parser.add_argument("--size", type=int, default=20, help="side of the images")
    parser.add_argument("--samples", type=int, default=4096, help="number of pairs")
    parser.add_argument("--epochs", type=int, default=8, help="for the generator")
    parser.add_argument("--digit-epochs", type=int, default=25)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    options = parser.parse_args(arguments)

    start = time.time()
    keras.utils.set_random_seed(0)
    learned, true, agreement = learn_rotation(options.size, options.samples, options.epochs)
    picture = options.output / "quickstart_generator.png"
    save_picture(learned, true, picture)
    results = classify_digits(options.digit_epochs)

    print(f"\nBackend: {keras.config.backend()}, {time.time() - start:.0f} s")
    print(
        f"Generator learned from {options.size}x{options.size} images: "
        f"absolute correlation with the rotation {agreement:.4f}"
    )
    print(f"Picture: {picture}")
    print("Digits, accuracy on the test set:")
    for name, (accuracy, weights) in results.items():
        print(f"  {name:7s} {accuracy:.3f}  ({weights} weights)")
    return agreement, results


if __name__ == "__main__":
    main()
