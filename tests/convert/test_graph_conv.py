"""Graph convolutions as L-convs, against NumPy."""

import keras
import numpy as np
import pytest
from keras import ops
from scipy import sparse
from scipy.special import eval_chebyt

from keras_lconv import generators as g
from keras_lconv.convert import from_graph_conv
from tests.autodiff import gradients
from tests.families import relative_error, to_numpy, weighted_graph
from tests.samples import random

SIZE = 9


def propagation(adjacency, kind):
    """The matrix of the graph that a convolution multiplies by."""
    if kind == "renormalized":
        adjacency = adjacency + np.eye(SIZE)
    degrees = adjacency.sum(axis=1)
    if kind == "laplacian":
        return np.diag(degrees) - adjacency
    if kind == "adjacency":
        return adjacency
    roots = np.array([n**-0.5 if n > 0 else 0.0 for n in degrees])
    return roots[:, None] * adjacency * roots


def chebyshev(adjacency, largest, degree):
    """The polynomial by the eigenvalues of the scaled Laplacian."""
    laplacian = np.eye(SIZE) - propagation(adjacency, "normalized")
    values, vectors = np.linalg.eigh(2 * laplacian / largest - np.eye(SIZE))
    return vectors @ np.diag(eval_chebyt(degree, values)) @ vectors.T


def assert_is(layer, kernel, bias, matrices):
    """Outputs and gradients of `sum_n M_n f W_n + b`."""
    f, probe = random((2, SIZE, 3)), random((2, SIZE, 4), 1)
    expected = np.einsum("nij,bjc,ncf->bif", matrices, f, kernel) + bias
    assert relative_error(layer(f), expected) < 1e-5

    def function(f, kernel, bias):
        fixed = [ops.convert_to_tensor(w) for w in layer.non_trainable_variables]
        output, _ = layer.stateless_call([kernel, bias], fixed, f)
        return ops.sum(output * ops.convert_to_tensor(probe))

    found = gradients(function, [f, kernel.astype("float32"), bias.astype("float32")])
    by_input = np.einsum("nij,bif,ncf->bjc", matrices, probe, kernel)
    by_kernel = np.einsum("nij,bjc,bif->ncf", matrices, f, probe)
    for one, other in zip(found, [by_input, by_kernel, probe.sum((0, 1))], strict=True):
        assert relative_error(one, other) < 1e-5


@pytest.mark.parametrize("kind", ["renormalized", "normalized", "laplacian", "adjacency"])
def test_one_matrix(kind):
    adjacency = weighted_graph(SIZE)
    kernel, bias = random((3, 4)), random(4)
    layer = from_graph_conv(kernel, bias, sparse.csr_array(adjacency), kind)
    assert_is(layer, kernel[None], bias, propagation(adjacency, kind)[None])


@pytest.mark.parametrize(("degree", "largest"), [(1, 2.0), (4, 1.5)])
def test_chebyshev(degree, largest):
    adjacency = weighted_graph(SIZE)
    kernel, bias = random((degree + 1, 3, 4)), random(4)
    layer = from_graph_conv(
        kernel, bias, adjacency, "chebyshev", largest_eigenvalue=largest
    )
    matrices = [chebyshev(adjacency, largest, n) for n in range(degree + 1)]
    assert_is(layer, kernel, bias, np.array(matrices))


def test_chebyshev_generators_store_neighbors_up_to_their_degree():
    size = 30
    ring = np.roll(np.eye(size), 1, axis=0) + np.roll(np.eye(size), -1, axis=0)
    assert g.chebyshev_graph(ring, 3).neighbors.shape == (size, 7)


def test_the_result_is_saved_and_trained(tmp_path):
    kernel = random((2, 3, 4))
    layer = from_graph_conv(
        kernel, None, weighted_graph(SIZE), "chebyshev", activation="relu", name="first"
    )
    model = keras.Sequential([keras.Input((SIZE, 3)), layer])
    model.compile("sgd", "mse")
    x = random((2, SIZE, 3))
    model.fit(x, random((2, SIZE, 4), 1), verbose=0)
    assert not np.allclose(to_numpy(layer.kernel), kernel)
    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert relative_error(copy(x), model(x)) < 1e-5
    assert copy.layers[0].name == "first"


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((np.ones((2, 3)), np.ones(3), np.eye(4), "other"), ValueError, "`normalization`"),
        ((np.ones(3), None, np.eye(4)), ValueError, r"\(channels, filters\)"),
        ((np.ones((2, 3)), None, np.eye(4), "chebyshev"), ValueError, r"\(K \+ 1"),
        ((np.ones((1, 2, 3)), None, np.eye(4), "chebyshev"), ValueError, "no influence"),
        ((np.ones((2, 3)), np.ones(2), np.eye(4)), ValueError, "`bias` must have"),
        ((np.ones((2, 3)), None, np.ones((4, 3))), ValueError, "square"),
        ((np.ones((2, 3)), None, -np.eye(4), "normalized"), ValueError, "not be negative"),
        (("a", None, np.eye(4)), TypeError, "`kernel`"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        from_graph_conv(*arguments)
