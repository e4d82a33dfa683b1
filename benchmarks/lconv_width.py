"""L-convs of higher order beside convolutions: accuracy at equal weights, and time.

- `signals`: generated heartbeats of three kinds, at any place of a noisy signal.
- `fashion`: Fashion-MNIST, upright.
- `steps`: the time of a training step of each network of images, in turns.
- `moments`: a figure, a convolution and the L-convs that have the moments of its kernel.

Each network takes the learning rate that is best on images or signals which are neither
trained nor tested on, out of the same three, and as many channels as keep its weights
within those of the convolutional one. Times are of one run: compare ratios.

Usage: python benchmarks/lconv_width.py {signals,fashion,steps,moments} [--quick]
           [--folder DIR]
"""

import argparse
import math
import pathlib
import time

import keras
import matplotlib.pyplot as plt
import numpy as np
from steerable import load, steps_in_turns

from keras_lconv import LConv
from keras_lconv.generators import derivative_matrix, translation

layers = keras.layers

RATES = (1e-3, 3e-3, 1e-2)
# The layer of each network: a window, or arguments of an L-conv.
NETWORKS = {
    "signals": {
        "Conv1D, 7": 7,
        "LConv": {},
        "LConv, order 3, tau 2": {"order": 3, "smoothing": 2.0},
    },
    "fashion": {
        "Conv2D, 3 x 3": 3,
        "LConv": {},
        "LConv, order 2, tau 1/2": {"order": 2, "smoothing": 0.5},
    },
}


# -------------------------------------------------------------------------------- data


def heartbeats(num, seed, size=64):
    """Signals `(num, 64, 1)` of three kinds: normal, wide, or raised and without a start.

    They beat once, anywhere, a little faster or slower, in noise.
    """
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, num)
    time_ = np.arange(size)[None]
    centre = rng.uniform(12, size - 12, (num, 1))
    pace = rng.uniform(0.9, 1.1, (num, 1))

    def wave(place, width, height):
        moved = (time_ - centre - place * pace) / (width * pace)
        return height * np.exp(-(moved**2) / 2)

    start, end = wave(-8, 2, 0.25), wave(8, 3, 0.35)
    peak = wave(0, 1.2, 1.0) + wave(-2, 1, -0.2) + wave(2, 1, -0.3)
    wide = wave(0, 2.2, 1.0) + wave(4, 2, -0.5) + wave(9, 3, -0.35)
    kinds = np.stack([start + peak + end, start + wide, peak + end + wave(5, 2, 0.25)], 1)
    signals = kinds[np.arange(num), labels] * rng.uniform(0.7, 1.3, (num, 1))
    signals += rng.normal(size=(num, size)) * 0.15 + rng.uniform(-0.1, 0.1, (num, 1))
    return signals[..., None].astype("float32"), labels


def data_of(what, options, seed):
    """To train on, to choose by, and to test: pairs of arrays."""
    if what == "signals":
        return [heartbeats(num, 3 * seed + n) for n, num in enumerate((200, 600, 600))]
    num_train, num_chosen, num_test = (
        (2_000, 1_000, 1_000) if options.quick else (20_000, 5_000, 10_000)
    )
    (x, y), (x_test, y_test) = load("fashion_mnist", options.folder)
    return [
        (x[:num_train], y[:num_train]),
        (x[-num_chosen:], y[-num_chosen:]),
        (x_test[:num_test], y_test[:num_test]),
    ]


# ---------------------------------------------------------------------------- networks


def network(what, layer, width):
    """Two layers of signals and the maximum, or three of images and the average."""
    ndim = 1 if what == "signals" else 2
    shape = (64, 1) if what == "signals" else (28, 28, 1)
    model = keras.Sequential([keras.Input(shape)])
    for number, factor in enumerate((1, 1) if what == "signals" else (1, 2, 4)):
        filters = round(width * factor)
        if isinstance(layer, int):
            conv = {1: layers.Conv1D, 2: layers.Conv2D}[ndim]
            model.add(conv(filters, layer, padding="same"))
        else:
            model.add(LConv(filters, translation(ndim), **layer))
        if what == "fashion":
            model.add(layers.BatchNormalization())
        model.add(layers.ReLU())
        if what == "fashion" and number < 2:
            model.add(layers.AveragePooling2D(2))
    if what == "signals":
        model.add(layers.GlobalMaxPooling1D())
    else:
        model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(3 if what == "signals" else 10))
    return model


def num_weights(model):
    """The number of weights that are trained."""
    return sum(math.prod(v.shape) for v in model.trainable_variables)


def widest(what, layer, most):
    """The largest width for which a network has no more weights than `most`."""
    width = 4
    while num_weights(network(what, layer, width + 1)) <= most:
        width += 1
    return width


def trained(what, layer, width, rate, data, epochs, seed):
    """A trained network, and the processor seconds that it took."""
    keras.utils.set_random_seed(seed)
    model = network(what, layer, width)
    steps = epochs * math.ceil(len(data[0]) / 32)
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(schedule), loss, metrics=["accuracy"])
    model.train_on_batch(data[0][:32], data[1][:32])  # what is compiled once
    start = time.process_time()
    model.fit(*data, epochs=epochs, batch_size=32, verbose=0)
    return model, time.process_time() - start


def accuracy(model, data):
    """The share of right answers."""
    return model.evaluate(*data, verbose=0, batch_size=500)[1]


