"""Infinitesimal generators of symmetries, as Keras layers that layers share."""

from keras_lconv.generators.base import Generators
from keras_lconv.generators.cost import Cost
from keras_lconv.generators.dense import DenseGenerators
from keras_lconv.generators.derivatives import derivative_matrix
from keras_lconv.generators.graph import chebyshev_graph, graph
from keras_lconv.generators.grid import (
    affine,
    rotation,
    scaling,
    shear,
    translations,
)
from keras_lconv.generators.low_rank import LowRankGenerators
from keras_lconv.generators.matrix import MatrixGenerators
from keras_lconv.generators.neighbor import NeighborGenerators, grid_neighbors
from keras_lconv.generators.registry import get
from keras_lconv.generators.se2 import SE2Generators
from keras_lconv.generators.shift import ShiftGenerators, shifts
from keras_lconv.generators.vector_field import VectorFieldGenerators

__all__ = [
    "Cost",
    "DenseGenerators",
    "Generators",
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
    "shifts",
    "translations",
]
