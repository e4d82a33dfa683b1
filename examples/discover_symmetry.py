# %% [markdown]
# # Discover a symmetry in data
#
# Only values of a function of two vectors in five dimensions are known:
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

import keras
import numpy as np

from keras_lconv.algebra import principal_angles, so
from keras_lconv.discovery import fit_symmetries

parser = argparse.ArgumentParser(description="From data to the name of a symmetry.")
parser.add_argument("--samples", type=int, default=8000)
parser.add_argument("--epochs", type=int, default=25)
parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
options = parser.parse_args()

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


x, y = sample(options.samples, seed=0)
print(f"x: {x.shape}, y: {y.shape}, from {y.min():.1f} to {y.max():.1f}")

# %% [markdown]
# ## The fit
#
# `blocks=2` states that the ten columns are two vectors that transform alike. So a
# generator is a matrix of 5 x 5 numbers.

# %%
keras.utils.set_random_seed(0)
report = fit_symmetries(x, y, blocks=2, epochs=options.epochs, verbose=2)

# %% [markdown]
# ## The answer

# %%
print(report.summary())

# %% [markdown]
# There are ten generators, and their brackets are those of so(5), the rotations in five
# dimensions. They act on both vectors alike. So the function depends only on the lengths of
# the vectors and on the angle between them, as the formula shows.
#
# ## How certain is it?
#
# Each singular value is the change of the function along one of the 25 directions in the
# space of matrices, relative to a random function. Symmetries have small values, and a gap
# separates them from the others.

# %%
values = report.singular_values
print("of the symmetries:", " ".join(f"{v:.1e}" for v in values[:10]))
print("of the others:    ", " ".join(f"{v:.1e}" for v in values[10:]))
options.output.mkdir(parents=True, exist_ok=True)
report.plot().savefig(options.output / "discover_symmetry.png", dpi=110)

# %% [markdown]
# Here the formula is known, so the span that was found can be compared with the exact
# one. The principal angle measures their distance.

# %%
angle = np.degrees(np.max(principal_angles(report.algebra, so(5))))
print(f"largest principal angle to so(5): {angle:.3f} degrees")
