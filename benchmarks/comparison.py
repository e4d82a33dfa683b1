"""How networks are compared: the same data, equal time, the same effort of tuning.

The first network trains for a given number of epochs. Each other one trains for as many
epochs as take as long, at least one. The largest rate of learning of each network is the
best of `RATES` on validation data, with draws of their own to train on. Then each trains on
further draws, one for each seed, and is scored on one test set, which nothing else sees.
"""

import dataclasses
import time
from collections.abc import Callable

import keras
import numpy as np

RATES = (2e-3, 5e-3, 1e-2)
VALIDATION, TEST, TRAINING = 1000, 2000, 3000  # seeds of the draws


@dataclasses.dataclass
class Network:
    """A network and its batches.

    Args:
        build: Makes the network, which returns logits.
        batches: From inputs, labels and a seed to what `fit` takes.
    """

    build: Callable[[], keras.Model]
    batches: Callable[..., keras.utils.PyDataset]


class Shuffled(keras.utils.PyDataset):
    """Batches in a new order each epoch.

    Args:
        x: Inputs.
        y: Labels, as many.
        seed: Of the orders, and of the changes.
        turned: Called as `turned(input, label, rng)` for each, a change of both.
        batch_size: Of the batches; the last one may be smaller.
    """

    def __init__(self, x, y, seed=0, turned=None, batch_size=16):
        super().__init__()
        self.x, self.y, self.turned, self.batch_size = x, y, turned, batch_size
        self.rng = np.random.default_rng(seed)
        self.order = self.rng.permutation(len(x))

    def __len__(self):
        return -(-len(self.x) // self.batch_size)

    def __getitem__(self, number):
        part = self.order[number * self.batch_size :][: self.batch_size]
        if self.turned is None:
            return self.x[part], self.y[part]
        pairs = [self.turned(self.x[i], self.y[i], self.rng) for i in part]
        x, y = (np.stack(each) for each in zip(*pairs, strict=True))
        return x, y

    def on_epoch_end(self):
        self.order = self.rng.permutation(len(self.x))


def convolutional_network(
    shape,
    least,
    classes=10,
    *,
    windows=(5, 5, 5),
    padding=2,
    least_width=8,
    convolution=None,
):
    """A network for images or volumes with at least as many weights.

    With `convolution`, called as `convolution(filters, window)`, of such layers.
    """
    layers = keras.layers

    def of_rank(name, *arguments, **settings):
        return getattr(layers, f"{name}{len(shape) - 1}D")(*arguments, **settings)

    def plain(filters, window):
        return of_rank("Conv", filters, window, padding="same", use_bias=False)

    width = least_width
    while True:
        model = keras.Sequential([keras.Input(shape), of_rank("ZeroPadding", padding)])
        for number, window in enumerate(windows):
            filters = width * 2**number
            model.add((convolution or plain)(filters, window))
            model.add(layers.BatchNormalization(momentum=0.9))
            model.add(layers.ReLU())
            if number < len(windows) - 1:
                model.add(of_rank("AveragePooling", 2))
        model.add(of_rank("GlobalAveragePooling"))
        model.add(layers.Dropout(0.2))
        model.add(layers.Dense(classes))
        if model.count_params() >= least:
            return model
        width += 1


def train(model, data, epochs, largest_rate, callbacks=()):
    """Trains with a rate that rises and falls, and returns the CPU seconds."""
    steps = len(data) * epochs
    rate = keras.optimizers.schedules.CosineDecay(
        largest_rate / 10,
        max(steps - steps // 8, 1),
        warmup_target=largest_rate,
        warmup_steps=steps // 8,
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=1e-4)
    model.compile(optimizer, loss, metrics=["accuracy"])
    start = time.process_time()
    model.fit(data, epochs=epochs, verbose=0, callbacks=list(callbacks))
    return time.process_time() - start


def accuracy(model, x, y):
    """The fraction of inputs whose class is the most probable one."""
    return float(np.mean(np.argmax(model.predict(x, verbose=0, batch_size=50), -1) == y))


def weights(model):
    """How many numbers are trained."""
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def seconds_per_epoch(network, x, y):
    """Of training: the median of some epochs, after the first, which compiles."""
    model, ends = network.build(), []
    clock = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: ends.append(time.process_time())
    )
    train(model, network.batches(x, y, 0), 4, 1e-4, callbacks=[clock])
    return np.median(np.diff(ends))


def compare(networks, draw, numbers, epochs, seeds, score=accuracy, rates=RATES):
    """Prints a table of networks, and returns the scores of each.

    Args:
        networks: Each `Network` by its name, first the one whose epochs are given.
        draw: From a number of samples and a seed to inputs and labels.
        numbers: How many to train on, to validate on and to test on.
        epochs: Of the first network.
        seeds: How many draws to train on.
        score: From a model, inputs and labels to a number, the larger the better.
        rates: Largest rates of learning to choose from.
    """
    print(f"Backend: {keras.config.backend()}, {numbers[0]} samples to train on")
    example = draw(numbers[0], VALIDATION)
    check, test = draw(numbers[1], VALIDATION + 1), draw(numbers[2], TEST)
    print("network              weights  epochs    rate  CPU seconds   score")
    budget, scores = None, {}
    for name, network in networks.items():
        one = seconds_per_epoch(network, *example)
        budget = budget or epochs * one
        some = max(round(budget / one), 1)
        found = {}
        for rate in rates:
            keras.utils.set_random_seed(0)
            model = network.build()
            train(model, network.batches(*example, 0), some, rate)
            found[rate] = score(model, *check)
        rate = max(found, key=found.get)
        print(f"  {name}, validation:", {r: f"{s:.3f}" for r, s in found.items()})
        for seed in range(seeds):
            keras.utils.set_random_seed(seed)
            model = network.build()
            data = network.batches(*draw(numbers[0], TRAINING + seed), seed)
            seconds = train(model, data, some, rate)
            scores.setdefault(name, []).append(score(model, *test))
            print(
                f"{name:18s} {weights(model):9d} {some:7d} {rate:7.0e} "
                f"{seconds:12.0f} {scores[name][-1]:7.4f}",
                flush=True,
            )
    for name, values in scores.items():
        print(f"{name}: {np.mean(values):.4f} +- {np.std(values):.4f}")
    return scores
