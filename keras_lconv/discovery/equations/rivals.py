"""Other equations that fit data equally well, and the errors that allow them."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from keras_lconv.discovery.equations.regression import (
    LEAST_GAIN,
    NEAR_BEST,
    SMALL_ERROR,
    Candidates,
    FittedEquation,
    Regression,
    explained_in_place,
    values_of_terms,
)

# The number of terms that are tried in place of each one. They are those that explain most.
MOST_TRIED = 5
# A term that explains this share is equivalent to the replaced one, up to a correction by
# another term: far from `u = 0`, for example, `u u_xx` acts like `u_xx`.
ALIKE = 0.999
# The number of rivals that are named.
MOST_NAMED = 3
# Errors of derivatives may be this many times larger than the change that less smooth
# curves make.
EXPLAINED = 2.0
TINY = float(np.finfo("float64").tiny)


def with_rivals(
    equation: FittedEquation, candidates: Candidates, finer: np.ndarray, left: int
) -> FittedEquation:
    """The equation with its noise, and with the rivals that fit equally well.

    Rivals have another term in place of one, or, without noise, two others.

    Without noise another equation may miss the data a little more only because the
    derivatives in its terms are less exact. Less smooth curves tell how much this explains,
    up to an error that derivatives cannot have.

    Args:
        equation: The equation.
        candidates: Its terms and others, possibly more than those from which it was chosen.
        finer: The values of `candidates` with derivatives of less smooth curves.
        left: The coordinate on the left.
    """
    known = Regression(candidates, left)
    numbers = {label: number for number, label in enumerate(known.labels)}
    support = [numbers[term] for term in equation.terms]
    own = known.misfit(support)
    is_exact = equation.fit_error < SMALL_ERROR
    lead, rivals = np.inf, []

    def compared(rival: FittedEquation) -> float:
        """The error of another equation, as a multiple of the error of this one."""
        doubt = _doubt(rival, known, candidates, finer) if is_exact else 0.0
        return rival.fit_error / max(own + min(doubt, SMALL_ERROR), TINY)

    for place in range(len(support)):
        explained = explained_in_place(known, support, place)
        alike = ALIKE * explained[support[place]]
        explained[support] = 0.0
        for other in np.argsort(-explained)[:MOST_TRIED]:
            if explained[other] <= 0:
                continue
            tried = [*support[:place], int(other), *support[place + 1 :]]
            rival = known.equation(tried, known.misfit(tried), equation.gain)
            ratio = compared(rival)
            lead = min(lead, max(ratio, 1.0))
            if ratio <= (NEAR_BEST if is_exact else LEAST_GAIN):
                rivals.append(rival)
            elif is_exact and explained[other] < alike:
                # One soliton is a moving wave, and solves a transport equation as well as
                # Korteweg-de Vries.
                more = _with_another(known, tried, support[place])
                longer = known.equation(more, known.misfit(more), equation.gain)
                ratio = compared(longer)
                if ratio <= NEAR_BEST:
                    lead = min(lead, max(ratio, 1.0))
                    rivals.append(longer)
    noise = _doubt(equation, known, candidates, finer)
    # The same rival may arise in several ways.
    different = tuple({each.terms: each for each in rivals}.values())
    return replace(equation, lead=float(lead), rivals=different, noise=noise)


def _with_another(known: Regression, support: list[int], without: int) -> list[int]:
    """A support with the term that explains most in addition, apart from an
    excluded one.
    """
    explained = explained_in_place(known, [*support, without], len(support))
    explained[[*support, without]] = 0.0
    return [*support, int(np.argmax(explained))]


def is_explained(equation: FittedEquation) -> bool:
    """Whether errors of derivatives may explain the residual of an equation."""
    return equation.fit_error <= max(EXPLAINED * equation.noise, SMALL_ERROR)


def in_words(system: Sequence[FittedEquation]) -> list[str]:
    """Notes on equations that miss a term, or that have rivals."""
    notes = []
    for equation in system:
        if not is_explained(equation):
            notes.append(
                f"the equation for {equation.left} has a larger error than errors of "
                "derivatives explain, so a term is missing. Give functions in `library`, "
                "or another variable in `fields`"
            )
        if equation.rivals:
            others = "; ".join(str(each) for each in equation.rivals[:MOST_NAMED])
            notes.append(
                f"other equations fit the data equally well: {others}. Take solutions with "
                "other initial values, of more shapes"
            )
    return notes


def _doubt(
    equation: FittedEquation, known: Regression, candidates: Candidates, finer: np.ndarray
) -> float:
    """How much the residual of an equation changes with the derivatives, relative to its
    left side.

    Args:
        equation: The equation.
        known: All terms.
        candidates: The values of the terms.
        finer: The values with derivatives of less smooth curves.
    """
    powers = candidates.powers[[known.labels.index(term) for term in equation.terms]]
    left = candidates.names.index(equation.left)
    before, after = (
        values[:, left]
        - values_of_terms(values[:, candidates.columns], powers) @ equation.coefficients
        for values in (candidates.values, finer)
    )
    return float(np.sqrt(np.mean((before - after) ** 2))) / known.size
