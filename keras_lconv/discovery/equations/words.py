"""The text of a report of point symmetries."""

from typing import TYPE_CHECKING

import numpy as np

from keras_lconv.algebra import VectorFields
from keras_lconv.discovery.fields.library import LibraryFields

if TYPE_CHECKING:
    from keras_lconv.discovery.equations.report import PointSymmetryReport

# Above this error a fitted equation is doubtful.
LARGE_FIT_ERROR = 0.1


def formulas_of(
    report: "PointSymmetryReport", fields: VectorFields | LibraryFields
) -> list[str]:
    """Fields on the variables of a report in symbols, with the precision of its
    generators.
    """
    if isinstance(fields, LibraryFields):
        return fields.formulas(report.doubt)
    return fields.formulas(report.variables, report.scales, report.doubt)


def summary_of(report: "PointSymmetryReport") -> str:
    """The result, its confidence, and what was not searched."""
    lines = [*_heading(report), *_data(report)]
    lines.append(f"gap {report.gap:.3g}, confidence {report.confidence:.2f}")
    lines += [f"  {text}" for text in report.formulas]
    if len(report.generators) and report.name == "not closed":
        lines.append("no algebra: some brackets have a higher degree than was searched")
    lines += [*_superposition(report), *_trivial(report)]
    if report.equations and len(report.errors):
        degrees = np.degrees(np.max(report.errors))
        lines.append(f"generators known to {degrees:.2g} degrees, from the data")
    others = (
        f"with other functions than {', '.join(report.functions)}"
        if report.functions
        else "no polynomials"
    )
    lines.append(f"not searched: components of degree above {report.degree}, or {others}")
    return "\n".join([*lines, *report.notes])


def _heading(report: "PointSymmetryReport") -> list[str]:
    searched = f"{len(report.singular_values)} dimensions searched"
    if not len(report.generators):
        return [f"point symmetries: none of degree at most {report.degree} ({searched})"]
    return [
        f"point symmetries: {report.identify()}, dimension {len(report.generators)}, "
        f"of degree at most {report.degree} ({searched})"
    ]


def _data(report: "PointSymmetryReport") -> list[str]:
    """The fitted equations, and their errors."""
    lines = [f"fitted equation: {equation}" for equation in report.equations]
    error = report.fit_error
    if error is None:
        return lines
    if not report.equations:
        lines.append(f"the fields miss the given equation by {error:.1e} of its terms")
        way_out = (
            "noise, too coarse a grid, or another equation, as with other coefficients or "
            "signs; without `equation` one is fitted"
        )
    else:
        way_out = (
            "noise, too coarse a grid, or terms that are no products of fields and "
            "derivatives; `library` may have functions, or an `equation` may be given"
        )
    if error > LARGE_FIT_ERROR:
        lines.append(f"this error is large: {way_out}")
    return lines


def _superposition(report: "PointSymmetryReport") -> list[str]:
    if not len(report.superposition):
        return []
    unknown, number = ", ".join(report.independent), len(report.superposition)
    what = (
        f"b({unknown}) d/d{report.dependent[0]} that add a solution b, of which"
        if len(report.dependent) == 1
        else f"fields of {unknown} that add a solution, of which"
    )
    formulas = [f"  {text}" for text in formulas_of(report, report.superposition)]
    return [f"and infinitely many {what} {number} up to this degree:", *formulas]


def _trivial(report: "PointSymmetryReport") -> list[str]:
    if not len(report.trivial):
        return []
    formulas = [f"  {text}" for text in formulas_of(report, report.trivial)]
    return ["fields along which every solution moves into itself, set apart:", *formulas]
