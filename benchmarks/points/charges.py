"""Errors of networks for charged bodies, each trained for the same time."""

import itertools
import math
import time

import keras
import numpy as np
from charged_bodies import Motion, simulate

TRAIN, VALIDATE, TEST = 3000, 2000, 2000
BATCH = 100
# Found by `--tune`: learning rate and width.
SETTINGS = {
    "perceptron": (1e-3, 256),
    "messages": (3e-3, 48),
    "EGNN": (3e-3, 48),
    "e3nn": (1e-2, 16),
    "PointConv": (1e-2, 32),
}
# The settings that `--tune` tries for each network: three rates, and half of the width.
RATES = (1e-3, 3e-3, 1e-2)


def trials(name):
    """Pairs of a rate and a width."""
    width = SETTINGS[name][1]
    return [*((rate, width) for rate in RATES), (RATES[1], width // 2)]


class Budget:
    """Processor seconds that a training may take, and the learning rate as they go.

    The time counts from the second epoch on: compilation is in the first.
    """

    def __init__(self, seconds: float, rate: float):
        self.seconds, self.rate = seconds, rate
        self.start, self.epochs = None, 0

    def next_rate(self) -> float | None:
        """The rate of the next epoch, falling as a cosine; `None` when time is up."""
        if self.epochs == 1:
            self.start = time.process_time()
        spent = 0.0 if self.epochs < 1 else time.process_time() - self.start
        self.epochs += 1
        share = spent / self.seconds
        if share >= 1:
            return None
        return self.rate * 0.5 * (1 + math.cos(math.pi * share)) + 1e-7


class _Schedule(keras.callbacks.Callback):
    """A budget as a callback of Keras."""

    def __init__(self, budget: Budget):
        super().__init__()
        self.budget = budget

    def on_epoch_begin(self, epoch, logs=None):
        rate = self.budget.next_rate()
        if rate is not None:
            self.model.optimizer.learning_rate.assign(rate)

    def on_epoch_end(self, epoch, logs=None):
        budget = self.budget
        if budget.start is not None:
            spent = time.process_time() - budget.start
            self.model.stop_training = spent >= budget.seconds


def _keras(name, width, train: Motion, budget: Budget, seed: int):
    """Trains a network of Keras, and gives how it predicts and its number of weights."""
    from networks import NETWORKS

    keras.utils.set_random_seed(seed)
    model = NETWORKS[name](width)
    model.compile(keras.optimizers.Adam(budget.rate, global_clipnorm=1.0), loss="mse")
    model.fit(
        list(train[:3]),
        train.targets,
        batch_size=BATCH,
        epochs=10**6,
        verbose=0,
        callbacks=[_Schedule(budget)],
    )

    def predict(motion):
        return model.predict(list(motion[:3]), batch_size=500, verbose=0)

    return predict, model.count_params()


def _e3nn(width, train: Motion, budget: Budget, seed: int):
    """The same with e3nn and PyTorch, by the same rule."""
    import torch
    from e3nn_network import Network

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    model = Network(width)
    optimizer = torch.optim.Adam(model.parameters(), budget.rate)
    given = [torch.from_numpy(np.ascontiguousarray(each)) for each in train]
    while (rate := budget.next_rate()) is not None:
        optimizer.param_groups[0]["lr"] = rate
        for rows in torch.randperm(len(given[0])).split(BATCH):
            *inputs, targets = (each[rows] for each in given)
            optimizer.zero_grad()
            torch.mean((model(*inputs) - targets) ** 2).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

    def predict(motion):
        inputs = (torch.from_numpy(np.ascontiguousarray(each)) for each in motion[:3])
        with torch.no_grad():
            return model(*inputs).numpy()

    return predict, sum(each.numel() for each in model.parameters())


def trained(name, rate, width, train, seconds, seed):
    """The error of a network after a number of seconds, with its weights and epochs."""
    budget = Budget(seconds, rate)
    if name == "e3nn":
        predict, weights = _e3nn(width, train, budget, seed)
    else:
        predict, weights = _keras(name, width, train, budget, seed)
    return predict, weights, budget.epochs


def error(predict, motion: Motion) -> float:
    """The mean squared error of coordinates."""
    return float(np.mean((predict(motion) - motion.targets) ** 2))


def along_a_line(motion: Motion, train: Motion) -> float:
    """The error of bodies that keep their velocities, for the best time."""
    moved = train.targets - train.positions
    duration = np.sum(moved * train.velocities) / np.sum(train.velocities**2)
    return error(lambda m: m.positions + duration * m.velocities, motion)


def charges(full: bool, networks=None, seconds=None, tune=False) -> list[dict]:
    """Trains each network for the same time.

    Args:
        full: Whether with all samples, and minutes for each network.
        networks: Names of networks; without any all but that of e3nn.
        seconds: Processor seconds for each.
        tune: Whether to try learning rates and widths instead, on validation samples.

    Returns:
        Rows with the errors.
    """
    seconds = seconds or (60.0 if full else 0.5)
    sizes = (TRAIN, VALIDATE, TEST) if full or tune else (200, 100, 100)
    ends = np.cumsum((0, *sizes))
    motion = simulate(int(ends[-1]), seed=0, **({} if full or tune else {"before": 500}))
    train, validate, test = (motion.part(*both) for both in itertools.pairwise(ends))
    names = networks or [name for name in SETTINGS if name != "e3nn"]
    if tune:
        rows = []
        for name in names:
            for rate, width in trials(name):
                predict, *_ = trained(name, rate, width, train, seconds, seed=1)
                found = {"validation": error(predict, validate)}
                rows.append({"network": name, "rate": rate, "width": width, **found})
                print(rows[-1], flush=True)
        return rows
    rows = [{"network": "straight lines", "test": along_a_line(test, train)}]
    for name in names:
        predict, weights, epochs = trained(name, *SETTINGS[name], train, seconds, seed=0)
        rows.append(
            {
                "network": name,
                "weights": weights,
                "epochs": epochs,
                "validation": error(predict, validate),
                "test": error(predict, test),
            }
        )
        print(rows[-1], flush=True)
    return rows
