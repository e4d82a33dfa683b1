"""Tables as people have them: units, offsets, repeated rows, columns that never change."""

import numpy as np
import pytest
from keras import ops

from keras_lconv import algebra as a
from keras_lconv.discovery import find_symmetries
from tests.samples import normal

pytestmark = pytest.mark.thorough


def tensor(array):
    return ops.convert_to_tensor(np.asarray(array, dtype="float32"))


def waves(size, seed=0):
    """A function without symmetry."""
    weights = tensor(np.random.default_rng(seed).normal(size=(size, 64)))
    return lambda x: ops.sum(ops.tanh(ops.matmul(x, weights)), axis=1)


def degrees(found, expected):
    return np.degrees(np.max(a.principal_angles(found, expected)))


# ---------------------------------------------------------------- units and offsets


def test_an_ideal_gas_in_si_units_has_two_scalings():
    """Of T, p and V: columns of 300, 100,000 and 0.02."""
    kelvin, pascal, volume = normal(3, 1000)
    x = np.stack(
        [300 + 30 * kelvin, 1e5 * np.exp(0.2 * pascal), 0.02 * np.exp(0.3 * volume)], 1
    )
    report = find_symmetries(lambda x: x[:, 1] * x[:, 2] / x[:, 0] / 8.314, x)
    assert report.dimension == 2
    assert report.name == "R^2"
    assert len(report.unidentified) == 0
    expected = np.zeros((2, 4, 4))
    expected[0, 0, 0] = expected[0, 2, 2] = expected[1, 1, 1] = 1
    expected[1, 2, 2] = -1
    units = np.append(report.scales, 1.0)
    assert degrees(report.basis * units / units[:, None], expected) < 0.01
    assert np.all(np.abs(report.centre) < 1e-3 * report.scales)


@pytest.mark.parametrize("offset", [0.0, 50.0, 1000.0])
def test_a_function_without_symmetry_has_none_far_from_the_origin(offset):
    function = waves(4)
    report = find_symmetries(lambda x: function(x - offset), offset + normal(1000, 4))
    assert report.dimension == 0
    assert report.confidence > 0.9


def test_scales_of_columns_do_not_matter():
    scales, function = np.array([1.0, 10.0, 100.0]), waves(3)
    found = find_symmetries(
        lambda x: function(x / tensor(scales)), scales * normal(1000, 3)
    )
    assert found.dimension == 0
    plain = find_symmetries(function, normal(1000, 3))
    assert np.allclose(found.singular_values, plain.singular_values, rtol=1e-3)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ["so(3)", "se(2)", "0"])
def test_coordinates_do_not_matter(name, seed):
    """Rotated, stretched, scaled by 1e-6 to 1e6, up to 100 spreads away, and a constant."""
    rng = np.random.default_rng(seed)
    size, blocks = (2, 2) if name == "se(2)" else (3, 1)

    def function(u):
        if name == "0":
            return waves(3)(u)
        if name == "so(3)":
            return ops.exp(-ops.sum(u**2, axis=1) / 4)
        return ops.tanh(ops.sum((u[:, :2] - u[:, 2:]) ** 2, axis=1) / 4)

    u = 0.5 + rng.normal(size=(400, blocks, size))
    home = find_symmetries(function, u.reshape(400, -1), blocks=blocks)
    left, right = (np.linalg.qr(rng.normal(size=(size, size)))[0] for _ in range(2))
    change = left * 10 ** rng.uniform(-1, 0, size) @ right
    scales, offset = 10 ** rng.uniform(-6, 6, size), rng.uniform(-100, 100, size)
    x = (u @ change.T + offset) * scales
    x = np.concatenate([x, np.full((400, blocks, 1), 273.15)], axis=2)

    def elsewhere(x):
        moved = ops.reshape(x, (-1, blocks, size + 1))[..., :size] / tensor(scales)
        moved = ops.matmul(moved - tensor(offset), tensor(np.linalg.inv(change).T))
        return function(ops.reshape(moved, (-1, blocks * size)))

    report = find_symmetries(elsewhere, x.reshape(400, -1), blocks=blocks)
    assert report.dimension == home.dimension
    assert report.name == home.name == name
    assert np.allclose(report.singular_values, home.singular_values, atol=0.02)
    assert np.allclose(np.abs(report.unidentified), np.eye(size + 1)[[-1]])
    if home.dimension:
        affine = np.eye(size + 2)
        affine[:size, :size], affine[:size, -1] = scales[:, None] * change, scales * offset
        back = np.linalg.solve(affine, report.basis @ affine)
        keep = [*range(size), size + 1]
        assert degrees(back[:, keep][:, :, keep], home.basis) < 0.1


