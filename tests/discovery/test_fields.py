"""Symmetries that are fields with polynomial components, or those of a library."""

import numpy as np
import pytest
from keras import ops

from keras_lconv.algebra import VectorFields
from keras_lconv.discovery import find_symmetries
from keras_lconv.metrics import invariance_error
from tests.samples import normal


def quartic(x):
    return x[:, 0] ** 2 + x[:, 1] ** 4


def cusp(x):
    return x[:, 0] ** 3 - x[:, 1] ** 2


def cross_ratio(x):
    a, b, c, d = x.T
    return (a - c) * (b - d) / ((a - d) * (b - c))


def complex_cross_ratio(x):
    z = x[:, ::2] + 1j * x[:, 1::2]
    found = cross_ratio(z)
    return np.column_stack([found.real, found.imag])


def projective_invariants(x):
    points = np.concatenate([x.reshape(-1, 5, 2), np.ones((len(x), 5, 1))], axis=2)

    def area(*chosen):
        return np.linalg.det(points[:, chosen])

    first = area(0, 1, 2) * area(0, 3, 4) / area(0, 1, 3) / area(0, 2, 4)
    second = area(1, 0, 2) * area(1, 3, 4) / area(1, 0, 3) / area(1, 2, 4)
    return np.column_stack([first, second])


def bent(x):
    """Coordinates in which the next ones are rotated."""
    return np.column_stack([x[:, 0], x[:, 1] + x[:, 0] ** 2, x[:, 2]])


def hidden_radius(x):
    return np.sum(bent(x) ** 2, axis=1)


def hidden_products(x):
    first, second = bent(x[:, :3]), bent(x[:, 3:])
    return np.sum(first * second, axis=1) + np.sin(np.sum(first**2, axis=1))


HIDDEN = {
    "x0 d/dx2 - x2 d/dx0 + 2 x0 x2 d/dx1",
    "x1 d/dx2 - x2 d/dx1 + x0^2 d/dx2",
    "x0 d/dx1 - x1 d/dx0 - x0^2 d/dx0 + 2 x0 x1 d/dx1 + 2 x0^3 d/dx1",
}

# Function, size of a vector, blocks, degree, name, all symmetries, and some in symbols.
KNOWN = {
    "quartic": (quartic, 2, 1, 3, "R", 1, {"x0 d/dx1 - 2 x1^3 d/dx0"}),
    "cusp": (cusp, 2, 1, 3, "R", 3, {"2 x1 d/dx0 + 3 x0^2 d/dx1"}),
    "circles": (
        lambda x: np.sum(x**2, axis=1),
        2,
        1,
        3,
        "R",
        6,  # times all polynomials of degree 2
        {"x0 d/dx1 - x1 d/dx0"},
    ),
    # x . (x X v) = 0 is one relation among the products with x.
    "spheres": (lambda x: np.sum(x**2, axis=1), 3, 1, 2, "so(3)", 11, set()),
    "Moebius, line": (cross_ratio, 1, 4, 3, "sl(2,R)", 3, {"x0^2 d/dx0"}),
    "Moebius, plane": (
        complex_cross_ratio,
        2,
        4,
        2,
        "so(3,1)",
        6,
        {"x0^2 d/dx0 + 2 x0 x1 d/dx1 - x1^2 d/dx0"},
    ),
    "projective": (
        projective_invariants,
        2,
        5,
        2,
        "sl(3,R)",
        8,
        {"x0^2 d/dx0 + x0 x1 d/dx1"},
    ),
    "hidden rotations": (hidden_radius, 3, 1, 3, "so(3)", 9, HIDDEN),
    "hidden rotations of two": (hidden_products, 3, 2, 3, "so(3)", 3, HIDDEN),
}


def found(function, x, **kwargs):
    return find_symmetries(function, x, derivatives="finite", verbose=False, **kwargs)


@pytest.mark.backend_free
@pytest.mark.parametrize("name", KNOWN)
def test_right_answers(name):
    function, size, blocks, degree, algebra, number, formulas = KNOWN[name]
    x = normal(800, blocks * size)
    report = found(function, x, search="polynomial", degree=degree, blocks=blocks)
    assert report.name == algebra
    assert report.num_solutions == number
    assert report.confidence > 0.99
    if "plane" not in name:
        assert formulas <= set(report.formulas())
    # The flow keeps the function, at other samples too.
    y = 0.5 * normal(20, blocks * size, seed=1)
    t = 0.05 * normal(1, report.dimension, seed=2)[0]
    moved = report.flow(y, t)
    assert np.max(np.abs(moved - y)) > 1e-3
    # Differences of functions with poles are less precise.
    error = 1e-7 if blocks < 4 else 1e-5
    assert np.allclose(function(moved), function(y), rtol=error, atol=error)


