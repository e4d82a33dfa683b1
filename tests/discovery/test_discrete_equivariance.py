"""Discrete symmetries of functions whose outputs move too."""

import numpy as np
import pytest
from keras import ops

from keras_lconv.discovery import find_discrete_symmetries, find_symmetries
from tests.discovery.test_discrete import tensor, waves
from tests.families import to_numpy
from tests.samples import normal

OBLIQUE = np.array([[1.0, 0.4], [0.0, 2.0]])


def found(function, x, **options):
    return find_discrete_symmetries(function, x, kind="equivariance", **options)


def force(x):
    """Of a triangle, in oblique coordinates: `F(h x) = h F(x)`."""
    y = x @ tensor(OBLIQUE)
    u, v = y[:, 0], y[:, 1]
    r = ops.sum(y**2, axis=1, keepdims=True)
    field = ops.stack([u**2 - v**2, -2 * u * v], axis=1) * ops.exp(-r / 3) + 0.2 * r * y
    return field @ tensor(np.linalg.inv(OBLIQUE))


def stress(x):
    return ops.reshape(force(x)[:, :, None] * force(x)[:, None, :], (-1, 4))


def defect(function, report, x):
    """How far outputs are from where `outputs` says, relative to the largest."""
    values = to_numpy(function(tensor(x)))
    pairs = zip(report.elements, report.outputs, strict=True)
    errors = [to_numpy(function(tensor(x @ h.T))) - values @ w.T for h, w in pairs]
    return np.max(np.abs(errors)) / np.max(np.abs(values))


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("function", "output"), [(force, "same"), (force, "free"), (stress, "tensor2")]
)
def test_mirrors_in_any_direction(function, output):
    report = found(function, normal(120, 2), search="reflections", output=output)
    assert (report.name, report.order) == ("S(3)", 6)
    assert defect(function, report, normal(50, 2, seed=1)) < 1e-3
    if output == "same":
        assert np.allclose(report.outputs, report.elements)


def test_odd_functions_turn_their_sign():
    def odd(x):
        return ops.sin(x[:, 0] + 2 * x[:, 1]) * ops.exp(-(x[:, 2] ** 2))

    report = found(odd, normal(60, 3), search="signs")
    assert report.order == 4
    signs = dict(zip(report.words, report.outputs.ravel(), strict=True))
    assert np.isclose(signs["sign of x2"], 1, atol=1e-5)
    assert np.isclose(signs["sign of x0, x1"], -1, atol=1e-5)
    # An invariant function has one of these only.
    assert find_discrete_symmetries(odd, normal(60, 3), search="signs").order == 2


def test_vectors_and_matrices_of_the_inputs():
    def vector(x):
        return ops.tanh(x) * ops.sum(x**4, axis=1, keepdims=True)

    def matrix(x):
        return vector(x)[:, :, None] * x[:, None, :] ** 3

    kinds = ["permutations", "signs"]
    for function, output in ((vector, "same"), (matrix, "tensor2")):
        report = found(function, normal(60, 2), search=kinds, output=output)
        assert (report.name, report.order) == ("D(4)", 8)
    # The second component alone does not change `F`, and tells it from `-F` all the same.
    report = found(lambda x: vector(x) * tensor([1.0, 0.0]), normal(60, 2), search=kinds)
    assert (report.order, report.independent) == (4, 0)
    report = found(
        lambda x: ops.stack([0 * x[:, 0], ops.sinh(x[:, 0])], axis=1),
        normal(60, 2),
        search="signs",
        output="same",
    )
    assert report.words == ("sign of x0, x1",)


def test_a_centre_and_scalars():
    def attracted(x):
        return ops.concatenate(
            [ops.exp(x[:, :1]), 1 - x[:, :1] ** 2 * ops.tanh(x[:, 1:] - 1)], axis=1
        )

    options = {"search": "signs", "output": "same", "scalars": 1}
    report = found(attracted, normal(60, 3), centre=[1.0, 1.0], **options)
    assert report.order == 4
    assert found(attracted, normal(60, 3), **options).order == 1


def test_given_matrices_of_inputs_and_outputs():
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    x = normal(60, 2)

    def square(x):
        u, v = x[:, 0], x[:, 1]
        return ops.stack([u**2 - v**2, 2 * u * v], axis=1)

    maps, right = [turn, np.diag([1.0, -1.0])], [-np.eye(2), np.diag([1.0, -1.0])]
    report = found(square, x, search=maps, output=right)
    assert report.order == 8
    assert np.allclose(report.outputs, right)
    assert found(square, x, search=maps, output=right[::-1]).order == 1


def test_nothing_where_there_is_nothing():
    def three(x):
        parts = [waves(x), waves(1.5 * x + 0.5), waves(2 * x - 0.3)]
        return ops.stack([ops.reshape(part, (-1,)) for part in parts], axis=1)

    for output in ("free", "same"):
        report = found(
            three, normal(80, 3), search=["permutations", "signs"], output=output
        )
        assert (report.order, len(report.outputs)) == (1, 0)
        assert report.nearest > 0.05


def test_both_kinds_at_once():
    options = {"search": "linear", "kind": "equivariance", "output": "same"}
    report = find_symmetries(
        lambda x: x * ops.sum(x**2, axis=1, keepdims=True),
        normal(60, 2),
        discrete=True,
        **options,
    )
    assert len(report.discrete.algebra) == 1
    assert report.discrete.order == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "covariance"}, "`kind` must be one of"),
        ({"output": "vector"}, "`output` must be one of"),
        ({"output": "tensor2"}, "needs a function with 4 outputs"),
        ({"output": [np.eye(2)]}, "`output` can hold matrices only if `search` holds"),
        ({"search": [np.eye(2)], "output": [np.eye(3)]}, r"matrices of shape \(1, 2, 2\)"),
        ({"x": normal(15, 2)}, "law of the 2 outputs and needs at least 16 different"),
    ],
)
def test_errors(options, message):
    options = {"x": normal(30, 2), **options}
    with pytest.raises(ValueError, match=message):
        find_discrete_symmetries(force, **{"kind": "equivariance", **options})
