"""Neighbours and hidden grids from scrambled data."""

import dataclasses
import itertools

import matplotlib

matplotlib.use("agg")

import keras
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, uniform_filter

from keras_lconv.discovery import infer_grid, infer_neighbors
from keras_lconv.discovery.pixels.lattice import embed, prune
from keras_lconv.discovery.pixels.moments import moments_of
from keras_lconv.discovery.pixels.placement import refine
from keras_lconv.discovery.pixels.report import ring_shares
from keras_lconv.generators import NeighborGenerators, grid_neighbors

pytestmark = pytest.mark.backend_free


def smooth_images(shape, num=2000, noise=0.1, seed=0):
    """White noise, blurred over about one pixel, with a little noise on top."""
    rng = np.random.default_rng(seed)
    images = gaussian_filter(rng.normal(size=(num, *shape)), (0, 1, 1))
    return images / images.std() + noise * rng.normal(size=images.shape)


def scrambled(images, seed=0):
    """The images as vectors in random order, and that order."""
    order = np.random.default_rng(seed).permutation(images[0].size)
    return images.reshape(len(images), -1)[:, order], order


def eight(images):
    """All mirror images and quarter turns."""
    turned = [np.rot90(images, n, axes=(1, 2)) for n in range(4)]
    return turned + [np.swapaxes(image, 1, 2) for image in turned]


def is_one_of_eight(found, images):
    return any(
        found.shape == turned.shape and np.array_equal(found, turned)
        for turned in eight(images)
    )


def true_pairs(shape):
    table = grid_neighbors(shape)[:, [1, 3, 5, 7]]
    pairs = {(i, j) for i, row in enumerate(table.tolist()) for j in row if j > i}
    assert len(pairs) == 2 * np.prod(shape) - sum(shape)
    return pairs


def is_isometric(cells, shape):
    """Whether the points that have a cell are as far apart as on the true grid."""
    placed = cells[:, 0] >= 0
    truth = np.stack(np.unravel_index(np.arange(len(cells)), shape), axis=1)
    pair = truth[placed], cells[placed]
    return np.allclose(*(np.linalg.norm(p[:, None] - p, axis=-1) for p in pair))


# ------------------------------------------------------------------ neighbours


def test_neighbors_have_the_largest_correlations_of_residuals():
    """The correlation of the residuals of two positions after regression on all others."""
    x = smooth_images((2, 3), num=400).reshape(400, 6)
    expected = np.zeros((6, 6))
    for i, j in itertools.permutations(range(6), 2):
        others = np.delete(x - x.mean(axis=0), [i, j], axis=1)
        pair = (x - x.mean(axis=0))[:, [i, j]]
        residual = pair - others @ np.linalg.lstsq(others, pair, rcond=None)[0]
        expected[i, j] = np.corrcoef(residual.T)[0, 1]
    table = infer_neighbors(x, num_neighbors=5, min_correlation=0.05, shrinkage=1e-9)
    for row, found in zip(expected, table, strict=True):
        wanted = [j for j in np.argsort(-row) if row[j] > 0.05]
        assert found.tolist() == wanted + [-1] * (5 - len(wanted))


def test_the_shrinkage_is_that_of_schaefer_and_strimmer():
    x = np.random.default_rng(0).normal(size=(60, 5))
    x[:, 1] += x[:, 0]
    found, _, shrinkage = moments_of(x, False).correlations()
    assert np.allclose(found, np.corrcoef(x.T), atol=1e-12)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    variances, squares = 0.0, 0.0
    for i, j in itertools.permutations(range(5), 2):
        products = z[:, i] * z[:, j]
        variances += np.var(products) / len(z)
        squares += np.mean(products) ** 2
    assert np.isclose(shrinkage, variances / squares)
    assert 0.01 < shrinkage < 0.9


def test_neighbors_of_a_scrambled_grid():
    x, order = scrambled(smooth_images((12, 9)))
    table = infer_neighbors(x)
    truth = true_pairs((12, 9))
    listed = {
        tuple(sorted((order[i], order[j])))
        for i, row in enumerate(table.tolist())
        for j in row
        if j >= 0
    }
    assert truth <= listed
    assert len(truth) > 0.95 * len(listed)
    generators = NeighborGenerators(2, table)
    assert tuple(generators(x[:3, :, None].astype("float32")).shape) == (3, 108, 2, 1)


def test_white_noise_has_no_neighbors():
    x = np.random.default_rng(0).normal(size=(300, 50))
    assert np.all(infer_neighbors(x) == -1)


def test_positions_that_hardly_vary_have_no_neighbors():
    x = smooth_images((4, 5), num=500).reshape(500, 20)
    x[:, 3] = 7.0
    # Both light up in the same two images: a perfect correlation that tells nothing.
    x[:, [8, 17]] = 0.0
    x[:2, [8, 17]] = 1.0
    table = infer_neighbors(x)
    assert np.all(table[[3, 8, 17]] == -1)
    assert not np.isin(table, [3, 8, 17]).any()
    assert np.sum(table >= 0) > 20


