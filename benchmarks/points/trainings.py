"""Trainings of networks for charged bodies, each for the same processor time."""

from collections.abc import Callable

import keras
import numpy as np
from charged_bodies import Motion
from timed import Trained, Training, timed

BATCH = 100


def error(predict: Callable[[Motion], np.ndarray], motion: Motion) -> float:
    """The mean squared error of coordinates."""
    return float(np.mean((predict(motion) - motion.targets) ** 2))


def of_keras(name: str, width: int, train: Motion, seed: int) -> Training:
    """A network of Keras."""
    from networks import NETWORKS

    keras.utils.set_random_seed(seed)
    model = NETWORKS[name](width)
    model.compile(keras.optimizers.Adam(global_clipnorm=1.0), loss="mse")

    def epoch(rate):
        model.optimizer.learning_rate.assign(rate)
        model.fit(list(train[:3]), train.targets, batch_size=BATCH, verbose=0)

    def predict(motion):
        return model.predict(list(motion[:3]), batch_size=500, verbose=0)

    return Training(epoch, predict, model.count_params())


def of_e3nn(width: int, train: Motion, seed: int) -> Training:
    """The network of e3nn, with PyTorch."""
    import torch
    from e3nn_network import Network

    torch.manual_seed(seed)
    torch.set_num_threads(1)
    model = Network(width)
    optimizer = torch.optim.Adam(model.parameters())
    given = [torch.from_numpy(np.ascontiguousarray(each)) for each in train]

    def epoch(rate):
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

    return Training(epoch, predict, sum(each.numel() for each in model.parameters()))


def trained(
    name: str,
    rate: float,
    width: int,
    seconds: float,
    train: Motion,
    seed: int,
    watch: Motion | None = None,
) -> Trained:
    """Trains a network for so many processor seconds, by `timed`.

    Args:
        name: Of the network.
        rate: The first learning rate.
        width: Of the network.
        seconds: Processor seconds.
        train: The samples.
        seed: Of weights and of the order of samples.
        watch: Samples whose error is measured now and then, if given.
    """
    make = of_e3nn if name == "e3nn" else lambda *a: of_keras(name, *a)
    training = make(width, train, seed)
    look = (lambda: error(training.predict, watch)) if watch else None
    return timed(training, rate, seconds, look)
