"""Time and memory of training, as the number of points and of neighbours grows."""

import gc
import resource
import time

import keras
import numpy as np

from keras_lconv.models import point_network

BATCH = 8
# Numbers of points and of neighbours, with more and more pairs.
SIZES = [(250, 4), (125, 16), (250, 8), (250, 16), (500, 16), (250, 32), (1000, 16)]
SIZES_OF_QUICK = [(10, 4), (20, 4)]


def model_of(number: int):
    """A compiled network on a number of points, with a given table of neighbours."""
    model = point_network(
        input_shape=(number, 3),
        classes=1,
        classifier_activation=None,
        filters=(16, 16),
        neighbor_table=True,
    )
    model.compile(keras.optimizers.SGD(1e-3), loss="mse")
    return model


def samples(number: int, neighbors: int):
    """Features, positions in a cube of as many units, tables and targets."""
    rng = np.random.default_rng(0)
    positions = rng.uniform(size=(BATCH, number, 3)) * number ** (1 / 3)
    table = rng.integers(0, number, (BATCH, number, neighbors))
    features = rng.normal(size=(BATCH, number, 1))
    arrays = (features, positions.astype("float32"), table.astype("int32"))
    return [arrays[0].astype("float32"), *arrays[1:]], np.zeros((BATCH, 1), "float32")


def step(number: int, neighbors: int, repeats: int) -> float:
    """Processor seconds of a training step: the least of some."""
    model, (x, y) = model_of(number), samples(number, neighbors)
    model.train_on_batch(x, y)
    found = []
    for _ in range(repeats):
        start = time.process_time()
        model.train_on_batch(x, y)
        found.append(time.process_time() - start)
    return min(found)


def growth(full: bool) -> list[dict]:
    """Steps of networks of growing numbers of points and neighbours, batches of 8.

    Args:
        full: Whether up to 1,000 points and 32 neighbours.

    Returns:
        Rows with the seconds of a step, and the peak of the memory of the process so far.
    """
    rows = []
    for number, neighbors in SIZES if full else SIZES_OF_QUICK:
        seconds = step(number, neighbors, repeats=8 if full else 1)
        gc.collect()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        rows.append(
            {
                "points": number,
                "neighbours": neighbors,
                "seconds": round(seconds, 4),
                "peak GiB": round(peak, 2),
            }
        )
        print(rows[-1], flush=True)
    return rows
