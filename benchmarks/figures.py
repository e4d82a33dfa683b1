"""The figures of the pages about Lie algebras, equivariance and pooling.

Usage: python benchmarks/figures.py [--folder docs/assets]
"""

import argparse
import pathlib

import keras
import matplotlib.pyplot as plt
import numpy as np
from scipy.linalg import expm

from keras_lconv import CasimirPooling
from keras_lconv.generators import rotation, translation

FIELDS = {
    "rotation": [[0, -1], [1, 0]],
    "scaling": [[1, 0], [0, 1]],
    "shear": [[0, 0], [1, 0]],
}


def image(size=41):
    """Three spots and a bar that vanish before the border."""
    x = np.linspace(-1, 1, size)
    row, column = x[:, None], x[None]
    spots = [(-0.35, 0.25, 0.1), (0.3, 0.3, 0.07), (0.05, -0.4, 0.13)]
    shape = sum(np.exp(-((row - a) ** 2 + (column - b) ** 2) / w**2) for a, b, w in spots)
    bar = np.exp(-((row / 0.4) ** 4) - ((column + 0.05) / 0.07) ** 2)
    return (shape + bar)[None, ..., None].astype("float32")


def show(ax, picture, title):
    ax.imshow(np.squeeze(keras.ops.convert_to_numpy(picture)), cmap="Greys", vmin=0, vmax=1)
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize=10)


def flows(path):
    """Above: fields and orbits. Below: steps against the exponential."""
    figure, axes = plt.subplots(2, 4, figsize=(9.6, 5), layout="constrained")
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, 8)] * 2, indexing="ij"), axis=-1)
    for ax, (name, matrix) in zip(axes[0], FIELDS.items(), strict=False):
        velocity = grid @ np.transpose(matrix)
        # Rows grow downwards.
        ax.quiver(
            grid[..., 1], grid[..., 0], velocity[..., 1], -velocity[..., 0], color="C7"
        )
        for start in ([0.35, 0.1], [0.1, -0.7], [-0.5, 0.2]):
            times = np.linspace(-np.pi, np.pi, 121)
            orbit = np.array([expm(t * np.array(matrix)) @ start for t in times])
            ax.plot(orbit[:, 1], orbit[:, 0])
            ax.plot(start[1], start[0], "k.")
        ax.set(xlim=(-1.1, 1.1), ylim=(1.1, -1.1), aspect="equal", xticks=[], yticks=[])
        ax.set_title(f"{name}: field and orbits", fontsize=10)
    show(axes[0, 3], image(), "$f$")
    generators, f, angle = rotation(), image(), 0.5
    exact = generators.transform(f, angle)
    for ax, steps in zip(axes[1], (1, 4, 64), strict=False):
        moved = keras.ops.convert_to_tensor(f)
        for _ in range(steps):
            moved = moved + angle / steps * generators(moved)[..., 0, :]
        error = keras.ops.norm(moved - exact) / keras.ops.norm(exact)
        factor = "(1 + tL)" if steps == 1 else rf"(1 + tL/{steps})^{{{steps}}}"
        show(ax, moved, rf"${factor} \, f$: error {float(error):.2g}")
    show(axes[1, 3], exact, r"$\exp(tL) \, f$, $t = 0.5$")
    figure.savefig(path, dpi=110)


def blurs(path):
    """One image, smoothed by the Casimir operators of two groups."""
    figure, axes = plt.subplots(1, 3, figsize=(7.2, 2.6), layout="constrained")
    f = image()
    show(axes[0], f, "$f$")
    for ax, (name, generators, tau) in zip(
        axes[1:],
        (("translations, and se(2)", translation(), 1.0), ("rotation", rotation(), 0.04)),
        strict=True,
    ):
        show(ax, CasimirPooling(generators, tau=tau)(f), rf"{name}, $\tau = {tau:g}$")
    figure.savefig(path, dpi=110)


def conjugation(path, angle=np.pi / 6):
    """A rotation mixes the two translations: `S L_1 S^-1 = cos(t) L_1 + sin(t) L_2`."""
    turn, moves, f = rotation(), translation(), image()

    def both(f):
        return keras.ops.convert_to_numpy(moves(f))[..., 0]

    first, second = np.moveaxis(both(f), -1, 0)
    turned_back = both(turn.transform(f, -angle))[..., :1]
    conjugate = keras.ops.convert_to_numpy(turn.transform(turned_back, angle))[..., 0]
    mixed = np.cos(angle) * first + np.sin(angle) * second
    error = np.linalg.norm(conjugate - mixed) / np.linalg.norm(mixed)
    pictures = {
        "$L_1 f$": first,
        "$L_2 f$": second,
        "$S L_1 S^{-1} f$": conjugate,
        rf"$\cos t \, L_1 f + \sin t \, L_2 f$: {error:.1g} off": mixed,
    }
    figure, axes = plt.subplots(1, 4, figsize=(9.6, 2.7), layout="constrained")
    scale = np.abs(mixed).max()
    for ax, (title, picture) in zip(axes, pictures.items(), strict=True):
        ax.imshow(picture[0], cmap="RdBu_r", vmin=-scale, vmax=scale)
        ax.set(xticks=[], yticks=[])
        ax.set_title(title, fontsize=10)
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Figures of the theory pages.")
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("docs/assets"))
    folder = parser.parse_args().folder
    flows(folder / "flows.png")
    blurs(folder / "casimir_blurs.png")
    conjugation(folder / "conjugation.png")
