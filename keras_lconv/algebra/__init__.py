"""Lie algebras in NumPy and SciPy: float64, without a backend."""

from keras_lconv.algebra.affine_type import aff, se, sim
from keras_lconv.algebra.angles import align, closest, correlation, principal_angles
from keras_lconv.algebra.classical import gl, realify, sl, so, sp, su
from keras_lconv.algebra.forms import invariant_forms
from keras_lconv.algebra.identification import Identification
from keras_lconv.algebra.intertwiners import intertwiners
from keras_lconv.algebra.lie_algebra import LieAlgebra
from keras_lconv.algebra.representations import (
    direct_sum,
    dual,
    tensor_product,
    trivial,
)
from keras_lconv.algebra.solvable import abelian, bianchi, heisenberg

__all__ = [
    "Identification",
    "LieAlgebra",
    "abelian",
    "aff",
    "align",
    "bianchi",
    "closest",
    "correlation",
    "direct_sum",
    "dual",
    "gl",
    "heisenberg",
    "intertwiners",
    "invariant_forms",
    "principal_angles",
    "realify",
    "se",
    "sim",
    "sl",
    "so",
    "sp",
    "su",
    "tensor_product",
    "trivial",
]
