"""Names of Lie algebras: right, the same for isomorphic ones, and honest."""

import itertools
import pathlib
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_lconv import algebra as a
from keras_lconv.algebra.naming.simple import EXCEPTIONAL
from tests.algebra.table import (
    TABLE,
    complexified,
    disguised,
    examples,
    with_translations,
)

seeds = st.integers(0, 2**31)
NOISE = 1e-3


@pytest.mark.parametrize("name", TABLE)
def test_name_of_known_algebra(name):
    found = TABLE[name].algebra.identify()
    assert found.name == TABLE[name].name
    assert found.is_unique
    assert found.confidence > 0.99999


def kind(name):
    """The name without the value of a continuous parameter."""
    return name.split(", h=")[0]


@pytest.mark.parametrize("name", TABLE)
@settings(max_examples=examples(80))
@given(seed=seeds)
def test_name_withstands_noise(name, seed):
    rng = np.random.default_rng(seed)
    noisy = disguised(TABLE[name].algebra, rng, basis=3.0, conjugation=1.0, noise=NOISE)
    found = noisy.identify()
    assert kind(found.name) == kind(TABLE[name].name)
    assert found.confidence > 0.4
    # The properties agree with the name.
    assert noisy.is_compact == TABLE[name].compact
    assert noisy.rank == TABLE[name].rank


@given(seed=seeds, h=st.floats(0.2, 5.0), sign=st.sampled_from([1, -1]))
def test_parameter_withstands_noise(seed, h, sign):
    # A type close to another one needs less noise: h = -1 is type III.
    if sign < 0 and abs(h - 1) < 0.2:
        h = 2.0
    algebra = a.bianchi("VII_h" if sign > 0 else "VI_h", sign * h)
    noisy = disguised(algebra, np.random.default_rng(seed), 3.0, 1.0, noise=1e-5)
    found = noisy.identify()
    assert kind(found.name) == f"Bianchi {'VII' if sign > 0 else 'VI'}_h"
    assert np.isclose(found.parameter, sign * h, rtol=1e-3)
    assert np.isclose(float(found.name.split("=")[1]), sign * h, rtol=0.1)


def test_noise_lowers_the_confidence():
    rng = np.random.default_rng(0)
    basis, noise = a.so(4).basis, rng.normal(size=(6, 4, 4))
    found = [a.LieAlgebra(basis + e * noise).identify() for e in (0, 1e-6, 1e-3, 1e-2)]
    confidences = [f.confidence for f in found]
    assert confidences == sorted(confidences, reverse=True)
    assert len(set(confidences)) == 4
    assert all(f.name == "so(4)" for f in found)


def test_random_matrices_are_not_closed():
    rng = np.random.default_rng(0)
    for _ in range(20):
        found = a.LieAlgebra(rng.normal(size=(3, 4, 4))).identify()
        assert found.name == "not closed"
        assert not found.is_unique
        assert "closure error" in found.description


@given(
    name=st.sampled_from(sorted(TABLE)),
    seed=seeds,
    tolerance=st.floats(1e-6, 0.9),
    noise=st.sampled_from([0.0, 1e-3, 1e-2]),
)
@settings(max_examples=200)
def test_any_tolerance_gives_an_answer(name, seed, tolerance, noise):
    """Where decisions contradict each other the answer is that nothing is known."""
    algebra = TABLE[name].algebra
    if algebra.dimension > 16:
        return
    rng = np.random.default_rng(seed)
    found = disguised(algebra, rng, 5.0, 5.0, noise).identify(tolerance)
    assert found.tolerance == tolerance
    assert 0 <= found.confidence <= 1
    if found.name == "undetermined":
        assert found.confidence == 0
        assert not found.is_unique
    if not found.is_unique and found.name in ("not closed", "undetermined"):
        assert "closure error" in found.description


def test_contradictions_are_reported():
    """The Killing form of these nearly singular boosts counts as zero."""
    by = np.diag([1.0, 6.0, 36.0])
    basis = by @ a.so(3).basis @ np.linalg.inv(by)
    algebra = a.LieAlgebra(basis)
    assert algebra.identify().name == "so(3)"
    answers = {algebra.identify(t).name for t in np.geomspace(1e-6, 0.5, 30)}
    assert "so(3)" in answers
    assert "undetermined" in answers


ISOMORPHIC = [
    (a.so(2, 1), a.sl(2), a.sp(2), a.su(1, 1), a.bianchi("VIII")),
    (a.so(3), a.su(2), a.bianchi("IX")),
    (a.so(4), a.so(3).direct_sum(a.su(2))),
    (a.so(2, 2), a.sl(2).direct_sum(a.sp(2))),
    (a.so(3, 1), a.so(1, 3), complexified(a.sl(2)), complexified(a.so(3))),
    (a.so(3, 2), a.so(2, 3), a.sp(4)),
    (a.so(6), a.su(4)),
    (a.so(4, 2), a.su(2, 2)),
    (a.so(3, 3), a.sl(4)),
    (a.gl(2), a.sl(2).direct_sum(a.so(2)), a.so(2, 1).direct_sum(a.gl(1))),
    (a.se(2), a.bianchi("VII_0")),
    (a.heisenberg(3), a.bianchi("II")),
    (a.aff(1).direct_sum(a.abelian(1)), a.bianchi("III")),
    (a.se(3), with_translations(a.so(3).basis), with_translations(a.so(3).adjoint())),
    (a.sim(2), complexified(a.aff(1))),
    (complexified(a.so(4)), a.so(3, 1).direct_sum(a.so(3, 1))),
]


