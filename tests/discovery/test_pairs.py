"""Generators that are known, found again from pairs of samples."""

import numpy as np
import pytest
from scipy.linalg import expm, logm, subspace_angles
from scipy.ndimage import gaussian_filter, rotate

from keras_lconv import algebra as a
from keras_lconv import generators as g
from keras_lconv.datasets import image_pairs
from keras_lconv.discovery import fit_generators
from keras_lconv.discovery.pairs import fit, search
from tests.families import to_numpy


def vector_pairs(matrices, limit, num=200, channels=1, noise=0.0, seed=0):
    """Pairs `(x, exp(t . L) x)` and `t`."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(num, matrices.shape[1], channels))
    t = rng.uniform(-limit, limit, (num, len(matrices)))
    y = expm(np.tensordot(t, matrices, 1)) @ x
    x, y = (f + noise * rng.normal(size=f.shape) for f in (x, y))
    return x, y, t


def degrees(report, expected):
    """The largest principal angle between matrices."""
    found = report.generators.matrices()
    return np.degrees(np.max(a.principal_angles(found, expected)))


ANY = np.random.default_rng(5).normal(size=(1, 4, 4)) / 2


# ------------------------------------------------------------------- vectors


@pytest.mark.parametrize("limit", [0.3, 1.5])
def test_known_parameters_give_the_matrices_themselves(limit):
    x, y, t = vector_pairs(a.so(3).basis, limit)
    report = fit_generators(x, y, search=a.gl(3), parameters=t)
    assert np.allclose(report.generators.matrices(), a.so(3).basis, atol=1e-6)
    assert report.fit_error < 1e-6
    assert report.algebra.identify().name == "so(3)"


def test_common_parameters_give_the_logarithm():
    """Far from the identity, against SciPy's logarithm of SciPy's least squares map."""
    matrix = expm(2 * ANY[0] + 2.9 * a.so(4).basis[0])
    x = np.random.default_rng(0).normal(size=(100, 4))
    y = x @ matrix.T
    report = fit_generators(x, y, parameters="common")
    assert np.allclose(report.generators.matrices()[0], logm(matrix), atol=1e-6)
    assert np.all(report.parameters == 1)


def test_a_map_without_a_real_logarithm_is_no_failure():
    """Without an exact reflection, the nearest one is only approximate."""
    x = np.random.default_rng(0).normal(size=(100, 2))
    report = fit_generators(x, x * np.array([1.0, -1.0]), parameters="common")
    assert report.fit_error > 0.3
    assert np.all(np.isfinite(report.coefficients))


@pytest.mark.parametrize("matrices", [ANY, a.so(5).basis[:1]], ids=["any", "rotation"])
def test_unknown_parameters(matrices):
    """One vector has fewer equations than all matrices have entries."""
    x, y, t = vector_pairs(matrices, 0.3)
    report = fit_generators(x, y, search=a.gl(x.shape[1]), dimension=1)
    assert degrees(report, matrices) < 1e-4
    # The scale is a convention, and the product is none.
    moved = report.parameters[:, :, None] * report.generators.matrices().reshape(1, -1)
    assert np.allclose(moved[:, 0], t * matrices.reshape(1, -1), atol=1e-5)


@pytest.mark.thorough
@pytest.mark.parametrize(("algebra", "name"), [(a.so(3), "so(3)"), (a.so(2, 1), "sl(2,R)")])
def test_the_dimension_is_found_with_noise(algebra, name):
    """From clouds of six points that move together, of unknown parameters."""
    x, y, _ = vector_pairs(algebra.basis, 1.0, channels=6, noise=0.05)
    report = fit_generators(x, y, search=a.gl(3))
    assert report.dimension == 3
    assert report.algebra.identify().name in (name, "so(2,1)")
    assert degrees(report, algebra.basis) < 2
    assert report.gap > 5
    assert report.confidence > 0.7
    assert np.degrees(np.max(report.errors)) < 2
    assert name in report.summary() or "so(2,1)" in report.summary()


# -------------------------------------------------------------------- images


def agreement(report, name, size):
    """Correlation of the dense matrix with the true one."""
    true = g.get(name)
    true.build((None, size, size, 1))
    matrices = report.generators.matrices()
    return a.correlation(matrices[0], true.matrices()[0])


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("name", "limits", "dimension"),
    [
        ("rotation", (-0.5, 0.5), None),
        ("rotation", (0, 1), None),
        # Content moves by less than a pixel: too little to tell how many they are.
        ("scaling", (-0.3, 0.3), 1),
        ("shear", (-0.5, 0.5), None),
        ("translation", (-2, 2), 1),
    ],
)
def test_small_images_with_unknown_parameters(name, limits, dimension):
    x, y, t = image_pairs(200, 7, name, limits, seed=0, noise=0.05)
    report = fit_generators(x, y, search="affine", dimension=dimension)
    assert report.dimension == 1
    assert agreement(report, name, 7) >= 0.96
    # In units of half of the grid's width, as the generator that was found.
    unit = 3 if name == "translation" else 1
    assert np.median(np.abs(report.parameters[:, 0] * unit - t)) < 0.2 * limits[1]


def test_known_angles_give_sign_and_scale():
    x, y, t = image_pairs(200, 7, "rotation", (-np.pi, np.pi), seed=0)
    report = fit_generators(x, y, search="affine", parameters=-2 * t)
    assert agreement(report, "rotation", 7) >= 0.99
    expected = np.array([0, 0, 1, 0, -1, 0]) / 2
    assert np.allclose(report.coefficients[0], expected, atol=0.05)
    assert report.singular_values is None


@pytest.mark.thorough
def test_large_angles_are_found():
    """Angles up to 1.5: there content near the border moves by many pixels."""
    x, y, t = image_pairs(100, 12, "rotation", (-1.5, 1.5), seed=0)
    report = fit_generators(x, y, search="affine")
    assert agreement(report, "rotation", 12) >= 0.99
    assert np.mean(np.abs(report.parameters[:, 0] - t) < 0.1) > 0.9


AFFINE = np.eye(12).reshape(2, 6, 12)[:, :3].reshape(6, 12)
UNITS = np.eye(6).reshape(6, 2, 3)


@pytest.mark.thorough
def test_affine_fields_among_quadratic_ones():
    """Dimension and span of all affine maps at once, by the coefficients of fields."""
    limits = [[-0.15, 0.15]] * 6
    limits[2] = limits[5] = [-1.0, 1.0]  # translations, in grid steps
    x, y, _ = image_pairs(400, 16, UNITS, limits, seed=0, noise=0.05)
    report = fit_generators(x, y, search="quadratic")
    assert report.dimension == 6
    angles = subspace_angles(report.coefficients.T, AFFINE.T)
    assert np.degrees(np.max(angles)) < 4
    assert report.algebra.identify().name == "aff(2)"
    assert report.parameters.shape == (400, 6)


def test_samples_that_do_not_belong_together_have_no_generators():
    x, y = np.random.default_rng(0).normal(size=(2, 120, 7, 7, 1))
    report = fit_generators(x, y, search="affine")
    assert report.dimension == 0
    assert report.generators is None
    assert report.parameters.shape == (120, 0)
    assert "no generators" in report.summary()
    with pytest.raises(ValueError, match="none were found"):
        report.to_generators()


# -------------------------------------------------------------------- results


def test_learned_generators_hold_the_result():
    x, y, t = image_pairs(150, 7, "rotation", seed=0)
    learned = g.VectorFieldGenerators(1, field="affine")
    report = fit_generators(x, y, parameters=t)
    report.assign_to(learned)
    assert learned.is_learned
    assert np.allclose(learned.vector_fields(), report.generators.vector_fields())
    again = report.to_generators(trainable=True)
    assert again.is_learned
    again.build(x.shape)
    assert np.allclose(again.vector_fields(), learned.vector_fields())


def test_learned_matrices_hold_the_result():
    x, y, t = vector_pairs(ANY, 0.5)
    learned = g.DenseGenerators(1)
    report = fit_generators(x, y, search=a.gl(4), parameters=t)
    report.assign_to(learned)
    assert np.allclose(to_numpy(learned.to_dense()), ANY, atol=1e-5)


def test_given_generators_give_the_parameters():
    """With nothing to find but the angles."""
    x, y, t = image_pairs(100, 12, "rotation", (-0.4, 0.4), seed=0)
    report = fit_generators(x, y, search="rotation", dimension=1)
    assert np.median(np.abs(report.parameters[:, 0] - t)) < 0.02
    assert report.searched == 1


def test_plots():
    x, y, _ = image_pairs(100, 7, "rotation", seed=0)
    assert len(fit_generators(x, y, search="affine", dimension=1).plot().axes) >= 2
    x, y, t = vector_pairs(ANY, 0.5)
    assert fit_generators(x, y, search=a.gl(4), parameters=t).plot().axes[0].images


X, Y, T = vector_pairs(ANY, 0.3, num=20)
IMAGES = np.random.default_rng(0).normal(size=(2, 10, 5, 5, 1))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((X, Y[:5], {}), ValueError, "the same|both have the shape"),
        ((X[:4], Y[:4], {}), ValueError, "at least 8 pairs"),
        ((X, X, {}), ValueError, "must differ"),
        ((X, Y * np.nan, {}), ValueError, "`y` must be finite"),
        ((X, Y, {"parameters": "same"}), ValueError, "'common' or an array"),
        ((X, Y, {"parameters": T[:3]}), ValueError, "`parameters` must have shape"),
        ((X, Y, {"parameters": np.ones((20, 2))}), ValueError, "linearly independent"),
        ((X, Y, {"parameters": T, "dimension": 2}), ValueError, "agree with `parameters`"),
        ((X, Y, {"search": a.gl(4)}), ValueError, "`dimension` must be given"),
        ((X, Y, {"search": "cubic"}), ValueError, "`search` must be one of"),
        ((X, Y, {"search": g.LowRankGenerators(1, 2)}), TypeError, "fixed generators"),
        ((*IMAGES, {"search": g.VectorFieldGenerators(1)}), TypeError, "fixed generators"),
        ((X, Y, {"blocks": 2}), ValueError, "`blocks` apply to tables"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        fit_generators(*arguments[:2], **arguments[2])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"border": 3}, ValueError, "`border` must leave some points"),
        ({"border": 1.5}, TypeError, "`border`"),
        ({"smoothing": -1}, ValueError, "`smoothing`"),
        ({"dimension": 7}, ValueError, "from 1 to 6"),
    ],
)
def test_settings_that_do_not_fit_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        fit_generators(*IMAGES, **arguments)


@pytest.mark.thorough
def test_one_generator_is_tried_to_the_end(monkeypatch):
    """Where large turns look like all that is searched, on the way to one rotation."""
    rng, edge = np.random.default_rng(0), np.exp(-(np.linspace(-1.8, 1.8, 13) ** 2))
    images = gaussian_filter(rng.normal(size=(24, 13, 13)), (0, 0.8, 0.8))
    images = images * np.outer(edge, edge)
    angles = rng.uniform(-180, 180, 24)
    turned = [rotate(i, a, reshape=False) for i, a in zip(images, angles, strict=True)]
    x, y = images[..., None], np.array(turned)[..., None]
    monkeypatch.setattr(search, "_dimension", lambda equations: (6, 9.0))
    motion = fit._motion("affine", x.shape, 1, 1.0, None)
    start = search.best_start(motion, x, y, None)
    found = search.Search(motion, x, y, None, None, start)
    found.run()
    assert np.linalg.matrix_rank(found.coefficients) == 1
