"""Lie algebras in NumPy and SciPy: float64, without a backend.

Public is what stands in `__all__` here. The modules are laid out by subject:

- `lie_algebra`, `structure`, `closure`, `naming`: an algebra, what follows from its
  brackets, and its name.
- `constructors`: algebras that have a name.
- `compare`: angles between spans.
- `representations`, `intertwiners`, `forms`, `invariants`, `characters`, `constraints`:
  how algebras act, and what stays the same.
"""

from keras_lconv.algebra.compare import align, closest, correlation, principal_angles
from keras_lconv.algebra.constructors import (
    abelian,
    aff,
    bianchi,
    gl,
    heisenberg,
    realify,
    se,
    sim,
    sl,
    so,
    sp,
    su,
)
from keras_lconv.algebra.forms import invariant_forms
from keras_lconv.algebra.intertwiners import intertwiners
from keras_lconv.algebra.lie_algebra import LieAlgebra
from keras_lconv.algebra.naming import Identification
from keras_lconv.algebra.representations import (
    direct_sum,
    dual,
    tensor_product,
    trivial,
)

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
