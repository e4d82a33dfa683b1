# %% [markdown]
# # Discover a symmetry in data
#
# A function of two vectors in five dimensions,
# `sin |x_1| - |x_2|^3 / 2 + x_1 . x_2 / (|x_1| |x_2|)`, is known by its values only. A
# network learns it; then `find_symmetries` asks the network which linear maps leave it as
# it is. Nobody says how many there are, nor what they are called.
#
# The function is the first task of M. Finzi et al., "A practical method for constructing
# equivariant multilayer perceptrons for arbitrary matrix groups", ICML 2021.

# %%
import argparse
import pathlib
import time

import keras
import numpy as np

from keras_lconv.algebra import principal_angles, so
from keras_lconv.discovery import find_symmetries

# %% [markdown]
# ## Data


# %%
def sample(num, seed):
    """Pairs of vectors `(num, 10)` and the values of the function."""
    x = np.random.default_rng(seed).normal(size=(num, 10))
    lengths = np.linalg.norm(x.reshape(-1, 2, 5), axis=2)
    overlaps = np.sum(x[:, :5] * x[:, 5:], axis=1)
    y = np.sin(lengths[:, 0]) - lengths[:, 1] ** 3 / 2 + overlaps / lengths.prod(axis=1)
    return x.astype("float32"), y[:, None].astype("float32")


# %% [markdown]
# ## A network that knows nothing of symmetry
#
# Smooth, since its derivatives are what counts.


# %%
def fit(x, y, epochs):
    """A plain network, trained with a learning rate that falls to zero."""
    steps = epochs * -(-len(x) // 256)
    normalization = keras.layers.Normalization()
    normalization.adapt(x)
    model = keras.Sequential(
        [
            keras.Input(x.shape[1:]),
            normalization,
            *[keras.layers.Dense(256, activation="swish") for _ in range(3)],
            keras.layers.Dense(1),
        ]
    )
    rate = keras.optimizers.schedules.CosineDecay(2e-3, steps)
    model.compile(keras.optimizers.Adam(rate), "mse")
    model.fit(x, y / np.std(y), batch_size=256, epochs=epochs, verbose=2)
    return model


# %% [markdown]
# ## From data to a name


# %%
def main(arguments=None):
    parser = argparse.ArgumentParser(description="From data to the name of a symmetry.")
    parser.add_argument("--samples", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    options = parser.parse_args(arguments)

    keras.utils.set_random_seed(0)
    start = time.time()
    x, y = sample(options.samples, seed=0)
    model = fit(x, y, options.epochs)
    trained = time.time()
    report = find_symmetries(model, x[:4096], blocks=2)
    print(f"\n{report.summary()}")
    found = time.time()

    x_new, y_new = sample(4096, seed=1)
    error = model.predict(x_new, 512, verbose=0) - y_new / np.std(y)
    print(f"\nBackend: {keras.config.backend()}")
    print(f"Error of the network on new data: {np.std(error):.4f} of the spread")
    angle = None
    if report.dimension:
        angle = np.degrees(np.max(principal_angles(report.algebra, so(5))))
        print(f"Largest principal angle to so(5): {angle:.3f} degrees")
    print(f"Training {trained - start:.0f} s, discovery {found - trained:.1f} s")

    options.output.mkdir(parents=True, exist_ok=True)
    picture = options.output / "discover_symmetry.png"
    report.plot().savefig(picture, dpi=110)
    print(f"Picture: {picture}")
    return report, angle


if __name__ == "__main__":
    main()
