"""Plots: what they draw, on a canvas without a screen."""

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from keras_lconv.generators import translation
from keras_lconv.visualization import plot_matrix, plot_vector_field

pytestmark = pytest.mark.backend_free


def test_arrows_point_where_the_content_goes():
    generators = translation()
    generators.build((None, 8, 8, 1))
    # Along the first axis content moves to larger row, which is down.
    ax = plot_vector_field(generators.vector_fields()[0], title="down")
    arrows = ax.collections[0]
    assert np.allclose(arrows.U, 0)
    assert np.all(arrows.V > 0)
    assert ax.yaxis_inverted()
    assert ax.get_title() == "down"


def test_large_fields_are_thinned_and_zero_fields_drawn():
    assert len(plot_vector_field(np.ones((100, 60, 2))).collections[0].U) == 60
    plot_vector_field(np.zeros((4, 4, 2)))


def test_matrix_has_a_symmetric_scale():
    _, ax = plt.subplots()
    assert plot_matrix([[0.0, 2.0], [-3.0, 0.0]], ax=ax) is ax
    assert ax.images[0].get_clim() == (-3.0, 3.0)


@pytest.mark.parametrize(
    ("plot", "value", "words"),
    [
        (plot_vector_field, np.ones((3, 3)), "`field` must have shape"),
        (plot_vector_field, np.full((2, 2, 2), np.nan), "must be finite"),
        (plot_matrix, np.ones(3), "`matrix` must have shape"),
    ],
)
def test_bad_arguments_are_refused(plot, value, words):
    with pytest.raises(ValueError, match=words):
        plot(value)
