"""InvariantPooling without matrices on all positions: along axes, and on rings."""

import keras
import numpy as np
import pytest

from keras_lconv import InvariantPooling
from keras_lconv import generators as g
from keras_lconv._memory import physical_memory
from keras_lconv.algebra import eigenspaces
from tests.families import relative_error, to_numpy


def blobs(size, angle=0.0):
    """Gaussians that vanish before the border, turned about the centre."""
    x = np.arange(size) - (size - 1) / 2
    rows, columns = np.meshgrid(x, x, indexing="ij")
    c, s = np.cos(angle), np.sin(angle)
    rows, columns = c * rows - s * columns, s * rows + c * columns
    centres = [(0.15, 0.1, 1.0), (-0.12, 0.15, -0.6), (0.0, -0.2, 0.8)]
    image = sum(
        weight
        * np.exp(
            -((rows - size * u) ** 2 + (columns - size * v) ** 2) / 2 / (0.08 * size) ** 2
        )
        for u, v, weight in centres
    )
    return image[None, ..., None].astype("float32")


@pytest.mark.backend_free
@pytest.mark.parametrize("derivative", ["spectral", "fourier", "central"])
@pytest.mark.parametrize("shape", [(5, 4), (6,), (3, 4, 2)])
def test_translations_along_axes_are_those_of_all_positions(shape, derivative):
    layer = InvariantPooling(g.translation(len(shape), derivative=derivative))
    layer.build((None, *shape, 1))
    L = layer.generators.matrices()
    expected = eigenspaces.frequency_spaces(-np.sum(L @ L, axis=0), layer.tolerance)
    assert np.array_equal(layer.multiplicities, expected.sizes)
    assert np.allclose(layer.eigenvalues, expected.eigenvalues, atol=1e-6)
    own = np.split(to_numpy(layer.basis), np.cumsum(expected.sizes)[:-1], axis=1)
    for mine, other in zip(own, expected.split(), strict=True):
        assert np.allclose(mine @ mine.T, other @ other.T, atol=1e-6)
    few = InvariantPooling(layer.generators, num_invariants=3)
    few.build((None, *shape, 1))
    assert np.allclose(few.eigenvalues, layer.eigenvalues[:3])


def test_rings_by_their_definition():
    """Complex sums over the positions, on Gaussians of the radius of norm 1."""
    layer = InvariantPooling("rotation", method="rings", num_invariants=9)
    f = np.random.default_rng(0).normal(size=(2, 9, 9, 1)).astype("float32")
    found = to_numpy(layer(f))
    x = np.arange(9) - 4.0
    z = np.add.outer(1j * 0 + x, 1j * x)
    for number, (order, square) in enumerate(layer.eigenvalues):
        bell = np.exp(-(((np.abs(z) - np.sqrt(square)) / (2 / 3)) ** 2) / 2)
        bell = bell / np.linalg.norm(bell)
        wave = bell * (z / np.where(z == 0, 1, np.abs(z))) ** order
        expected = np.abs(np.einsum("xy,bxy->b", wave, f[..., 0]))
        assert np.allclose(
            found[:, number], expected * (2**0.5 if order else 1), rtol=1e-4, atol=1e-5
        )
    # Three rings, by growing order, as far as the radius of each lets waves be seen.
    assert np.array_equal(layer.eigenvalues[:, 0], [0, 0, 0, 1, 1, 1, 2, 2, 3])


def test_norms_on_rings_stay_under_turns():
    f = blobs(32)
    layer = InvariantPooling("rotation", method="rings")
    found = to_numpy(layer(f))
    for moved in (np.rot90(f, axes=(1, 2)), np.flip(f, 1), np.flip(f, 2)):
        assert relative_error(layer(moved.copy()), found) < 1e-5
    for angle in (0.3, 1.0, 2.2):
        change = np.abs(to_numpy(layer(blobs(32, angle))) - found)
        assert np.max(change) < 2e-3 * np.max(found)
    other = to_numpy(layer(blobs(32) + 0.3 * blobs(32, 1.0)))
    assert np.max(np.abs(other - found)) > 0.1 * np.max(found)


def test_the_radial_profile_on_rings():
    """Linear invariants of an image that depends on the radius follow it."""
    x = np.arange(40) - 19.5
    radius = np.hypot(*np.meshgrid(x, x))
    image = np.cos(radius / 6)[None, ..., None].astype("float32")
    layer = InvariantPooling("rotation", kind="linear", method="rings", num_invariants=10)
    constant = to_numpy(layer(np.ones_like(image)))
    profile = to_numpy(layer(image)) / constant
    rings = np.sqrt(layer.eigenvalues[:, 1])
    assert np.allclose(profile[0, 1:], np.cos(rings[1:] / 6), atol=0.05)


@pytest.mark.backend_free
def test_large_images_take_little_room(monkeypatch):
    """256 x 256 positions have matrices of 34 GB each."""
    for layer in (
        InvariantPooling("rotation", method="rings", num_invariants=30),
        InvariantPooling("translation", num_invariants=30),
    ):
        layer.build((None, 256, 256, 1))
        assert layer.basis.shape[0] == 256**2
        assert layer.basis.shape[1] < 1000
    monkeypatch.setattr("keras_lconv._memory.physical_memory", lambda: 10**7)
    assert physical_memory() > 10**7
    with pytest.raises(ValueError, match=r"on rings of 4096 positions.*num_invariants"):
        InvariantPooling("rotation", method="rings").build((None, 64, 64, 1))
    with pytest.raises(ValueError, match="method='rings'"):
        InvariantPooling("rotation").build((None, 64, 64, 1))


@pytest.mark.backend_free
def test_rings_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="has its own rings"):
        InvariantPooling("rotation", method="rings", refine="radius")
    with pytest.raises(ValueError, match="has its own rings"):
        InvariantPooling("rotation", method="rings", elements="flips")
    with pytest.raises(ValueError, match="`method` must be"):
        InvariantPooling("rotation", method="polar")
    for generators, shape in (("translation", (8, 8)), (g.rotation(3), (5, 5, 5))):
        with pytest.raises(ValueError, match="needs the rotation of an image"):
            InvariantPooling(generators, method="rings").build((None, *shape, 1))
    with pytest.raises(ValueError, match="finds 20 spectrum invariants"):
        InvariantPooling("rotation", method="rings", num_invariants=99).build(
            (None, 9, 9, 1)
        )


def test_rings_are_saved():
    layer = InvariantPooling("rotation", method="rings", num_invariants=5)
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    assert np.array_equal(to_numpy(copy(blobs(8))), to_numpy(layer(blobs(8))))
