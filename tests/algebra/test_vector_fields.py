"""Vector fields: brackets, flows, algebras that have a name, and formulas."""

import numpy as np
import pytest

from keras_lconv.algebra import VectorFields, so


def field(size, *terms):
    """The sum of `c x^p d/dx_a` for `(c, p, a)`."""
    powers = np.array(sorted({tuple(p) for _, p, _ in terms}))
    coefficients = np.zeros((1, size, len(powers)))
    for c, p, a in terms:
        coefficients[0, a, powers.tolist().index(list(p))] += c
    return VectorFields(powers, coefficients)


def unit(size, *axes):
    return np.sum(np.eye(size, dtype=int)[list(axes)], axis=0)


def translations(n):
    return [field(n, (1.0, unit(n), a)) for a in range(n)]


def linear(n):
    pairs = [(a, b) for a in range(n) for b in range(n)]
    return [field(n, (1.0, unit(n, b), a)) for a, b in pairs]


def projective(n):
    """Translations, linear fields and `x_a x_b d_b`: sl(n + 1)."""
    special = [field(n, *[(1.0, unit(n, a, b), b) for b in range(n)]) for a in range(n)]
    return translations(n) + linear(n) + special


def conformal(n):
    """Those of flat space: so(n + 1, 1)."""
    turns = [
        field(n, (1.0, unit(n, b), a), (-1.0, unit(n, a), b))
        for a in range(n)
        for b in range(a)
    ]
    dilation = [field(n, *[(1.0, unit(n, a), a) for a in range(n)])]
    special = [
        field(
            n,
            *[(2.0, unit(n, a, b), b) for b in range(n)],
            *[(-1.0, unit(n, b, b), a) for b in range(n)],
        )
        for a in range(n)
    ]
    return translations(n) + turns + dilation + special


ALGEBRAS = {
    "sl(2,R)": projective(1),
    "sl(3,R)": projective(2),
    "so(3,1)": conformal(2),
    "so(4,1)": conformal(3),
    "aff(2)": translations(2) + linear(2),
    "heisenberg(3)": [
        field(3, (1.0, (0, 0, 0), 0)),
        field(3, (1.0, (0, 0, 0), 1), (1.0, (1, 0, 0), 2)),
        field(3, (1.0, (0, 0, 0), 2)),
    ],
}


def joined(fields):
    return fields[0].joined(*fields[1:])


@pytest.mark.parametrize("name", ALGEBRAS)
def test_mixed_fields_have_their_name(name):
    rng = np.random.default_rng(0)
    fields = joined(ALGEBRAS[name])
    mixed = fields.combined(rng.normal(size=(len(fields), len(fields))))
    assert mixed.closure_error < 1e-12
    found = mixed.identify()
    assert name in (found.name, *found.isomorphic_to)
    # The same basis again, up to order: it is made of few terms already.
    assert set(mixed.canonical().formulas()) == set(fields.canonical().formulas())
    # One field less is no algebra, or another one.
    assert fields[: len(fields) - 1].identify().name != name


def test_brackets_are_those_of_derivatives():
    rng = np.random.default_rng(0)
    everything = VectorFields.basis(2, 3)
    v = everything.combined(rng.normal(size=(2, 20)))
    w = everything.combined(rng.normal(size=(3, 20)))
    x = rng.normal(size=(5, 2))
    found = v.bracket(w)(x).reshape(5, 2, 3, 2)
    forth = np.einsum("sib,sjab->sija", v(x), w.jacobian(x))
    back = np.einsum("sjb,siab->sija", w(x), v.jacobian(x))
    assert np.allclose(found, forth - back, atol=1e-10)
    step = np.array([1e-6, 0.0])
    slope = (v(x + step) - v(x - step)) / 2e-6
    assert np.allclose(slope, v.jacobian(x)[..., 0], atol=1e-7)