def compare(what, options):
    """A line for each network: the mean over seeds, and their spread."""
    epochs = (
        options.epochs
        or {
            ("signals", True): 25,
            ("signals", False): 50,
            ("fashion", True): 3,
            ("fashion", False): 15,
        }[what, options.quick]
    )
    seeds = range(options.seeds or (1 if options.quick else 3))
    rates = RATES[1:] if options.quick else RATES
    first = next(iter(NETWORKS[what].values()))
    most = num_weights(network(what, first, 16))
    print("network                    weights   rate  CPU sec  accuracy (spread)")
    for name, layer in NETWORKS[what].items():
        if options.networks and name not in options.networks:
            continue
        width = 16 if layer is first else widest(what, layer, most)
        found, times = [], []
        chosen = None
        for seed in seeds:
            train, choose, test = data_of(what, options, seed)
            tried = {}
            for rate in rates if chosen is None else (chosen,):
                model, seconds = trained(what, layer, width, rate, train, epochs, seed)
                tried[rate] = (accuracy(model, choose), accuracy(model, test))
                times.append(seconds)
            chosen = max(tried, key=lambda rate: tried[rate][0])
            found.append(tried[chosen][1])
        print(
            f"{name:26s} {num_weights(model):7d} {chosen:6g} {np.median(times):8.1f} "
            f"{np.mean(found):9.3f} ({np.ptp(found):.3f})",
            flush=True,
        )


def compare_steps(quick):
    """Times of a step, relative to that of the convolutional network."""
    layers_of = NETWORKS["fashion"]
    most = num_weights(network("fashion", 3, 16))
    models = [
        network("fashion", each, 16 if each == 3 else widest("fashion", each, most))
        for each in layers_of.values()
    ]
    seconds = steps_in_turns(models, [(28, 28, 1)] * len(models), 3 if quick else 40, 32)
    for name, ratio in zip(layers_of, seconds / seconds[0], strict=True):
        print(f"{name:26s} {ratio:.2f}")


# ----------------------------------------------------------------------------- moments


def moments(values, places, order):
    """`sum_j kappa_j s_j^p / p!` for `p` up to `order`."""
    return [(values * places**p).sum() / math.factorial(p) for p in range(order + 1)]


def operators(L, order, tau):
    """`L^p exp(tau L^2)` for `p` up to `order`, of an antisymmetric matrix `L`."""
    waves, modes = np.linalg.eigh(1j * L)
    return [
        ((modes * (-1j * waves) ** p * np.exp(-tau * waves**2)) @ modes.conj().T).real
        for p in range(order + 1)
    ]


def matched(values, places, order, tau):
    """The weights of `L^p exp(tau L^2)` that have the moments of a kernel."""
    # `exp(tau L^2)` is a series in `L`, which is divided out.
    blur = [
        tau ** (p // 2) / math.factorial(p // 2) * (p % 2 == 0) for p in range(order + 1)
    ]
    weights = []
    for p, moment in enumerate(moments(values, places, order)):
        weights.append(moment - sum(blur[p - q] * weights[q] for q in range(p)))
    return weights


def draw_moments(path):
    """Kernels with the same moments, and how fast the difference falls with the width."""
    size, tau = 65, 2.0
    L = -derivative_matrix(size, "fourier")
    places = np.arange(-4, 5)
    values = np.array([0, -1, -2, 1, 6, 8, 3, -1, 0]) / 14
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
    left.bar(places, values, color="0.8", label="convolution, 9 points")
    shown = slice(size // 2 - 8, size // 2 + 9)
    for order in (1, 3, 5):
        terms = zip(
            matched(values, places, order, tau), operators(L, order, tau), strict=True
        )
        kernel = sum(weight * term for weight, term in terms)[:, size // 2]
        left.plot(np.arange(-8, 9), kernel[shown], label=f"L-conv, order {order}")
    left.set(xlabel="position", title=f"Kernels with the same moments, $\\tau$ = {tau:g}")
    left.legend(fontsize=8)

    signal = operators(L, 0, 4.0)[0] @ np.random.default_rng(0).normal(size=size)
    widths = 2.0 ** np.arange(-5, 1)
    waves, modes = np.linalg.eigh(1j * L)
    for order in (1, 2, 3):
        errors = []
        for width in widths:
            steps = width * places / 4
            gains = np.exp(-1j * np.outer(steps, waves))
            exact = ((modes * (values @ gains)) @ modes.conj().T).real @ signal
            terms = zip(moments(values, steps, order), operators(L, order, 0), strict=True)
            errors.append(
                np.linalg.norm(exact - sum(w * term @ signal for w, term in terms))
            )
        right.loglog(widths, errors / np.linalg.norm(signal), "o-", label=f"order {order}")
    right.set(xlabel="reach of the kernel", title="L-conv beside the convolution: error")
    right.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


def main(arguments=None):
    """Prints a table, or saves the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=[*NETWORKS, "steps", "moments"])
    parser.add_argument("--quick", action="store_true", help="fewer data, rates and seeds")
    parser.add_argument("--folder", type=pathlib.Path, help="of the four files of the data")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--networks", nargs="+", help="some, by the names of the table")
    parser.add_argument("--output", default="docs/assets/lconv_moments.png")
    options = parser.parse_args(arguments)
    if options.what == "moments":
        draw_moments(options.output)
        return
    print(f"Backend: {keras.config.backend()}")
    if options.what == "steps":
        compare_steps(options.quick)
    else:
        compare(options.what, options)


if __name__ == "__main__":
    main()
