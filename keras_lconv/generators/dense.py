"""Generators as full matrices."""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from keras_lconv.generators.cost import Cost, precombined_cost
from keras_lconv.generators.factored import FactoredGenerators


@keras.saving.register_keras_serializable(package="keras_lconv")
class DenseGenerators(FactoredGenerators):
    """Learned generators without any structure: `k` matrices of shape `(d', d)`.

    The family of the paper, the most general one. Memory and time grow with `d' d`, so
    that it suits up to about a thousand positions. It can represent every symmetry, and
    needs the most data to find one.

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
        TypeError: If `num` or `output_dim` is no integer.
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

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Creates `L`, of shape `(k, d', d)`."""
        super().build(input_shape)
        shape = self._require_built("build")
        rows = math.prod(self.output_spatial_shape(shape))
        self.L = self.add_factor("L", rows, math.prod(shape), num_factors=1)

    def call(self, inputs: Any) -> Any:
        """All Lie derivatives `L_i f`, of shape `(batch, *spatial', k, channels)`."""
        f = self._flatten(inputs)
        matrices = ops.cast(self.L, f.dtype)
        return self._unflatten(ops.einsum("kij,bjc->bikc", matrices, f))

    def combine(self, z: Any) -> Any:
        """The sum `sum_i L_i z_i`, of shape `(batch, *spatial', channels)`."""
        z = self._flatten(z)
        matrices = ops.cast(self.L, z.dtype)
        return self._unflatten(ops.einsum("kij,bjkc->bic", matrices, z))

    @property
    def contractions(self) -> tuple[str, ...]:
        """The orders of `contract`.

        Besides those of all generators, `"precombined"`: one matrix
        `sum_i L_i (x) W_i` on positions and channels, then its product with `f`.
        """
        return (*super().contractions, "precombined")

    def contract(self, f: Any, kernel: Any, order: str) -> Any:
        """The sum `sum_i (L_i f) W_i`, of shape `(batch, *spatial', filters)`."""
        channels, filters = kernel.shape[1:]
        if order == "generators_first" and channels == 1:
            return self._contract_one_channel(f, kernel[:, 0])
        # Channels before positions: all terms are then one product with all matrices,
        # and are in place for the product with the kernel.
        f = ops.transpose(self._flatten(f), (0, 2, 1))
        matrices = ops.cast(self.L, f.dtype)
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
        return self._unflatten(ops.transpose(output, (0, 2, 1)))

    def _contract_one_channel(self, f: Any, kernel: Any) -> Any:
        """The sum for one channel, with a kernel `(k, filters)`.

        The batch comes last: the product with the kernel is then one for all samples, where
        PyTorch is much slower with one for each of them.
        """
        samples = ops.transpose(self._flatten(f)[..., 0])
        matrices = ops.cast(self.L, f.dtype)
        k, rows, columns = matrices.shape
        terms = ops.einsum("qj,jb->qb", ops.reshape(matrices, (-1, columns)), samples)
        terms = ops.reshape(terms, (k, -1))
        output = ops.einsum("kp,kf->pf", terms, kernel)
        output = ops.reshape(output, (rows, -1, kernel.shape[1]))
        return self._unflatten(ops.transpose(output, (1, 0, 2)))

    def contraction_cost(self, order: str, channels: int, filters: int) -> Cost:
        """What `contract` costs for one sample.

        Args:
            order: One of `contractions`. The samples of a batch share the cost of making
                the matrix of `"precombined"`: 32 of them are assumed.
            channels: Number of input channels.
            filters: Number of output channels.

        Returns:
            A `Cost`.
        """
        if order != "precombined":
            return super().contraction_cost(order, channels, filters)
        shape = self._require_built("contraction_cost")
        rows = math.prod(self.output_spatial_shape(shape))
        entries = rows * math.prod(shape) * channels * filters
        return precombined_cost(entries, self.num_generators, rows * filters)

    def linear_combination(self, t: Any) -> Callable[[Any], Any]:
        """The operator `sum_i t_i L_i`; one matrix where all samples share `t`."""
        if len(t.shape) == 2:
            return super().linear_combination(t)
        matrix = ops.einsum("k,kij->ij", t, ops.cast(self.L, t.dtype))
        return lambda f: self._unflatten(
            ops.einsum("ij,bjc->bic", matrix, self._flatten(f))
        )

    def norm_bounds(self) -> Any:
        """Upper bounds `sqrt(|L|_1 |L|_inf)` of the spectral norms, a tensor `(k,)`."""
        return norm_bounds(ops.convert_to_tensor(self.L))

    def to_dense(self) -> Any:
        """The matrices `L`, a tensor `(k, d', d)`."""
        self._require_built("to_dense")
        return ops.convert_to_tensor(self.L)


def norm_bounds(matrices: Any, xp: Any = ops) -> Any:
    """Bounds `sqrt(|L|_1 |L|_inf)` of spectral norms, which cost a sum only: `(k,)`.

    With NumPy for `xp`, of arrays, and also while a graph is traced.
    """
    sizes = xp.abs(matrices)
    columns = xp.max(xp.sum(sizes, axis=1), axis=1)
    rows = xp.max(xp.sum(sizes, axis=2), axis=1)
    return xp.sqrt(columns * rows)
