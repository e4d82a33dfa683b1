"""`InvariantFeatures`: invariance, and what scikit-learn asks of a transformer."""

import importlib
import sys

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from keras_lconv.estimators import InvariantFeatures
from keras_lconv.generators import translation


@pytest.mark.thorough
@parametrize_with_checks([InvariantFeatures("translation")])
def test_scikit_learn_accepts_it(estimator, check):
    check(estimator)


def test_rows_of_a_table_are_images():
    """In any orientation: a quarter turn of the grid is one of the rotations."""
    images = np.random.default_rng(0).normal(size=(3, 6, 6, 1))
    rows = images.reshape(3, 36)
    turned = np.rot90(images, axes=(1, 2)).reshape(3, 36)
    features = InvariantFeatures("rotation", input_shape=(6, 6, 1)).fit(rows)
    found = features.transform(rows)
    assert np.allclose(found, features.transform(turned), atol=1e-5)
    assert np.allclose(found, InvariantFeatures().fit_transform(images), atol=1e-6)
    assert np.min(np.std(found, axis=0)) > 1e-3
    with pytest.raises(ValueError, match="`X` must hold samples of shape"):
        InvariantFeatures().fit(images).transform(images[:, :, :5])


@pytest.mark.thorough
def test_names_are_resolved_for_the_number_of_axes():
    """The mean length of a signal in each wave does not change when it is shifted."""
    signals = np.random.default_rng(0).normal(size=(2, 9))
    periodic = translation(1, derivative="fourier")
    features = InvariantFeatures(periodic).fit(signals)
    found = features.transform(signals)
    waves = np.abs(np.fft.rfft(signals, norm="ortho")) * np.sqrt([1, 2, 2, 2, 2])
    assert np.allclose(found, waves, atol=1e-5)
    assert not periodic.built
    assert InvariantFeatures("translation").fit(signals).pooling_.output_shape[1] > 1
    volumes = np.zeros((1, 3, 3, 3, 2))
    radii = InvariantFeatures("rotation", kind="linear").fit_transform(volumes)
    assert radii.shape[1] % 2 == 0


@pytest.mark.backend_free
def test_without_scikit_learn_the_import_says_so(monkeypatch):
    monkeypatch.delitem(sys.modules, "keras_lconv.estimators")
    monkeypatch.setitem(sys.modules, "sklearn.utils.validation", None)
    with pytest.raises(ImportError, match=r"needs scikit-learn, version 1\.6"):
        importlib.import_module("keras_lconv.estimators")


@pytest.mark.backend_free
def test_the_shape_has_as_many_numbers_as_a_row():
    with pytest.raises(ValueError, match="`input_shape` must have as many numbers"):
        InvariantFeatures(input_shape=(5, 5, 1)).fit(np.zeros((2, 24)))
