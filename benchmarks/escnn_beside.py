"""Steerable convolutions beside those of escnn, in one run, on PyTorch.

- `speed`: a forward and a backward pass of one layer with the same group, fields, window
  and batch, in turns.
- `mnist`: rotated MNIST with escnn's network of the same form, for as many epochs.

It runs in an environment of its own, since escnn 1.0.11 takes numpy below 2: `pip install
torch keras scipy`, then `pip install --no-deps escnn==1.0.11 lie_learn==0.0.2 numpy==1.26.4
pymanopt joblib autograd requests`, and this package with `--no-deps`.

Usage: python benchmarks/escnn_beside.py {speed,mnist} [--quick] [--folder FOLDER]
"""

import argparse
import pathlib
import time

import keras
import numpy as np
import torch
from comparison import accuracy, train, weights
from escnn import gspaces
from escnn import nn as escnn_nn
from steerable import load

from keras_lconv import SteerableConv
from keras_lconv.datasets import RandomRotations, rotate_images
from keras_lconv.models import steerable_classifier


def types(space, filters, kind):
    """Fields in escnn's terms."""
    if kind == "regular":
        return escnn_nn.FieldType(space, filters * [space.regular_repr])
    irreps = [space.irrep(k) for k in range(kind + 1)]
    return escnn_nn.FieldType(space, filters * irreps)


class EscnnLayer(torch.nn.Module):
    """A convolution of escnn, from tensor to tensor."""

    def __init__(self, fields):
        super().__init__()
        self.fields = fields
        self.conv = escnn_nn.R2Conv(fields, fields, kernel_size=5, padding=2)

    def forward(self, x):
        return self.conv(escnn_nn.GeometricTensor(x, self.fields)).tensor


def passes(layer, x):
    """The seconds of a forward and a backward pass."""
    start = time.perf_counter()
    (layer(x) ** 2).mean().backward()
    seconds = time.perf_counter() - start
    for tensor in (x, *layer.parameters()):
        tensor.grad = None
    return seconds


def compare_speed(repeats):
    """A layer of each, from fields to as many fields."""
    print("group  fields   image      here / escnn   numbers here, escnn")
    for name, kind, filters, size in (
        ("c8", "regular", 8, 28),
        ("c8", "regular", 16, 14),
        ("d8", "regular", 8, 28),
        ("so2", 3, 8, 28),
    ):
        space = {
            "c8": lambda: gspaces.rot2dOnR2(8),
            "d8": lambda: gspaces.flipRot2dOnR2(8),
            "so2": lambda: gspaces.rot2dOnR2(-1, maximum_frequency=6),
        }[name]()
        fields = types(space, filters, kind)
        other = EscnnLayer(fields)
        components = fields.size // filters
        own = SteerableConv(
            filters, 5, group=name, representation_in=kind, representation_out=kind
        )
        x = torch.randn(64, size, size, components, filters, requires_grad=True)
        flat = torch.randn(64, fields.size, size, size, requires_grad=True)
        own(x)
        rows = [(passes(own, x), passes(other, flat)) for _ in range(repeats + 3)]
        here, there = np.median(rows[3:], axis=0)
        count = sum(p.numel() for p in other.parameters())
        print(
            f"{name:5s}  {kind!s:8s} {size}x{size} {here / there:12.2f}       "
            f"{weights(own)}, {count}",
            flush=True,
        )


class EscnnNetwork(torch.nn.Module):
    """What `steerable_classifier` is, for images `(28, 28, 1)` and the group C8."""

    def __init__(self, fields=(8, 12, 16), numbers=64, classes=10):
        super().__init__()
        space = gspaces.rot2dOnR2(8)
        self.input = escnn_nn.FieldType(space, [space.trivial_repr])
        before, parts = self.input, []
        for number, filters in enumerate(fields):
            after = types(space, filters, "regular")
            if number == 2:
                parts.append(escnn_nn.PointwiseAvgPoolAntialiased(before, 0.66, stride=2))
            settings = (
                {"kernel_size": 5, "padding": 2}
                if number
                else {"kernel_size": 8, "padding": 3, "stride": 2}
            )
            parts += [
                escnn_nn.R2Conv(before, after, bias=False, **settings),
                escnn_nn.InnerBatchNorm(after),
                escnn_nn.ReLU(after, inplace=True),
            ]
            before = after
        after = escnn_nn.FieldType(space, numbers * [space.trivial_repr])
        parts += [
            escnn_nn.R2Conv(before, after, kernel_size=5, padding=2, bias=False),
            escnn_nn.InnerBatchNorm(after),
            escnn_nn.ReLU(after, inplace=True),
        ]
        self.body = escnn_nn.SequentialModule(*parts)
        self.head = torch.nn.Sequential(
            torch.nn.Dropout(0.2), torch.nn.Linear(numbers, classes)
        )

    def forward(self, images):
        """Logits of images with the channels last."""
        padded = torch.nn.functional.pad(images.permute(0, 3, 1, 2), (2, 2, 2, 2))
        features = self.body(escnn_nn.GeometricTensor(padded, self.input)).tensor
        return self.head(features.mean(dim=(2, 3)))


def compare_accuracy(options):
    """Both networks on rotated MNIST, with the same batches."""
    num_train, num_test, epochs = (2000, 2000, 4) if options.quick else (12_000, 10_000, 8)
    (x, y), (x_test, y_test) = load("mnist", options.folder)
    x, y, x_test, y_test = (
        x[:num_train],
        y[:num_train],
        x_test[:num_test],
        y_test[:num_test],
    )
    rng = np.random.default_rng(options.seed)
    x_test = rotate_images(x_test, rng.uniform(0, 360, len(x_test)))
    x = rotate_images(x, rng.uniform(0, 360, len(x)))
    print("network   weights  epochs  CPU seconds  accuracy")
    for name in options.networks:
        keras.utils.set_random_seed(options.seed)
        if name == "here":
            model = steerable_classifier(classifier_activation=None)
        else:
            inputs = keras.Input((28, 28, 1))
            network = keras.layers.TorchModuleWrapper(EscnnNetwork(), output_shape=(10,))
            model = keras.Model(inputs, network(inputs))
        data = RandomRotations(x, y, max_degrees=45, batch_size=64, seed=options.seed)
        seconds = train(model, data, options.epochs or epochs, options.rate)
        print(
            f"{name:8s} {weights(model):8d} {options.epochs or epochs:7d} {seconds:12.0f} "
            f"{accuracy(model, x_test, y_test):9.4f}",
            flush=True,
        )


def main(arguments=None):
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["speed", "mnist"])
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--folder", type=pathlib.Path, help="of the four files of the data")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--rate", type=float, default=1e-2, help="the largest one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--networks", nargs="+", default=["here", "escnn"])
    options = parser.parse_args(arguments)
    if options.what == "speed":
        compare_speed(8 if options.quick else 30)
    else:
        compare_accuracy(options)


if __name__ == "__main__":
    main()
