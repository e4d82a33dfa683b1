"""One table of Lie algebras with what is known of them, and ways to disguise them.

Dimensions of series, ranks and signatures are from the literature or by hand: they are
not computed by the package.
"""

import itertools
import os
from dataclasses import dataclass

import numpy as np

from keras_lconv import algebra as a


@dataclass(frozen=True)
class Known:
    """A Lie algebra and its invariants."""

    algebra: a.LieAlgebra
    name: str
    rank: int
    signature: tuple[int, int, int]  # of the Killing form: positive, negative, zero
    derived: tuple[int, ...]  # dimensions of the derived series
    central: tuple[int, ...]  # dimensions of the lower central series
    center: int = 0
    ideals: tuple[int, ...] = ()  # dimensions of the simple ideals of a Levi factor
    radical: int = 0
    compact: bool = False

    @property
    def dimension(self):
        return self.derived[0]


def simple(algebra, name, rank, positive, negative):
    k = positive + negative
    return Known(
        algebra,
        name,
        rank,
        (positive, negative, 0),
        (k,),
        (k,),
        ideals=(k,),
        compact=positive == 0,
    )


def orthogonal(p, q=0, name=None):
    """so(p, q): `p q` boosts, the others are rotations."""
    negative = p * (p - 1) // 2 + q * (q - 1) // 2
    rank = (p + q) // 2
    default = f"so({p},{q})" if q else f"so({p})"
    return simple(a.so(p, q), name or default, rank, p * q, negative)


def unitary(p, q=0, name=None):
    negative = p * p + q * q - 1
    default = f"su({p},{q})" if q else f"su({p})"
    return simple(a.su(p, q), name or default, p + q - 1, 2 * p * q, negative)


def abelian(algebra, name, k):
    series = (k, 0) if k else (0,)
    return Known(
        algebra,
        name,
        k,
        (0, 0, k),
        series,
        series,
        center=k,
        radical=k,
        compact=True,
    )


def heisenberg(k):
    return Known(
        a.heisenberg(k),
        f"heisenberg({k})",
        k,
        (0, 0, k),
        (k, 1, 0),
        (k, 1, 0),
        center=1,
        radical=k,
    )


def plane(kind, name, signature, h=None):
    """A Bianchi type with a plane as derived algebra."""
    return Known(a.bianchi(kind, h), name, 1, signature, (3, 2, 0), (3, 2), radical=3)


def added(*parts, name, **changes):
    """The direct sum of entries of the table."""
    algebra = parts[0].algebra
    for part in parts[1:]:
        algebra = algebra.direct_sum(part.algebra)

    def series(which):
        longest = max(len(getattr(part, which)) for part in parts)
        padded = [
            getattr(part, which) + getattr(part, which)[-1:] * longest for part in parts
        ]
        return tuple(sum(dims) for dims in list(zip(*padded, strict=False))[:longest])

    return Known(
        algebra,
        name,
        sum(part.rank for part in parts),
        tuple(np.sum([part.signature for part in parts], axis=0).tolist()),
        series("derived"),
        series("central"),
        center=sum(part.center for part in parts),
        ideals=tuple(itertools.chain(*(part.ideals for part in parts))),
        radical=sum(part.radical for part in parts),
        compact=all(part.compact for part in parts),
    )


def with_translations(matrices):
    """The semidirect sum of linear maps with all translations."""
    k, n, _ = matrices.shape
    basis = np.zeros((k + n, n + 1, n + 1))
    basis[:k, :n, :n] = matrices
    basis[k:, :n, n] = np.eye(n)
    return a.LieAlgebra(basis)


def complexified(algebra):
    """The complexification as a real algebra, of twice the dimension."""
    matrices = np.concatenate([algebra.basis, 1j * algebra.basis])
    return a.LieAlgebra(a.realify(matrices))


def g2():
    """The matrices that leave the associative 3-form of the octonions as it is."""
    form = np.zeros((7, 7, 7))
    for triple in [
        (1, 2, 3),
        (1, 4, 5),
        (1, 7, 6),
        (2, 4, 6),
        (2, 5, 7),
        (3, 4, 7),
        (3, 6, 5),
    ]:
        for order in itertools.permutations(range(3)):
            sign = np.linalg.det(np.eye(3)[list(order)])
            form[tuple(triple[i] - 1 for i in order)] = sign
    actions = [
        np.einsum("ai,ajk->ijk", e, form)
        + np.einsum("aj,iak->ijk", e, form)
        + np.einsum("ak,ija->ijk", e, form)
        for e in np.eye(49).reshape(49, 7, 7)
    ]
    _, sizes, right = np.linalg.svd(np.reshape(actions, (49, -1)).T)
    return a.LieAlgebra(right[np.sum(sizes > 1e-9) :].reshape(-1, 7, 7))


