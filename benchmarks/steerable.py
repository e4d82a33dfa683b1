"""Steerable convolutions beside plain ones: speed, and accuracy at any angle.

- `speed`: a training step of a `SteerableConv` and of a convolution with the same window
  and as many channels, in turns; inference before and after `to_conv`; the time to build.
  On a GPU take `--batch 512`, with `--policy float32` and `--policy mixed_bfloat16`.
- `fashion`: Fashion-MNIST, upright images to train on, tested upright and at random angles.
- `mnist`: rotated MNIST, images at random angles to train on and to test on.

The last two compare `steerable_classifier` with a convolutional network of at least as
many weights. In each epoch the steerable network sees each image at a new angle of up to 45
degrees, and the convolutional one at any angle; `steerable-upright` and `cnn-upright` see
images as they are. Choose rates with `--validate`. Data are what `keras.datasets` loads, or
the four files of `--folder`, such as those of the Debian package dataset-fashion-mnist in
/usr/share/datasets/fashion-mnist.

Usage: python benchmarks/steerable.py {speed,fashion,mnist} [--quick] [--folder FOLDER]
"""

import argparse
import gzip
import pathlib
import time

import keras
import numpy as np
from comparison import convolutional_network, train

from keras_lconv import SteerableConv
from keras_lconv.convert import to_conv
from keras_lconv.datasets import RandomRotations, rotate_images
from keras_lconv.models import steerable_classifier

layers = keras.layers


# ------------------------------------------------------------------------------- speed


def steps_in_turns(models, shapes, repeats, batch):
    """The median time of a training step of each model, taken in turns."""
    rng = np.random.default_rng(0)
    data = [
        (rng.normal(size=(batch, *s)), np.zeros((batch, *model.output_shape[1:])))
        for model, s in zip(models, shapes, strict=True)
    ]
    for model in models:
        model.compile("sgd", "mse")
    times = []
    for _ in range(repeats + 3):
        row = []
        for model, (x, y) in zip(models, data, strict=True):
            start = time.perf_counter()
            model.train_on_batch(x, y)
            row.append(time.perf_counter() - start)
        times.append(row)
    return np.median(times[3:], axis=0)


def compare_speed(quick, batch):
    """A steerable layer and a plain one, of the same window and number of channels."""
    repeats = 10 if quick else 40
    rows = [("c8", 8, (28, 28), 5, 8), ("c8", 8, (14, 14), 5, 16)]
    if not quick:
        rows += [("so2", 7, (28, 28), 5, 8), ("d8", 16, (28, 28), 5, 8)]
        rows += [("so3", 9, (10, 10, 10), 3, 8)]
    print("group  window  channels  image        step / plain  after to_conv / plain")
    for group, size, shape, window, filters in rows:
        fields = "regular" if group[0] in "cd" else {7: 3, 9: 2}[size]
        channels = size * filters
        start = time.perf_counter()
        steerable = keras.Sequential(
            [
                keras.Input((*shape, size, filters)),
                SteerableConv(
                    filters,
                    window,
                    group=group,
                    representation_in=fields,
                    representation_out=fields,
                ),
                layers.Flatten(),
                layers.Dense(1),
            ]
        )
        seconds = time.perf_counter() - start
        conv = {2: layers.Conv2D, 3: layers.Conv3D}[len(shape)]
        plain = keras.Sequential(
            [
                keras.Input((*shape, channels)),
                conv(channels, window, padding="same"),
                layers.Flatten(),
                layers.Dense(1),
            ]
        )
        shapes = [(*shape, size, filters), (*shape, channels)]
        step = steps_in_turns([steerable, plain], shapes, repeats, batch)
        ratio = inference_ratio(to_conv(steerable), plain, shapes, repeats, batch)
        print(
            f"{group:5s} {window:7d} {channels:9d}  {shape!s:12s} {step[0] / step[1]:12.2f}"
            f" {ratio:22.2f}    (built in {seconds:.2f} s)"
        )


def inference_ratio(converted, plain, shapes, repeats, batch):
    """The time of a batch in inference, relative to that of a plain model."""
    rng = np.random.default_rng(0)
    data = [rng.normal(size=(batch, *shape)).astype("float32") for shape in shapes]
    times = []
    for _ in range(repeats + 3):
        row = []
        for model, x in zip((converted, plain), data, strict=True):
            start = time.perf_counter()
            model.predict_on_batch(x)
            row.append(time.perf_counter() - start)
        times.append(row)
    first, second = np.median(times[3:], axis=0)
    return first / second


# ---------------------------------------------------------------------------- accuracy


def load(name, folder):
    """Images `(num, 28, 28, 1)` from 0 to 1 and labels, to train on and to test."""
    if folder is None:
        parts = getattr(keras.datasets, name).load_data()
    else:
        parts = [
            (
                read(folder, f"{part}-images-idx3-ubyte", 16).reshape(-1, 28, 28),
                read(folder, f"{part}-labels-idx1-ubyte", 8),
            )
            for part in ("train", "t10k")
        ]
    return [(x[..., None].astype("float32") / 255, y) for x, y in parts]


