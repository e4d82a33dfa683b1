"""Conserved currents of a Lagrangian, from symmetries: Noether's theorem."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np

from keras_lconv.algebra.field_formulas import sum_in_words, whole_numbers
from keras_lconv.algebra.sparse_basis import sparse_basis
from keras_lconv.discovery.equations.currents import (
    ROUNDING,
    TINY,
    ConservedCurrent,
    divergence,
    in_symbols,
)
from keras_lconv.discovery.equations.equation import Equations, along, named_function
from keras_lconv.discovery.equations.jets import JetSpace
from keras_lconv.discovery.equations.library import LibraryFunction
from keras_lconv.discovery.equations.names import columns_of
from keras_lconv.discovery.equations.terms import Terms, terms_up_to
from keras_lconv.discovery.equations.units import Units

# Relative to others, smaller divergences of polynomials are dependent.
DEPENDENT = 1e-10
# Divergences have higher degrees than the fields, by this number.
HIGHER = 2
Fields: TypeAlias = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False)
class Solutions:
    """Jets of solutions, and the terms of the components of symmetries.

    Args:
        space: The space of the jets.
        jets: Jets that solve the equations, `(n, size)`.
        terms: The terms of the fields.
    """

    space: JetSpace
    jets: np.ndarray
    terms: Terms

    def up_to(self, order: int) -> tuple[JetSpace, np.ndarray]:
        """The same without derivatives of higher orders than this."""
        space = JetSpace(self.space.independent, self.space.dependent, order)
        return space, self.jets[:, columns_of(space.names, self.space)]


class Action:
    """A Lagrangian density `L(x, u, u_a)`, on jets of solutions.

    Args:
        lagrangian: A function of coordinates of jets, or an expression of SymPy.
        solutions: Solutions of the equations that should follow from it.
    """

    def __init__(self, lagrangian: Any, solutions: Solutions):
        function, _ = named_function("lagrangian", lagrangian)
        self.space, self.jets = solutions.up_to(1)
        try:
            self._density = Equations([function], self.space)
        except (ValueError, IndexError) as error:
            raise ValueError(
                f"`lagrangian` must be a function of {', '.join(self.space.names)}. "
                f"Received: a function of {', '.join(function.names)}"
            ) from error
        if self._density.size != 1:
            raise ValueError(
                f"`lagrangian` must have one value. Received: {self._density.size}"
            )
        self._scales = np.maximum(np.std(self.jets, axis=0), np.finfo("float64").tiny)

    def values(self, jets: np.ndarray) -> np.ndarray:
        """`L`, `(n,)`."""
        return self._density.values(jets)[:, 0]

    def slopes(self, jets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Derivatives by `x`, `(n, p)`, by `u`, `(n, q)`, and by `u_a`, `(n, q, p)`."""
        gradients = self._density.gradients(jets, self._scales)[:, 0]
        of_x, of_u = self.space.split(gradients)
        return of_x, of_u[..., 0], of_u[..., 1:]

    def changes(self, fields: Fields) -> tuple[np.ndarray, np.ndarray]:
        """`pr v(L) + L D_a xi^a` of symmetries, and its unit: the size of its terms.

        Args:
            fields: The symmetries.

        Returns:
            Arrays `(n, k)` and `(k,)`.
        """
        space, p = self.space, len(self.space.independent)
        points, (x, u) = space.points(self.jets), space.split(self.jets)
        moved, slopes = fields(points), u[..., 1:]
        rates = []
        for a in range(p):
            direction = np.concatenate(
                [np.tile(np.eye(p)[a], (len(x), 1)), slopes[..., a]], 1
            )
            rates.append(along(fields, points, direction))
        change = np.stack(rates, axis=-1)
        of_x, of_u, momenta = self.slopes(self.jets)
        # How derivatives move: D_a phi - (D_a xi^b) u_b.
        tilted = change[:, :, p:] - np.einsum("nkba,nqb->nkqa", change[:, :, :p], slopes)
        divergence = np.einsum("nkaa->nk", change[:, :, :p])
        density = self.values(self.jets)
        found = np.einsum("nka,na->nk", moved[..., :p], of_x)
        found += np.einsum("nkq,nq->nk", moved[..., p:], of_u)
        found += np.einsum("nkqa,nqa->nk", tilted, momenta)
        found += divergence * density[:, None]
        pairs = [
            (moved[..., :p], of_x),
            (moved[..., p:], of_u),
            (tilted, momenta),
            (divergence, density),
        ]
        sizes = [_norms(a, 2) * _norms(b, 1)[:, None] for a, b in pairs]
        return found, np.linalg.norm(np.sum(sizes, axis=0), axis=0)

    def require_equations(self, solutions: Solutions, limit: float) -> None:
        """Raises an error unless solutions obey the Euler-Lagrange equations."""
        space, jets = solutions.up_to(2)
        p = len(space.independent)
        _, force, _ = self.slopes(self.jets)
        momenta = total_derivatives(lambda some: self.slopes(some)[2], space, jets, p)
        rates = np.stack([momenta[a][..., a] for a in range(p)], axis=-1)
        left = force - np.sum(rates, axis=-1)
        # If momenta need not change, the unit is their variation.
        x, own = space.split(jets)[0], self.slopes(self.jets)[2]
        typical = np.std(own, axis=0) / np.std(x, axis=0)
        squares = np.mean(force**2) + np.mean(rates**2) + np.mean(typical**2)
        error = float(np.sqrt(np.mean(left**2) / max(float(squares), TINY)))
        if not error <= limit:
            raise ValueError(
                "The Euler-Lagrange equation of `lagrangian` must be the equation of the "
                "report. Received: a Lagrangian whose equation the solutions miss by "
                f"{error:.1e}, relative to its terms"
            )


