"""The search for the fields that are symmetries of equations."""

from collections.abc import Sequence

import numpy as np

from keras_lconv.discovery.equations.condition import Condition
from keras_lconv.discovery.equations.equation import Equations
from keras_lconv.discovery.equations.evolution import error_of
from keras_lconv.discovery.equations.kinks import has_kinks
from keras_lconv.discovery.equations.library import LibraryFunction
from keras_lconv.discovery.equations.listing import Listing, set_apart
from keras_lconv.discovery.equations.misfit import Misfit
from keras_lconv.discovery.equations.noether import Solutions
from keras_lconv.discovery.equations.refit import own_parts, refitted
from keras_lconv.discovery.equations.regression import FittedEquation
from keras_lconv.discovery.equations.report import PointSymmetryReport
from keras_lconv.discovery.equations.rivals import in_words, is_explained
from keras_lconv.discovery.equations.solution_set import SolutionSet
from keras_lconv.discovery.equations.terms import terms_up_to
from keras_lconv.discovery.gap import LARGEST_NULL_VALUE
from keras_lconv.discovery.map_space import require_degree
from keras_lconv.discovery.null_space import jackknife_errors, tilt

# The least number of jets, and of equations for each unknown.
LEAST_JETS, EQUATIONS_PER_UNKNOWN = 400, 3
# More coefficients take minutes, and soon hours. The work is the cube of their number for
# each coordinate of jets and each fit of an equation. The last number is the work in a
# second.
MOST_UNKNOWNS, MOST_WORK, WORK_IN_A_SECOND = 2000, 1.5e11, 2e9
# Jets that tell whether an equation is linear.
JETS_OF_LINEARITY = 50
# In fits without noise all coefficients share some error of the derivatives.
EXACT_OF_DATA = 1e-6
# A number may be zero if it is within this many error bars, from one fit of the equation to
# another.
ERROR_BARS = 5.0
# An equation with this error halves the confidence: it may be noise, or more.
DOUBTFUL_ERROR = 0.3
# Formulas are uncertain if terms up to this part of what distinguishes a field may be left
# out.
BLURRED, HALF_SURE = 0.5, 0.5
KINKS = (
    "the equation has kinks or jumps. Symmetries are those on each side, and may move "
    "jets across. Leave out one side by `ranges`"
)
DISOBEYED = (
    "the fields miss the given equation by more than errors of derivatives explain. "
    "Symmetries are those of the equation. Without `equation`, one is fitted to the fields"
)
# Smaller terms of a formula are left out, whatever the error bars are.
LARGEST_DOUBT = 0.3