SO3, SL2 = orthogonal(3), simple(a.sl(2), "sl(2,R)", 1, 2, 1)
R, AFF1 = (
    abelian(a.abelian(1), "R", 1),
    Known(a.aff(1), "aff(1)", 1, (1, 0, 1), (2, 1, 0), (2, 1), radical=2),
)
SE2 = plane("VII_0", "se(2)", (0, 1, 2))
SL3 = simple(a.sl(3), "sl(3,R)", 2, 5, 3)

TABLE = {
    "0": abelian(a.LieAlgebra(np.zeros((0, 2, 2))), "0", 0),
    "R": R,
    "R^2": abelian(a.abelian(2), "R^2", 2),
    "R^5": abelian(a.abelian(5), "R^5", 5),
    "so(2)": abelian(a.so(2), "R", 1),
    "heisenberg(3)": heisenberg(3),
    "heisenberg(5)": heisenberg(5),
    "heisenberg(7)": heisenberg(7),
    "aff(1)": AFF1,
    # Bianchi's types, I and II above and below
    "I": abelian(a.bianchi("I"), "R^3", 3),
    "II": Known(
        a.bianchi("II"), "heisenberg(3)", 3, (0, 0, 3), (3, 1, 0), (3, 1, 0), 1, radical=3
    ),
    "III": Known(
        a.bianchi("III"), "aff(1) + R", 2, (1, 0, 2), (3, 1, 0), (3, 1), 1, radical=3
    ),
    "IV": plane("IV", "Bianchi IV", (1, 0, 2)),
    "V": plane("V", "Bianchi V", (1, 0, 2)),
    "VI_0": plane("VI_0", "iso(1,1)", (1, 0, 2)),
    "VI_h": plane("VI_h", "Bianchi VI_h, h=-0.25", (1, 0, 2), -0.25),
    "VII_0": SE2,
    # tr(M^2) = 2 (1 - 1 / h) is the Killing form
    "VII_h": plane("VII_h", "Bianchi VII_h, h=0.5", (0, 1, 2), 0.5),
    "VII_h large": plane("VII_h", "Bianchi VII_h, h=3", (1, 0, 2), 3.0),
    "VIII": simple(a.bianchi("VIII"), "sl(2,R)", 1, 2, 1),
    "IX": simple(a.bianchi("IX"), "so(3)", 1, 0, 3),
    # with translations
    "se(2)": Known(a.se(2), "se(2)", 1, (0, 1, 2), (3, 2, 0), (3, 2), radical=3),
    "sim(2)": Known(a.sim(2), "sim(2)", 2, (1, 1, 2), (4, 2, 0), (4, 2), radical=4),
    "se(3)": Known(a.se(3), "se(3)", 2, (0, 3, 3), (6,), (6,), ideals=(3,), radical=3),
    "se(4)": Known(a.se(4), "se(4)", 2, (0, 6, 4), (10,), (10,), ideals=(3, 3), radical=4),
    "sim(3)": Known(
        a.sim(3), "sim(3)", 2, (1, 3, 3), (7, 6), (7, 6), ideals=(3,), radical=4
    ),
    "aff(2)": Known(
        a.aff(2), "aff(2)", 2, (3, 1, 2), (6, 5), (6, 5), ideals=(3,), radical=3
    ),
    "aff(3)": Known(
        a.aff(3), "aff(3)", 3, (6, 3, 3), (12, 11), (12, 11), ideals=(8,), radical=4
    ),
    "iso(3,1)": Known(
        with_translations(a.so(3, 1).basis),
        "iso(3,1)",
        2,
        (3, 3, 4),
        (10,),
        (10,),
        ideals=(6,),
        radical=4,
    ),
    "saff(2)": Known(
        with_translations(a.sl(2).basis),
        "saff(2)",
        1,
        (2, 1, 2),
        (5,),
        (5,),
        ideals=(3,),
        radical=2,
    ),
    # simple ones
    "so(3)": SO3,
    "so(5)": orthogonal(5),
    "so(6)": orthogonal(6),
    "so(7)": orthogonal(7),
    "so(8)": orthogonal(8),
    "so(2,1)": orthogonal(2, 1, name="sl(2,R)"),
    "so(1,2)": orthogonal(1, 2, name="sl(2,R)"),
    "so(3,1)": orthogonal(3, 1),
    "so(1,3)": orthogonal(1, 3, name="so(3,1)"),
    "so(4,1)": orthogonal(4, 1),
    "so(3,2)": orthogonal(3, 2),
    "so(5,1)": orthogonal(5, 1),
    "so(4,2)": orthogonal(4, 2),
    "so(3,3)": orthogonal(3, 3, name="sl(4,R)"),
    "sl(2)": SL2,
    "sl(3)": SL3,
    "sl(4)": simple(a.sl(4), "sl(4,R)", 3, 9, 6),
    "su(2)": unitary(2, name="so(3)"),
    "su(3)": unitary(3),
    "su(4)": unitary(4, name="so(6)"),
    "su(1,1)": unitary(1, 1, name="sl(2,R)"),
    "su(2,1)": unitary(2, 1),
    "su(2,2)": unitary(2, 2, name="so(4,2)"),
    "sp(2)": simple(a.sp(2), "sl(2,R)", 1, 2, 1),
    "sp(4)": simple(a.sp(4), "so(3,2)", 2, 6, 4),
    "sp(6)": simple(a.sp(6), "sp(6,R)", 3, 12, 9),
    "sl(3,C)": simple(complexified(a.sl(3)), "sl(3,C)", 4, 8, 8),
    "g2": simple(g2(), "g2(-14)", 2, 0, 14),
    # direct sums
    "so(4)": Known(a.so(4), "so(4)", 2, (0, 6, 0), (6,), (6,), ideals=(3, 3), compact=True),
    "so(2,2)": Known(a.so(2, 2), "so(2,2)", 2, (4, 2, 0), (6,), (6,), ideals=(3, 3)),
    "gl(2)": Known(
        a.gl(2), "gl(2,R)", 2, (2, 1, 1), (4, 3), (4, 3), 1, ideals=(3,), radical=1
    ),
    "gl(3)": Known(
        a.gl(3), "gl(3,R)", 3, (5, 3, 1), (9, 8), (9, 8), 1, ideals=(8,), radical=1
    ),
    "so(3) + R": added(SO3, R, name="so(3) + R"),
    "so(3) + so(2,1)": added(SO3, orthogonal(2, 1), name="so(3) + sl(2,R)"),
    "su(3) + R": added(unitary(3), R, name="su(3) + R"),
    "se(2) + R": added(SE2, R, name="se(2) + R"),
    "aff(1) + aff(1)": added(AFF1, AFF1, name="aff(1) + aff(1)"),
    "heisenberg(3) + se(2)": added(heisenberg(3), SE2, name="heisenberg(3) + se(2)"),
    "so(3) + aff(1)": added(SO3, AFF1, name="so(3) + aff(1)"),
    "so(3,1) + so(3)": added(orthogonal(3, 1), SO3, name="so(3,1) + so(3)"),
    "so(3) + so(3) + R^2": added(SO3, SO3, R, R, name="so(3) + so(3) + R^2"),
}


def examples(num):
    """How many draws a test makes for each algebra: a tenth of `num`, nightly all."""
    return num if os.environ.get("NIGHTLY") else num // 10


def conditioned(rng, n, condition):
    """A random matrix with singular values from 1 to `condition`."""
    left, right = (np.linalg.qr(rng.normal(size=(n, n)))[0] for _ in range(2))
    return left @ np.diag(np.geomspace(1, condition, n)) @ right


def disguised(algebra, rng, basis=10.0, conjugation=10.0, noise=0.0):
    """The algebra in a random basis, conjugated by a random matrix, with noise.

    `basis` and `conjugation` are condition numbers. `noise` is the norm of the error of
    each matrix, relative to its norm.
    """
    k, n = algebra.dimension, algebra.matrix_size
    if not k:
        return algebra
    matrices = np.tensordot(conditioned(rng, k, basis), algebra.basis, 1)
    by = conditioned(rng, n, conjugation)
    matrices = by @ matrices @ np.linalg.inv(by)
    errors = rng.normal(size=matrices.shape)
    size = np.linalg.norm(matrices, axis=(1, 2)) / np.linalg.norm(errors, axis=(1, 2))
    return a.LieAlgebra(matrices + noise * size[:, None, None] * errors)
