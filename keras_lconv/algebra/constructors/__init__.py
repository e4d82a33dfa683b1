"""Lie algebras that have a name, as matrices."""

from keras_lconv.algebra.constructors.affine_type import aff, se, sim
from keras_lconv.algebra.constructors.classical import gl, realify, sl, so, sp, su
from keras_lconv.algebra.constructors.solvable import abelian, bianchi, heisenberg

__all__ = [
    "abelian",
    "aff",
    "bianchi",
    "gl",
    "heisenberg",
    "realify",
    "se",
    "sim",
    "sl",
    "so",
    "sp",
    "su",
]
