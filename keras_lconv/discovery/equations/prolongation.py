"""How vector fields on variables move derivatives."""

import numpy as np

from keras_lconv.discovery.equations.jets import JetSpace


def monomial_series(space: JetSpace, jets: np.ndarray, powers: np.ndarray) -> np.ndarray:
    """Monomials of the variables as Taylor polynomials along jets.

    Args:
        space: The space of the jets.
        jets: Array `(n, size)`.
        powers: Exponents `(terms, p + q)`.

    Returns:
        Array `(terms, n, j)` of derivatives `D_J m / J!`.
    """
    variables = space.variables(jets)
    one = np.zeros(variables.shape[1:])
    one[:, 0] = 1.0
    known = {(0,) * powers.shape[1]: one}

    def series(power: tuple[int, ...]) -> np.ndarray:
        if power not in known:
            last = max(number for number, n in enumerate(power) if n)
            rest = tuple(n - (number == last) for number, n in enumerate(power))
            known[power] = space.multiply(series(rest), variables[last])
        return known[power]

    return np.array([series(tuple(int(n) for n in power)) for power in powers])


def prolonged(space: JetSpace, jets: np.ndarray, series: np.ndarray) -> np.ndarray:
    """How the fields `m d/dx^a` and `m d/du^A` move jets.

    With the characteristic `Q^A = phi^A - xi^a u^A_a` a field moves derivatives by `phi^{A,
    J} = D_J Q^A + xi^a u^A_{J a}`. In `D_J (xi^a u^A_a)` the term without a derivative of
    `xi^a` cancels the last one. So

        phi^{A, J} = D_J phi^A - sum_{0 < I <= J} binom(J, I) (D_I xi^a) u^A_{J - I + a}

    contains only derivatives in the space. It is computed exactly, as a product of Taylor
    polynomials.

    Args:
        space: The space of the jets.
        jets: Array `(n, size)`.
        series: The functions `m` as Taylor polynomials, `(terms, n, j)`.

    Returns:
        Array `(n, size, p + q, terms)`: the velocity of each coordinate of the jets along
        each of the fields.
    """
    x, u = space.split(jets)
    p, q = x.shape[1], u.shape[1]
    terms, n, j = series.shape
    found = np.zeros((p + q, terms, n, space.size))
    derivatives = series * space.factorials
    varying = series.copy()
    varying[..., 0] = 0.0
    for a in range(p):
        found[a, :, :, a] = series[..., 0]
        inside, sums = space.products[1 + a] if space.order else (np.zeros(0, int),) * 2
        for b in range(q):
            slope = np.zeros((n, j))
            slope[:, inside] = u[:, b, sums] / space.factorials[inside]
            moved = space.multiply(varying, slope) * space.factorials
            found[a, :, :, p + b * j : p + (b + 1) * j] = -moved
    for b in range(q):
        found[p + b, :, :, p + b * j : p + (b + 1) * j] = derivatives
    return np.moveaxis(found, (2, 3), (0, 1))
