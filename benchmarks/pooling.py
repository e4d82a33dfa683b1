"""The numbers on the page about pooling: what is exact, and how near the rest comes.

Usage: python benchmarks/pooling.py
"""

import time

import keras
import numpy as np
from scipy import ndimage

from keras_lconv import InvariantPooling, OrbitPooling, StridedPooling
from keras_lconv.generators import ShiftGenerators, rotation


def to_numpy(tensor):
    return keras.ops.convert_to_numpy(tensor).astype("float64")


def image(size):
    """Gaussians that vanish before the border, the same at each resolution."""
    x = np.arange(size) - (size - 1) / 2
    blobs = [(0.15, 0.1, 1.0), (-0.12, 0.15, -0.6), (0.0, -0.2, 0.8)]
    width = 0.07 * size
    return sum(
        weight
        * np.exp(-np.add.outer((x - size * u) ** 2, (x - size * v) ** 2) / 2 / width**2)
        for u, v, weight in blobs
    )[None, ..., None].astype("float32")


def relative(a, b):
    return np.linalg.norm(to_numpy(a) - to_numpy(b)) / np.linalg.norm(to_numpy(b))


def refinement(size=28):
    """How far the squared radius is from commuting with the rotation, before and after."""
    generators = rotation()
    generators.build((None, size, size, 1))
    L = generators.matrices()[0]
    x = np.arange(size) - (size - 1) / 2
    radius = np.diag(np.add.outer(x**2, x**2).ravel())
    # The part that commutes: on each eigenspace of `L^2`, `(R - J R J) / 2`.
    values, vectors = np.linalg.eigh(1j * L)
    gaps = np.abs(values[:, None] - values[None]) < 1e-6 * np.abs(values).max()
    inner = np.where(gaps, vectors.conj().T @ radius @ vectors, 0)
    kept = (vectors @ inner @ vectors.conj().T).real

    def commutator(R):
        return np.linalg.norm(L @ R - R @ L) / np.linalg.norm(L @ R)

    layer = InvariantPooling("rotation", refine="radius")
    spectra = to_numpy(layer(image(size)))
    turned = [
        ndimage.rotate(image(size), angle, axes=(1, 2), reshape=False, order=5)
        for angle in (17, 90, 131)
    ]
    change = max(np.abs(to_numpy(layer(each)) - spectra).max() for each in turned)
    print(f"Squared radius and rotation, {size} x {size}")
    print(f"  commutator, relative to the product: {commutator(radius):.2g}")
    print(f"  of the part that is kept: {commutator(kept):.1g}")
    print(f"  left out: {layer.refinement_errors[0]:.2g}")
    print(f"  norms under interpolated turns: {change / spectra.max():.1g} of the largest")


def orbits(size=21):
    """A full turn of an image whose content vanishes before the border."""
    pooling = OrbitPooling("rotation", num_samples=16, period=2 * np.pi)
    smooth, noise = image(size), np.random.default_rng(0).normal(size=(1, size, size, 1))
    print(f"Maximum over 16 turns, {size} x {size}, after one of these turns")
    for name, f in (("Gaussians", smooth), ("random pixels", noise.astype("float32"))):
        turned = rotation().transform(f, 2 * np.pi / 16)
        print(f"  {name}: {relative(pooling(turned), pooling(f)):.1g}")
    print("A full turn")
    for name, f in (("Gaussians", smooth), ("random pixels", noise.astype("float32"))):
        print(f"  {name}: {relative(rotation().transform(f, 2 * np.pi), f):.1g}")


def fewer_positions():
    """Defects of poolings, and the two orders of turning and averaging."""
    print("Defects")
    for reduction in ("subsample", "average"):
        for shift in (2, 1):
            generators = ShiftGenerators([(shift,)], boundary="periodic")
            pool = StridedPooling(generators, strides=2, reduction=reduction)
            pool.build((None, 12, 1))
            print(f"  {reduction}, shifts by {shift}: {pool.defect:.2g}")
    pool = StridedPooling("rotation", strides=2, reduction="average")
    f = image(32)
    pool.build(f.shape)
    first = pool(pool.generators.transform(f, 1.0))
    second = pool.induced_generators().transform(pool(f), 1.0)
    print(f"  turning and averaging 32 x 32, two orders: {relative(first, second):.1g}")


def large():
    """Waves around rings, on images for which there is no matrix on all positions."""
    print("Rings, 100 numbers: seconds of computing, change under a turn by 17 degrees")
    for size in (28, 56, 112, 256):
        start, f = time.process_time(), image(size)
        layer = InvariantPooling("rotation", method="rings", num_invariants=100)
        found = to_numpy(layer(f))
        seconds = time.process_time() - start
        turned = ndimage.rotate(f, 17, axes=(1, 2), reshape=False, order=5)
        change = np.abs(to_numpy(layer(turned)) - found).max() / found.max()
        print(f"  {size} x {size}: {seconds:.2g} s, {change:.1e}")


if __name__ == "__main__":
    refinement()
    large()
    orbits()
    fewer_positions()