def conserved_currents(
    fields: Fields, formulas: list[str], lagrangian: Any, solutions: Solutions, limit: float
) -> list[ConservedCurrent]:
    """The currents of the mixtures of symmetries that preserve an action.

    The condition `pr v(L) + L D_a xi^a = D_a K^a` with some `K(x, u)` is linear in the
    field and in `K`. Its solutions are a null space. Then `J^a = xi^a L + (phi^A - xi^b
    u^A_b) dL/du^A_a - K^a`.

    Args:
        fields: The symmetries, of points `(n, p + q)`, with values `(n, k, p + q)`.
        formulas: The symmetries in symbols.
        lagrangian: As for `Action`.
        solutions: Solutions of the equations.
        limit: The largest error of solutions and symmetries.
    """
    if solutions.space.order < 2:
        raise ValueError(
            "Conserved currents need equations of second order, such as Euler-Lagrange "
            f"equations. Received: order {solutions.space.order}"
        )
    action = Action(lagrangian, solutions)
    action.require_equations(solutions, limit)
    potentials = Potentials(action, solutions)
    changes, sizes = action.changes(fields)
    scales = np.where(sizes > 0, sizes, 1.0)
    _, values, mixtures = np.linalg.svd(potentials.outside(changes / scales))
    values = np.append(values, np.zeros(len(mixtures) - len(values)))
    kept = mixtures[values <= limit] / scales
    if not len(kept):
        return []
    frame = np.linalg.qr(kept.T)[0].T
    found = []
    for mixture in sparse_basis(frame[:, None], 10 * limit)[:, 0]:
        potential = potentials.of(changes @ mixture)
        found.append(_current(action, fields, formulas, mixture, potential, solutions))
    return found


