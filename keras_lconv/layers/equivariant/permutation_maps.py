"""All maps of tensors that commute with permutations, by sums and repetition."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from keras import ops

from keras_lconv._typing import Tensor


@dataclass(frozen=True)
class _Map:
    """One map, given by the sets of indices of output and input that are equal.

    Args:
        inputs: The set of each index of the input.
        outputs: The set of each index of the output.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def is_diagonal(self) -> bool:
        """Whether the output is zero outside of its diagonal."""
        return len(set(self.outputs)) < len(self.outputs)


class PermutationMaps:
    """Maps from `V**p` to `V**q` that commute with all permutations of `n` things.

    There is one for each partition of the `p + q` indices into sets of equal indices: 2
    maps of sets, 15 of matrices. Each takes a diagonal of the input, sums over indices that
    the output does not have, and repeats over indices that the input does not have. Time
    and memory grow like the tensors, while the matrix of a map has `n**(p + q)` entries.

    Sums are scaled such that coefficients with the variance `1 / (m c)` keep the variance
    of an input with `c` channels, in the mean over all entries.

    Args:
        n: Number of items that are permuted, at least `p + q`.
        p: Order of the input, up to 2.
        q: Order of the output, up to 2.

    Reference:
        H. Maron, H. Ben-Hamu, N. Shamir, Y. Lipman, "Invariant and Equivariant Graph
        Networks", ICLR 2019.
    """

    def __init__(self, n: int, p: int, q: int):
        self._n, self._p, self._q = n, p, q
        self._maps = [_Map(sets[:p], sets[p:]) for sets in _partitions(p + q)]
        self.num_maps = len(self._maps)
        variances = [1 / n if each.is_diagonal else 1.0 for each in self._maps]
        self._scale = math.sqrt(self.num_maps / sum(variances))

    def add_to(self, add_constant: Callable[[str, np.ndarray], Tensor]) -> None:
        """Stores nothing: `n`, `p` and `q` determine the maps."""

    def apply(self, f: Tensor, kernel: Tensor) -> Tensor:
        """`W f` for `f` of shape `(batch, n**p, channels)`, coefficients `(m, ...)`."""
        n = self._n
        whole = ops.reshape(f, (-1, *[n] * self._p, f.shape[-1]))
        one = ops.eye(n, dtype=f.dtype)
        diagonal = ops.einsum("bijc,ij->bic", whole, one) if self._p == 2 else whole
        total = ops.zeros((*[n] * self._q, kernel.shape[-1]), dtype=f.dtype)
        for number, each in enumerate(self._maps):
            inputs, outputs = _order(each.inputs), _order(each.outputs)
            part = whole if len(inputs) == self._p else diagonal
            summed = [axis + 1 for axis, label in enumerate(inputs) if label not in outputs]
            if summed:
                part = ops.sum(part, axis=summed) / n ** (len(summed) / 2)
            part = ops.einsum("b...c,cu->b...u", part, kernel[number])
            kept = [label for label in inputs if label in outputs]
            if len(kept) == 2 and kept != list(outputs):
                part = ops.swapaxes(part, 1, 2)
            for axis, label in enumerate(outputs):
                if label not in kept:
                    part = ops.expand_dims(part, axis + 1)
            if len(outputs) < self._q:
                part = ops.expand_dims(part, 1) * one[:, :, None]
            total = total + part
        return self._scale * ops.reshape(total, (-1, n**self._q, kernel.shape[-1]))


def _order(sets: tuple[int, ...]) -> tuple[int, ...]:
    """Each set once, in the order of first occurrence."""
    return tuple(dict.fromkeys(sets))


def _partitions(size: int) -> Iterator[tuple[int, ...]]:
    """All partitions of indices, as the number of the set of each."""
    if size == 0:
        yield ()
        return
    for rest in _partitions(size - 1):
        for number in range(max(rest, default=-1) + 2):
            yield (*rest, number)
