"""The exponential of an operator, by its action on tensors.

Every function takes `act`, a linear map of tensors that is never formed as a matrix, and a
bound of its norm. The bound determines the number of terms, so no loop depends on data.
Results are exact to the rounding of the dtype as long as the bound holds.
"""

import math
from collections.abc import Callable

import numpy as np
from keras import ops

from keras_lconv._backend import repeat
from keras_lconv._typing import Tensor

# A step of the Taylor series treats an operator of this norm. Larger steps need fewer
# products, but cancellation costs `exp(2 STEP_NORM)` in rounding errors at worst.
STEP_NORM = 2.0


def taylor(
    act: Callable[[Tensor], Tensor], f: Tensor, norm_bound: float, dtype: str
) -> Tensor:
    """`exp(X) f` for any operator `X`: Taylor series, by steps of norm `STEP_NORM`.

    Args:
        act: The operator `X`.
        f: A tensor.
        norm_bound: A bound of the spectral norm `|X|`.
        dtype: The dtype of `f`.

    Returns:
        A tensor of the shape of `f`.

    Reference:
        A. Al-Mohy, N. Higham, "Computing the action of the matrix exponential", SIAM J.
        Sci. Comput. 33 (2011).
    """
    steps = max(1, math.ceil(norm_bound / STEP_NORM))
    precision = np.finfo(dtype).eps / 2
    sizes = np.cumprod([STEP_NORM / n for n in range(1, 100)])
    num_terms = int(np.argmax(sizes <= precision)) + 1

    def step(_: Tensor, y: Tensor) -> tuple[Tensor]:
        term = y
        for n in range(1, num_terms + 1):
            term = act(term) / (n * steps)
            y = y + term
        return (y,)

    return repeat(step, (f,), steps)[0]


def chebyshev(
    act: Callable[[Tensor], Tensor], f: Tensor, norm_bound: float, dtype: str
) -> Tensor:
    """`exp(X) f` for antisymmetric `X`: Chebyshev series.

    It takes about one product for each unit of `|X|`. With `z >= |X|`, `exp(X) = J_0(z) + 2
    sum_n J_n(z) S_n`, where `S_0 = 1`, `S_1 = X / z` and `S_{n+1} = 2 (X / z) S_n +
    S_{n-1}`: these are the Chebyshev polynomials, in the real form that an imaginary
    spectrum allows. All `|S_n| <= 1`. For other operators the `S_n` grow, and `taylor` must
    be used.

    Args:
        act: The operator `X`.
        f: A tensor.
        norm_bound: A bound `z` of the spectral norm `|X|`.
        dtype: The dtype of `f`.

    Returns:
        A tensor of the shape of `f`.

    Reference:
        H. Tal-Ezer, R. Kosloff, "An accurate and efficient scheme for propagating the time
        dependent Schroedinger equation", J. Chem. Phys. 81 (1984).
    """
    from scipy.special import jv

    # If `X` vanishes, any positive bound will do.
    z = float(max(norm_bound, 1e-3))
    orders = np.arange(math.ceil(2 * z) + 30)
    coefficients = np.where(orders > 0, 2.0, 1.0) * jv(orders, z)
    # Beyond `n = z` the coefficients fall faster than any power.
    needed = np.nonzero(np.abs(coefficients) > np.finfo(dtype).eps / 2)[0]
    coefficients = coefficients[: max(int(needed[-1]), 1) + 1]
    weights = ops.convert_to_tensor(coefficients, dtype=dtype)
    first = act(f) / z
    total = float(coefficients[0]) * f + float(coefficients[1]) * first

    def step(
        i: Tensor, before: Tensor, last: Tensor, total: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        following = act(last) * (2 / z) + before
        return last, following, total + weights[i + 2] * following

    return repeat(step, (f, first, total), len(coefficients) - 2)[2]


def decay(
    act: Callable[[Tensor], Tensor], f: Tensor, norm_bound: float, dtype: str
) -> Tensor:
    """`exp(-X) f` for symmetric `X >= 0`: Chebyshev series on the interval of its spectrum.

    With `z >= |X|`, `exp(-X) = e^{-z/2} (I_0(z/2) + 2 sum_n (-1)^n I_n(z/2) T_n)` with the
    Chebyshev polynomials `T_n` of `2 X / z - 1`. All `|T_n| <= 1`, and about
    `6 sqrt(z)` products are enough, where a Taylor series takes some `7 z`.

    Args:
        act: The operator `X`.
        f: A tensor.
        norm_bound: A bound `z` of the spectral norm `|X|`.
        dtype: The dtype of `f`.

    Returns:
        A tensor of the shape of `f`.

    Reference:
        L. N. Trefethen, "Approximation Theory and Approximation Practice", SIAM 2013,
        chapter 3.
    """
    from scipy.special import ive

    z = float(max(norm_bound, 1e-3))
    orders = np.arange(math.ceil(10 * math.sqrt(z)) + 30)
    coefficients = np.where(orders > 0, 2.0, 1.0) * (-1.0) ** orders * ive(orders, z / 2)
    needed = np.nonzero(np.abs(coefficients) > np.finfo(dtype).eps / 2)[0]
    coefficients = coefficients[: max(int(needed[-1]), 1) + 1]
    weights = ops.convert_to_tensor(coefficients, dtype=dtype)

    def shifted(y: Tensor) -> Tensor:
        return act(y) * (2 / z) - y

    first = shifted(f)
    total = float(coefficients[0]) * f + float(coefficients[1]) * first

    def step(
        i: Tensor, before: Tensor, last: Tensor, total: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        following = 2 * shifted(last) - before
        return last, following, total + weights[i + 2] * following

    return repeat(step, (f, first, total), len(coefficients) - 2)[2]
