"""Builds a network with the symmetries of a report."""

from typing import Any

import keras
import numpy as np

from keras_lconv._typing import Data
from keras_lconv._validation import MOST_UNITS, finite_array, positive_int
from keras_lconv.discovery import FieldReport, GeneratorReport, SymmetryReport
from keras_lconv.discovery.tables import table_of
from keras_lconv.generators import Generators, VectorFieldGenerators
from keras_lconv.generators.polynomials import DEGREES, exponents
from keras_lconv.models.lconv_classifier import lconv_classifier
from keras_lconv.models.point_network import point_network
from keras_lconv.models.steerable_classifier import steerable_classifier
from keras_lconv.models.symmetric_network import (
    NoNetworkError,
    doubt_of,
    equivariant_network,
    independent,
    point_group,
    point_inputs,
    symmetric_network,
    unit_of_invariants,
)


def from_report(
    report: SymmetryReport | GeneratorReport,
    x: Data,
    *,
    outputs: int = 1,
    **settings: Any,
) -> keras.Model:
    """A network that has the symmetry of a report, for data like these.

    | `x` | network |
    | --- | --- |
    | a table `(batch, n)` | `equivariant_mlp`, of coordinates about the fixed point and in units of their spread. Columns on which nothing depends are left out |
    | images `(batch, *spatial, channels)`, of a report about images | `lconv_classifier(filters=())`: numbers that the generators do not change. `steerable_classifier` if they are all rotations and translations |
    | points `(batch, n, v)`, or a list of features `(batch, n, c)` and positions, of a report about vectors of size `v` | `point_network`, relative if all translations are symmetries |

    The network has the symmetry of the report exactly, up to rounding. If the report has
    errors, this symmetry differs from the true one. `train_from_report` compares the
    network with one without the symmetry.

    Args:
        report: The report of `find_symmetries` or `fit_symmetries`, or of `fit_generators`
            for images.
        x: The data, or some of them: they give shapes, units and offsets.
        outputs: Number of outputs, or of classes for logits. If the outputs transform,
            their number follows from the report.
        **settings: Further arguments of the network that is built, such as `hidden_units`.

    Returns:
        A functional `keras.Model`, not compiled. Its outputs are numbers or logits.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If the report has no symmetry, the data do not fit it, or there is no
            network that has it.

    Example:
    ```python
    import numpy as np
    from keras_lconv.discovery import find_symmetries
    from keras_lconv.models import from_report

    x = np.random.default_rng(0).normal(size=(200, 3)) * [1.0, 1e3, 1.0]
    report = find_symmetries(lambda x: x[:, 0]**2 + 1e-6 * x[:, 1]**2 + x[:, 2]**2, x)
    model = from_report(report, x, hidden_units=(16, 16))
    a, b = model.predict(np.array([[3.0, 0, 0], [0, 3e3, 0]]), verbose=0)
    assert report.name == "so(3)" and np.allclose(a, b, rtol=1e-4)
    ```

    Reference:
        M. Finzi, M. Welling, A. G. Wilson, "A practical method for constructing equivariant
        multilayer perceptrons for arbitrary matrix groups", ICML 2021.
    """  # noqa: E501, rows of a table
    outputs = positive_int("outputs", outputs, most=MOST_UNITS)
    checked_report(report)
    if isinstance(report, GeneratorReport) or report.generators is not None:
        return _of_images(report, _images(report, x), outputs, settings)
    try:
        if is_of_points(x):
            return _of_points(report, *features_and_positions(report, x), outputs, settings)
        rows = _rows(report, x)
        if report.kind == "equivariance":
            return equivariant_network(report, rows, **settings)
        return symmetric_network(report, rows, outputs, **settings)
    except NoNetworkError as error:
        raise ValueError(
            "`report` must have a symmetry for which there is a network. "
            f"Received: {report.name}: {error}"
        ) from None


def checked_report(report: Any) -> None:
    """Refuses reports without a symmetry that networks can have."""
    if not isinstance(report, SymmetryReport | GeneratorReport):
        raise TypeError(
            "`report` must be a result of `find_symmetries`, `fit_symmetries` or "
            f"`fit_generators`. Received: report of type {type(report).__name__}"
        )
    if isinstance(report, FieldReport):
        raise ValueError(
            "`report` must be about linear or affine maps. Received: a report about "
            f"{report.searched}, for which there is no network. Use "
            "`report.to_augmentation()` to train any network on moved samples"
        )
    if not report.dimension:
        raise ValueError("`report` must have a symmetry. Received: a report without one")


def is_of_points(x: Any) -> bool:
    """Whether data are positions `(batch, n, v)`, or features and positions."""
    return isinstance(x, list | tuple) or len(getattr(x, "shape", ())) == 3


