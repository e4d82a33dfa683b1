"""Lie algebras and groups in NumPy and SciPy: float64, without a backend.

The names exported here are public. Modules by subject:

- `lie_algebra`, `span`, `structure`, `closure`, `naming`: an algebra, its structure, and
  its name.
- `group`, `elements`, `components`, `torus`, `enumeration`, `walk`: groups, with elements
  beside those of an algebra.
- `vector_fields`, `monomials`, `flows`, `field_formulas`: polynomial vector fields, with
  their brackets, flows and formulas.
- `constructors`: algebras, groups and representations that have a name.
- `compare`: angles between spans.
- `action`, `representation`, `permutations`, `irreducible`, `products`, `powers`: actions
  on vectors.
- `intertwiners`, `kernels`, `forms`, `invariants`, `eigenspaces`, `characters`,
  `constraints`: maps, forms and vectors that the action preserves.
"""

from keras_lconv.algebra import constructors
from keras_lconv.algebra.compare import align, closest, correlation, principal_angles
from keras_lconv.algebra.constructors import *  # noqa: F403
from keras_lconv.algebra.forms import invariant_forms
from keras_lconv.algebra.group import MatrixGroup
from keras_lconv.algebra.intertwiners import intertwiners
from keras_lconv.algebra.irreducible import IrreduciblePart
from keras_lconv.algebra.kernels import EquivariantKernels, equivariant_kernels
from keras_lconv.algebra.lie_algebra import LieAlgebra
from keras_lconv.algebra.naming import Identification
from keras_lconv.algebra.products import direct_sum, dual, tensor_product, trivial
from keras_lconv.algebra.representation import Representation
from keras_lconv.algebra.vector_fields import VectorFields

__all__ = [
    "EquivariantKernels",
    "Identification",
    "IrreduciblePart",
    "LieAlgebra",
    "MatrixGroup",
    "Representation",
    "VectorFields",
    "align",
    "closest",
    "correlation",
    "direct_sum",
    "dual",
    "equivariant_kernels",
    "intertwiners",
    "invariant_forms",
    "principal_angles",
    "tensor_product",
    "trivial",
    *constructors.__all__,
]
