# %% [markdown]
# # Rotation invariance without augmentation
#
# Networks are trained on upright images and tested at every angle. `lconv_classifier`
# turns an image into numbers that no rotation changes. It needs only the generator of
# rotations: the numbers are norms of each angular order, on rings in space and in Fourier
# space. One hidden layer on top of them classifies. It is compared with a convolutional
# network. Both are also trained on rotated images, each image at a new angle in each epoch.
#
# The images are the digits of scikit-learn. With `--dataset fashion_mnist` or
# `--dataset mnist` they come from `keras.datasets`.

# %%
import argparse
import pathlib
import time

import keras
import numpy as np

from keras_lconv.datasets import rotate_images
from keras_lconv.models import lconv_classifier

layers = keras.layers

# %% [markdown]
# ## Data
#
# Images are rotated by linear interpolation. Content that leaves the image is lost.


# %%
def load(dataset, num_train, num_test):
    """Upright images in `[0, 1]` and labels, for training and for testing."""
    if dataset == "digits":
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        images, labels = load_digits(return_X_y=True)
        images = images.reshape(-1, 8, 8) / 16
        parts = train_test_split(
            images, labels, test_size=0.3, random_state=0, stratify=labels
        )
        x_train, x_test, y_train, y_test = parts
    else:
        (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, dataset).load_data()
        x_train, x_test = x_train / 255, x_test / 255
    train = x_train[:num_train, ..., None].astype("float32"), y_train[:num_train]
    test = x_test[:num_test, ..., None].astype("float32"), y_test[:num_test]
    return train, test


# %% [markdown]
# ## Networks


# %%
def invariant_network(shape):
    """Invariants of rotations, then one hidden layer: no stages of L-convs before."""
    return lconv_classifier(
        input_shape=shape, classifier_activation=None, generators="rotation", filters=()
    )


def convolutional_network(shape):
    """Two convolutional layers, then one hidden layer."""
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(10),
        ]
    )


class RandomRotations(keras.utils.PyDataset):
    """Batches of images, each at a new random angle each time that it is drawn."""

    def __init__(self, images, labels, batch_size=128, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.images, self.labels, self.batch_size = images, labels, batch_size
        self.rng = np.random.default_rng(seed)
        self.on_epoch_begin()

    def __len__(self):
        return -(-len(self.images) // self.batch_size)

    def __getitem__(self, index):
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        degrees = self.rng.uniform(0, 360, len(chosen))
        return rotate_images(self.images[chosen], degrees), self.labels[chosen]

    def on_epoch_begin(self):
        self.order = self.rng.permutation(len(self.images))


def train(model, images, labels, epochs, augment=False):
    """Trains with a learning rate that falls to zero; `augment` rotates the images."""
    steps = epochs * -(-len(images) // 128)
    model.compile(
        keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    if augment:
        model.fit(RandomRotations(images, labels), epochs=epochs, verbose=2)
    else:
        model.fit(images, labels, batch_size=128, epochs=epochs, verbose=2)
    return model


def accuracy(model, images, labels):
    return float(np.mean(model.predict(images, 512, verbose=0).argmax(-1) == labels))


# %% [markdown]
# ## Accuracy against the angle


# %%
def save_picture(curves, angles, path):
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for name, values in curves.items():
        axes.plot(angles, values, marker="o", markersize=3, label=name)
    axes.set(xlabel="angle of the test images (degrees)", ylabel="accuracy", ylim=(0, 1))
    axes.set_xticks(range(0, 361, 45))
    axes.set_title("Accuracy on rotated images")
    figure.legend(loc="outside lower center", ncols=4)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Train upright, test at every angle.")
    parser.add_argument(
        "--dataset", choices=["digits", "fashion_mnist", "mnist"], default="digits"
    )
    parser.add_argument("--samples", type=int, default=20_000, help="images to train on")
    parser.add_argument("--test-samples", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--step", type=int, default=15, help="between angles, in degrees")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    options = parser.parse_args(arguments)

    start = time.time()
    data = load(options.dataset, options.samples, options.test_samples)
    (x_train, y_train), (x_test, y_test) = data
    rng = np.random.default_rng(0)
    x_random = rotate_images(x_test, rng.uniform(0, 360, len(x_test)))
    angles = np.arange(0, 361, options.step)
    # A curve needs fewer images for each angle than a figure does.
    some = slice(0, 2000)
    turned = [rotate_images(x_test[some], angle) for angle in angles]

    results, curves = {}, {}
    for name, make, augment in [
        ("invariants, upright", invariant_network, False),
        ("invariants, rotated", invariant_network, True),
        ("CNN, upright", convolutional_network, False),
        ("CNN, rotated", convolutional_network, True),
    ]:
        keras.utils.set_random_seed(0)
        model = make(x_train.shape[1:])
        print(f"\n{name}: {len(x_train)} images, {model.count_params()} weights")
        train(model, x_train, y_train, options.epochs, augment)
        results[name] = (
            accuracy(model, x_test, y_test),
            accuracy(model, x_random, y_test),
        )
        curves[name] = [accuracy(model, images, y_test[some]) for images in turned]

    picture = options.output / f"rotation_invariance_{options.dataset}.png"
    save_picture(curves, angles, picture)
    print(f"\nBackend: {keras.config.backend()}, {time.time() - start:.0f} s")
    print(f"Picture: {picture}")
    print(f"Accuracy on {len(x_test)} test images of {options.dataset}:")
    print("  network, images to train on    upright   random angles")
    for name, (upright, rotated) in results.items():
        print(f"  {name:28s}    {upright:.3f}     {rotated:.3f}")
    return results, curves


if __name__ == "__main__":
    main()

# %% [markdown]
# Trained on upright images, the convolutional network is best on upright images and fails
# at other angles. The invariant network loses little there, up to the interpolation of
# images with few pixels. Training on rotated images helps the convolutional network less
# than invariance does.
