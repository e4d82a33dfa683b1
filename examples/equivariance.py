# %% [markdown]
# # Equivariance in numbers
#
# A layer $Q$ is equivariant to a group if it commutes with each element $g$ of the group:
# $Q[g f] = g Q[f]$. [Commutators](../equivariance.md) show which layers are equivariant.
# This page measures it, first on vectors, then on images. On vectors the group acts by
# small matrices, and exact layers have rounding errors only. On images the grid adds its
# own error.

# %%
import argparse
import pathlib

import keras
import matplotlib.pyplot as plt
import numpy as np

from keras_lconv import EquivariantDense, LConv, SE2Lift, SE2Projection
from keras_lconv.algebra import so
from keras_lconv.generators import MatrixGenerators, rotation
from keras_lconv.metrics import equivariance_error

parser = argparse.ArgumentParser(description="Errors of equivariance, by layer.")
parser.add_argument("--size", type=int, default=21, help="of the image, in pixels")
parser.add_argument("--angles", type=int, default=8, help="how many")
parser.add_argument("--output", type=pathlib.Path, default=pathlib.Path("outputs"))
options = parser.parse_args()
options.output.mkdir(parents=True, exist_ok=True)
keras.utils.set_random_seed(0)
angles = np.linspace(0, np.pi, options.angles + 1)[1:]

# %% [markdown]
# ## Vectors, under rotations of space
#
# The axis is tilted, so that all three generators of so(3) take part. Four layers:
#
# - an L-conv with **one generator**, the rotation about that axis;
# - an L-conv with **all three** generators of so(3);
# - **so(3) with its weights mixed.** A rotation $S$ mixes the generators,
#   $S L_i S^{-1} = \sum_j M_{ij} L_j$. So the layer with the weights
#   $\sum_i M_{ij} W_i$ maps turned vectors to the turned output. But
#   it is another layer for each rotation;
# - **EquivariantDense**, with all linear maps that commute with the three generators.

# %%
AXIS = np.array([1.0, 2.0, 2.0]) / 3


def error_with_mixed_weights(layer, vectors, angles):
    """The error of an L-conv whose weights follow each rotation, by angle."""
    group = MatrixGenerators(so(3))
    basis = so(3).basis
    kernel = keras.ops.convert_to_numpy(layer.kernel)
    moved = LConv.from_config(layer.get_config())
    moved.build(vectors.shape)
    errors = []
    for angle in angles:
        turn = keras.ops.convert_to_numpy(group.transform(np.eye(3), angle * AXIS)).T
        conjugates = [turn @ generator @ turn.T for generator in basis]
        mixing = np.einsum("iab,jab->ij", conjugates, basis) / 2  # |L_j|^2 = 2
        mixed = np.einsum("ij,icf->jcf", mixing, kernel[1:])
        moved.kernel.assign(np.concatenate([kernel[:1], mixed]))
        expected = group.transform(layer(vectors), angle * AXIS)
        found = moved(group.transform(vectors, angle * AXIS))
        found, expected = map(keras.ops.convert_to_numpy, (found, expected))
        errors.append(np.linalg.norm(found - expected) / np.linalg.norm(expected))
    return np.array(errors)


vectors = np.random.default_rng(0).normal(size=(32, 3, 4)).astype("float32")
about_the_axis = np.tensordot(AXIS, so(3).basis, 1)[None]
three = LConv(4, so(3), use_bias=False)
layers = {
    "L-conv, one generator": LConv(4, about_the_axis, use_bias=False),
    "L-conv, all of so(3)": three,
    "EquivariantDense": EquivariantDense(4, so(3), generators_out=so(3), use_bias=False),
}
on_vectors = {
    name: equivariance_error(layer, so(3), vectors, np.outer(angles, AXIS)).errors
    for name, layer in layers.items()
}
on_vectors["so(3), weights mixed"] = error_with_mixed_weights(three, vectors, angles)


def show(errors):
    """Prints the largest error of each layer over all angles."""
    for name, values in errors.items():
        print(f"{name:25} {np.max(values):.1e}")


show(on_vectors)

