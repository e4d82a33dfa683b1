"""The search for the fields that keep equations."""

from collections.abc import Sequence

import numpy as np

from keras_lconv._memory import require_memory
from keras_lconv.algebra import VectorFields
from keras_lconv.algebra.monomials import exponents_up_to
from keras_lconv.discovery.equations.condition import Condition
from keras_lconv.discovery.equations.equation import Equations
from keras_lconv.discovery.equations.evolution import error_of
from keras_lconv.discovery.equations.listing import set_apart
from keras_lconv.discovery.equations.regression import FittedEquation
from keras_lconv.discovery.equations.report import PointSymmetryReport
from keras_lconv.discovery.equations.solution_set import SolutionSet
from keras_lconv.discovery.gap import LARGEST_NULL_VALUE
from keras_lconv.discovery.null_space import NUM_GROUPS, jackknife_errors, tilt

# At least so many jets, and so many equations for each unknown.
LEAST_JETS, EQUATIONS_PER_UNKNOWN = 400, 3
# Jets that tell whether an equation is linear.
JETS_OF_LINEARITY = 50
# Values of exact symmetries are rounding: that of squares, or that of single precision.
EXACT, EXACT_SINGLE = 1e-6, 1e-4
# What varies by so many error bars from one fit of the equation to another may be zero.
ERROR_BARS = 5.0
# What is smaller in a formula is left out, whatever the error bars are.
LARGEST_DOUBT = 0.3


def search(
    equations: Equations,
    low: np.ndarray,
    high: np.ndarray,
    degree: int,
    system: Sequence[FittedEquation] = (),
    others: Sequence[Equations] = (),
) -> PointSymmetryReport:
    """The fields that keep equations, at jets between two values.

    Args:
        equations: The equations.
        low: The lowest value of each coordinate, `(size,)`.
        high: The highest.
        degree: The highest degree of the fields.
        system: The equations, where they were fitted.
        others: What fits without each part of the data.
    """
    space, exact = equations.space, EXACT if equations.precision < EXACT else EXACT_SINGLE
    powers = exponents_up_to(len(space.independent) + len(space.dependent), degree)
    require_memory(
        f"The condition for {powers.size} coefficients of fields with degree={degree}",
        3 * NUM_GROUPS * powers.size**2,
        "A lower `degree` has fewer",
    )
    number = EQUATIONS_PER_UNKNOWN * powers.size // equations.size
    rng = np.random.default_rng(0)
    start = rng.uniform(low, high, (max(LEAST_JETS, number), space.size))
    scales = (high - low) / 2
    solutions = SolutionSet(equations, start, scales)
    condition = Condition(solutions, solutions.nearest(start), powers)
    every, spectrum = condition.solve(0)
    values, number = spectrum.singular_values, len(others)
    conditions = [
        Condition(near, near.nearest(start), powers, condition.units)
        for near in (SolutionSet(other, start, scales) for other in others)
    ]
    # A value is zero if rounding explains it, or the error bar of the equation does.
    sizes = np.array([each.sizes(every) for each in conditions]).reshape(
        number, len(values)
    )
    doubt = np.sqrt((number - 1) * np.var(sizes, axis=0)) if number else 0 * values
    limits = np.minimum(ERROR_BARS * doubt, LARGEST_NULL_VALUE)
    is_null = values <= np.maximum(limits, exact * max(1.0, float(values[-1])))
    dimension = int(np.argmin(np.append(is_null, False)))
    fit_error = error_of(system) if system else None
    fields, found = condition.solve(dimension, min(fit_error or 0.0, 1.0))
    fields, confidence, errors = fields[:dimension], found.confidence, found.errors
    if number and dimension:
        turned = [each.solve(dimension)[0][:dimension] for each in conditions]
        tilts = [tilt(_frame(fields), _frame(each)) for each in turned]
        errors = np.hypot(errors, jackknife_errors(np.array(tilts)))
    # The share of the square of the error that the last term of an equation explains.
    confidence *= min((1 - 1 / each.gain**2 for each in system), default=1.0)
    units = condition.units
    # Of ordinary equations the solutions that may be added are finitely many.
    is_partial = len(space.independent) > 1
    listing = set_apart(
        VectorFields(powers, fields),
        condition.trivial(fields),
        len(space.independent),
        is_partial and solutions.is_linear(start[:JETS_OF_LINEARITY]),
        units.origin,
        units.scales,
        min(max(exact, 2 * float(np.max(errors, initial=0.0))), LARGEST_DOUBT),
    )
    return PointSymmetryReport(
        *listing,
        independent=space.independent,
        dependent=space.dependent,
        degree=degree,
        order=space.order,
        singular_values=found.singular_values,
        gap=found.gap,
        confidence=confidence,
        errors=errors,
        scales=units.scales,
        origin=units.origin,
        equations=tuple(system),
        fit_error=fit_error,
    )


def _frame(fields: np.ndarray) -> np.ndarray:
    """An orthonormal frame of the coefficients of fields, as columns."""
    return np.linalg.qr(fields.reshape(len(fields), -1).T)[0]
