"""Generators as products of thin matrices."""

import math
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_lconv._validation import positive_int
from keras_lconv.generators.cost import BYTES, Cost
from keras_lconv.generators.factored import FactoredGenerators


@keras.saving.register_keras_serializable(package="keras_lconv")
class LowRankGenerators(FactoredGenerators):
    """Learned generators of low rank: `L_i = U_i V_i`, or a longer chain of factors.

    With rank `r` they cost `r (d' + d)` numbers and multiply-adds for each generator
    and channel, against `d' d` for full matrices.

    Args:
        num: Number `k` of generators.
        rank: The rank `r`; or hidden sizes `(r_1, ..., r_m)` of a chain
            `L_i = F_i^(m) ... F_i^(0)` that leads from `d` over `r_1`, ..., `r_m` to
            `d'`, whose rank is at most the smallest of them.
        output_dim: `None` for square generators. An integer `d'`, or a spatial shape,
            for generators that lead to another grid, as a strided layer does.
        initializer: Initializer of the factors. The default draws normal numbers, such
            that square generators have a spectral norm of about 0.1 (a layer then
            starts near a mix of channels), and others keep the variance of their input.
        regularizer: Regularizer of each factor.
        constraint: Constraint on each factor.
        **kwargs: `trainable`, `name`, `dtype`.

    Input shape:
        `(batch, *spatial, channels)` or `(batch, d)`.

    Output shape:
        `(batch, *spatial', k, channels)`, where `spatial'` is that of the input, or
        `output_dim`.

    Raises:
        TypeError: If `num`, `rank` or `output_dim` is no integer.
        ValueError: If one of them is not positive, or `rank` is an empty chain.

    Example:
    ```python
    import numpy as np
    from keras_lconv.generators import LowRankGenerators

    generators = LowRankGenerators(3, rank=(8, 4))
    derivatives = generators(np.ones((2, 8, 8, 5)))
    assert tuple(derivatives.shape) == (2, 8, 8, 3, 5)
    assert [tuple(f.shape) for f in generators.factors] == [
        (3, 8, 64), (3, 4, 8), (3, 64, 4)
    ]
    ```

    Reference:
        N. Dehmamy et al., "Automatic Symmetry Discovery with Lie Algebra Convolutional
        Network", NeurIPS 2021, which encodes `L_i` by factors of this kind.
    """

    def __init__(
        self,
        num: int,
        rank: int | Sequence[int],
        output_dim: int | Sequence[int] | None = None,
        initializer: Any = None,
        regularizer: Any = None,
        constraint: Any = None,
        **kwargs: Any,
    ):
        super().__init__(num, output_dim, initializer, regularizer, constraint, **kwargs)
        chain = tuple(rank) if isinstance(rank, Sequence) else (rank,)
        if not chain:
            raise ValueError(f"`rank` must not be empty. Received: rank={rank!r}")
        self._hidden_sizes = tuple(positive_int("rank", size) for size in chain)

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates the factors, the one that acts first at the front."""
        super().build(input_shape)
        shape = self._require_built("build")
        rows = math.prod(self.output_spatial_shape(shape))
        sizes = (math.prod(shape), *self._hidden_sizes, rows)
        num_factors = len(sizes) - 1
        self.factors = tuple(
            self.add_factor(f"factor_{n}", sizes[n + 1], sizes[n], num_factors)
            for n in range(num_factors)
        )

    def _encode(self, first_formula: str, f: Any) -> Any:
        """Applies all factors but the last: a tensor `(batch, k, rank, channels)`."""
        f = ops.einsum(first_formula, ops.cast(self.factors[0], f.dtype), f)
        for factor in self.factors[1:-1]:
            f = ops.einsum("ksr,bkrc->bksc", ops.cast(factor, f.dtype), f)
        return f

    def call(self, inputs: Any) -> Any:
        """All Lie derivatives `L_i f`, of shape `(batch, *spatial', k, channels)`."""
        f = self._encode("krj,bjc->bkrc", self._flatten(inputs))
        last = ops.cast(self.factors[-1], f.dtype)
        return self._unflatten(ops.einsum("kir,bkrc->bikc", last, f))

    def combine(self, z: Any) -> Any:
        """The sum `sum_i L_i z_i`, of shape `(batch, *spatial', channels)`."""
        z = self._encode("krj,bjkc->bkrc", self._flatten(z))
        last = ops.cast(self.factors[-1], z.dtype)
        return self._unflatten(ops.einsum("kir,bkrc->bic", last, z))

    @property
    def contractions(self) -> tuple[str, ...]:
        """The orders of `contract`.

        Besides those of all generators, `"between_factors"`: the channels are mixed where
        the chain of factors is narrowest.
        """
        return (*super().contractions, "between_factors")

    def contract(self, f: Any, kernel: Any, order: str) -> Any:
        """The sum `sum_i (L_i f) W_i`, of shape `(batch, *spatial', filters)`."""
        if order != "between_factors":
            return super().contract(f, kernel, order)
        # Channels before positions: the first and the last factors are then one product
        # each for all generators.
        f = ops.transpose(self._flatten(f), (0, 2, 1))
        first, *inner, last = (ops.cast(factor, f.dtype) for factor in self.factors)
        k, size, columns = first.shape
        channels, filters = kernel.shape[1:]
        flat = ops.reshape(f, (-1, columns))
        coded = ops.einsum("pj,qj->pq", flat, ops.reshape(first, (-1, columns)))
        coded = ops.reshape(coded, (-1, channels, k, size))
        for level in range(len(inner) + 1):
            if level == self._narrowest:
                coded = ops.einsum("bckr,kcf->bfkr", coded, kernel)
            if level < len(inner):
                coded = ops.einsum("bckr,ksr->bcks", coded, inner[level])
        rows, size = last.shape[1:]
        coded = ops.reshape(coded, (-1, k * size))
        matrix = ops.reshape(ops.transpose(last, (0, 2, 1)), (k * size, rows))
        output = ops.reshape(ops.einsum("pj,ji->pi", coded, matrix), (-1, filters, rows))
        return self._unflatten(ops.transpose(output, (0, 2, 1)))

    @property
    def _narrowest(self) -> int:
        return self._hidden_sizes.index(min(self._hidden_sizes))

    def contraction_cost(self, order: str, channels: int, filters: int) -> Cost:
        """What `contract` costs for one sample.

        Args:
            order: One of `contractions`.
            channels: Number of input channels.
            filters: Number of output channels.

        Returns:
            A `Cost`.
        """
        if order != "between_factors":
            return super().contraction_cost(order, channels, filters)
        products = results = 0
        for level, factor in enumerate(self.factors):
            k, rows, columns = factor.shape
            width = channels if level <= self._narrowest else filters
            products += k * rows * columns * width
            results += (k * rows if factor is not self.factors[-1] else rows) * width
        mixed = self.num_generators * min(self._hidden_sizes)
        return Cost(
            products + mixed * channels * filters, BYTES * (results + mixed * filters)
        )

    def cost(self, channels: int, operation: str = "call") -> Cost:
        """The sum over the factors, `k r (d' + d)` multiply-adds a channel for one rank.

        Args:
            channels: Number of channels that the generators act on.
            operation: `"call"` or `"combine"`.

        Returns:
            A `Cost` for one sample.
        """
        results = super().cost(channels, operation).bytes
        shapes = [factor.shape for factor in self.factors]
        products = sum(k * rows * columns for k, rows, columns in shapes)
        hidden = sum(k * rows for k, rows, _ in shapes[:-1])
        return Cost(products * channels, results + BYTES * hidden * channels)

    def norm_bounds(self) -> Any:
        """Products of bounds of the spectral norms of the factors, a tensor `(k,)`.

        The bound of a factor `A` is `sqrt(|A^T A|_inf)`, with the smaller of `A^T A` and
        `A A^T`.
        """
        bounds = 1.0
        for factor in self.factors:
            factor = ops.convert_to_tensor(factor)
            _, rows, columns = factor.shape
            formula = "kir,kis->krs" if columns < rows else "kri,ksi->krs"
            gram = ops.abs(ops.einsum(formula, factor, factor))
            bounds = bounds * ops.sqrt(ops.max(ops.sum(gram, axis=2), axis=1))
        return bounds

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        sizes = self._hidden_sizes
        rank = sizes[0] if len(sizes) == 1 else list(sizes)
        return {**super().get_config(), "rank": rank}
