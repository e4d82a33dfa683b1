"""Reflections, permutations and rotations by parts of a turn, found in functions."""

import numpy as np
import pytest
from keras import ops

from keras_lconv import EquivariantDense
from keras_lconv import algebra as a
from keras_lconv.discovery import find_discrete_symmetries, find_symmetries
from keras_lconv.discovery.discrete import elements
from tests.families import to_numpy
from tests.samples import normal


def tensor(array):
    return ops.convert_to_tensor(np.asarray(array, "float32"))


def change(function, report, x):
    """The largest change of a function by what was found, in units of its spread."""
    values = to_numpy(function(tensor(x)))
    moved = [to_numpy(function(tensor(x @ h.T))) for h in report.elements]
    return np.max(np.abs(moved - values)) / np.std(values)


def sevenfold(x):
    """Of LieGAN: scaling of (x, y), and seventh parts of a turn."""
    angles = ops.arctan2(x[:, 1], x[:, 0])
    return x[:, 2] / (1 + ops.mod(angles, 2 * np.pi / 7))


def volume(x):
    return x[:, 0] * x[:, 1] * x[:, 2]


def triangle(x):
    """The symmetries of a triangle, in columns of other units."""
    z = x @ tensor([[1.0, 0.3], [200.0, 2000.0]])
    u, v = z[:, 0], z[:, 1]
    return ops.tanh(u**3 - 3 * u * v**2) + ops.sin(u**2 + v**2)


def waves(x):
    """Without any symmetry."""
    rng = np.random.default_rng(7)
    return ops.sum(ops.sin(x @ tensor(rng.normal(size=(3, 9))) + tensor(normal(9))), axis=1)


def test_parts_of_a_turn_beside_a_scaling():
    report = find_symmetries(sevenfold, normal(200, 3), search="linear", discrete=True)
    assert report.dimension == 1
    scaling = np.diag([1.0, 1.0, 0.0])
    assert np.degrees(np.max(a.principal_angles(report.basis, scaling[None]))) < 1
    assert (report.discrete.name, report.discrete.order) == ("C(7)", 7)
    assert "rotation by 2 pi / 7 in the plane (x0, x1)" in report.summary()
    assert change(sevenfold, report.discrete, normal(50, 3, seed=1)) < 1e-4


@pytest.mark.thorough
def test_permutations_and_pairs_of_signs_beside_two_scalings():
    kinds = ["permutations", "signs"]
    report = find_discrete_symmetries(volume, normal(200, 3), search=kinds)
    assert len(report.algebra) == 2
    assert (
        np.degrees(
            np.max(
                a.principal_angles(
                    report.algebra, np.array([np.diag([1, -1, 0]), np.diag([0, 1, -1])])
                )
            )
        )
        < 0.1
    )
    # Six permutations times four pairs of signs: the group of a tetrahedron.
    assert (report.name, report.order) == ("S(4)", 24)
    assert any(words.startswith("sign of x1, x2") for words in report.words)
    assert "reflections" in report.not_searched


@pytest.mark.thorough
def test_mirrors_in_any_direction_and_units():
    x = normal(200, 2) * [1.0, 1e-3]
    report = find_discrete_symmetries(triangle, x, search="reflections")
    assert (report.name, report.order) == ("S(3)", 6)
    assert change(triangle, report, x) < 1e-3
    squares = report.elements @ report.elements
    assert np.allclose(squares, np.eye(2) * np.ones((2, 1, 1)), atol=1e-6 * 2e3)
    assert report.group.order == 6
    assert report.confidence > 0.9


def test_nothing_in_a_function_without_symmetry():
    report = find_discrete_symmetries(
        waves, normal(100, 3), search=["permutations", "signs", "reflections"]
    )
    assert len(report.elements) == 0
    assert (report.order, report.name) == (1, "trivial")
    assert report.nearest > 0.05
    assert "no discrete symmetry" in report.summary()


@pytest.mark.thorough
def test_vectors_are_permuted_and_turned_alone():
    def function(x):
        return ops.tanh((x[:, 0] + 2) * x[:, 1] ** 2) * ops.tanh(
            (x[:, 2] + 2) * x[:, 3] ** 2
        )

    report = find_discrete_symmetries(
        function, normal(100, 4), blocks=2, search=["permutations", "signs"]
    )
    # A sign in each of two vectors, which may be exchanged.
    assert (report.name, report.order) == ("D(4)", 8)
    assert any("of vector 0 alone" in words for words in report.words)
    assert change(function, report, normal(50, 4, seed=1)) < 1e-5


@pytest.mark.backend_free
@pytest.mark.parametrize(
    ("kind", "most", "number"),
    [("permutations", 7, 5040), ("signs", 10, 2**10), ("both", 5, 2**5 * 120)],
)
def test_all_maps_of_so_many_components_are_tried(kind, most, number):
    kinds = {"permutations", "signs"} if kind == "both" else {kind}
    found, left_out = elements.signed_permutations("abcdefghijk"[:most], kinds)
    assert len({e.matrix.tobytes() for e in found}) == number - 1
    assert not left_out
    found, left_out = elements.signed_permutations("abcdefghijk"[: most + 1], kinds)
    assert len(found) < number * (most + 1)
    assert left_out


def test_the_first_400_samples_are_asked():
    x = normal(402, 1)
    x[400:] = 1e3
    options = {"search": "signs"}

    def even(x):
        return ops.where(x[:, 0] < 100, x[:, 0] ** 2, x[:, 0])

    assert find_discrete_symmetries(even, x, **options).order == 2
    assert find_discrete_symmetries(even, x[1:], **options).order == 1


