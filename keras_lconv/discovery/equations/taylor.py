"""Functions of Taylor polynomials, by the rules of differentiation."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from keras_lconv.discovery.equations.jets import JetSpace

# The derivative of each function, from its argument and its value.
DERIVATIVES: dict[np.ufunc, Callable[[Any, Any], Any]] = {
    np.exp: lambda x, y: y,
    np.expm1: lambda x, y: y + 1.0,
    np.log: lambda x, y: 1.0 / x,
    np.log1p: lambda x, y: 1.0 / (1.0 + x),
    np.sqrt: lambda x, y: 0.5 / y,
    np.cbrt: lambda x, y: y / (3.0 * x),
    np.sin: lambda x, y: np.cos(x),
    np.cos: lambda x, y: -np.sin(x),
    np.tan: lambda x, y: 1.0 + y * y,
    np.arcsin: lambda x, y: 1.0 / np.sqrt(1.0 - x * x),
    np.arccos: lambda x, y: -1.0 / np.sqrt(1.0 - x * x),
    np.arctan: lambda x, y: 1.0 / (1.0 + x * x),
    np.sinh: lambda x, y: np.cosh(x),
    np.cosh: lambda x, y: np.sinh(x),
    np.tanh: lambda x, y: 1.0 - y * y,
    np.arcsinh: lambda x, y: 1.0 / np.sqrt(1.0 + x * x),
    np.arccosh: lambda x, y: 1.0 / np.sqrt(x * x - 1.0),
    np.arctanh: lambda x, y: 1.0 / (1.0 - x * x),
    np.absolute: lambda x, y: x / y,
}
# The derivatives of these functions.
COMBINED: dict[np.ufunc, Callable[..., Any]] = {
    np.positive: lambda x: x,
    np.negative: lambda x: -1.0 * x,
    np.square: lambda x: x * x,
    np.subtract: lambda x, y: x + -1.0 * y,
    np.divide: lambda x, y: x * np.power(y, -1.0),
    np.reciprocal: lambda x: x**-1.0,
    np.exp2: lambda x: np.exp(x * np.log(2.0)),
    np.log2: lambda x: np.log(x) / np.log(2.0),
    np.log10: lambda x: np.log(x) / np.log(10.0),
    np.hypot: lambda x, y: np.sqrt(x * x + y * y),
    np.float_power: lambda x, y: x**y,
}
SUPPORTED = (np.add, np.multiply, np.power, *DERIVATIVES, *COMBINED)


class Taylor(NDArrayOperatorsMixin):
    """Taylor polynomials, to which NumPy's functions of arrays apply.

    Args:
        space: The space whose multi-indices the coefficients have.
        coefficients: The coefficients of `h^J`, `(n, j)`.
    """

    def __init__(self, space: JetSpace, coefficients: np.ndarray):
        self.space, self.coefficients = space, coefficients

    @property
    def constant(self) -> np.ndarray:
        """The values at `h = 0`, `(n,)`."""
        return self.coefficients[:, 0]

    def of(self, value: Any) -> "Taylor":
        """A Taylor polynomial from one, or from numbers `(n,)` that do not depend
        on `h`.
        """
        if isinstance(value, Taylor):
            return value
        coefficients = np.zeros_like(self.coefficients)
        coefficients[:, 0] = value
        return Taylor(self.space, coefficients)

    def __array_ufunc__(
        self, function: np.ufunc, method: str, *given: Any, **options: Any
    ) -> Any:
        if method != "__call__" or options or function not in SUPPORTED:
            return NotImplemented
        if function in COMBINED:
            return COMBINED[function](*given)
        if function is np.power:
            return self._power(*given)
        own = [self.of(each) for each in given]
        if function is np.add:
            return Taylor(self.space, own[0].coefficients + own[1].coefficients)
        if function is np.multiply:
            both = (each.coefficients for each in own)
            return Taylor(self.space, self.space.multiply(*both))
        return own[0]._composed(_coefficients(function, own[0].constant, self.space.order))

    def _power(self, base: Any, exponent: Any) -> Any:
        if isinstance(exponent, Taylor) or np.ndim(exponent):
            return np.exp(exponent * np.log(base))
        value = base.constant
        outer = [np.ones_like(value)]
        # Whole exponents avoid negative powers of zero.
        for k in range(1, self.space.order + 1):
            factor = np.prod([(exponent - i) / (i + 1) for i in range(k)])
            outer.append(factor * value ** (exponent - k) if factor else 0 * value)
        outer[0] = value**exponent
        return base._composed(np.stack(outer, axis=1))

    def _composed(self, outer: np.ndarray) -> "Taylor":
        """A function of this polynomial, from its Taylor coefficients `(n, order + 1)` at
        the constant.
        """
        step = self.coefficients.copy()
        step[:, 0] = 0.0
        result = np.zeros_like(step)
        for each in outer.T[::-1]:
            result = self.space.multiply(result, step)
            result[:, 0] += each
        return Taylor(self.space, result)


def _coefficients(function: np.ufunc, value: np.ndarray, order: int) -> np.ndarray:
    """The Taylor coefficients of a function of one variable, `(n, order + 1)`."""
    found = [function(value)]
    for known in range(order):
        line = JetSpace(("h",), (), known)
        argument = np.zeros((len(value), known + 1))
        argument[:, 0], argument[:, 1:2] = value, 1.0
        own = Taylor(line, np.stack(found, axis=1))
        slope = own.of(DERIVATIVES[function](Taylor(line, argument), own))
        found.append(slope.coefficients[:, known] / (known + 1))
    return np.stack(found, axis=1)
