# %% [markdown]
# # The hidden grid of scrambled images
#
# The pixels of all images are put into one random order, and the order is discarded. Then a
# convolution is of little use, because it needs to know which pixels are neighbours.
# `infer_grid` finds the neighbours from the images alone, without labels, and restores the
# images, up to a mirror image or a quarter turn. A convolutional network is trained on the
# original, on the scrambled and on the recovered images.
#
# The images are patches of the two photographs that come with scikit-learn, and the
# task is to name the photograph of each patch. With `--dataset fashion_mnist` images come
# from `keras.datasets`.

# %%
import argparse
import pathlib
import time

import keras
import numpy as np

from keras_lconv.discovery import infer_grid

layers = keras.layers

# %% [markdown]
# ## Data
#
# Patches to train on are from the left of the photographs, those to test on from the right.
# All get the same mean and contrast, so that only their texture distinguishes them. Flat
# patches, of the sky, are left out.


# %%
def load(dataset, num_train, num_test):
    """Images in `[0, 1]` and labels, for training and for testing."""
    if dataset == "photos":
        from sklearn.datasets import load_sample_images

        photos = [photo.mean(axis=-1) / 255 for photo in load_sample_images().images]
        middle = photos[0].shape[1] * 3 // 5
        train = patches([photo[:, :middle] for photo in photos], num_train, seed=0)
        test = patches([photo[:, middle:] for photo in photos], num_test, seed=1)
        return train, test
    (x_train, y_train), (x_test, y_test) = getattr(keras.datasets, dataset).load_data()
    train = x_train[:num_train].astype("float32") / 255, y_train[:num_train]
    test = x_test[:num_test].astype("float32") / 255, y_test[:num_test]
    return train, test


