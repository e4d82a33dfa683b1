# %% [markdown]
# # Discover a symmetry in data
#
# A function of two vectors in five dimensions is known by its values only:
#
# $$
# y = \sin |x_1| - \frac{|x_2|^3}{2} + \frac{x_1 \cdot x_2}{|x_1| |x_2|}.
# $$
#
# `fit_symmetries` trains a network without any symmetry, and finds the linear maps that
# leave it unchanged. Their number and their name are part of the answer.
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
from keras_lconv.discovery import fit_symmetries

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
# ## From data to a name


# %%
def main(arguments=None):
    parser = argparse.ArgumentParser(description="From data to the name of a symmetry.")
    parser.add_argument("--samples", type=int, default=8000)
    parser.add_argument("--epochs", type=int, default=25)
    parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
    options = parser.parse_args(arguments)

    keras.utils.set_random_seed(0)
    start = time.time()
    x, y = sample(options.samples, seed=0)
    report = fit_symmetries(x, y, blocks=2, epochs=options.epochs, verbose=2)
    print(f"\n{report.summary()}")
    print(f"\nBackend: {keras.config.backend()}, {time.time() - start:.0f} s")
    angle = None
    if report.dimension == 10:
        angle = np.degrees(np.max(principal_angles(report.algebra, so(5))))
        print(f"Largest principal angle to so(5): {angle:.3f} degrees")

    options.output.mkdir(parents=True, exist_ok=True)
    picture = options.output / "discover_symmetry.png"
    report.plot().savefig(picture, dpi=110)
    print(f"Picture: {picture}")
    return report, angle


if __name__ == "__main__":
    main()

# %% [markdown]
# The spectrum has ten small values before its gap: ten generators. Their brackets are those
# of so(5), the rotations of five dimensions, which act on both vectors alike: the function
# depends on the lengths of the vectors and on the angle between them. The principal angle
# measures how far the span is from that of the exact matrices.
