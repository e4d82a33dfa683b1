"""Moves solutions of a user on a grid along the symmetries of a report."""

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_lconv._validation import finite_array
from keras_lconv.algebra import VectorFields
from keras_lconv.discovery.equations.grid_motions import keeping_space
from keras_lconv.discovery.equations.names import names_of
from keras_lconv.discovery.equations.samples import Grid, read_grid
from keras_lconv.discovery.equations.transport import moved_along
from keras_lconv.discovery.fields.library import LibraryFields

if TYPE_CHECKING:
    from keras_lconv.discovery.equations.report import PointSymmetryReport


def grid_of(
    report: "PointSymmetryReport", fields: Any, coordinates: Any, periodic: Any
) -> Grid:
    """Fields of the variables of a report, on a grid."""
    grid = read_grid(fields, coordinates, names_of("periodic", periodic))
    if grid.independent != report.independent or grid.dependent != report.dependent:
        raise ValueError(
            f"`fields` must be {', '.join(report.dependent)}, and `coordinates` "
            f"{', '.join(report.independent)}, in this order. Received: "
            f"{', '.join(grid.dependent)}, and {', '.join(grid.independent)}"
        )
    return grid


def moved(
    report: "PointSymmetryReport", parameters: Any, grid: Grid
) -> dict[str, np.ndarray]:
    """Solutions by name, after the time 1 along a sum of the generators."""
    t = finite_array("parameters", parameters)
    if t.shape != (len(report.generators),):
        raise ValueError(
            f"`parameters` must hold one number for each of the {len(report.generators)} "
            f"generators. Received: shape {t.shape}"
        )
    fields = moved_along(report.generators, t, grid)
    return dict(zip(report.dependent, fields, strict=True))


def keeping_grid(report: "PointSymmetryReport", grid: Grid) -> VectorFields:
    """The symmetries that take solutions on a grid to solutions on the whole grid."""
    generators, superposition = report.generators, report.superposition
    if isinstance(generators, LibraryFields) or isinstance(superposition, LibraryFields):
        raise ValueError(
            "`to_augmentation` needs polynomial symmetries. Received: "
            f"{', '.join(report.formulas)}. Search without functions in `search`"
        )
    kept = keeping_space(generators.joined(superposition), grid, report.doubt)
    if not len(kept):
        periodic = list(itertools.compress(grid.independent, grid.is_periodic))
        raise ValueError(
            "At least one symmetry must keep space: others take points from outside of "
            "the grid, as `report.transform` shows. Received: "
            f"{', '.join(report.formulas) or 'no symmetry'}, and periodic={periodic!r}"
        )
    return kept