def features_and_positions(
    report: SymmetryReport, x: Any
) -> tuple[np.ndarray | None, np.ndarray]:
    """The features and positions of points, with `None` for features if all points are
    alike.
    """
    given = x if isinstance(x, list | tuple) else [x]
    arrays = [finite_array("x", each) for each in given]
    v = report.unidentified.shape[1]
    shapes = [each.shape for each in arrays]
    fit = len(arrays) in (1, 2) and all(len(each) == 3 for each in shapes)
    if not fit or shapes[-1][-1] != v or shapes[0][:2] != shapes[-1][:2]:
        raise ValueError(
            f"`x` must be rows (batch, n), points (batch, n, {v}), or a list of features "
            f"(batch, n, c) and positions (batch, n, {v}), for a report about vectors of "
            f"size {v}. Received: shapes {shapes}"
        )
    return (arrays[0] if len(arrays) == 2 else None), arrays[-1]


def _of_points(
    report: SymmetryReport,
    features: np.ndarray | None,
    positions: np.ndarray,
    outputs: int,
    settings: dict[str, Any],
) -> keras.Model:
    if report.kind == "equivariance":
        raise NoNetworkError(
            "`report` about points must be about an invariance. For outputs that turn "
            "with the points use `PointConv(filters, report.algebra, "
            "representation_out='standard')`"
        )
    number, v = positions.shape[1:]
    group, origin, scale, relative = point_group(report, positions.reshape(-1, v))
    scale = scale * unit_of_invariants(group, (positions - origin) / scale)
    network = point_network(
        input_shape=(number, v),
        classes=outputs,
        group=group,
        num_features=1 if features is None else features.shape[-1],
        relative=relative,
        **{"classifier_activation": None, **settings},
    )
    inputs, scaled, centred = point_inputs(features, positions, origin, scale)
    if scaled is None:
        scaled = keras.ops.ones_like(centred[..., :1])
    return keras.Model(inputs, network([scaled, centred]))


def _rows(report: SymmetryReport, x: Any) -> np.ndarray:
    """Rows with the columns of the report."""
    rows = table_of("x", x).values
    columns = report.scalars + report.blocks * report.unidentified.shape[1]
    if rows.ndim != 2 or rows.shape[1] != columns:
        raise ValueError(
            f"`x` must be rows with the {columns} columns of the report: {report.scalars} "
            f"scalars and {report.blocks} vectors. Received: shape {rows.shape}"
        )
    return rows


def _images(report: Any, x: Data) -> np.ndarray:
    """Images on the grid of the generators."""
    images = finite_array("x", x)
    expected = report.generators.spatial_shape
    if expected is None:
        raise ValueError(
            "`report` must be about images, or about the symmetries of a function. "
            "Received: a report about pairs of vectors. For vectors use "
            "`equivariant_mlp(report.algebra)`"
        )
    if images.ndim < 3 or images.shape[1:-1] != tuple(expected):
        raise ValueError(
            f"`x` must be images (batch, *{expected}, channels), like those of the report. "
            f"Received: shape {images.shape}"
        )
    return images


def _of_images(
    report: Any, images: np.ndarray, outputs: int, settings: dict[str, Any]
) -> keras.Model:
    if isinstance(report, SymmetryReport) and report.kind == "equivariance":
        raise ValueError(
            "`report` about images must be about an invariance. Received: one about an "
            "equivariance. For outputs that move with the image use `LConv(filters, "
            "report.to_generators())`"
        )
    shape, rank = images.shape[1:], images.ndim - 2
    common = {"input_shape": shape, "classes": outputs, "classifier_activation": None}
    if rank > 1 and _has_all_motions(report, rank):
        group = {"group": "c8" if rank == 2 else "so3"}
        return steerable_classifier(**{**common, **group, **settings})
    acting = {"generators": _without_stretching(report), "filters": ()}
    return lconv_classifier(**{**common, **acting, **settings})


def _without_stretching(report: Any) -> Generators:
    """The generators without small erroneous parts, which would change sums over
    the grid.
    """
    found = report.generators
    if getattr(found, "field", None) not in DEGREES:
        return report.to_generators()
    coefficients = keras.ops.convert_to_numpy(found.coefficients).astype("float64")
    stretches = exponents(found.field, coefficients.shape[1]).T > 0
    stretching = np.linalg.norm(coefficients[:, stretches])
    if stretching > doubt_of(report) * np.linalg.norm(coefficients):
        return report.to_generators()
    coefficients[:, stretches] = 0.0
    return VectorFieldGenerators.from_coefficients(
        coefficients, found.spatial_shape, found.field, derivative=found.derivative
    )


def _has_all_motions(report: Any, rank: int) -> bool:
    """Whether the symmetries are the translations and rotations of `rank` axes."""
    generators = report.generators
    if getattr(generators, "field", None) not in ("linear", "affine"):
        return False
    maps = generators.algebra().basis[:, :rank]
    doubt = doubt_of(report)
    turns = independent(maps[..., :rank], doubt)
    is_even = turns + np.swapaxes(turns, 1, 2)
    number = rank * (rank - 1) // 2
    has_moves = maps.shape[2] > rank and len(maps) == number + rank
    return has_moves and len(turns) == number and bool(np.all(np.abs(is_even) < doubt))
