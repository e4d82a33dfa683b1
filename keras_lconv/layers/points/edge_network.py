"""A small network of invariants for each pair of points."""

from collections.abc import Sequence
from itertools import pairwise

import keras
from keras import ops

from keras_lconv._typing import Shape, Tensor
from keras_lconv._weights import BoundedWeights
from keras_lconv.layers.points.geometry import Edges


class EdgeNetwork(BoundedWeights):
    """Dense layers on the invariants of an edge and of both of its ends.

    The first layer is linear in the invariants of each end, so that part is computed once
    for each point instead of each edge.

    Args:
        units: Number of outputs.
        hidden_units: Units of the hidden layers, at least one.
        of_edge: The number of invariants of an edge.
        of_ends: The number of invariants of a point.
        kernel_initializer: Initializer of the kernels between hidden layers.
        **kwargs: `name`, `dtype`, `trainable`.
    """

    def __init__(
        self,
        units: int,
        hidden_units: Sequence[int],
        of_edge: int,
        of_ends: int,
        kernel_initializer: keras.initializers.Initializer,
        **kwargs: object,
    ):
        super().__init__(autocast=False, **kwargs)
        first = hidden_units[0]
        # The sum of all inputs is of order one.
        total = of_edge + 2 * of_ends
        self._edge = self._kernel("edge", of_edge, first, _scaled(of_edge / total))
        self._ends = [
            self._kernel(end, of_ends, first, _scaled(of_ends / total))
            for end in ("target", "source")
            if of_ends
        ]
        self._bias = self._add("hidden_bias", (first,), "zeros")
        self._layers_after = []
        for number, (before, after) in enumerate(pairwise((*hidden_units, units))):
            is_last = number == len(hidden_units) - 1
            # Factors of messages start near one.
            kernel = self._kernel(
                f"hidden_{number}",
                before,
                after,
                "lecun_normal" if is_last else kernel_initializer,
            )
            bias = self._add(
                f"hidden_{number}_bias", (after,), "ones" if is_last else "zeros"
            )
            self._layers_after.append((kernel, bias))
        self.built = True

    def _kernel(
        self, name: str, before: int, after: int, initializer: object
    ) -> keras.Variable:
        return self._add(f"{name}_kernel", (before, after), initializer)

    def _add(self, name: str, shape: Shape, initializer: object) -> keras.Variable:
        if isinstance(initializer, keras.initializers.Initializer):
            initializer = initializer.clone()
        return self.add_weight(name=name, shape=shape, initializer=initializer)

    def call(self, of_edge: Tensor, of_points: Tensor | None, edges: Edges) -> Tensor:
        """The outputs of all edges, `(batch, n, k, units)`.

        Args:
            of_edge: Invariants of edges, `(batch, n, k, u)`.
            of_points: Invariants of points, `(batch, n, u')`, or `None` without any.
            edges: The edges.
        """
        hidden = _product(of_edge, self._edge)
        if of_points is not None:
            target, source = (_product(of_points, kernel) for kernel in self._ends)
            hidden = hidden + ops.expand_dims(target, 2) + edges.gather(source)
        hidden = hidden + ops.cast(self._bias, of_edge.dtype)
        for kernel, bias in self._layers_after:
            hidden = _product(ops.silu(hidden), kernel) + ops.cast(bias, of_edge.dtype)
        return hidden


def _product(x: Tensor, kernel: keras.Variable) -> Tensor:
    return ops.einsum("...u,uh->...h", x, ops.cast(kernel, x.dtype))


def _scaled(share: float) -> keras.initializers.Initializer:
    """An initializer with variance `2 share / inputs`, for a rectifier that has other
    inputs as well.
    """
    return keras.initializers.VarianceScaling(2 * share)
