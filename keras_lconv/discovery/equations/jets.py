"""Jets: variables and derivatives up to an order, as the coordinates of a space."""

from dataclasses import dataclass
from functools import cached_property
from math import factorial, prod

import numpy as np

from keras_lconv.algebra.monomials import exponents_up_to


@dataclass(frozen=True)
class JetSpace:
    """The space of jets `(x, u, u_x, u_xx, ...)`.

    A jet is the Taylor polynomial of functions at a point. Its coordinates are the
    independent variables, and for each dependent one its derivatives, those of low order
    first.

    Args:
        independent: Names of the independent variables.
        dependent: Names of the dependent variables.
        order: The highest order of derivatives.
    """

    independent: tuple[str, ...]
    dependent: tuple[str, ...]
    order: int

    @cached_property
    def indices(self) -> np.ndarray:
        """The multi-indices `J` of the derivatives of a variable, `(j, p)`."""
        return exponents_up_to(len(self.independent), self.order)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all coordinates, such as `("t", "x", "u", "u_t", ...)`."""
        suffixes = [
            "".join(name * int(n) for name, n in zip(self.independent, index, strict=True))
            for index in self.indices
        ]
        jets = [f"{u}_{s}" if s else u for u in self.dependent for s in suffixes]
        return (*self.independent, *jets)

    @property
    def variable_names(self) -> tuple[str, ...]:
        """The names of the variables `(x, u)`."""
        return self.independent + self.dependent

    @property
    def size(self) -> int:
        """The number of coordinates."""
        return len(self.names)

    @cached_property
    def factorials(self) -> np.ndarray:
        """`J!` for each multi-index, `(j,)`."""
        return np.array(
            [prod(factorial(n) for n in index) for index in self.indices], float
        )

    @cached_property
    def orders(self) -> np.ndarray:
        """The order of the derivative of each coordinate, `(size,)`."""
        own = np.tile(self.indices.sum(axis=1), len(self.dependent))
        return np.concatenate([np.zeros(len(self.independent), dtype=int), own])

    @cached_property
    def products(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each `I` all `J` with `I + J` in the space, and the places of these sums."""
        place = {tuple(index): number for number, index in enumerate(self.indices)}
        found = []
        for own in self.indices:
            sums = [place.get(tuple(own + other), -1) for other in self.indices]
            inside = np.flatnonzero(np.array(sums) >= 0)
            found.append((inside, np.array(sums)[inside]))
        return found

    def split(self, jets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points `(n, p)`, and derivatives `(n, q, j)`, of jets `(n, size)`."""
        p = len(self.independent)
        return jets[:, :p], jets[:, p:].reshape(len(jets), len(self.dependent), -1)

    def points(self, jets: np.ndarray) -> np.ndarray:
        """The variables `(x, u)` of jets, `(n, p + q)`."""
        x, u = self.split(jets)
        return np.concatenate([x, u[..., 0]], axis=1)

    def total_derivatives(self, jets: np.ndarray) -> np.ndarray:
        """The directions `D_a` along which jets `(n, size)` change, `(n, p, size)`.

        Derivatives of the highest order would need those of the next one. They stay
        unchanged.
        """
        x, u = self.split(jets)
        found = np.zeros((len(jets), x.shape[1], self.size))
        for a, (inside, sums) in enumerate(self.products[1 : 1 + x.shape[1]]):
            moved = np.zeros_like(u)
            moved[..., inside] = u[..., sums]
            found[:, a, a] = 1.0
            found[:, a, x.shape[1] :] = moved.reshape(len(jets), -1)
        return found

    def multiply(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """The product of Taylor polynomials `(..., j)`, without terms of higher order.

        Coefficients are those of `h^J`: derivatives divided by `J!`.
        """
        product = np.zeros(np.broadcast_shapes(a.shape, b.shape))
        for number, (inside, sums) in enumerate(self.products):
            product[..., sums] += a[..., number, None] * b[..., inside]
        return product

    def variables(self, jets: np.ndarray) -> np.ndarray:
        """The variables `(x, u)` as Taylor polynomials, `(p + q, n, j)`."""
        x, u = self.split(jets)
        p = x.shape[1]
        series = np.zeros((p + u.shape[1], len(jets), len(self.indices)))
        series[:p, :, 0] = x.T
        if self.order:
            series[np.arange(p), :, 1 + np.arange(p)] = 1.0
        series[p:] = np.moveaxis(u / self.factorials, 1, 0)
        return series
