"""A training for so many processor seconds."""

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

# How often errors are measured while a network trains.
LOOKS = 8


class Training(NamedTuple):
    """A network with what trains it.

    Args:
        epoch: Trains once on all samples, at a given learning rate.
        predict: What the network says of inputs.
        weights: Number of weights.
    """

    epoch: Callable[[float], None]
    predict: Callable[[Any], Any]
    weights: int


class Trained(NamedTuple):
    """What came out.

    Args:
        predict: What the network says of inputs.
        weights: Number of weights.
        epochs: How often it saw all samples.
        curve: Pairs of processor seconds and errors.
    """

    predict: Callable[[Any], Any]
    weights: int
    epochs: int
    curve: list[tuple[float, float]]


def timed(
    training: Training,
    rate: float,
    seconds: float,
    error: Callable[[], float] | None = None,
) -> Trained:
    """Trains a network for so many processor seconds.

    The learning rate falls as a cosine of the time, which counts from the second epoch on:
    compilation is in the first. Measured errors take no time either.

    Args:
        training: The network.
        rate: The first learning rate.
        seconds: Processor seconds.
        error: Measures the network now and then, if given.
    """
    training.epoch(rate)
    spent, epochs, curve = 0.0, 1, []
    while spent < seconds:
        start = time.process_time()
        training.epoch(rate * (0.5 + 0.5 * math.cos(math.pi * spent / seconds)) + 1e-7)
        spent += time.process_time() - start
        epochs += 1
        if error and spent >= seconds * (len(curve) + 1) / LOOKS:
            curve.append((spent, error()))
    return Trained(training.predict, training.weights, epochs, curve)
