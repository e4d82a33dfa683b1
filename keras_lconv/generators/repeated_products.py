"""Products of any generators, by repeated application."""

import itertools
from typing import TYPE_CHECKING

import numpy as np
from keras import ops

from keras_lconv._typing import Tensor
from keras_lconv.algebra import powers
from keras_lconv.generators.contraction import cost
from keras_lconv.generators.cost import NOTHING, Cost
from keras_lconv.generators.smoothing import Smoothing

if TYPE_CHECKING:
    from keras_lconv.generators.base import Generators


class RepeatedProducts:
    """`L^a exp(-tau C)` for all `|a| <= order`, by growing degree.

    `L^a` is the mean of the products of its factors in all orders. A share `a_i / p` of
    these begins with `L_i`, so that `L^a = sum_i (a_i / p) L_i L^(a - e_i)`.

    Args:
        generators: Built square generators.
        order: The largest degree.
        units: The divisors of the powers of each generator, `(k, order + 1)`.
        smoothing: `exp(-tau C)`, or `None`.
        share: The part of the largest `tau` of the smoothing that is used here.
    """

    def __init__(
        self,
        generators: "Generators",
        order: int,
        units: np.ndarray,
        smoothing: Smoothing | None,
        share: float,
    ):
        self.generators, self._smoothing, self._share = generators, smoothing, share
        k = generators.num_generators
        tables = [powers.exponents(k, p) for p in range(order + 1)]
        sizes = [np.take_along_axis(units, t.T, axis=1).prod(axis=0) for t in tables]
        # From degree `p - 1` to `p`, in units: `(N_p, k, N_(p-1))`.
        self._steps = [
            powers.symmetric_step(k, p).matrix().transpose(2, 0, 1) ** 2
            * (sizes[p - 1] / sizes[p][:, None, None])
            for p in range(1, order + 1)
        ]

    def _smoothed(self, f: Tensor, tau: Tensor | float) -> Tensor:
        return f if self._smoothing is None else self._smoothing(f, tau, self._share)

    def apply(self, f: Tensor, tau: Tensor | float) -> Tensor:
        """All products of `(batch, d, channels)`, in `(batch, d, N, channels)`."""
        size, channels = f.shape[1:]
        levels = [ops.expand_dims(self._smoothed(f, tau), 2)]
        for step in self._steps:
            _, k, number = step.shape
            moved = ops.reshape(levels[-1], (-1, size, number * channels))
            moved = self.generators.apply(moved)
            moved = ops.reshape(moved, (-1, size, k, number, channels))
            step = ops.convert_to_tensor(step, dtype=f.dtype)
            levels.append(ops.einsum("akm,bdkmc->bdac", step, moved))
        return ops.concatenate(levels, axis=2)

    def combine(self, z: Tensor, tau: Tensor | float) -> Tensor:
        """The sum of all products, each applied to its own `z`, for `(batch, d, N,
        channels)`.
        """
        size, total, channels = z.shape[1:]
        z = self._smoothed(ops.reshape(z, (-1, size, total * channels)), tau)
        z = ops.reshape(z, (-1, size, total, channels))
        ends = np.cumsum([0, 1, *(len(step) for step in self._steps)]).tolist()
        *lower, found = [z[:, :, a:b] for a, b in itertools.pairwise(ends)]
        for step, level in zip(reversed(self._steps), reversed(lower), strict=True):
            _, k, number = step.shape
            step = ops.convert_to_tensor(step, dtype=z.dtype)
            parts = ops.einsum("akm,bdac->bdkmc", step, found)
            parts = ops.reshape(parts, (-1, size, k, number * channels))
            moved = self.generators.combine(parts)
            found = level + ops.reshape(moved, (-1, size, number, channels))
        return ops.squeeze(found, 2)

    def cost(self, channels: int, operation: str) -> Cost:
        """The cost of `apply` or `combine`."""
        steps = [step.shape[2] * channels for step in self._steps]
        costs = [cost(self.generators, width, operation) for width in steps]
        if self._smoothing is not None:
            widths = 1 if operation == "apply" else 1 + sum(len(s) for s in self._steps)
            for step in ("apply", "combine"):
                once = cost(self.generators, widths * channels, step)
                times = self._smoothing.num_products(self._share)
                costs.append(Cost(once.multiply_adds * times, once.bytes * times))
        return sum(costs, NOTHING)
