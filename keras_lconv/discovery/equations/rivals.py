"""What else may be behind data: other equations that fit as well, and errors."""

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

# So many terms are tried in place of each one: those that explain most.
MOST_TRIED = 5
# A term that explains this share is the same one, which another term beside it corrects, as
# `u u_xx` is far from `u = 0`.
ALIKE = 0.999
# So many others are named.
MOST_NAMED = 3
# Errors of derivatives may be so many times larger than what less smooth curves change.
EXPLAINED = 2.0
TINY = float(np.finfo("float64").tiny)


def with_rivals(
    equation: FittedEquation, candidates: Candidates, finer: np.ndarray, left: int
) -> FittedEquation:
    """An equation that knows its noise, and which others fit as well.

    They have another term in place of one, or, without noise, two others.

    Without noise another equation may miss the data a little more only since derivatives
    in its terms are known less well. Those of curves that are less smooth tell how much
    that may be, up to an error that is none of derivatives any more.

    Args:
        equation: The equation.
        candidates: Its terms and others, maybe more than it was chosen from.
        finer: The values of `candidates` by derivatives of curves that are less smooth.
        left: The coordinate on the left.
    """
    known = Regression(candidates, left)
    numbers = {label: number for number, label in enumerate(known.labels)}
    support = [numbers[term] for term in equation.terms]
    own = known.misfit(support)
    is_exact = equation.fit_error < SMALL_ERROR
    lead, rivals = np.inf, []

    def compared(rival: FittedEquation) -> float:
        """How many times more than the equation another one misses."""
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
                # One soliton is a wave that moves, and solves Korteweg-de Vries as well.
                more = _with_another(known, tried, support[place])
                longer = known.equation(more, known.misfit(more), equation.gain)
                ratio = compared(longer)
                if ratio <= NEAR_BEST:
                    lead = min(lead, max(ratio, 1.0))
                    rivals.append(longer)
    noise = _doubt(equation, known, candidates, finer)
    # One may come about in several ways.
    different = tuple({each.terms: each for each in rivals}.values())
    return replace(equation, lead=float(lead), rivals=different, noise=noise)


def _with_another(known: Regression, support: list[int], without: int) -> list[int]:
    """A support with the term that explains most beside it, but for one."""
    explained = explained_in_place(known, [*support, without], len(support))
    explained[[*support, without]] = 0.0
    return [*support, int(np.argmax(explained))]


def is_explained(equation: FittedEquation) -> bool:
    """Whether what an equation misses may be the error of derivatives."""
    return equation.fit_error <= max(EXPLAINED * equation.noise, SMALL_ERROR)


def in_words(system: Sequence[FittedEquation]) -> list[str]:
    """What to say of equations that miss something, or that others fit as well."""
    notes = []
    for equation in system:
        if not is_explained(equation):
            notes.append(
                f"the equation for {equation.left} misses more than errors of derivatives "
                "explain: a term is missing. `library` may have functions, or `fields` "
                "another variable"
            )
        if equation.rivals:
            others = "; ".join(str(each) for each in equation.rivals[:MOST_NAMED])
            notes.append(
                f"the data fit other equations as well: {others}. Take solutions from "
                "other initial values, of more shapes"
            )
    return notes


def _doubt(
    equation: FittedEquation, known: Regression, candidates: Candidates, finer: np.ndarray
) -> float:
    """How far what an equation misses changes with derivatives, beside its left side.

    Args:
        equation: The equation.
        known: All terms.
        candidates: Their values.
        finer: Their values by derivatives of curves that are less smooth.
    """
    powers = candidates.powers[[known.labels.index(term) for term in equation.terms]]
    left = candidates.names.index(equation.left)
    before, after = (
        values[:, left]
        - values_of_terms(values[:, candidates.columns], powers) @ equation.coefficients
        for values in (candidates.values, finer)
    )
    return float(np.sqrt(np.mean((before - after) ** 2))) / known.size