def patches(photos, num, seed, size=16):
    """Random patches, and the number of the photograph that each is from."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, len(photos), num)
    found = np.empty((num, size, size), "float32")
    for n, label in enumerate(labels):
        contrast = 0.0
        while contrast < 0.05:
            top, left = (rng.integers(0, side - size) for side in photos[label].shape)
            patch = photos[label][top : top + size, left : left + size]
            contrast = patch.std()
        found[n] = np.clip(0.5 + 0.2 * (patch - patch.mean()) / contrast, 0, 1)
    return found, labels


def scramble(images, order):
    """The same order of the pixels for all images."""
    flat = images.reshape(len(images), -1)
    return flat[:, order].reshape(images.shape)


# %% [markdown]
# ## How much of the grid is right
#
# Only pixels with more than a twentieth of the mean variance count. They are right if they
# are on their cell, after the mirror image, turn and shift that fit best.


# %%
def right_cells(grid, order, images):
    """Share of the varying pixels on their cell; precision and recall of neighbours."""
    truth = np.stack(np.unravel_index(order, images.shape[1:]), axis=1)
    variance = images.reshape(len(images), -1).var(axis=0)[order]
    varies = variance > 0.05 * variance.mean()
    best = 0
    for mirrored in (grid.cells, grid.cells[:, ::-1]):
        for signs in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            shifts = (truth - mirrored * signs)[grid.placed & varies]
            best = max(best, np.unique(shifts, axis=0, return_counts=True)[1].max())
    steps = truth[grid.neighbor_pairs]
    is_true = np.abs(steps[:, 0] - steps[:, 1]).sum(axis=1) == 1
    height, width = images.shape[1:]
    num_true = height * (width - 1) + width * (height - 1)
    return best / varies.sum(), is_true.mean(), is_true.sum() / num_true


# %% [markdown]
# ## The network


# %%
def convolutional_network(shape, num_classes):
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(num_classes),
        ]
    )


def trained_accuracy(train, test, epochs, seed):
    """Accuracy on the test images, in percent."""
    keras.utils.set_random_seed(seed)
    (x_train, y_train), (x_test, y_test) = train, test
    model = convolutional_network((*x_train.shape[1:], 1), int(y_train.max()) + 1)
    steps = epochs * -(-len(x_train) // 128)
    model.compile(
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(x_train[..., None], y_train, batch_size=128, epochs=epochs, verbose=0)
    predicted = model.predict(x_test[..., None], 512, verbose=0).argmax(-1)
    return 100 * float(np.mean(predicted == y_test))


# %% [markdown]
# ## From scrambled to recovered
#
# Pixels without a known place are put on the remaining cells.


# %%
def save_pictures(images, scrambled, recovered, grid, accuracies, output, dataset):
    import matplotlib.pyplot as plt

    output.mkdir(parents=True, exist_ok=True)
    rows = {"original": images, "scrambled": scrambled, "recovered": recovered}
    figure, axes = plt.subplots(3, 8, figsize=(9, 3.9), layout="constrained")
    for line, (name, shown) in zip(axes, rows.items(), strict=True):
        for ax, image in zip(line, shown, strict=False):
            ax.imshow(image, cmap="gray", vmin=0, vmax=1)
            ax.set(xticks=[], yticks=[])
        line[0].set_ylabel(name)
    figure.suptitle("Images, their pixels in random order, and what was made of these")
    figure.savefig(output / f"scrambled_images_{dataset}.png", dpi=110)

    figure = grid.plot()
    figure.savefig(output / f"scrambled_images_{dataset}_grid.png", dpi=110)

    figure, ax = plt.subplots(figsize=(6, 2.2), layout="constrained")
    names = list(accuracies)
    means = [np.mean(accuracies[name]) for name in names]
    bars = ax.barh(names, means, color=["C0", "C1", "C2"])
    ax.bar_label(bars, fmt="%.1f", padding=3)
    ax.invert_yaxis()
    ax.set(xlim=(0, 110), xlabel="test accuracy (%)")
    ax.set_title("The same convolutional network")
    figure.savefig(output / f"scrambled_images_{dataset}_accuracy.png", dpi=110)


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Find the grid of scrambled images.")
    parser.add_argument(
        "--dataset", choices=["photos", "fashion_mnist", "mnist"], default="photos"
    )
    parser.add_argument("--samples", type=int, default=6000, help="images for the grid")
    parser.add_argument("--labels", type=int, help="so many of them for the networks")
    parser.add_argument("--test-samples", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=5, help="0 to train no network")
    parser.add_argument("--permutations", type=int, default=1, help="random orders to try")
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    options = parser.parse_args(arguments)

    (images, labels), (x_test, y_test) = load(
        options.dataset, options.samples, options.test_samples
    )
    figures = []
    accuracies = {"original": [], "scrambled": [], "recovered": []}
    for seed in range(options.permutations):
        order = np.random.default_rng(seed).permutation(images[0].size)
        scrambled = scramble(images, order)
        start = time.time()
        grid = infer_grid(scrambled)
        print(f"\nPermutation {seed}: {time.time() - start:.1f} s\n{grid.summary()}")
        figures.append(right_cells(grid, order, images))
        cells, precision, recall = (100 * figure for figure in figures[-1])
        print(f"  {cells:.1f}% of the varying pixels on their cell")
        print(f"  pairs of neighbours: precision {precision:.1f}%, recall {recall:.1f}%")
        recovered = grid.unscramble(scrambled)
        if not options.epochs:
            continue
        hidden = scramble(x_test, order)
        for name, x, x_new in [
            ("original", images, x_test),
            ("scrambled", scrambled, hidden),
            ("recovered", recovered, grid.unscramble(hidden)),
        ]:
            train, test = (x[: options.labels], labels[: options.labels]), (x_new, y_test)
            score = trained_accuracy(train, test, options.epochs, seed)
            accuracies[name].append(score)
            print(f"  network on {name} images: {score:.2f}%")

    if options.epochs:
        print(f"\nTest accuracy, mean of {options.permutations} (percent):")
        for name, scores in accuracies.items():
            print(f"  {name:10s} {np.mean(scores):.2f}")
        save_pictures(
            images, scrambled, recovered, grid, accuracies, options.output, options.dataset
        )
        print(f"Pictures: {options.output / f'scrambled_images_{options.dataset}*.png'}")
    return figures, accuracies


if __name__ == "__main__":
    main()

# %% [markdown]
# All pixels of the photographs are on their cells. On the recovered images the network is
# as accurate as on the original ones; on the scrambled images it is far worse.
