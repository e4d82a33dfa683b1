"""Infinitesimal generators of symmetries, as Keras layers that other layers share."""

from keras_lconv.generators.base import Generators
from keras_lconv.generators.cost import Cost
from keras_lconv.generators.derivatives import derivative_matrix
from keras_lconv.generators.families.dense import DenseGenerators
from keras_lconv.generators.families.field import VectorFieldGenerators
from keras_lconv.generators.families.left_invariant import LeftInvariantGenerators
from keras_lconv.generators.families.low_rank import LowRankGenerators
from keras_lconv.generators.families.matrix import MatrixGenerators
from keras_lconv.generators.families.neighbor import NeighborGenerators
from keras_lconv.generators.families.se2 import SE2Generators
from keras_lconv.generators.families.shift import ShiftGenerators
from keras_lconv.generators.neighbor_table import grid_neighbors
from keras_lconv.generators.ready.graph import chebyshev_graph, graph
from keras_lconv.generators.ready.grid import (
    affine,
    rotation,
    scaling,
    shear,
    translation,
)
from keras_lconv.generators.registry import get

__all__ = [
    "Cost",
    "DenseGenerators",
    "Generators",
    "LeftInvariantGenerators",
    "LowRankGenerators",
    "MatrixGenerators",
    "NeighborGenerators",
    "SE2Generators",
    "ShiftGenerators",
    "VectorFieldGenerators",
    "affine",
    "chebyshev_graph",
    "derivative_matrix",
    "get",
    "graph",
    "grid_neighbors",
    "rotation",
    "scaling",
    "shear",
    "translation",
]
