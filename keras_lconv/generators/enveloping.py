"""Products of generators up to an order, on smoothed features."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._backend import take
from keras_lconv._typing import Shape, Tensor
from keras_lconv.generators.axis_products import AxisProducts, derivative_along_axes
from keras_lconv.generators.base import Generators
from keras_lconv.generators.contraction import (
    contract,
    contraction_cost,
    contractions,
    cost,
    result_bytes,
)
from keras_lconv.generators.cost import NOTHING, Cost
from keras_lconv.generators.repeated_products import RepeatedProducts
from keras_lconv.generators.smoothing import ROOM_FOR_TAU, Smoothing, form_of_smoothing

LEARNED = "learned"
# The largest number of products in each call.
MOST_PRODUCTS = 1000
# A learned `tau` starts with a blur of about one grid step. Translations of a fine grid
# have the norm pi, so `tau` starts at 1/2, a blur of width 1.
FIRST_EXPONENT = math.pi**2 / 2
BETWEEN = "between_axes"


class Enveloping(Generators):
    """The operators `L^a exp(-tau C)` of the enveloping algebra, with `|a| <= order`.

    `L^a` is the mean of the products of `a_1` factors `L_1`, `a_2` factors `L_2`, ..., over
    all orders of the factors: one operator for each `a`, the plain product if they commute.
    `C` is the Casimir operator. Each operator is divided by a unit. For translations this
    unit preserves the variance of white noise. For other antisymmetric generators that
    commute it is a bound of the norm, and otherwise an estimate.

    They are sorted by `tau`, then by degree. Without smoothing the identity is left out.

    Args:
        generators: Square generators.
        order: The largest degree.
        smoothing: `None`, several `tau`, or `"learned"` for one.
        **kwargs: `name` and `dtype`.

    Attributes:
        tau: The weight `tau`, a scalar, if it is learned.
        norm_bound: The bound of the largest `tau |C|`, once built. It can be set before, to
            a saved value.
    """

    def __init__(
        self,
        generators: Generators,
        order: int,
        smoothing: tuple[float, ...] | str | None,
        **kwargs: Any,
    ):
        number = math.comb(generators.num_generators + order, order)
        if smoothing is None:
            number -= 1
        elif not isinstance(smoothing, str):
            number *= len(smoothing)
        if number > MOST_PRODUCTS:
            raise ValueError(
                f"`order={order}` makes {number:,} products of {generators.num_generators} "
                f"generators. At most {MOST_PRODUCTS:,} are computed. Take a smaller "
                "`order` or fewer `generators`"
            )
        is_learned = generators.is_learned or smoothing == LEARNED
        super().__init__(number, **{**kwargs, "trainable": is_learned})
        self.generators = generators
        self.order = order
        self.smoothing = smoothing
        self.norm_bound: float | None = None

    def build(self, input_shape: Shape) -> None:
        """Finds the units, and creates `tau` if it is learned."""
        super().build(input_shape)
        generators, shape = self.generators, self.require_built("build")
        generators.build_for(input_shape, self.name)
        self.tau = None
        self._taus: tuple[float, ...] = (0.0,)
        smoothing = None if self.smoothing is None else self._build_smoothing()
        kind = derivative_along_axes(generators)
        self.products: list[AxisProducts | RepeatedProducts] = []
        for tau in self._taus:
            if kind is not None:
                self.products.append(AxisProducts(shape, kind, self.order, tau))
                continue
            units = self._units(tau, smoothing)
            share = tau / smoothing.max_tau if smoothing and self.tau is None else 1.0
            self.products.append(
                RepeatedProducts(generators, self.order, units, smoothing, share)
            )

    def _build_smoothing(self) -> Smoothing:
        generators = self.generators
        form = form_of_smoothing(generators)
        if isinstance(self.smoothing, str):
            squares = np.abs(form) * np.outer(self._norms(), self._norms())
            first = 1 / float(squares.sum())
            if Smoothing(generators, form, 1.0).is_positive:
                first = FIRST_EXPONENT / float(squares.sum(axis=1).max())
            self._taus = (first,)
            largest = ROOM_FOR_TAU * first
            self.tau = self.add_weight(
                name="tau",
                shape=(),
                initializer=keras.initializers.Constant(first),
                constraint=lambda tau: ops.clip(tau, 0.0, largest),
            )
        else:
            self._taus = tuple(self.smoothing or ())
            largest = max(self._taus)
        smoothing = Smoothing(generators, form, largest, self.norm_bound)
        smoothing.check("smoothing", self.name, self.compute_dtype)
        self.norm_bound = smoothing.bound
        return smoothing

    def _norms(self) -> np.ndarray:
        """Norms of the generators in NumPy, and 1 for those that are learned or vanish.

        Initial values of learned generators are not saved, so their norms may differ after
        loading.
        """
        if self.generators.is_learned:
            return np.ones(self.generators.num_generators)
        norms = self.generators.initial_norm_bounds()
        return np.where(norms > 0, norms, 1.0)

    def _units(self, tau: float, smoothing: Smoothing | None) -> np.ndarray:
        """Bounds of the norms of the powers of each generator, `(k, order + 1)`.

        `x^p exp(-tau h x^2)` is largest where `x^2 = p / (2 tau h)`.
        """
        sizes = self._norms()[:, None]
        degrees = np.arange(self.order + 1)
        if smoothing is not None and smoothing.is_positive:
            squares = np.maximum(tau * np.diag(smoothing.form)[:, None], 1e-12)
            sizes = np.minimum(sizes, np.sqrt(degrees / (2 * math.e * squares)))
        return np.where(degrees > 0, sizes, 1.0) ** degrees

    def present_taus(self, f: Tensor) -> list[Tensor | float]:
        """The values of `tau`, in the dtype of `f` if it is learned."""
        if self.tau is None:
            return list(self._taus)
        # The constraint does not apply to values that are assigned or loaded.
        largest = ROOM_FOR_TAU * self._taus[0]
        return [ops.clip(ops.cast(self.tau, f.dtype), 0.0, largest)]

    def apply(self, f: Tensor) -> Tensor:
        """All products, `(batch, d, N, channels)`."""
        pairs = zip(self.products, self.present_taus(f), strict=True)
        parts = [products.apply(f, tau) for products, tau in pairs]
        if self.smoothing is None:
            return parts[0][:, :, 1:]
        return ops.concatenate(parts, axis=2)

    def combine(self, z: Tensor) -> Tensor:
        """The sum of all products, each applied to its own `z`."""
        triples = zip(self.products, self.present_taus(z), self.parts(z, 2), strict=True)
        sums = [products.combine(part, tau) for products, tau, part in triples]
        return sum(sums[1:], sums[0])

    def parts(self, values: Tensor, axis: int) -> list[Tensor]:
        """The values for all operators, split by `tau`, with zero for an identity that is
        left out.
        """
        if self.smoothing is None:
            first = ops.zeros_like(take(values, [0], axis=axis))
            return [ops.concatenate([first, values], axis=axis)]
        return ops.split(values, len(self._taus), axis=axis)

    @property
    def along_axes(self) -> list[AxisProducts]:
        """The products by one matrix for each axis, if the generators are translations."""
        return [p for p in self.products if isinstance(p, AxisProducts)]

    @property
    def keeps_variance(self) -> bool:
        """Whether every operator preserves the variance of white noise."""
        return bool(self.along_axes)

    def initial_norm_bounds(self) -> np.ndarray:
        """Ones: the operators are in units of their norms."""
        return np.ones(self.num_generators)


@cost.register
def _cost(generators: Enveloping, channels: int, operation: str = "apply") -> Cost:
    costs = [products.cost(channels, operation) for products in generators.products]
    return sum(costs, Cost(0, result_bytes(generators, channels, operation)))


@contractions.register
def _contractions(generators: Enveloping) -> tuple[str, ...]:
    known = contractions.dispatch(object)(generators)
    is_separable = derivative_along_axes(generators.generators) is not None
    return (*known, BETWEEN) if is_separable else known


@contract.register
def _contract(generators: Enveloping, f: Tensor, kernel: Tensor, order: str) -> Tensor:
    if order != BETWEEN:
        return contract.dispatch(object)(generators, f, kernel, order)
    triples = zip(
        generators.along_axes,
        generators.present_taus(f),
        generators.parts(kernel, 0),
        strict=True,
    )
    sums = [products.contract(f, tau, part) for products, tau, part in triples]
    return sum(sums[1:], sums[0])


@contraction_cost.register
def _contraction_cost(
    generators: Enveloping, order: str, channels: int, filters: int
) -> Cost:
    if order != BETWEEN:
        return contraction_cost.dispatch(object)(generators, order, channels, filters)
    costs = [p.contraction_cost(channels, filters) for p in generators.along_axes]
    return sum(costs, NOTHING)
