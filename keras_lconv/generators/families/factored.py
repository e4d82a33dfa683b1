"""The common base of generators made of learned matrices."""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_lconv._memory import require_memory
from keras_lconv._typing import Constraint, Initializer, Regularizer
from keras_lconv._validation import MOST_GENERATORS, positive_int, positive_ints
from keras_lconv.generators.base import Generators

# Learned generators start with about this spectral norm. It is small beside the identity,
# so that an L-conv starts as a mix of channels, but large enough to receive gradients.
INITIAL_NORM = 0.1

# More learned weights than this in one factor give a warning.
MANY_WEIGHTS = 100_000_000
FEWER = (
    "To have fewer, give `rank=`, use `NeighborGenerators` (each position with its "
    "neighbours) or `VectorFieldGenerators` (a handful of weights), or reduce the "
    "positions of the input"
)


class FactoredGenerators(Generators):
    """Base of families whose generators are products of learned matrices.

    Holds the shapes, the initialization and the configuration. A subclass creates its
    weights with `add_factor` and applies them.

    Args:
        num: Number `k` of generators.
        output_dim: `None` for square generators; else `d'`, or a spatial shape.
        initializer: Initializer of each factor.
        regularizer: Regularizer of each factor.
        constraint: Constraint on each factor.
        **kwargs: `trainable`, `name`, `dtype`.
    """

    def __init__(
        self,
        num: int,
        *,
        output_dim: int | Sequence[int] | None = None,
        initializer: Initializer = None,
        regularizer: Regularizer = None,
        constraint: Constraint = None,
        **kwargs: Any,
    ):
        super().__init__(positive_int("num", num, most=MOST_GENERATORS), **kwargs)
        self._output_shape = _checked_output_shape(output_dim)
        self.initializer = keras.initializers.get(initializer)
        self.regularizer = keras.regularizers.get(regularizer)
        self.constraint = keras.constraints.get(constraint)

    @property
    def is_square(self) -> bool:
        """Whether the generators map the positions of the input to themselves."""
        return self._output_shape in (None, self.spatial_shape)

    def output_spatial_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Spatial shape of `L_i f` for `f` of spatial shape `shape`."""
        return self._output_shape or shape

    def initial_norm_bounds(self) -> np.ndarray:
        """Bounds of the spectral norms at the start of training, of shape `(k,)`."""
        if self.initializer is not None:
            return super().initial_norm_bounds()
        # Generators to another grid preserve the variance, so for white inputs their size
        # is 1.
        return np.full(self.num_generators, INITIAL_NORM if self.is_square else 1.0)

    def add_factor(
        self, name: str, rows: int, columns: int, num_factors: int
    ) -> keras.Variable:
        """Creates a weight `(k, rows, columns)`, one of `num_factors` in a product.

        Raises:
            ValueError: If it would take more than the share of the memory.
        """
        numbers = self.num_generators * rows * columns
        if self.is_learned:
            self._check_cost(numbers)
        else:
            require_memory(f"The matrices of {self.name!r}", numbers, FEWER)
        return self.add_weight(
            name=name,
            shape=(self.num_generators, rows, columns),
            initializer=self.initializer
            or self._default_initializer(rows, columns, num_factors),
            regularizer=self.regularizer,
            constraint=self.constraint,
            trainable=self.is_learned,
        )

    def _check_cost(self, weights: int) -> None:
        what = (
            f"`generators={self.num_generators}`, learned matrices on {self.size} "
            f"positions with {weights:,} weights,"
        )
        way_out = f"An integer is a number of learned generators, not a window. {FEWER}"
        # Each weight also needs a gradient and the two moments of Adam.
        require_memory(what, 4 * weights, way_out, itemsize=4)
        if weights > MANY_WEIGHTS:
            warnings.warn(f"{what} are many. {way_out}", stacklevel=2)

    def _default_initializer(
        self, rows: int, columns: int, num_factors: int
    ) -> keras.initializers.Initializer:
        if self.is_square:
            # The largest singular value of a matrix of independent normal numbers is
            # close to stddev (sqrt(rows) + sqrt(columns)).
            norm = INITIAL_NORM ** (1 / num_factors)
            stddev = norm / (math.sqrt(rows) + math.sqrt(columns))
        else:
            # A layer that leads to another grid has no term beside `L f`, so this keeps the
            # variance of its input.
            stddev = 1 / math.sqrt(columns)
        return keras.initializers.RandomNormal(stddev=stddev)

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        output = self._output_shape
        return {
            **super().get_config(),
            "num": self.num_generators,
            "output_dim": list(output) if output else None,
            "initializer": self.initializer
            and keras.initializers.serialize(self.initializer),
            "regularizer": keras.regularizers.serialize(self.regularizer),
            "constraint": keras.constraints.serialize(self.constraint),
        }


def _checked_output_shape(output_dim: object) -> tuple[int, ...] | None:
    if output_dim is None:
        return None
    return positive_ints("output_dim", output_dim)