# ------------------------------------------------------------------------ grid


@pytest.mark.parametrize(
    ("shape", "seed"), [((12, 9), 0), ((12, 9), 1), ((5, 5), 2), ((3, 8), 3), ((15, 15), 4)]
)
def test_scrambled_images_are_put_together_again(shape, seed):
    images = smooth_images(shape, seed=seed)
    x, order = scrambled(images, seed)
    grid = infer_grid(x)
    assert is_one_of_eight(grid.unscramble(x), images)
    assert grid.placed.all()
    assert grid.confidence > 0.9
    pairs = {tuple(sorted(pair)) for pair in order[grid.neighbor_pairs].tolist()}
    assert pairs == true_pairs(shape)


def test_images_in_order_stay_as_they_are():
    images = smooth_images((6, 7))
    assert np.array_equal(infer_grid(images).unscramble(images), images)


def test_a_given_shape_says_which_way_up():
    x, _ = scrambled(smooth_images((9, 6)))
    assert infer_grid(x, shape=(6, 9)).unscramble(x).shape[1:] == (6, 9)
    assert infer_grid(x, shape=(9, 6)).unscramble(x).shape[1:] == (9, 6)


def test_very_smooth_images_need_more_shrinkage():
    """Without noise, partial correlations reach further than one pixel."""
    images = smooth_images((5, 5), noise=0.0)
    x, _ = scrambled(images)
    assert is_one_of_eight(infer_grid(x).unscramble(x), images)


def test_a_missing_pixel_leaves_a_hole():
    images = smooth_images((8, 8))
    x, order = scrambled(images)
    keep = order != 27
    grid = infer_grid(x[:, keep])
    images.reshape(-1, 64)[:, 27] = 0
    assert is_one_of_eight(grid.unscramble(x[:, keep]), images)
    assert np.sum(grid.order == -1) == 1


def test_an_empty_border_is_not_made_up():
    """The rest is right up to a shift. Constant pixels fill the remaining cells."""
    inner = smooth_images((6, 6))
    x, _ = scrambled(np.pad(inner, [(0, 0), (1, 1), (1, 1)], constant_values=3.0))
    grid = infer_grid(x)
    assert grid.shape == (8, 8)
    assert grid.placed.sum() == 36
    assert "28 pixels hardly vary" in grid.summary()
    top, left = grid.cells[grid.placed].min(axis=0)
    found = grid.unscramble(x)[:, top : top + 6, left : left + 6]
    assert is_one_of_eight(found, inner)
    assert sorted(grid.order) == list(range(64))


def test_data_without_a_grid():
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="must have a grid"):
        infer_grid(rng.normal(size=(500, 36)))
    with pytest.raises(ValueError, match="must have a grid"):
        infer_grid(np.cumsum(rng.normal(size=(500, 36)), axis=1))
    mixed = rng.normal(size=(2000, 200)) @ rng.normal(size=(200, 64))
    with pytest.raises(ValueError, match=r"largest patch .* holds only \d pixels"):
        infer_grid(mixed)


def test_confidence_is_the_part_of_the_pairs_that_agree():
    x, _ = scrambled(smooth_images((7, 8), num=150, noise=0.5))
    grid = infer_grid(x)
    found, data = ({tuple(p) for p in q} for q in (grid.neighbor_pairs, grid.data_pairs))
    assert np.isclose(grid.confidence, len(found & data) / len(found | data))
    assert 0.5 < grid.confidence < 0.95
    assert "do not rely on it" not in grid.summary()
    assert "do not rely on it" in dataclasses.replace(grid, confidence=0.4).summary()


def test_arguments_are_checked():
    x, _ = scrambled(smooth_images((6, 6)))
    with pytest.raises(ValueError, match="`shape` must contain the patch of 6 x 6"):
        infer_grid(x, shape=(4, 9))
    with pytest.raises(ValueError, match="`shape` must be"):
        infer_grid(x, shape=(2, 3, 6))
    with pytest.raises(ValueError, match="must vary"):
        infer_grid(np.ones((50, 16)))
    with pytest.raises(ValueError, match="`x` must have shape"):
        infer_neighbors(np.ones(5))
    with pytest.raises(ValueError, match="`x` must be finite"):
        infer_neighbors(np.full((5, 5), np.nan))
    with pytest.raises(ValueError, match="`min_correlation`"):
        infer_neighbors(x, min_correlation=2)
    with pytest.raises(ValueError, match="`x` must have shape"):
        infer_grid(x).unscramble(x[:, :-1])


# ----------------------------------------------------------- use of the result