def read(folder, name, header):
    """The bytes of a file after its header, packed or not."""
    packed = folder / f"{name}.gz"
    content = packed.read_bytes() if packed.exists() else (folder / name).read_bytes()
    content = gzip.decompress(content) if packed.exists() else content
    return np.frombuffer(content, dtype="uint8", offset=header)


def compare_accuracy(name, options, seed):
    """The steerable network, and a convolutional one with images at random angles.

    Returns:
        For each network the CPU seconds, and the errors at upright and at random angles.
    """
    num_train, num_test, epochs = {
        ("fashion", True): (4_000, 2_000, 4),
        ("fashion", False): (20_000, 10_000, 8),
        ("mnist", True): (2_000, 2_000, 4),
        ("mnist", False): (12_000, 10_000, 20),
    }[name, options.quick]
    epochs = options.epochs or epochs
    dataset = "fashion_mnist" if name == "fashion" else "mnist"
    (x, y), (x_test, y_test) = load(dataset, options.folder)
    x, y = x[:num_train], y[:num_train]
    x_test, y_test = x_test[:num_test], y_test[:num_test]
    if options.validate:
        # Validation data are neither for training nor for testing.
        (x_all, y_all), _ = load(dataset, options.folder)
        x_test, y_test = x_all[-num_test:], y_all[-num_test:]
    rng = np.random.default_rng(seed)
    x_random = rotate_images(x_test, rng.uniform(0, 360, len(x_test)))
    if name == "mnist":
        x = rotate_images(x, rng.uniform(0, 360, len(x)))
    print("network             weights  epochs  CPU seconds  upright  random angles")
    budget, results = None, {}
    arguments = {"group": options.group, "size": options.size}
    for network in options.networks:
        keras.utils.set_random_seed(seed)
        model = steerable_classifier(classifier_activation=None, **arguments)
        degrees = 45
        if network.startswith("cnn"):
            model = convolutional_network(x.shape[1:], model.count_params())
            degrees = 180
        data = RandomRotations(
            x,
            y,
            max_degrees=0 if network.endswith("upright") else degrees,
            batch_size=64,
            seed=seed,
        )
        some = epochs
        if budget is not None:
            # As many epochs as fit into the time of the first network.
            copy = keras.models.clone_model(model)
            some = max(int(budget / train(copy, data, 1, options.rate)), 1)
        seconds = train(model, data, some, options.rate)
        if options.equal_time and budget is None:
            budget = seconds
        found = [
            model.evaluate(images, y_test, verbose=0, batch_size=500)[1]
            for images in (x_test, x_random)
        ]
        print(
            f"{network:18s} {model.count_params():8d} {some:7d} {seconds:12.0f} "
            f"{found[0]:8.4f} {found[1]:14.4f}",
            flush=True,
        )
        results[network] = (seconds, *(1 - accuracy for accuracy in found))
    return results


def summarize(runs, picture):
    """Means over seeds with their spread, and a plot of errors against time."""
    for network in runs[0]:
        errors = 100 * np.array([run[network][2] for run in runs])
        print(f"{network}: error {errors.mean():.2f} +- {errors.std():.2f} percent")
    if picture:
        import matplotlib.pyplot as plt

        figure, axis = plt.subplots(figsize=(5, 4), layout="constrained")
        for network in runs[0]:
            seconds, _, errors = np.array([run[network] for run in runs]).T
            axis.plot(seconds, 100 * errors, "o", label=network)
        axis.set(
            xlabel="CPU seconds of training",
            ylabel="error at random angles, percent",
            xlim=(0, None),
            ylim=(0, None),
        )
        axis.legend()
        figure.savefig(picture, dpi=110)


def main(arguments=None):
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["speed", "fashion", "mnist"])
    parser.add_argument("--quick", action="store_true", help="a few minutes on one core")
    parser.add_argument("--folder", type=pathlib.Path, help="of the four files of the data")
    parser.add_argument("--group", default="c8")
    parser.add_argument("--size", default="small")
    parser.add_argument("--epochs", type=int)
    parser.add_argument(
        "--equal-time", action="store_true", help="all train as long as the first network"
    )
    parser.add_argument("--rate", type=float, default=5e-3, help="the largest one")
    parser.add_argument("--batch", type=int, default=64, help="for `speed`")
    parser.add_argument("--policy", default="float32", help="of the dtypes, for `speed`")
    parser.add_argument("--seed", type=int, default=0, help="the first one")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--plot", type=pathlib.Path, help="a file, for errors and times")
    parser.add_argument("--networks", nargs="+", default=["steerable", "cnn"])
    parser.add_argument("--validate", action="store_true", help="on images to train on")
    options = parser.parse_args(arguments)
    print(f"Backend: {keras.config.backend()}")
    if options.what == "speed":
        keras.config.set_dtype_policy(options.policy)
        print(f"Policy: {options.policy}, batches of {options.batch}")
        compare_speed(options.quick, options.batch)
    else:
        seeds = range(options.seed, options.seed + options.seeds)
        runs = [compare_accuracy(options.what, options, seed) for seed in seeds]
        summarize(runs, options.plot)


if __name__ == "__main__":
    main()
