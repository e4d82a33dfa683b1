# %% [markdown]
# # From group convolution to L-conv
#
# A convolution over a group adds up transformed features, weighted by a kernel. An L-conv
# contains only the generators, the directions at the identity. A stack of L-convs that
# share their generators approximates a group convolution:
# [the theorem](../building_block.md#the-theorem) bounds the error. This page measures the
# error for the group SO(2), which turns a circle or turns images.

# %%
import argparse
import pathlib

import keras
import matplotlib.pyplot as plt
import numpy as np

from keras_lconv import LieExponential
from keras_lconv.convert import from_lie_exponential
from keras_lconv.generators import rotation, translation

parser = argparse.ArgumentParser(description="Stacks of L-convs as group convolutions.")
parser.add_argument("--depth", type=int, default=64, help="of the deepest stack")
parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
options = parser.parse_args()

# %% [markdown]
# ## A group convolution
#
# `LieExponential` is a group convolution with a kernel at finitely many elements,
# $Q[f] = \sum_j \exp(t_j L) f w_j$. Here the kernel is a bump with side lobes, over angles
# up to half a radian.


# %%
def group_convolution(generators, shape, unit, num_elements=9):
    """A convolution with a wide kernel on SO(2); `unit` is a radian in units of `t`."""
    angles = np.linspace(-0.5, 0.5, num_elements)
    values = np.exp(-20 * angles**2) * np.cos(9 * angles)
    layer = LieExponential(
        1, generators, num_elements=num_elements, max_parameter=0.5 * unit, use_bias=False
    )
    layer.build((None, *shape))
    layer.parameters.assign(unit * angles[:, None])
    layer.kernel.assign(values[:, None, None])
    return layer


def kernel_of(layer):
    """Where the kernel sits, and its values there."""
    parameters = keras.ops.convert_to_numpy(layer.parameters)[:, 0]
    return parameters, keras.ops.convert_to_numpy(layer.kernel)[:, 0, 0]


# %% [markdown]
# The reference is independent of the layer. On the circle a turn by $t$ multiplies the
# Fourier coefficient of order $m$ by $\exp(-i m t)$. On images the eigenvectors of the
# generator give its exponentials.


# %%
def circle(num_points=33, num_orders=6, seed=0):
    """A convolution on a circle, a smooth signal, and the result by Fourier series."""
    unit = num_points / (2 * np.pi)
    layer = group_convolution(translation(1, derivative="fourier"), (num_points, 1), unit)
    rng = np.random.default_rng(seed)
    coefficients = rng.normal(size=num_orders) + 1j * rng.normal(size=num_orders)
    positions = 2 * np.pi * np.arange(num_points) / num_points
    waves = np.exp(1j * np.outer(np.arange(num_orders), positions))
    signal = np.real(coefficients @ waves)[None, :, None]
    parameters, weights = kernel_of(layer)
    phases = np.exp(-1j * np.outer(parameters / unit, np.arange(num_orders)))
    exact = np.real((weights @ phases * coefficients) @ waves)[None, :, None]
    return layer, signal, exact


def images(size=21):
    """A convolution over rotations of images, an image, and the result by eigenvectors."""
    layer = group_convolution(rotation(), (size, size, 1), 1.0)
    x = np.linspace(-1, 1, size)
    image = sum(
        sign * np.exp(-np.add.outer((x - a) ** 2, (x - b) ** 2) / 0.05)
        for sign, a, b in [(1, -0.4, 0.1), (-1, 0.3, 0.3), (0.7, 0.2, -0.35)]
    )
    values, vectors = np.linalg.eigh(1j * layer.generators.matrices()[0])
    angles, weights = kernel_of(layer)
    factors = weights @ np.exp(-1j * np.outer(angles, values))
    exact = np.real(vectors @ (factors * (vectors.conj().T @ image.ravel())))
    return layer, image[None, ..., None], exact.reshape(1, size, size, 1)


def relative_error(found, expected):
    found = keras.ops.convert_to_numpy(found)
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


convolutions = {"SO(2) on a circle": circle(), "SO(2) on images": images()}
for name, (layer, signal, expected) in convolutions.items():
    error = relative_error(layer(signal), expected)
    print(f"{name}: LieExponential has a relative error of {error:.1e}")

# %% [markdown]
# The layer has the rounding error of float32.
#
# ## Stacks of L-convs
#
# `from_lie_exponential` makes the stack. Each layer makes a small step, $1 + t L / n$, and
# $n$ layers together are nearly $\exp(t L)$: the error falls as $1 / n$. If two channels
# represent one complex number, $p$ layers can form a Taylor polynomial of degree $p$,
# factor by factor, and the error falls as $1 / n^p$.


# %%
def errors_by_depth(layer, signal, expected, order, depths):
    """The relative error of stacks of L-convs."""
    return [
        relative_error(from_lie_exponential(layer, depth, order)(signal), expected)
        for depth in depths
    ]


def slope(depths, errors, floor=1e-5):
    """The exponent of the last two errors that float32 can resolve."""
    kept = [n for n, error in enumerate(errors) if error > floor][-2:]
    return (
        np.diff(np.log(np.take(errors, kept)))[0]
        / np.diff(np.log(np.take(depths, kept)))[0]
    )


depths = [4 * 2**n for n in range(20) if 4 * 2**n <= options.depth]
print(f"Relative errors of stacks of {depths} L-convs")
results = {}
for name, problem in convolutions.items():
    results[name] = {}
    for order in (1, 2, 4):
        errors = errors_by_depth(*problem, order, depths)
        results[name][order] = errors
        shown = "  ".join(f"{error:.1e}" for error in errors)
        print(f"{name}, order {order}: {shown}   slope {slope(depths, errors):.2f}")

# %% [markdown]
# The slopes are minus the orders, -1, -2 and -4, down to the rounding error of float32.
# With twice the channels, few layers of order 4 replace many layers of order 1.

# %%
figure, panels = plt.subplots(
    1, len(results), figsize=(9, 4.2), sharey=True, layout="constrained"
)
for panel, (name, curves) in zip(panels, results.items(), strict=True):
    for number, (order, errors) in enumerate(curves.items()):
        color = f"C{number}"
        panel.loglog(depths, errors, "o", color=color, label=f"order {order}")
        # A line of the expected slope through the deepest stack above the rounding.
        at = max(n for n, error in enumerate(errors) if error > 1e-5)
        line = errors[at] * (np.array(depths) / depths[at]) ** -float(order)
        panel.loglog(depths, line, "--", color=color, linewidth=1)
    panel.set(title=name, xlabel="number of L-convs", ylim=(3e-8, 0.1))
    panel.set_xticks(depths, [str(depth) for depth in depths])
    panel.minorticks_off()
panels[0].set_ylabel("relative error to the group convolution")
panels[0].legend(title="dashed: slope = -order", loc="lower left")
options.output.mkdir(parents=True, exist_ok=True)
figure.savefig(options.output / "group_convolution.png", dpi=110)
