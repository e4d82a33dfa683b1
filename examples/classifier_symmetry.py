# %% [markdown]
# # Symmetries of a classifier
#
# What does a classifier learn from randomly rotated or shifted images? The same network is
# trained on upright digits, on rotated and on shifted ones. Then `find_symmetries`
# measures, for all affine fields, how much the outputs change if the content of an image
# moves along a field. It also measures a network of rotation invariants.

# %%
import argparse
import pathlib
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage
from sklearn.datasets import load_digits

from keras_lconv import InvariantPooling
from keras_lconv.discovery import find_symmetries

layers = keras.layers

# %% [markdown]
# ## Data
#
# The images are digits of scikit-learn, enlarged to twice their size and smoothed, with a
# margin. So fields move content without losing it, and derivatives on the grid are those
# of the image.


# %%
def load():
    """Smooth images `(num, 20, 20)` and labels, for training and for testing."""
    images, labels = load_digits(return_X_y=True)
    images = np.pad(images.reshape(-1, 8, 8) / 16, ((0, 0), (1, 1), (1, 1)))
    images = ndimage.zoom(images, (1, 2, 2), order=3)
    images = ndimage.gaussian_filter(images, (0, 0.7, 0.7)).astype("float32")
    return (images[:1300], labels[:1300]), (images[1300:], labels[1300:])


def rotated(image, rng):
    return ndimage.rotate(image, rng.uniform(-180, 180), reshape=False, order=3)


def shifted(image, rng):
    return ndimage.shift(image, rng.uniform(-4, 4, 2), order=3)


def augmented(images, move, copies, seed):
    """Copies of images, each moved at random; upright images without `move`."""
    rng = np.random.default_rng(seed)
    copied = np.concatenate([images] * copies)
    if move is not None:
        copied = np.stack([move(image, rng) for image in copied])
    return copied[..., None]


# %% [markdown]
# ## Networks


# %%
def convolutional(shape):
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(16, 5, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ]
    )


def invariant(shape):
    return keras.Sequential(
        [
            keras.Input(shape),
            InvariantPooling("rotation", refine="radius"),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ]
    )


STUDIES = {
    "CNN, upright": (convolutional, None),
    "CNN, rotated": (convolutional, rotated),
    "CNN, shifted": (convolutional, shifted),
    "rotation invariants, upright": (invariant, None),
}


# %% [markdown]
# ## Training and measurement
#
# The samples are the test images, moved like the training images.


# %%
def study(make, move, copies, epochs):
    (images, labels), (test, test_labels) = load()
    keras.utils.set_random_seed(0)
    model = make((*images.shape[1:], 1))
    model.compile(
        keras.optimizers.Adam(2e-3),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    x, y = augmented(images, move, copies, seed=0), np.tile(labels, copies)
    model.fit(x, y, epochs=epochs, batch_size=64, verbose=0)
    x = augmented(test, move, 1, seed=1)
    accuracy = model.evaluate(x, test_labels, verbose=0)[1]
    return accuracy, find_symmetries(model, x)


def draw(reports):
    """The change along each field, one group of bars for each network."""
    figure, axes = plt.subplots(figsize=(9, 3.6), layout="constrained")
    names = list(next(iter(reports.values())).sensitivities)
    width = 0.8 / len(reports)
    for n, (title, report) in enumerate(reports.items()):
        places = np.arange(len(names)) + (n - (len(reports) - 1) / 2) * width
        axes.bar(places, [report.sensitivities[name] for name in names], width, label=title)
    axes.set_xticks(np.arange(len(names)), names)
    axes.set_ylabel("change, random direction = 1")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
    return figure


# %%
def main(arguments=None):
    parser = argparse.ArgumentParser(description="Which fields leave a classifier as is?")
    parser.add_argument("--copies", type=int, default=2, help="of each training image")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    options = parser.parse_args(arguments)

    start, reports, accuracies = time.time(), {}, {}
    for title, (make, move) in STUDIES.items():
        accuracy, report = study(make, move, options.copies, options.epochs)
        reports[title], accuracies[title] = report, accuracy
        print(f"\n{title}: accuracy {accuracy:.3f} on test images of this kind")
        print(report.summary())
    print(f"\nBackend: {keras.config.backend()}, {time.time() - start:.0f} s")

    options.output.mkdir(parents=True, exist_ok=True)
    picture = options.output / "classifier_symmetry.png"
    draw(reports).savefig(picture, dpi=110)
    print(f"Picture: {picture}")
    return reports, accuracies


if __name__ == "__main__":
    main()

# %% [markdown]
# The network trained on rotated digits changes least along the rotation. The network
# trained on shifted digits changes less along translations than the other two. But "least"
# is not zero: to classify at all angles, the largest output has to stay the largest, but
# its value may change. No convolutional network here has a symmetry in the sense of a gap
# in its spectrum. The network of invariants has one, by construction: the rotation.