@pytest.mark.thorough
def test_all_orders_of_many_columns():
    def function(x):
        return ops.sum(ops.exp(x), axis=1) + ops.sum(ops.sin(x), axis=1) ** 2

    report = find_discrete_symmetries(function, normal(100, 10), search="permutations")
    assert report.name == "S(10)"
    assert report.order == 3628800
    assert len(report.elements) == 9


def test_elements_of_a_group_and_the_way_to_a_layer():
    def function(x):
        return volume(x) + ops.sum(x**4, axis=1)

    report = find_discrete_symmetries(function, normal(60, 3), search=a.polyhedral("cube"))
    assert (report.name, report.order) == ("A(4)", 12)
    layer = EquivariantDense(1, report.group.standard**2, generators_out="trivial")
    layer.build((None, 9, 1))
    assert layer.num_maps == 1
    assert "S(" not in report.summary()


def test_a_function_that_jumps():
    def function(x):
        return np.sign(x[:, 0] * x[:, 1]) + (x[:, 0] > x[:, 1]) * (x[:, 0] > -x[:, 1])

    report = find_discrete_symmetries(function, normal(100, 2), derivatives="finite")
    assert report.order == 1
    assert "reflections in any direction: the function is constant" in str(report)


def test_what_does_not_matter_is_left_out():
    def function(x):
        return ops.sum(ops.exp(x[:, :2]), axis=1)

    report = find_discrete_symmetries(function, normal(100, 3), search="permutations")
    assert (report.name, report.independent) == ("C(2)", 1)
    assert report.words == ("permutation (x0 x1)",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"search": "mirrors"}, "`search` must be one of 'permutations'"),
        ({"search": np.eye(4)}, "`search` must hold 3x3 matrices"),
        ({"blocks": 2}, "`blocks` must divide the 3 components"),
        ({"scalars": 3}, "`scalars` must leave some components"),
        ({"output": "same"}, "`output` states how outputs move"),
        ({"centre": [0.0, 1.0]}, "`centre` must have shape"),
        ({"derivatives": "exact"}, "`derivatives` must be one of 'finite'"),
    ],
)
def test_errors(options, message):
    with pytest.raises(ValueError, match=message):
        find_discrete_symmetries(waves, normal(20, 3), **options)


def test_discrete_is_for_functions_that_can_be_asked():
    x = normal(50, 3)
    with pytest.raises(ValueError, match="`discrete` symmetries need a function"):
        find_symmetries(
            lambda x: ops.sum(x**2, axis=1), x, derivatives=2 * x, discrete=True
        )


def test_few_samples_are_too_few_for_maps_in_any_direction():
    # Maps with 14 free numbers, and 5 equations: by chance there are many that fit.
    def function(x):
        return ops.exp(x[:, 0] / 2) + ops.sin(x[:, 1] + 0.4) * x[:, 2] + ops.tanh(x[:, 2])

    x = np.random.default_rng(5).normal(size=(5, 3))
    report = find_discrete_symmetries(function, x)
    assert len(report.elements) == 0
    assert (
        "rotations in any direction: these need at least 12 different samples"
        in report.summary()
    )


@pytest.mark.parametrize("function", [lambda x: 3.0, lambda x: ops.sum(x)])
def test_functions_without_an_output_for_each_row_are_refused(function):
    with pytest.raises(ValueError, match="an output for each row"):
        find_discrete_symmetries(function, np.ones((4, 2)) * [[1], [2], [3], [4]])


def test_a_large_offset_hides_nothing_in_float64():
    """Only the variation of a function counts, in units of the rounding of its values."""
    x = np.random.default_rng(0).normal(size=(60, 2))
    report = find_discrete_symmetries(
        lambda x: 1e8 + x[:, 0] ** 2 * np.sin(x[:, 1] ** 2),
        x,
        search=["permutations", "signs"],
        derivatives="finite",
    )
    assert (report.name, report.order) == ("C(2)^2", 4)


@pytest.mark.parametrize("offset", [1e6, 1e8])
def test_an_offset_that_float32_cannot_hold_is_told(offset):
    x = np.random.default_rng(0).normal(size=(60, 2))
    with pytest.raises(ValueError, match="subtract the mean inside of the function"):
        find_discrete_symmetries(
            lambda x: offset + ops.sin(x[:, 0]) * x[:, 1], x, search="signs"
        )


@pytest.mark.parametrize("offset", [1e7, 1e9])
@pytest.mark.parametrize("kind", ["invariance", "equivariance"])
def test_an_offset_of_one_of_the_outputs_is_told(offset, kind):
    """It leaves the sphere, which has symmetries that the function does not have."""
    x = np.random.default_rng(0).normal(size=(60, 2))

    def function(x):
        return ops.stack([offset + x[:, 0], ops.sum(x**2, axis=1)], axis=1)

    with pytest.raises(ValueError, match="output 0 with values up to"):
        find_discrete_symmetries(function, x, kind=kind, search="signs")


def test_units_of_the_data_do_not_matter():
    """This holds even for values without a unit that are smaller than rounding."""
    x = 1e-30 * np.random.default_rng(0).normal(size=(60, 2))
    report = find_discrete_symmetries(
        lambda x: np.sum((1e30 * x) ** 4, axis=1), x, search="signs", derivatives="finite"
    )
    assert report.order == 4


def test_nothing_is_sure_where_nothing_is_tried():
    x = np.random.default_rng(0).normal(size=(60, 1))
    report = find_discrete_symmetries(lambda x: x[:, 0], x, search="permutations")
    assert report.confidence == 0
    assert "tried: nothing" in report.summary()