class Potentials:
    """Polynomials `K^a(x, u)`, and functions of a library, with their total divergences.

    Args:
        action: The action, whose jets are used.
        solutions: They hold the terms of symmetries. Those of `K` have higher degrees.
    """

    def __init__(self, action: Action, solutions: Solutions):
        space, degree = action.space, np.max(solutions.terms.powers.sum(axis=1))
        number = len(space.variable_names)
        self._space, functions = space, solutions.terms.functions
        self._terms = terms_up_to(number, int(degree) + HIGHER, functions)
        points = space.points(action.jets)
        # The origin is zero, so that potentials have few terms.
        sizes = np.sqrt(np.mean(points**2, axis=0))
        self._units = Units(np.zeros(number), np.where(sizes > 0, sizes, 1.0))
        series = self._terms.series(space, action.jets, self._units)
        self._p = len(space.independent)
        slopes = series[..., 1 : 1 + self._p] / self._units.scales[: self._p]
        columns = np.moveaxis(slopes, 2, 0).reshape(-1, len(action.jets)).T
        sizes = np.linalg.norm(columns, axis=0)
        self._sizes = np.where(sizes > 0, sizes, 1.0)
        self._columns = columns / self._sizes
        frame, values, _ = np.linalg.svd(self._columns, full_matrices=False)
        self._frame = frame[:, values > DEPENDENT * values[0]]

    def outside(self, changes: np.ndarray) -> np.ndarray:
        """The part of columns `(n, k)` that is not a divergence."""
        return changes - self._frame @ (self._frame.T @ changes)

    def of(self, change: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        """The `K^a` that has a given total divergence `(n,)`, as a function of jets with
        values `(n, p)`.
        """
        if np.linalg.norm(change) == 0:
            return lambda jets: np.zeros((len(jets), self._p))
        solved = np.linalg.lstsq(self._columns, change, rcond=DEPENDENT)[0] / self._sizes
        weights = solved.reshape(self._p, -1)

        def values(jets: np.ndarray) -> np.ndarray:
            series = self._terms.series(self._space, jets, self._units)[..., 0]
            return (weights @ series).T

        # Constants do not matter.
        constant = values(np.zeros((1, self._space.size)))
        constant = np.where(np.isfinite(constant), constant, 0.0)
        return lambda jets: values(jets) - constant


def _current(
    action: Action,
    fields: Fields,
    formulas: list[str],
    mixture: np.ndarray,
    potential: Callable[[np.ndarray], np.ndarray],
    solutions: Solutions,
) -> ConservedCurrent:
    """The current of a mixture of symmetries, with its divergence on solutions."""
    space = action.space
    p = len(space.independent)

    def values(jets: np.ndarray) -> np.ndarray:
        moved = np.einsum("nka,k->na", fields(space.points(jets)), mixture)
        own = space.split(jets)[1][..., 1:]
        along, characteristic = moved[:, :p], moved[:, p:]
        characteristic = characteristic - np.einsum("na,nqa->nq", along, own)
        momenta = action.slopes(jets)[2]
        flow = np.einsum("nq,nqa->na", characteristic, momenta)
        return along * action.values(jets)[:, None] + flow - potential(jets)

    functions: list[tuple[str, Fields]] = [
        (each.label, partial(_at_points, each, space)) for each in solutions.terms.functions
    ]
    tried = [*functions, ("L", action.values)]
    factor, texts = in_symbols(space, action.jets, tried, values)
    names = [f"({each})" if np.sum(mixture != 0) > 1 else each for each in formulas]
    return ConservedCurrent(
        sum_in_words(whole_numbers(mixture, ROUNDING), names),
        space.names,
        space.independent,
        lambda jets: factor * values(jets),
        texts,
        divergence(values, *solutions.up_to(2)),
    )


def total_derivatives(
    function: Callable[[np.ndarray], np.ndarray], space: JetSpace, jets: np.ndarray, p: int
) -> list[np.ndarray]:
    """`D_a` of a function of jets of first order, at jets of second order."""
    first = columns_of(JetSpace(space.independent, space.dependent, 1).names, space)
    directions = space.total_derivatives(jets)[:, :, first]
    return [along(function, jets[:, first], directions[:, a]) for a in range(p)]


def _norms(array: np.ndarray, kept: int) -> np.ndarray:
    """Norms over all but the first axes, `(n,)` or `(n, k)`."""
    return np.linalg.norm(array.reshape(*array.shape[:kept], -1), axis=-1)


def _at_points(function: LibraryFunction, space: JetSpace, jets: np.ndarray) -> np.ndarray:
    """A function of variables as a function of jets `(n, size)`."""
    return function(space.points(jets))
