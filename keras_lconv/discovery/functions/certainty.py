"""The confidence of symmetries that were found in a stand-in for a function."""

import dataclasses
import math

import keras
import numpy as np

from keras_lconv.discovery.fields.report import FieldReport
from keras_lconv.discovery.functions.gaussian_process import Process
from keras_lconv.discovery.functions.quadratic import Quadratic
from keras_lconv.discovery.functions.question import Question
from keras_lconv.discovery.functions.solve import symmetries_of
from keras_lconv.discovery.functions.stand_in import StandIn
from keras_lconv.discovery.gap import LARGEST_NULL_VALUE
from keras_lconv.discovery.null_space import jackknife_errors, tilt
from keras_lconv.discovery.report import SymmetryReport

# The factor of the confidence for a polynomial that leaves more than noise.
HALF_SURE = 0.5
# The number of functions that are drawn to see what the data leave open.
DRAWS = 8


def sure_symmetries(
    found: StandIn,
    samples: np.ndarray,
    question: Question,
    names: tuple[str, ...] | None,
) -> SymmetryReport:
    """The symmetries of a stand-in for a function, with a confidence that includes its
    errors.

    Args:
        found: The stand-in.
        samples: Samples `(batch, n)`.
        question: The question.
        names: Names of the columns.
    """
    if found.process is not None:
        return _of_process(found.process, samples, question, names)
    report = symmetries_of(
        found.model,
        samples,
        question,
        members=found.members,
        fit_error=found.error,
        names=names,
    )
    if found.quadratic is None:
        return _less_sure(report, known(found.missed))
    return _of_polynomial(report, found.quadratic, samples, question)


def _of_process(
    process: Process,
    samples: np.ndarray,
    question: Question,
    names: tuple[str, ...] | None,
) -> SymmetryReport:
    """The symmetries of the mean of a Gaussian process, and how far its other functions
    share them.
    """
    rng, slopes = np.random.default_rng(0), process.slopes(samples)
    drawn = [process.drawn(samples, rng) for _ in range(DRAWS)]

    # An invariant function has the same symmetries without its constant part.
    shift = process.constant if question.kind == "invariance" else 0.0

    def asked(question: Question, *each: np.ndarray) -> SymmetryReport:
        """The symmetries of one function or several with the same values, from their
        derivatives.
        """

        def values(x: np.ndarray) -> np.ndarray:
            return np.repeat((process(x) - shift)[:, None], len(each), axis=1)

        return symmetries_of(
            values,
            samples,
            question,
            members=len(each),
            fit_error=float(np.linalg.norm(drawn[0]) / np.linalg.norm(slopes)),
            derivatives=np.concatenate(each, axis=1),
            names=names,
        )

    report = asked(question, slopes + drawn[0], slopes - drawn[0])
    if not report.dimension:
        return report
    number = report.num_solutions if isinstance(report, FieldReport) else report.dimension
    same = dataclasses.replace(question, dimension=number)
    again = [asked(same, slopes + each) for each in drawn]
    tilts = _tilts(report, again)
    return _with_errors(report, np.sqrt(np.mean(tilts**2, axis=0)))


def _of_polynomial(
    report: SymmetryReport, quadratic: Quadratic, samples: np.ndarray, question: Question
) -> SymmetryReport:
    """The symmetries of a polynomial of degree 2, with the errors of its coefficients."""
    report = _less_sure(report, HALF_SURE if quadratic.is_rough else 1.0)
    if not report.dimension or isinstance(report, FieldReport):
        return report
    asked = dataclasses.replace(question, dimension=report.dimension)
    again = [symmetries_of(other, samples, asked) for other in quadratic.others]
    report = _with_errors(report, jackknife_errors(_tilts(report, again)))
    if quadratic.untidied is None:
        return report
    return _less_sure(report, _held_by(quadratic.untidied, samples, question, report))


def _held_by(
    function: keras.Model, samples: np.ndarray, question: Question, report: SymmetryReport
) -> float:
    """How clearly another function shares the symmetries.

    The other function is the polynomial with the terms that were taken for noise, because
    these may hide a broken symmetry.
    """
    inside = dataclasses.replace(question, search=report.basis, dimension=report.dimension)
    return known(float(symmetries_of(function, samples, inside).singular_values[-1]))


def known(error: float) -> float:
    """How clear an answer is if values have this error."""
    return LARGEST_NULL_VALUE**2 / (LARGEST_NULL_VALUE**2 + error**2)


def _less_sure(report: SymmetryReport, factor: float) -> SymmetryReport:
    return dataclasses.replace(report, confidence=report.confidence * factor)


def _with_errors(report: SymmetryReport, angles: np.ndarray) -> SymmetryReport:
    """The report with error bars from the errors of the function. Generators that turn in
    other functions are none.
    """
    errors = np.hypot(report.errors, angles)
    factor = math.cos(min(float(np.max(errors)), math.pi / 2)) ** 2
    return _less_sure(dataclasses.replace(report, errors=errors), factor)


def _tilts(report: SymmetryReport, again: list[SymmetryReport]) -> np.ndarray:
    """How far generators turn in other functions, `(functions, k)`.

    If another number of generators is listed, the angles are right angles.
    """
    spans = [_orthonormal_columns(each) for each in (report, *again)]
    return np.array(
        [
            tilt(spans[0], span)
            if span.shape == spans[0].shape
            else np.full(spans[0].shape[1], np.pi / 2)
            for span in spans[1:]
        ]
    )


def _orthonormal_columns(report: SymmetryReport) -> np.ndarray:
    """The generators in standard coordinates, one column for each."""
    if isinstance(report, FieldReport):
        assert report.in_standard is not None
        found = report.in_standard.coefficients
    else:
        found = np.asarray(report.standard)
    return np.linalg.qr(found.reshape(len(found), -1).T)[0]
