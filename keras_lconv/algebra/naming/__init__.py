"""Names of Lie algebras, from their invariants. The public name is `Identification`."""

from keras_lconv.algebra.naming.identification import Identification

__all__ = ["Identification"]
