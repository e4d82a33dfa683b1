"""A step of `PointConv` beside one of a convolution of e3nn, on PyTorch and the CPU."""

import importlib.util
import time

import keras
import numpy as np

from keras_lconv import PointConv
from keras_lconv.algebra import O

BATCH, DEGREE, HIDDEN = 8, 2, 32
# Channels of numbers and of vectors, points, neighbours.
SIZES = [(16, 32, 8), (16, 128, 16), (64, 32, 8), (4, 32, 8)]


def neighbors_of(number: int, each: int) -> np.ndarray:
    """A table `(n, k)` of others."""
    return (np.arange(number)[:, None] + np.arange(1, each + 1)) % number


def _ours(channels, table, numbers, vectors, positions):
    """A step of the layer: forwards, and back to weights and features."""
    import torch

    group = O(3)
    fields = group.trivial() + group.standard
    layer = PointConv(
        channels,
        group,
        representation_in=fields,
        representation_out=fields,
        degree=DEGREE,
        hidden_units=(HIDDEN,),
        data_format="channels_last",
    )
    f = np.concatenate([numbers[:, :, None], vectors], axis=2)
    f, x = torch.tensor(f, requires_grad=True), torch.tensor(positions)
    given = torch.tensor(np.tile(table, (len(f), 1, 1)))
    layer.build([f.shape, x.shape, given.shape])

    def step():
        f.grad = None
        layer.zero_grad()
        torch.sum(layer([f, x, given]) ** 2).backward()

    return step, layer.count_params()


def _e3nns(channels, table, numbers, vectors, positions):
    """The same for e3nn, with spherical harmonics and bumps in each step too."""
    import torch
    from e3nn import o3
    from e3nn_network import BUMPS, Convolution, bumps

    number, each = table.shape
    first = torch.arange(number).repeat_interleave(each)
    second = torch.tensor(table.ravel())
    fields = o3.Irreps(f"{channels}x0e + {channels}x1o")
    harmonics = o3.Irreps.spherical_harmonics(DEGREE)
    layer = Convolution(first, second, fields, fields, harmonics, BUMPS, HIDDEN)
    turning = np.swapaxes(vectors, 2, 3).reshape(*vectors.shape[:2], -1)
    f = torch.tensor(np.concatenate([numbers, turning], axis=2), requires_grad=True)
    x = torch.tensor(positions)

    def step():
        f.grad = None
        layer.zero_grad()
        apart = x[:, second] - x[:, first]
        turned = o3.spherical_harmonics(
            harmonics, apart, normalize=True, normalization="component"
        )
        torch.sum(layer(f, turned, bumps(apart.norm(dim=-1))) ** 2).backward()

    return step, sum(each.numel() for each in layer.parameters())


def seconds_of(steps, rounds: int) -> np.ndarray:
    """Processor seconds of each step, all taken in turn, `(steps, rounds)`."""
    found = np.empty((len(steps), rounds))
    for turn in range(rounds):
        for number, step in enumerate(steps):
            start = time.process_time()
            step()
            found[number, turn] = time.process_time() - start
    return found


def speed(full: bool) -> list[dict]:
    """Times of both layers in one run.

    Args:
        full: Whether with all sizes.

    Returns:
        Rows with the medians of milliseconds, and of the ratio of one turn where there is
        e3nn.
    """
    if keras.config.backend() != "torch":
        raise SystemExit("Set KERAS_BACKEND=torch: e3nn has no other backend.")
    import torch

    torch.set_num_threads(1)
    makers = [_ours]
    if importlib.util.find_spec("e3nn"):
        makers.append(_e3nns)
    rng, rows = np.random.default_rng(0), []
    for channels, number, each in SIZES if full else SIZES[-1:]:
        table = neighbors_of(number, each)
        numbers = rng.normal(size=(BATCH, number, channels)).astype("float32")
        vectors = rng.normal(size=(BATCH, number, 3, channels)).astype("float32")
        positions = rng.normal(size=(BATCH, number, 3)).astype("float32")
        made = [make(channels, table, numbers, vectors, positions) for make in makers]
        times = seconds_of([step for step, _ in made], 40 if full else 2)
        row = {"channels": channels, "points": number, "neighbours": each}
        for name, (_, weights), spent in zip(
            ("PointConv", "e3nn"), made, times, strict=False
        ):
            row[f"{name}, weights"] = weights
            row[f"{name}, ms"] = round(float(1e3 * np.median(spent)), 2)
        if len(times) > 1:
            row["ratio"] = round(float(np.median(times[0] / times[1])), 2)
        rows.append(row)
        print(row, flush=True)
    return rows