def test_a_constant_column_is_unidentified():
    x = np.concatenate([normal(1000, 4), np.full((1000, 1), 1000.0)], axis=1)
    function = waves(4)
    report = find_symmetries(lambda x: function(x[:, :4]), x)
    assert report.dimension == 0
    assert np.allclose(np.abs(report.unidentified), np.eye(5)[[4]])
    assert "do not vary: x4" in report.summary()


# ---------------------------------------------------------------------- affine maps


def test_the_centre_of_rotations_is_told():
    centre = np.array([100.0, 50.0, 20.0])
    report = find_symmetries(
        lambda x: ops.exp(-ops.sum((x - tensor(centre)) ** 2, axis=1)),
        centre + normal(500, 3),
    )
    assert report.name == "so(3)"
    assert np.allclose(report.centre, centre, atol=1e-3)
    words = report.summary()
    assert "about the centre: 100, 50, 20" in words
    assert "x0 d/dx1 - x1 d/dx0  [rotation]" in words
    generators = report.to_generators()
    generators.build((None, 3))
    assert generators.num_generators == 3


def test_columns_that_shift_together():
    """For `sin(x0 - x1)` the report tells the direction (1, 1, 0), and what follows from
    it.
    """
    report = find_symmetries(
        lambda x: ops.sin(x[:, 0] - x[:, 1]) + x[:, 2] ** 2 + x[:, 2] ** 3,
        normal(300, 3),
        search="affine",
    )
    # The shift, and the shift times each column.
    assert report.dimension == 4
    direction = report.independent[0] / np.linalg.norm(report.independent[0])
    assert np.allclose(np.abs(direction), [2**-0.5, 2**-0.5, 0], atol=1e-4)
    assert "does not change along 1 of 3 directions" in report.summary()
    assert "d/dx0 + d/dx1" in report.summary()
    linear = find_symmetries(
        lambda x: ops.sin(x[:, 0] - x[:, 1]) + x[:, 2] ** 2 + x[:, 2] ** 3,
        normal(300, 3),
        search="linear",
    )
    assert linear.dimension == 3
    with pytest.raises(ValueError, match="no common fixed point"):
        report.to_generators()


@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_molecules_move_and_turn(offset):
    """Energies of five atoms: se(3), near and far from the origin."""
    first, second = np.triu_indices(5, 1)
    rng = np.random.default_rng(0)
    x = 1.5 * rng.normal(size=(600, 5, 3)) + offset

    def energy(x):
        places = ops.reshape(x, (-1, 5, 3))
        apart = ops.stack(
            [places[:, i] - places[:, j] for i, j in zip(first, second, strict=True)],
            axis=1,
        )
        softened = 1 / (ops.sum(apart**2, axis=2) + 0.5)
        return ops.sum(softened**3 - softened, axis=1)

    report = find_symmetries(energy, x.reshape(600, 15), blocks=5, search="affine")
    assert report.name == "se(3)"
    assert report.centre is None
    assert degrees(report.basis, a.se(3)) < 0.1


def test_the_default_is_affine_where_data_have_a_mean():
    function = waves(3)
    near = find_symmetries(function, normal(300, 3))
    far = find_symmetries(lambda x: function(x - 3.0), normal(300, 3) + 3)
    assert (len(near.singular_values), len(far.singular_values)) == (9, 12)
    assert "linear maps" in near.summary()
    assert "affine maps" in far.summary()


# --------------------------------------------------------------------- all or nothing


