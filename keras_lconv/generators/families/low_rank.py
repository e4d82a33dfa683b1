"""Generators as products of thin matrices."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_lconv._typing import Constraint, Initializer, Regularizer, Shape, Tensor
from keras_lconv._validation import positive_ints
from keras_lconv.generators.contraction import (
    ORDERS,
    contract,
    contraction_cost,
    contractions,
    cost,
    result_bytes,
)
from keras_lconv.generators.cost import BYTES, Cost
from keras_lconv.generators.families.factored import FactoredGenerators


@keras.saving.register_keras_serializable(package="keras_lconv")
class LowRankGenerators(FactoredGenerators):
    """Learned generators of low rank: `L_i = U_i V_i`, or a longer chain of factors.

    With rank `r` a generator has `r (d' + d)` numbers, and needs as many multiply-adds for
    each channel, instead of `d' d` for a full matrix.

    Args:
        num: Number `k` of generators.
        rank: The rank `r`; or hidden sizes `(r_1, ..., r_m)` of a chain
            `L_i = F_i^(m) ... F_i^(0)` from `d` over `r_1`, ..., `r_m` to `d'`. The rank of
            a chain is at most the smallest size.
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
        TypeError: If `num`, `rank` or `output_dim` is not an integer.
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
        *,
        output_dim: int | Sequence[int] | None = None,
        initializer: Initializer = None,
        regularizer: Regularizer = None,
        constraint: Constraint = None,
        **kwargs: Any,
    ):
        super().__init__(
            num,
            output_dim=output_dim,
            initializer=initializer,
            regularizer=regularizer,
            constraint=constraint,
            **kwargs,
        )
        self._hidden_sizes = positive_ints("rank", rank)

    def build(self, input_shape: Shape) -> None:
        """Creates the factors, in the order in which they act."""
        super().build(input_shape)
        sizes = (self.size, *self._hidden_sizes, self.output_size)
        num_factors = len(sizes) - 1
        self.factors = tuple(
            self.add_factor(f"factor_{n}", sizes[n + 1], sizes[n], num_factors)
            for n in range(num_factors)
        )

    @property
    def narrowest(self) -> int:
        """The number of factors after which the chain is narrowest."""
        return self._hidden_sizes.index(min(self._hidden_sizes))

    def _encode(self, first_formula: str, f: Tensor) -> Tensor:
        """Applies all factors but the last: a tensor `(batch, k, rank, channels)`."""
        f = ops.einsum(first_formula, ops.cast(self.factors[0], f.dtype), f)
        for factor in self.factors[1:-1]:
            f = ops.einsum("ksr,bkrc->bksc", ops.cast(factor, f.dtype), f)
        return f

    def apply(self, f: Tensor) -> Tensor:
        """All Lie derivatives `L_i f`, of shape `(batch, d', k, channels)`."""
        f = self._encode("krj,bjc->bkrc", f)
        return ops.einsum("kir,bkrc->bikc", ops.cast(self.factors[-1], f.dtype), f)

    def combine(self, z: Tensor) -> Tensor:
        """The sum `sum_i L_i z_i`, of shape `(batch, d', channels)`."""
        z = self._encode("krj,bjkc->bkrc", z)
        return ops.einsum("kir,bkrc->bic", ops.cast(self.factors[-1], z.dtype), z)

    def norm_bounds(self) -> Tensor:
        """Products of bounds of the spectral norms of the factors, a tensor `(k,)`.

        The bound of a factor `A` is `sqrt(|A^T A|_inf)`, with the smaller of `A^T A` and
        `A A^T`.
        """
        bounds: Any = 1.0
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


@contractions.register
def _contractions(generators: LowRankGenerators) -> tuple[str, ...]:
    # The channels are mixed where the chain of factors is narrowest.
    return (*ORDERS, "between_factors")


@contract.register
def _contract(
    generators: LowRankGenerators, f: Tensor, kernel: Tensor, order: str
) -> Tensor:
    if order != "between_factors":
        return contract.dispatch(object)(generators, f, kernel, order)
    # With channels before positions, the first and the last factors are one product each
    # for all generators.
    f = ops.transpose(f, (0, 2, 1))
    first, *inner, last = (ops.cast(factor, f.dtype) for factor in generators.factors)
    k, size, columns = first.shape
    channels, filters = kernel.shape[1:]
    flat = ops.reshape(f, (-1, columns))
    coded = ops.einsum("pj,qj->pq", flat, ops.reshape(first, (-1, columns)))
    coded = ops.reshape(coded, (-1, channels, k, size))
    for level in range(len(inner) + 1):
        if level == generators.narrowest:
            coded = ops.einsum("bckr,kcf->bfkr", coded, kernel)
        if level < len(inner):
            coded = ops.einsum("bckr,ksr->bcks", coded, inner[level])
    rows, size = last.shape[1:]
    coded = ops.reshape(coded, (-1, k * size))
    matrix = ops.reshape(ops.transpose(last, (0, 2, 1)), (k * size, rows))
    output = ops.reshape(ops.einsum("pj,ji->pi", coded, matrix), (-1, filters, rows))
    return ops.transpose(output, (0, 2, 1))


@contraction_cost.register
def _contraction_cost(
    generators: LowRankGenerators, order: str, channels: int, filters: int
) -> Cost:
    if order != "between_factors":
        return contraction_cost.dispatch(object)(generators, order, channels, filters)
    products = results = 0
    *_, last = factors = generators.factors
    for level, factor in enumerate(factors):
        k, rows, columns = factor.shape
        width = channels if level <= generators.narrowest else filters
        products += k * rows * columns * width
        results += (k * rows if factor is not last else rows) * width
    mixed = k * factors[generators.narrowest].shape[1]
    return Cost(products + mixed * channels * filters, BYTES * (results + mixed * filters))


@cost.register
def _cost(generators: LowRankGenerators, channels: int, operation: str = "apply") -> Cost:
    # The sum over the factors, `k r (d' + d)` multiply-adds a channel for one rank.
    results = result_bytes(generators, channels, operation)
    shapes = [factor.shape for factor in generators.factors]
    products = sum(k * rows * columns for k, rows, columns in shapes)
    hidden = sum(k * rows for k, rows, _ in shapes[:-1])
    return Cost(products * channels, results + BYTES * hidden * channels)