@pytest.mark.parametrize("algebras", ISOMORPHIC, ids=lambda group: group[0].identify().name)
def test_isomorphic_algebras_have_one_name(algebras):
    found = [algebra.identify() for algebra in algebras]
    assert len({(each.name, each.isomorphic_to) for each in found}) == 1


def test_other_algebras_have_other_names():
    """All pairs in the table, most with equal dimension to something else there."""
    groups = {}
    for entry in TABLE.values():
        groups.setdefault(entry.dimension, set()).add(
            (entry.name, entry.signature, entry.derived, entry.central, entry.rank)
        )
    for entries in groups.values():
        names = [entry[0] for entry in entries]
        assert len(names) == len(set(names))
    # Equal dimension, and in part equal invariants.
    three = [
        a.bianchi(k) for k in ("I", "II", "III", "IV", "V", "VI_0", "VII_0", "VIII", "IX")
    ]
    three += [a.bianchi("VI_h", h) for h in (-0.5, -2.0)]
    three += [a.bianchi("VII_h", h) for h in (0.5, 2.0)]
    names = [algebra.identify().name for algebra in three]
    assert len(set(names)) == len(three)
    for first, second in itertools.combinations(
        [a.so(7), a.sp(6), a.so(4, 3), a.so(6, 1), a.su(3), a.sl(3), a.su(2, 1)], 2
    ):
        assert first.identify().name != second.identify().name


@pytest.mark.parametrize(
    ("algebra", "name"),
    [
        (complexified(a.so(5)), "so(5,C)"),
        (a.so(9), "so(9)"),
        (a.sp(8), "sp(8,R)"),
        (a.su(3, 2), "su(3,2)"),
        (a.so(4, 3), "so(4,3)"),
        (with_translations(a.so(3, 2).basis), "iso(3,2)"),
        (with_translations(a.so(2, 2).basis), "iso(2,2)"),
        (with_translations(a.sl(3).basis), "saff(3)"),
    ],
)
def test_names_beyond_the_table(algebra, name):
    found = algebra.identify()
    assert (found.name, found.is_unique) == (name, True)


@pytest.mark.parametrize(
    ("algebra", "name", "words"),
    [
        (with_translations(a.su(2).basis), "so(3) ⋉ R^4", "radical of dimension 4"),
        (with_translations(a.sp(4).basis), "so(3,2) ⋉ R^4", "radical of dimension 4"),
        (
            a.LieAlgebra(
                [
                    np.eye(4)[:, [i]] * np.eye(4)[[j]]
                    for i in range(4)
                    for j in range(i + 1, 4)
                ]
            ),
            "nilpotent, dimension 6, step 3",
            "nilpotent of step 3",
        ),
        (
            a.LieAlgebra(
                [np.eye(3)[:, [i]] * np.eye(3)[[j]] for i in range(3) for j in range(i, 3)]
            ),
            "solvable, derived series 5, 3, 1, 0 + R",
            "solvable, not nilpotent",
        ),
    ],
)
def test_where_invariants_do_not_decide_the_answer_says_so(algebra, name, words):
    found = algebra.identify()
    assert found.name == name
    assert not found.is_unique
    assert words in found.description


def test_text_for_people():
    assert str(a.so(5).identify()) == "so(5) (isomorphic to usp(4))"
    assert a.se(2).identify().description == "dimension 3, rank 1, solvable, not nilpotent"
    assert a.so(4).identify().description == (
        "dimension 6, rank 2, semisimple, compact, direct sum of 2 ideals"
    )


ROW = re.compile(
    r"^\| `(.+?)` \| (\d+) \| (\d+) \| \((\d+), (\d+), (\d+)\) \| (.+?) \|$", re.M
)


def test_table_of_the_documentation():
    page = pathlib.Path(__file__).parents[2] / "docs" / "lie_algebras.md"
    rows = ROW.findall(page.read_text())
    assert len(rows) > 20
    for code, dimension, rank, *signature, name in rows:
        algebra = eval(code, vars(a))
        assert algebra.dimension == int(dimension), code
        assert algebra.rank == int(rank), code
        assert algebra.killing_signature == tuple(map(int, signature)), code
        assert str(algebra.identify()) == name, code


def test_dimensions_of_exceptional_algebras():
    """Rank times the Coxeter number plus one."""
    coxeter = {"g2": 6, "f4": 12, "e6": 12, "e7": 18, "e8": 30}
    for name, (rank, dimension, characters) in EXCEPTIONAL.items():
        assert dimension == rank * (coxeter[name] + 1)
        # The compact form, and the split one.
        assert characters[0] == -dimension
        assert characters[-1] == rank