def test_a_ratio_is_invariant_under_all_that_is_searched():
    report = find_symmetries(
        lambda x: ops.tanh(x[:, 0] / x[:, 1]), normal(500, 2), blocks=2
    )
    assert (report.dimension, len(report.singular_values)) == (1, 1)
    assert report.confidence > 0.99


@pytest.mark.parametrize("seed", [1, 2])
def test_a_few_samples_near_a_pole_do_not_decide_alone(seed):
    """Their derivatives are thousands of times as large as those of the others."""
    x = normal(400, 4, seed=seed)
    report = find_symmetries(lambda x: x[:, 0] / x[:, 1], x, search="linear")
    # All maps into the two other columns, and one factor for these.
    assert (report.dimension, len(report.singular_values)) == (9, 16)
    assert report.confidence > 0.99
    assert len(report.independent) == 2
    report = find_symmetries(lambda x: waves(3)(x[:, :3]) / x[:, 3], x, search="linear")
    assert report.dimension == 0


def test_a_ratio_of_determinants_has_all_of_gl2():
    def determinant(u, v):
        return u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]

    def ratio(x):
        a, b, c = x[:, :2], x[:, 2:4], x[:, 4:]
        return ops.tanh(determinant(a, b) / determinant(a, c))

    report = find_symmetries(ratio, normal(500, 6), blocks=3)
    assert report.dimension == 4
    assert report.name == "gl(2,R)"


# -------------------------------------------------------------------------- evidence


def test_repeated_rows_count_once():
    x = normal(10, 4)
    report = find_symmetries(waves(4), np.repeat(x, 100, axis=0))
    once = find_symmetries(waves(4), x)
    assert not report.is_determined
    assert report.dimension == 0
    assert report.confidence == once.confidence == 0
    assert "undetermined" in report.summary()
    assert "more samples" in report.summary()
    # A tenth of them more than enough: then repetition does no harm.
    enough = find_symmetries(waves(2), np.repeat(normal(100, 2), 10, axis=0))
    assert enough.is_determined
    assert enough.confidence > 0.9


def test_no_symmetry_says_how_far_one_is():
    """The more a symmetry is broken, the surer it is that there is none."""

    def broken(x, size):
        return (
            ops.sum(x**2, axis=1) + size * ops.sum(x**3, axis=1) + size * x[:, 0] * x[:, 1]
        )

    x = normal(400, 3)
    confidences = []
    for size in (0.8, 2.0):
        report = find_symmetries(lambda x, size=size: broken(x, size), x)
        assert report.dimension == 0
        assert "no symmetry among 9 dimensions searched (linear maps)" in report.summary()
        confidences.append(report.confidence)
    assert confidences[0] < confidences[1]


def test_levels_of_an_approximate_symmetry():
    """Rotations in three dimensions to a percent, about one axis exactly."""

    def function(x):
        return ops.sum(x**2, axis=1) + 0.02 * x[:, 2] ** 3

    report = find_symmetries(function, normal(600, 3))
    assert [level.dimension for level in report.levels] == [1, 3]
    exact, nearly = report.levels
    assert exact.size < 1e-4 < nearly.size < 0.05
    assert "nested symmetries" in report.summary()
    assert f"holds to {exact.size:.2g} of what" in report.summary()
    nearly = find_symmetries(lambda x: ops.sum(x**2 + 0.01 * x**3, axis=1), normal(600, 3))
    assert nearly.dimension == 3
    assert "holds to 0.0" in nearly.summary()
    assert "so(3)" in str(nearly)


# ------------------------------------------------------------------------------ names


def test_large_algebras_have_names_within_seconds():
    x = normal(800, 20)
    report = find_symmetries(lambda x: ops.sum(x**2, axis=1), x)
    assert report.dimension == 190
    assert report.name == "so(20)"
    signs = tensor(np.repeat([1.0, -1.0], [7, 5]))
    report = find_symmetries(
        lambda x: ops.sin(ops.sum(signs * x**2, axis=1)), normal(400, 12)
    )
    assert report.name == "so(7,5)"