@pytest.mark.backend_free
@pytest.mark.parametrize("function", [quartic, cusp])
def test_units_and_offsets_do_not_matter(function):
    x = normal(400, 2)
    matrix = np.array([[1e3, 20.0], [-3e-3, 1e-2]])
    moved = x @ matrix.T + [5e3, 1.0]
    inverse = np.linalg.inv(matrix)
    plain = found(function, x, search="polynomial", degree=3)
    other = found(
        lambda z: function((z - [5e3, 1.0]) @ inverse.T),
        moved,
        search="polynomial",
        degree=3,
    )
    assert other.num_solutions == plain.num_solutions
    assert np.allclose(other.singular_values, plain.singular_values, rtol=1e-3, atol=1e-6)
    back = (other.flow(moved, 1e-3) - [5e3, 1.0]) @ inverse.T
    assert np.allclose(function(back), function(x), rtol=1e-5, atol=1e-6)


@pytest.mark.backend_free
def test_brackets_choose_among_multiples():
    """In mixed coordinates no sparse choice of the fields is closed by itself."""
    mixed = normal(3, 3, seed=4)
    report = found(
        lambda x: hidden_radius(x @ mixed.T), normal(800, 3), search="polynomial", degree=3
    )
    assert report.name == "so(3)"
    assert report.num_solutions == 9


@pytest.mark.backend_free
@pytest.mark.parametrize("blocks", [1, 2])
def test_none_where_there_is_none(blocks):
    rng = np.random.default_rng(3)
    size = 3 * blocks
    first, second = rng.normal(size=(size, 16)), rng.normal(size=(16, 4))
    report = found(
        lambda x: np.tanh(x @ first) @ second,
        normal(400, size),
        search="polynomial",
        blocks=blocks,
    )
    assert report.dimension == 0
    assert report.confidence > 0.5
    assert "no symmetry" in report.summary()


@pytest.mark.backend_free
def test_fields_that_vanish_on_a_surface_are_none():
    x = normal(500, 3)
    x = 2 * x / np.linalg.norm(x, axis=1, keepdims=True)
    report = found(
        lambda x: x[:, 2] ** 3 + np.sum(x[:, :2] ** 2, axis=1) ** 2, x, search="polynomial"
    )
    assert report.vanishing == ("x0^2 + x1^2 + x2^2 - 4",)
    assert report.formulas() == ["x0 d/dx1 - x1 d/dx0"]
    # It times 1, x, y and z, and no multiple of |x|^2 - 4.
    assert report.num_solutions == 4
    assert "x0^2 + x1^2 + x2^2 - 4 = 0" in report.summary()


@pytest.mark.backend_free
def test_equivariance_of_a_map():
    def step(x):
        # Diagonal in the coordinates (x, y + x^2).
        x, y = x[:, 0] / 2, 0.8 * (x[:, 1] + x[:, 0] ** 2)
        return np.column_stack([x, y - x**2])

    x = normal(400, 2)
    asked = {"search": "polynomial", "kind": "equivariance"}
    report = found(step, x, output="same", **asked)
    assert report.formulas()[0] == "x0 d/dx0 + 2 x1 d/dx1"
    assert report.num_solutions == report.dimension == 2
    assert report.name == "R^2"
    moved = report.flow(x, [0.1, 0.2])
    assert np.allclose(report.flow(step(x), [0.1, 0.2]), step(moved), atol=1e-6)
    # Any affine motion of the outputs, as far as it has degree 2 in x.
    free = found(lambda x: bent(np.pad(x, ((0, 0), (0, 1))))[:, :2], x, **asked)
    assert free.num_solutions == 5


@pytest.mark.backend_free
def test_scalars_stay():
    def charged(x):
        return x[:, 0] * np.sum(bent(x[:, 1:4]) * bent(x[:, 4:]), axis=1)

    report = found(
        charged, normal(800, 7), search="polynomial", degree=3, blocks=2, scalars=1
    )
    assert report.name == "so(3)"
    y = normal(3, 7, seed=1)
    assert np.array_equal(report.flow(y, [0.1, 0.0, 0.0])[:, 0], y[:, 0])