def test_neighbor_generators_on_scrambled_data():
    """The mean over the window about each pixel, without putting the image together."""
    images = smooth_images((7, 6))
    x, order = scrambled(images)
    table = infer_grid(x).neighbors(size=3)
    assert table.shape == (42, 9)
    mean = NeighborGenerators(1, table, values=np.full((42, 9, 1), 1 / 9), trainable=False)
    found = keras.ops.convert_to_numpy(mean(x[:10, :, None].astype("float32")))
    expected = uniform_filter(images[:10], (0, 3, 3), mode="constant").reshape(10, -1)
    assert np.allclose(found[:, :, 0, 0], expected[:, order], atol=1e-5)


def test_the_layer_does_what_unscramble_does():
    colours = np.stack([smooth_images((5, 6), seed=seed) for seed in (0, 0, 0)], axis=-1)
    colours[..., 1:] += np.random.default_rng(1).normal(size=(2000, 5, 6, 2)) / 10
    order = np.random.default_rng(0).permutation(30)
    x = colours.reshape(2000, 30, 3)[:, order].astype("float32")
    grid = infer_grid(x.mean(axis=-1))
    recovered = grid.unscramble(x)
    assert is_one_of_eight(recovered, colours.astype("float32"))
    layer = grid.to_layer(data_format="channels_last")
    assert np.array_equal(keras.ops.convert_to_numpy(layer(x[:4])), recovered[:4])


def test_plot():
    x, _ = scrambled(smooth_images((5, 6)))
    figure = infer_grid(x).plot()
    assert len(figure.axes) == 2
    assert "30 of 30" in figure.axes[1].get_title()
    matplotlib.pyplot.close(figure)


# ----------------------------------------------------------------------- parts


def test_a_whole_grid_is_embedded():
    _, cells = embed(np.array(sorted(true_pairs((6, 9)))), 54)
    assert np.all(cells >= 0)
    assert is_isometric(cells, (6, 9))


def test_shortcuts_change_nothing():
    """False edges on an 8 x 8 graph that lacks some of the true ones."""
    rng = np.random.default_rng(0)
    pairs = np.array(sorted(true_pairs((8, 8))))
    pairs = pairs[rng.random(len(pairs)) > 0.05]
    false = np.array([(0, 63), (7, 56), (3, 60), (9, 18), (20, 52)])
    strength = np.r_[np.full(len(pairs), 0.4), np.full(len(false), 0.1)]
    _, cells = embed(prune(np.concatenate([pairs, false]), strength), 64)
    assert np.array_equal(cells, embed(prune(pairs, strength[: len(pairs)]), 64)[1])
    assert is_isometric(cells, (8, 8))


def test_weak_edges_on_one_square_are_shortcuts():
    """A pair three steps apart on a line closes exactly one square."""
    pairs = np.array(sorted(true_pairs((8, 8))))
    strength = np.full(len(pairs), 0.3)
    shortcut = np.array([[0, 3]])
    pruned = prune(np.concatenate([pairs, shortcut]), np.append(strength, 0.1))
    assert {*map(tuple, pruned)} == {*map(tuple, pairs)}
    # As strong as the others it could be an edge at a border.
    kept = prune(np.concatenate([pairs, shortcut]), np.append(strength, 0.4))
    assert (0, 3) in {*map(tuple, kept)}


def test_refinement_takes_exchanged_pixels_back():
    weights = np.zeros((31, 31))
    for i, j in true_pairs((5, 6)):
        weights[i, j] = weights[j, i] = 0.3
    truth = np.arange(30).reshape(5, 6)
    wrong = truth.copy()
    wrong[1, 1], wrong[3, 4] = truth[3, 4], truth[1, 1]
    wrong[0, 5] = -1
    assert np.array_equal(refine(wrong, weights, np.arange(30), 0.1), truth)


def test_lines_whose_ends_are_neighbours_are_told():
    cells = np.stack(np.unravel_index(np.arange(80), (4, 20)), axis=1)
    on_grid = np.array(sorted(true_pairs((4, 20))))
    assert ring_shares(cells, (4, 20), on_grid) == (0.0, 0.0)
    ends = np.array([(20 * row, 20 * row + 19) for row in range(3)])
    assert ring_shares(cells, (4, 20), np.concatenate([on_grid, ends])) == (0.0, 0.75)
    images = smooth_images((4, 20), num=1000)
    grid = dataclasses.replace(infer_grid(images), data_pairs=ends)
    assert "75% of the rows close to a ring" in grid.summary()


@pytest.mark.parametrize("size", [8, 64])
def test_long_sums_show_their_progress(capsys, monkeypatch, size):
    """From five batches on, unless it is said."""
    monkeypatch.setattr("keras_lconv.discovery.pixels.moments.BATCH_SIZE", size)
    moments_of(np.random.default_rng(0).normal(size=(256, 3)), None)
    assert bool(capsys.readouterr().out) == (size == 8)