def search(
    equations: Equations,
    low: np.ndarray,
    high: np.ndarray,
    degree: int,
    functions: tuple[LibraryFunction, ...] = (),
    system: Sequence[FittedEquation] = (),
    others: Sequence[Equations] = (),
    missed: Misfit | None = None,
) -> PointSymmetryReport:
    """The fields that are symmetries of equations, at jets between two values.

    Args:
        equations: The equations.
        low: The lowest value of each coordinate, `(size,)`.
        high: The highest.
        degree: The highest degree of the fields.
        functions: Functions by which the polynomials of this degree are multiplied as well.
        system: The equations, if they were fitted.
        others: The equations that fit without each part of the data.
        missed: How far given equations are from the data.
    """
    space = equations.space
    exact = EXACT_OF_DATA if others else equations.rounding
    variables = space.variable_names
    terms = terms_up_to(len(variables), degree, functions)
    unknowns = len(terms) * len(variables)
    searched = f"fields of {', '.join(variables)}" + " with functions" * bool(functions)
    require_degree(degree, searched, unknowns, MOST_UNKNOWNS)
    _require_time(degree, unknowns, (1 + len(others)) * space.size * unknowns**3)
    number = EQUATIONS_PER_UNKNOWN * unknowns // equations.size
    rng = np.random.default_rng(0)
    start = rng.uniform(low, high, (max(LEAST_JETS, number), space.size))
    scales = (high - low) / 2
    solutions = SolutionSet(equations, start, scales)
    condition = Condition(solutions, solutions.nearest(start), terms)
    every, values = condition.spectrum()
    number = len(others)
    conditions = [
        Condition(near, near.nearest(start), terms, condition.units)
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
    fit_error = error_of(system) if system else missed.size if missed else None
    fields, following = every[:dimension], float(np.append(values, 1.0)[dimension])
    known = condition.judged(dimension, min(fit_error or 0.0, 1.0)) if number else None
    if known is None:
        gap = following / max(exact, float(np.max(values[:dimension], initial=0.0)))
        confidence, errors = max(0.0, 1 - 1 / gap), values[:dimension] / following
    else:
        gap, confidence, errors = known.gap, known.confidence, known.errors
    if number and dimension:
        turned = [each.spectrum()[0][:dimension] for each in conditions]
        tilts = [tilt(_frame(fields), _frame(each)) for each in turned]
        errors = np.hypot(errors, jackknife_errors(np.array(tilts)))
    if fit_error is not None:
        confidence *= DOUBTFUL_ERROR**2 / (DOUBTFUL_ERROR**2 + fit_error**2)
    # The share of the squared error that the last term of an equation explains, or that a
    # term explains instead of another one.
    gains = [min(each.gain, each.lead) for each in system]
    confidence *= min((1 - 1 / gain**2 for gain in gains), default=1.0)
    units = condition.units
    # Ordinary equations have finitely many independent solutions that may be added.
    is_partial = len(space.independent) > 1
    points = space.points(condition.jets)
    limit = min(max(exact, 2 * float(np.max(errors, initial=0.0))), LARGEST_DOUBT)
    listing = set_apart(
        terms,
        fields,
        condition.trivial(fields, exact),
        len(space.independent),
        is_partial and solutions.is_linear(start[:JETS_OF_LINEARITY]),
        units,
        terms.sizes(points, units),
        limit,
        lambda fields: refitted(fields, condition, limit),
    )
    blurred = _blurred(listing, condition, limit, variables)
    notes = in_words(system) + blurred
    if has_kinks(equations, low, high):
        notes.append(KINKS)
    if missed and not missed.is_explained:
        notes.append(DISOBEYED)
    is_half_sure = blurred or KINKS in notes or DISOBEYED in notes
    if is_half_sure or not all(map(is_explained, system)):
        confidence = min(confidence, HALF_SURE)
    generators, superposition, trivial = (
        terms.callable(each, points, variables) for each in listing
    )
    return PointSymmetryReport(
        generators,
        superposition,
        trivial,
        independent=space.independent,
        dependent=space.dependent,
        degree=degree,
        order=space.order,
        singular_values=values,
        gap=gap,
        confidence=confidence,
        errors=errors,
        scales=units.scales,
        origin=units.origin,
        solutions=Solutions(space, condition.jets, terms),
        functions=tuple(each.label for each in functions),
        equations=tuple(system),
        fit_error=fit_error,
        notes=tuple(notes),
    )


def _require_time(degree: int, unknowns: int, work: int) -> None:
    """Raises an error if the work takes more than a minute or two."""
    if work > MOST_WORK:
        raise ValueError(
            f"`degree` is too high. Received: degree={degree}, which has {unknowns:,} "
            f"unknowns and takes about {work / WORK_IN_A_SECOND / 60:.0f} minutes. Take a "
            "lower `degree`, fewer variables, equations of lower order or fewer functions"
        )


def _blurred(
    listing: Listing, condition: Condition, limit: float, variables: tuple[str, ...]
) -> list[str]:
    """The note on formulas whose terms nearly cancel each other.

    If variables are far from zero, relative to their spread, their powers are nearly
    multiples of lower ones. The small terms that make the difference are lost in errors.
    """
    units = condition.units
    fields = listing.generators.joined(listing.superposition)
    if not len(fields) or limit <= BLURRED * np.min(own_parts(fields, condition)):
        return []
    farthest = int(np.argmax(np.abs(units.origin) / units.scales))
    return [
        "formulas are uncertain, because terms nearly cancel each other. Measure "
        f"{variables[farthest]}, which is {units.origin[farthest]:.3g} with a spread of "
        f"{units.scales[farthest]:.2g}, from a value near the data"
    ]


def _frame(fields: np.ndarray) -> np.ndarray:
    """An orthonormal frame of the coefficients of fields, as columns."""
    return np.linalg.qr(fields.reshape(len(fields), -1).T)[0]
