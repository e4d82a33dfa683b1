"""Does the behaviour of a network at its training points predict its generalization?

Digits are padded and shifted by up to two pixels. Some thirty networks are trained on
upright digits, of four kinds, with shifts of up to 0, 1 or 2 pixels as augmentation, each
with three seeds. At their training points the Euler-Lagrange residual is the change of the
loss along translations, and the invariance gap the relative change of the logits under
shifts. On test images the generalization gap under shift is the cross-entropy of shifted
images less that of the images as they are.
"""

import itertools

import keras
import numpy as np
from comparison import Shuffled, accuracy, train
from scipy.stats import pearsonr, spearmanr

from keras_lconv import LConv
from keras_lconv.generators import translation
from keras_lconv.physics import robustness

layers = keras.layers
SIZE, LARGEST = 12, 2
AUGMENTATIONS, SEEDS = (0, 1, 2), (0, 1, 2)
NUM_TRAIN, NUM_POINTS, EPOCHS = 600, 200, 40
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
SHIFTS = [s for s in itertools.product(range(-LARGEST, LARGEST + 1), repeat=2) if any(s)]


def digits():
    """Padded images `(num, 12, 12, 1)` and labels, to train on and to test."""
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    margin = (SIZE - 8) // 2
    x = np.pad(x.reshape(-1, 8, 8, 1) / 16, ((0, 0), *2 * [(margin, margin)], (0, 0)))
    return (x[:NUM_TRAIN], y[:NUM_TRAIN]), (x[1000:], y[1000:])


def shifted(x, shift):
    """Images moved by whole pixels, with zeros at the free side, like the margin."""
    return np.roll(x, shift, axis=(-3, -2))


def dense():
    return [layers.Flatten(), layers.Dense(64, activation="swish"), layers.Dense(10)]


def convolutional():
    convolutions = [
        layers.Conv2D(width, 3, strides=2, padding="same", activation="swish")
        for width in (16, 32)
    ]
    return [*convolutions, layers.Flatten(), layers.Dense(10)]


def pooled():
    convolutions = [
        layers.Conv2D(width, 3, padding="same", activation="swish") for width in (16, 32)
    ]
    return [*convolutions, layers.GlobalAveragePooling2D(), layers.Dense(10)]


def lconv():
    """Of second order and with width, as a convolution is."""
    convolutions = [
        LConv(width, "translation", order=2, smoothing=0.5, activation="swish")
        for width in (16, 32)
    ]
    return [*convolutions, layers.GlobalAveragePooling2D(), layers.Dense(10)]


# With the rate at which each fits its training images.
KINDS = {
    "dense": (dense, 5e-3),
    "CNN": (convolutional, 5e-3),
    "CNN, pooled": (pooled, 3e-2),
    "L-conv": (lconv, 5e-3),
}


def trained(kind, augmentation, seed, data):
    keras.utils.set_random_seed(seed)
    build, rate = KINDS[kind]
    model = keras.Sequential([keras.Input((SIZE, SIZE, 1)), *build()])

    def moved(image, label, rng):
        return shifted(image, rng.integers(-augmentation, augmentation + 1, 2)), label

    train(model, Shuffled(*data, seed, moved, batch_size=50), EPOCHS, rate)
    return model


def cross_entropy(model, x, y):
    return float(LOSS(y, model.predict(x, batch_size=500, verbose=0)))


def measures(model, data, test):
    """The numbers measured at training points, and the gaps on test images."""
    x, y = (each[:NUM_POINTS] for each in data)
    found = robustness(
        model, x, translation(), y, loss=LOSS, second_order="derivative", verbose=False
    )
    logits = model.predict(x, batch_size=500, verbose=0)
    off = [model.predict(shifted(x, s), batch_size=500, verbose=0) - logits for s in SHIFTS]
    x_new, y_new = test
    moved = [shifted(x_new, s) for s in SHIFTS]
    return {
        "residual": float(np.sqrt(np.mean(found.first**2))),
        "curvature": float(np.mean(found.second)),
        "invariance gap": float(np.sqrt(np.mean(np.square(off)) / np.mean(logits**2))),
        "gap": float(np.mean([cross_entropy(model, each, y_new) for each in moved]))
        - cross_entropy(model, x_new, y_new),
        "accuracy": accuracy(model, x_new, y_new),
        "accuracy, shifted": float(np.mean([accuracy(model, m, y_new) for m in moved])),
    }


def generalization(full):
    """Measures of each kind and augmentation, means over seeds, and their correlations."""
    data, test = digits()
    seeds = SEEDS if full else SEEDS[:1]
    rows, each = [], []
    for kind, augmentation in itertools.product(KINDS, AUGMENTATIONS):
        own = [
            measures(trained(kind, augmentation, seed, data), data, test) for seed in seeds
        ]
        each += own
        means = {name: f"{np.mean([m[name] for m in own]):.3g}" for name in own[0]}
        rows.append({"network": kind, "shifts to train on": augmentation, **means})
        print(rows[-1], flush=True)
    gaps = [m["gap"] for m in each]
    for name in ("residual", "curvature", "invariance gap"):
        values = [m[name] for m in each]
        print(
            f"{name} against the gap, {len(each)} networks: Spearman "
            f"{spearmanr(values, gaps)[0]:.2f}, Pearson {pearsonr(values, gaps)[0]:.2f}"
        )
    return rows
