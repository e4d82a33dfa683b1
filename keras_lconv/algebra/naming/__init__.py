"""Names of Lie algebras, from their invariants. What users need is `Identification`."""

from keras_lconv.algebra.naming.identification import Identification

__all__ = ["Identification"]