def test_linear_fields_have_the_brackets_of_matrices():
    matrices = np.random.default_rng(0).normal(size=(2, 3, 3))
    fields = VectorFields(np.eye(3, dtype=int), matrices)
    a, b = matrices
    found = fields[0].bracket(fields[1])
    x = np.eye(3)
    assert np.allclose(found(x)[:, 0].T, b @ a - a @ b)
    rotations = VectorFields(np.eye(3, dtype=int), so(3).basis)
    constants = rotations.structure_constants
    assert np.allclose(constants, -so(3).structure_constants, atol=1e-12)


def test_flows_compose_and_leave_for_infinity():
    rng = np.random.default_rng(0)
    fields = joined(conformal(2))
    x, t = rng.normal(size=(4, 2)), 0.1 * rng.normal(size=6)
    there = fields.flow(x, t)
    assert np.allclose(fields.flow(there, -t), x, atol=1e-8)
    assert np.allclose(fields.flow(fields.flow(x, t / 2), t / 2), there, atol=1e-8)
    # x^2 d/dx: x / (1 - t x).
    points = np.array([[1.0], [3.0], [-2.0]])
    moved = projective(1)[2].flow(points, 0.5)
    assert np.allclose(moved[[0, 2], 0], [2.0, -1.0], atol=1e-8)
    assert np.isnan(moved[1, 0])
    # Affine fields, by the exponential.
    assert np.allclose(translations(2)[1].flow([[1.0, 2.0]], 3.0), [[1.0, 5.0]])


def test_coordinates_do_not_matter():
    rng = np.random.default_rng(0)
    fields = joined(projective(2))
    matrix, offset = rng.normal(size=(2, 2)), rng.normal(size=2)
    inverse = np.linalg.inv(matrix)
    moved = fields.in_coordinates(matrix, offset, inverse)
    x = rng.normal(size=(5, 2))
    assert np.allclose(moved(x), fields(x @ matrix.T + offset) @ inverse.T)
    assert np.allclose(moved.structure_constants, fields.structure_constants, atol=1e-9)


def test_what_is_not_closed_has_a_part_that_is():
    # [x^2 d/dx, x^3 d/dx] has degree 4.
    fields = VectorFields([[0], [1], [2], [3]], np.eye(4)[:, None])
    assert fields.identify().name == "not closed"
    assert fields.closure_error > 0.1
    assert fields.normalizer().canonical().formulas("x") == ["d/dx", "x d/dx"]
    closed = joined(projective(2))
    assert len(closed.normalizer()) == len(closed)


def test_formulas():
    galilean = field(3, (2.0, (0, 1, 0), 0), (-1.0, (1, 0, 1), 2))
    assert galilean.formulas("xtu") == ["2 t d/dx - x u d/du"]
    assert (galilean.combined([[0.37]])).formulas("xtu") == ["2 t d/dx - x u d/du"]
    # Terms that are small in units of the spread are left out.
    noisy = field(2, (1.0, (0, 1), 0), (1e-4, (3, 0), 1))
    assert noisy.formulas("xy", tolerance=1e-3) == ["y d/dx"]
    assert noisy.formulas("xy", [100.0, 1.0], 1e-3) != ["y d/dx"]
    assert field(1, (0.0, (1,), 0)).formulas() == ["0"]


def test_wrong_fields_are_refused():
    with pytest.raises(ValueError, match="`powers` must be exponents"):
        VectorFields([[-1]], np.ones((1, 1, 1)))
    with pytest.raises(ValueError, match="each monomial once"):
        VectorFields([[1], [1]], np.ones((1, 1, 2)))
    with pytest.raises(ValueError, match=r"shape \(k, 1, 2\)"):
        VectorFields([[0], [1]], np.ones((1, 2, 2)))
    with pytest.raises(ValueError, match="linearly independent"):
        VectorFields([[0]], [[[1.0]], [[2.0]]]).identify()
    with pytest.raises(ValueError, match="one parameter for each"):
        projective(1)[0].flow([[1.0]], [1.0, 2.0])
    with pytest.raises(ValueError, match=r"`x` must be points"):
        projective(2)[0]([1.0])
    with pytest.raises(ValueError, match="must have 1 variables"):
        projective(1)[0].bracket(projective(2)[0])