@pytest.mark.backend_free
def test_a_library_of_coefficients():
    def pendulum(x):
        return x[:, 1] ** 2 / 2 - np.cos(x[:, 0])

    library = {
        "": lambda x: np.ones(len(x)),
        "p": lambda x: x[:, 1],
        "sin q": lambda x: np.sin(x[:, 0]),
    }
    x = normal(400, 2)
    report = found(pendulum, x, search=library)
    assert report.formulas() == ["p d/dx0 - sin q d/dx1"]
    # The spectrum, and the arrows of the field.
    arrows = report.plot().axes[1]
    assert arrows.get_title() == "p d/dx0 - sin q d/dx1"
    assert len(arrows.collections[0].U) == 15**2
    assert np.allclose(pendulum(report.flow(x, 0.5)), pendulum(x), atol=1e-6)
    assert report.name == "R"


@pytest.mark.backend_free
def test_a_library_of_fields():
    def turn(a, b):
        def field(x):
            result = np.zeros_like(x)
            result[:, b], result[:, a] = x[:, a], -x[:, b]
            return result

        field.__name__ = f"turn{a}{b}"
        return field

    pairs = [(0, 1), (0, 2), (1, 2), (0, 3)]
    search = [turn(*pair) for pair in pairs] + [lambda x: x**3]
    report = found(
        lambda x: np.sum(x[:, :3] ** 2, axis=1) - x[:, 3], normal(400, 4), search=search
    )
    assert report.formulas() == ["turn01", "turn02", "turn12"]
    assert report.name == "so(3)"


@pytest.mark.backend_free
def test_what_does_not_fit_is_refused():
    x = normal(100, 2)
    with pytest.raises(ValueError, match="`degree` applies to"):
        found(quartic, x, search="affine", degree=2)
    with pytest.raises(ValueError, match="`degree` must be"):
        found(quartic, x, search="polynomial", degree=0)
    with pytest.raises(ValueError, match="`output` must be one of"):
        found(cusp, x, search="polynomial", kind="equivariance", output="tensor2")
    with pytest.raises(ValueError, match="needs a table"):
        found(quartic, normal(3, 8).reshape(3, 2, 2, 2), search="polynomial")
    with pytest.raises(ValueError, match="`search` must hold functions"):
        found(quartic, x, search=[lambda x: x[:1]])
    with pytest.raises(ValueError, match="polynomial fields of 30 components"):
        found(quartic, normal(40, 30), search="polynomial", degree=6)
    report = found(quartic, x, search="polynomial", degree=3)
    with pytest.raises(ValueError, match="have no matrices as generators"):
        report.to_generators()
    with pytest.raises(ValueError, match="must have shape"):
        report.flow(x[:, :1], 1.0)


@pytest.mark.thorough
def test_invariance_along_a_flow_is_measured():
    x = normal(200, 2)
    report = find_symmetries(quartic, x, search="polynomial", degree=3, verbose=False)
    times = [[-0.1], [0.2]]
    assert invariance_error(quartic, report, x, times).max < 1e-4
    assert invariance_error(cusp, report, x, times).max > 0.05
    assert invariance_error(quartic, report.fields, x, times).max < 1e-4
    squares = VectorFields([[2]], [[[1.0]]])
    with pytest.raises(ValueError, match="samples to infinity"):
        invariance_error(lambda x: x[:, 0], squares, np.ones((3, 1)), [2.0])
    with pytest.raises(ValueError, match="for flows, and"):
        invariance_error(quartic, report, x, times, unit="data")


def test_augmentation_moves_along_the_flow():
    x = normal(400, 7).astype("float32")

    def charged(x):
        return x[:, 0] * np.sum(bent(x[:, 1:4]) * bent(x[:, 4:]), axis=1)

    report = found(charged, x, search="polynomial", degree=3, blocks=2, scalars=1)
    layer = report.to_augmentation(0.4, seed=0)
    again = type(layer).from_config(layer.get_config())
    moved = ops.convert_to_numpy(layer(x, training=True))
    assert np.array_equal(moved, ops.convert_to_numpy(again(x, training=True)))
    assert np.array_equal(layer(x), x)
    assert np.array_equal(moved[:, 0], x[:, 0])
    assert 0.05 < np.median(np.abs(moved[:, 1:] - x[:, 1:])) < 0.5
    # Single precision; and few samples are far out, where the fields are steep.
    change = np.abs(charged(moved) - charged(x)) / np.std(charged(x))
    assert np.quantile(change, 0.95) < 1e-3
    # Each sample has times of its own, and infinity keeps its samples.
    assert len(np.unique((moved - x)[:, 1])) == len(x)
    far = layer(1e12 * x, training=True)
    assert np.all(np.isfinite(ops.convert_to_numpy(far)))
    with pytest.raises(ValueError, match="needs inputs"):
        type(layer).from_config(layer.get_config())(x[:, :3])
