"""Algebras, groups and representations that have a name, as matrices."""

from keras_lconv.algebra.constructors.affine_type import aff, se, sim
from keras_lconv.algebra.constructors.classical import gl, realify, sl, so, sp, su
from keras_lconv.algebra.constructors.combined import (
    direct_product,
    semidirect_product,
    with_translations,
    wreath_product,
)
from keras_lconv.algebra.constructors.finite import (
    alternating,
    cyclic,
    cyclic_shifts,
    dihedral,
    polyhedral,
    symmetric,
)
from keras_lconv.algebra.constructors.groups import (
    GL,
    SL,
    SO,
    SU,
    E,
    O,
    Sp,
    U,
)
from keras_lconv.algebra.constructors.named import named_group
from keras_lconv.algebra.constructors.representations import induced
from keras_lconv.algebra.constructors.solvable import abelian, bianchi, heisenberg

__all__ = [
    "GL",
    "SL",
    "SO",
    "SU",
    "E",
    "O",
    "Sp",
    "U",
    "abelian",
    "aff",
    "alternating",
    "bianchi",
    "cyclic",
    "cyclic_shifts",
    "dihedral",
    "direct_product",
    "gl",
    "heisenberg",
    "induced",
    "named_group",
    "polyhedral",
    "realify",
    "se",
    "semidirect_product",
    "sim",
    "sl",
    "so",
    "sp",
    "su",
    "symmetric",
    "with_translations",
    "wreath_product",
]
