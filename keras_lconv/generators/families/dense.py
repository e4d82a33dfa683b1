"""Generators as full matrices."""

from collections.abc import Callable

import keras
from keras import ops

from keras_lconv._typing import Shape, Tensor
from keras_lconv.generators.contraction import (
    ORDERS,
    contract,
    contraction_cost,
    contractions,
)
from keras_lconv.generators.cost import Cost, precombined_cost
from keras_lconv.generators.exponential import linear_combination
from keras_lconv.generators.families.factored import FactoredGenerators


@keras.saving.register_keras_serializable(package="keras_lconv")
class DenseGenerators(FactoredGenerators):
    """Learned generators without any structure: `k` matrices of shape `(d', d)`.

    This is the family of the paper, and the most general one. Memory and time grow with
    `d' d`, so it is suitable for up to about a thousand positions. It can represent every
    linear symmetry, and needs the most data to find one.

    Args:
        num: Number `k` of generators.
        output_dim: `None` for square generators. An integer `d'`, or a spatial shape,
            for generators that lead to another grid, as a strided layer does.
        initializer: Initializer of `L`. The default draws normal numbers, such that
            square generators have a spectral norm of about 0.1 (a layer then starts
            near a mix of channels), and others keep the variance of their input.
        regularizer: Regularizer of `L`.
        constraint: Constraint on `L`.
        **kwargs: `trainable`, `name`, `dtype`.

    Input shape:
        `(batch, *spatial, channels)` or `(batch, d)`.

    Output shape:
        `(batch, *spatial', k, channels)`, where `spatial'` is that of the input, or
        `output_dim`.

    Raises:
        TypeError: If `num` or `output_dim` is not an integer.
        ValueError: If `num` or `output_dim` is not positive.

    Example:
    ```python
    import numpy as np
    from keras_lconv.generators import DenseGenerators

    generators = DenseGenerators(3)
    derivatives = generators(np.ones((2, 8, 8, 5)))
    assert tuple(derivatives.shape) == (2, 8, 8, 3, 5)
    assert tuple(generators.L.shape) == (3, 64, 64)
    ```

    Reference:
        N. Dehmamy et al., "Automatic Symmetry Discovery with Lie Algebra Convolutional
        Network", NeurIPS 2021.
    """

    def build(self, input_shape: Shape) -> None:
        """Creates `L`, of shape `(k, d', d)`."""
        super().build(input_shape)
        self.L = self.add_factor("L", self.output_size, self.size, num_factors=1)

    def apply(self, f: Tensor) -> Tensor:
        """All Lie derivatives `L_i f`, of shape `(batch, d', k, channels)`."""
        return ops.einsum("kij,bjc->bikc", ops.cast(self.L, f.dtype), f)

    def combine(self, z: Tensor) -> Tensor:
        """The sum `sum_i L_i z_i`, of shape `(batch, d', channels)`."""
        return ops.einsum("kij,bjkc->bic", ops.cast(self.L, z.dtype), z)

    def to_dense(self) -> Tensor:
        """The matrices `L`, a tensor `(k, d', d)`."""
        self.require_built("to_dense")
        return ops.convert_to_tensor(self.L)


@contractions.register
def _contractions(generators: DenseGenerators) -> tuple[str, ...]:
    # One matrix `sum_i L_i (x) W_i` on positions and channels, then its product with `f`.
    return (*ORDERS, "precombined")


@contract.register
def _contract(generators: DenseGenerators, f: Tensor, kernel: Tensor, order: str) -> Tensor:
    channels, filters = kernel.shape[1:]
    matrices = ops.cast(generators.L, f.dtype)
    if order == "generators_first" and channels == 1:
        return _contract_one_channel(matrices, f, kernel[:, 0])
    # With channels before positions, one product with all matrices gives all terms, in
    # place for the product with the kernel.
    f = ops.transpose(f, (0, 2, 1))
    k, rows, columns = matrices.shape
    if order == "precombined":
        matrix = ops.einsum("kij,kcf->cjfi", matrices, kernel)
        matrix = ops.reshape(matrix, (channels * columns, filters * rows))
        flat = ops.reshape(f, (-1, channels * columns))
        output = ops.einsum("pj,ji->pi", flat, matrix)
        output = ops.reshape(output, (-1, filters, rows))
    elif order == "generators_first":
        flat = ops.reshape(f, (-1, columns))
        terms = ops.einsum("pj,qj->pq", flat, ops.reshape(matrices, (-1, columns)))
        terms = ops.reshape(terms, (-1, channels * k, rows))
        kernel = ops.reshape(ops.transpose(kernel, (1, 0, 2)), (-1, filters))
        output = ops.einsum("pf,bpi->bfi", kernel, terms)
    else:
        kernel = ops.reshape(ops.transpose(kernel, (1, 2, 0)), (channels, -1))
        mixed = ops.einsum("cq,bcj->bqj", kernel, f)
        mixed = ops.reshape(mixed, (-1, k * columns))
        matrix = ops.reshape(ops.transpose(matrices, (0, 2, 1)), (k * columns, rows))
        output = ops.einsum("pj,ji->pi", mixed, matrix)
        output = ops.reshape(output, (-1, filters, rows))
    return ops.transpose(output, (0, 2, 1))


def _contract_one_channel(matrices: Tensor, f: Tensor, kernel: Tensor) -> Tensor:
    """The sum for one channel, with a kernel `(k, filters)`.

    The batch comes last, so that one product with the kernel serves all samples. With one
    product for each sample PyTorch is much slower.
    """
    samples = ops.transpose(f[..., 0])
    k, rows, columns = matrices.shape
    terms = ops.einsum("qj,jb->qb", ops.reshape(matrices, (-1, columns)), samples)
    terms = ops.reshape(terms, (k, -1))
    output = ops.einsum("kp,kf->pf", terms, kernel)
    output = ops.reshape(output, (rows, -1, kernel.shape[1]))
    return ops.transpose(output, (1, 0, 2))


@contraction_cost.register
def _contraction_cost(
    generators: DenseGenerators, order: str, channels: int, filters: int
) -> Cost:
    if order != "precombined":
        return contraction_cost.dispatch(object)(generators, order, channels, filters)
    rows = generators.output_size
    entries = rows * generators.size * channels * filters
    return precombined_cost(entries, generators.num_generators, rows * filters)


@linear_combination.register
def _linear_combination(
    generators: DenseGenerators, t: Tensor
) -> Callable[[Tensor], Tensor]:
    if len(t.shape) == 2:
        return linear_combination.dispatch(object)(generators, t)
    # All samples share one matrix.
    matrix = ops.einsum("k,kij->ij", t, ops.cast(generators.L, t.dtype))
    return lambda f: ops.einsum("ij,bjc->bic", matrix, f)