# %% [markdown]
# These are the largest errors over all angles. One generator, mixed weights and
# `EquivariantDense` are exact up to rounding. All three generators with fixed weights are
# not equivariant: the errors are tenths.
#
# ## Images
#
# On a grid there are three sources of error. The first is generators that do not commute,
# as before. The second is pointwise activations: the pixels of a turned image lie between
# those of the image, and ReLU does not commute with interpolation. The third is the
# turning of the grid itself. Features on SE(2), positions and orientations, are equivariant
# to rotations *and* translations, up to this error.


# %%
def picture(size):
    """A smooth image, `(1, size, size, 1)`."""
    x = np.linspace(-1, 1, size)
    blobs = [(1, -0.35, 0.1), (-1, 0.3, 0.25), (0.8, 0.15, -0.35)]
    image = sum(
        height * np.exp(-np.add.outer((x - a) ** 2, (x - b) ** 2) / 0.04)
        for height, a, b in blobs
    )
    return image[None, ..., None].astype("float32")


lifted = [
    SE2Lift(4, num_orientations=8, use_bias=False),
    LConv(4, "se2", use_bias=False),
    SE2Projection(reduction="average"),
]
layers = {
    "L-conv, rotation": LConv(4, "rotation", use_bias=False),
    "the same, with ReLU": LConv(4, "rotation", use_bias=False, activation="relu"),
    "L-conv, affine": LConv(4, "affine", use_bias=False),
    "lift to SE(2), L-conv": keras.Sequential(lifted),
}
image = picture(options.size)
on_images = {
    name: equivariance_error(layer, "rotation", image, angles).errors
    for name, layer in layers.items()
}
show(on_images)

# %% [markdown]
# A layer with the rotation alone is exact for the turns $\exp(t L)$ of its grid. ReLU and
# SE(2) have the error of the grid, which falls with the resolution. The affine generators
# do not commute, and their error does not fall.
#
# By angle, for vectors and images:

# %%
STYLES = ("o-", "s--", "^-.", "v:")
results = {"vectors, rotations of space": on_vectors, "images, rotations": on_images}
figure, panels = plt.subplots(1, 2, figsize=(9, 4.4), sharey=True, layout="constrained")
for panel, (title, errors) in zip(panels, results.items(), strict=True):
    for (name, values), style in zip(errors.items(), STYLES, strict=True):
        panel.semilogy(np.degrees(angles), values, style, label=name)
    panel.set(title=title, xlabel="angle, degrees", ylim=(1e-8, 1e3))
    panel.legend(loc="upper left", fontsize=8)
panels[0].set_ylabel("relative error of Q[g f] = g Q[f]")
figure.savefig(options.output / "equivariance_errors.png", dpi=110)

# %% [markdown]
# The last pictures show the layer applied after a turn by 2 radians, the turn applied after
# the layer, and the difference. The weights of the derivatives are larger here than in a
# new layer, which is nearly a mix of channels.


# %%
group, image = rotation(), picture(41)
figure, axes = plt.subplots(2, 3, figsize=(8, 5.4), layout="constrained")
for row, name in zip(axes, ("rotation", "affine"), strict=True):
    layer = LConv(1, name, use_bias=False)
    layer.build(image.shape)
    weights = np.append(1.0, 3 / layer.generators.initial_norm_bounds())
    layer.kernel.assign(weights[:, None, None])
    first, second = (
        keras.ops.convert_to_numpy(output)[0, ..., 0]
        for output in (
            layer(group.transform(image, 2.0)),
            group.transform(layer(image), 2.0),
        )
    )
    shown = {"Q[g f]": first, "g Q[f]": second, "difference": first - second}
    scale = np.max(np.abs(second))
    for axis, (title, values) in zip(row, shown.items(), strict=True):
        axis.imshow(values, cmap="RdBu_r", vmin=-scale, vmax=scale)
        axis.set(title=title, xticks=[], yticks=[])
    row[0].set_ylabel(f'LConv(1, "{name}")')
figure.savefig(options.output / "equivariance.png", dpi=110)

# %% [markdown]
# For the rotation both orders agree. For the affine generators the difference is as large
# as the result.
