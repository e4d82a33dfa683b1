# %% [markdown]
# # From data to an equivariant network
#
# A network with the symmetry of its data learns from fewer samples. Usually the symmetry
# has to be known. Here it is found in the training points:
#
# 1. `fit_symmetries` finds the Lie algebra of a function from 1,000 of its values.
# 2. `nearest_closed` moves the matrices, which have errors, to an algebra nearby.
# 3. `equivariant_mlp` builds a network that commutes with this algebra.
#
# The function is the first task of M. Finzi et al., "A practical method for constructing
# equivariant multilayer perceptrons for arbitrary matrix groups", ICML 2021, of
# two vectors in five dimensions:
#
# $$
# y = \sin |x_1| - \frac{|x_2|^3}{2} + \frac{x_1 \cdot x_2}{|x_1| |x_2|}.
# $$

# %%
import argparse
import pathlib
import time

import keras
import numpy as np

from keras_lconv.algebra import LieAlgebra, principal_angles, so
from keras_lconv.discovery import fit_symmetries
from keras_lconv.models import equivariant_mlp

# %% [markdown]
# ## Data


# %%
def sample(num, seed):
    """Pairs of vectors `(num, 10)` and the values of the function."""
    x = np.random.default_rng(seed).normal(size=(num, 10))
    lengths = np.linalg.norm(x.reshape(-1, 2, 5), axis=2)
    overlaps = np.sum(x[:, :5] * x[:, 5:], axis=1)
    y = np.sin(lengths[:, 0]) - lengths[:, 1] ** 3 / 2 + overlaps / lengths.prod(axis=1)
    return x, y


# %% [markdown]
# ## Training
#
# Every model is trained in the same way. Errors are root mean square errors on 5,000 new
# points, in units of the standard deviation: the mean value as a guess has the error 1.


# %%
def error_of(model, data, test, epochs):
    """Trains a model; the error on new points, and what it predicts there."""
    (x, y), (new_x, new_y) = data, test
    mean, spread = np.mean(y), np.std(y)
    batch_size = 50
    steps = epochs * -(-len(x) // batch_size)
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    model.compile(keras.optimizers.Adam(rate), "mse")
    model.fit(x, (y - mean) / spread, batch_size=batch_size, epochs=epochs, verbose=0)
    predicted = mean + spread * model.predict(new_x, batch_size=1000, verbose=0)[:, 0]
    error = np.sqrt(np.mean((predicted - new_y) ** 2)) / np.std(new_y)
    return float(error), predicted


def plain_mlp():
    """A perceptron that knows of no symmetry; it has more weights than the others."""
    hidden = [keras.layers.Dense(96, activation="swish") for _ in range(2)]
    return keras.Sequential([keras.Input((10,)), *hidden, keras.layers.Dense(1)])


def num_weights(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


# %% [markdown]
# ## The algebra, and the network
#
# The algebra that is found has a small error, because the symmetry of the fitted network
# differs from that of the function. With `learn_frame` training corrects the frame of the
# algebra in the five dimensions. The algebra itself stays the same.


# %%
def compare(seed, points, epochs, discovery_epochs, test):
    """Finds the algebra and trains all models, for one draw of the points."""
    keras.utils.set_random_seed(seed)
    data = sample(points, seed)
    report = fit_symmetries(*data, blocks=2, epochs=discovery_epochs, verbose=0)
    print(f"\nSeed {seed}\n{report.summary()}")
    algebra = report.algebra.nearest_closed()
    shape = {"blocks": 2, "hidden_units": (32, 32, 32), "vectors": 8}
    models = {
        "plain": plain_mlp(),
        "found": equivariant_mlp(algebra, **shape, learn_frame=True),
        "known": equivariant_mlp(so(5), **shape),
    }
    errors, predictions = {}, {}
    for name, model in models.items():
        start = time.time()
        errors[name], predictions[name] = error_of(model, data, test, epochs)
        print(
            f"{name}: error {errors[name]:.4f}, {num_weights(model)} weights, "
            f"{time.time() - start:.0f} s"
        )
    angles = None
    if algebra.dimension == 10:
        frame = keras.ops.convert_to_numpy(models["found"].get_layer("frame").kernel)
        turned = LieAlgebra(np.linalg.solve(frame, algebra.basis @ frame))
        angles = [
            float(np.degrees(np.max(principal_angles(found, so(5)))))
            for found in (report.algebra, turned)
        ]
        print(
            f"Largest angle to so(5): {angles[0]:.2f}, in the end {angles[1]:.2f} degrees"
        )
    return errors, predictions, angles


# %% [markdown]
# ## The comparison

# %%
LABELS = {
    "plain": "plain perceptron",
    "found": "equivariant,\nalgebra from the data",
    "known": "equivariant,\nalgebra known",
}
COLORS = {"plain": "gray", "found": "C0", "known": "C2"}


def plot(results, test, picture):
    """Errors of all seeds, and the predictions for the last one."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import LogLocator, NullFormatter

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    for row, name in enumerate(LABELS):
        values = [errors[name] for errors, _, _ in results]
        left.plot(values, [row] * len(values), "o", color=COLORS[name], alpha=0.6)
        mean = float(np.mean(values))
        left.plot([mean] * 2, [row - 0.25, row + 0.25], color=COLORS[name], linewidth=3)
        left.annotate(
            f"{mean:.4f}", (mean, row - 0.3), ha="center", va="bottom", color=COLORS[name]
        )
    left.set(
        xscale="log",
        xlabel="relative error on new points",
        yticks=range(len(LABELS)),
        yticklabels=LABELS.values(),
        ylim=(len(LABELS) - 0.5, -0.7),
    )
    left.margins(x=0.15)
    left.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    left.xaxis.set_major_formatter("{x:g}")
    left.xaxis.set_minor_formatter(NullFormatter())
    left.set_title("Test error, a dot for each seed")
    left.grid(axis="x", which="both", alpha=0.3)
    _, predictions, _ = results[-1]
    for name in ("plain", "found"):
        right.plot(
            test[1],
            predictions[name] - test[1],
            ".",
            markersize=3,
            alpha=0.5,
            color=COLORS[name],
            label=LABELS[name].replace("\n", " "),
            rasterized=True,
        )
    right.set(xlabel="value of the function", ylabel="predicted minus true value")
    right.set_title("Errors point by point")
    right.legend(markerscale=4, loc="upper right")
    figure.savefig(picture, dpi=110)


# %%
def main(arguments=None):
    parser = argparse.ArgumentParser(description="A network for a symmetry found in data.")
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--discovery-epochs", type=int, default=None)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    options = parser.parse_args(arguments)

    start = time.time()
    test = sample(5000, seed=1000)
    results = [
        compare(seed, options.points, options.epochs, options.discovery_epochs, test)
        for seed in range(options.seeds)
    ]
    means = {name: np.mean([errors[name] for errors, _, _ in results]) for name in LABELS}
    print(f"\nMean errors, seeds: {options.seeds}, points each: {options.points}")
    for name, mean in means.items():
        print(f"{name}: {mean:.4f}, {means['plain'] / mean:.1f} times less than plain")
    print(f"Backend: {keras.config.backend()}, {time.time() - start:.0f} s")

    options.output.mkdir(parents=True, exist_ok=True)
    picture = options.output / "equivariant_network.png"
    plot(results, test, picture)
    print(f"Picture: {picture}")
    return results


if __name__ == "__main__":
    main()

# %% [markdown]
# Both equivariant networks have far smaller errors than the plain one, with fewer weights.
# The algebra from the data is as good as the known one: training the frame brings it closer
# to so(5).
