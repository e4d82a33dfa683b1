"""Plots of generators and errors. Matplotlib is imported when a function is called."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._typing import Axes, Figure
from keras_lconv._validation import count, finite_array, integer_array
from keras_lconv.generators import Generators

__all__ = [
    "plot_errors",
    "plot_graph",
    "plot_matrix",
    "plot_result",
    "plot_spectrum",
    "plot_vector_field",
]

# The largest number of generators in a picture.
MOST_PICTURES = 12

# Relative to the median length of all edges.
LONG_EDGE = 1.9


def plot_vector_field(
    field: ArrayLike | Callable[[np.ndarray], ArrayLike],
    ax: "Axes | None" = None,
    title: str | None = None,
) -> Axes:
    """Draws a vector field on an image grid as arrows.

    Rows grow downwards, as in images: the first component points down, the second to
    the right. Large grids are thinned out.

    Args:
        field: Array `(height, width, 2)`, such as an element of
            `VectorFieldGenerators.vector_fields()`.
        ax: Matplotlib axes; by default a new figure's.
        title: Title of the plot.

    Returns:
        The axes.

    Raises:
        ValueError: If `field` has another shape.

    Example:
    ```python
    from keras_lconv.generators import rotation
    from keras_lconv.visualization import plot_vector_field

    generators = rotation()
    generators.build((None, 20, 20, 1))
    ax = plot_vector_field(generators.vector_fields()[0], title="rotation")
    ```
    """
    field = finite_array("field", field)
    if field.ndim != 3 or field.shape[-1] != 2:
        raise ValueError(
            f"`field` must have shape `(height, width, 2)`. Received: shape {field.shape}"
        )
    height, width = field.shape[:2]
    every = max(1, max(height, width) // 10)
    thinned = field[::every, ::every]
    rows, columns = np.mgrid[0:height:every, 0:width:every]
    speed = np.linalg.norm(thinned, axis=-1)
    # The longest arrow spans the distance of the drawn points.
    per_step = max(float(speed.max()), 1e-12) / every
    ax = _axes(ax)
    ax.quiver(
        columns,
        rows,
        thinned[..., 1],
        thinned[..., 0],
        speed,
        angles="xy",
        scale_units="xy",
        scale=per_step,
        pivot="mid",
        cmap="viridis",
        # The scale starts at rest, so that nearly equal speeds look equal.
        clim=(0, max(float(speed.max()), 1e-12)),
    )
    ax.set_xlim(-1, width)
    ax.set_ylim(height, -1)
    ax.set_aspect("equal")
    ax.set_xlabel("column")
    ax.set_ylabel("row")
    ax.set_title(title or "")
    return ax


def plot_matrix(
    matrix: ArrayLike, ax: "Axes | None" = None, title: str | None = None
) -> Axes:
    """Draws a matrix, zero in white, with a symmetric scale of colours.

    Args:
        matrix: Array `(d', d)`.
        ax: Matplotlib axes; by default a new figure's.
        title: Title of the plot.

    Returns:
        The axes.

    Raises:
        ValueError: If `matrix` has another shape.

    Example:
    ```python
    from keras_lconv.generators import derivative_matrix
    from keras_lconv.visualization import plot_matrix

    ax = plot_matrix(derivative_matrix(16), title="d/dx")
    ```
    """
    matrix = finite_array("matrix", matrix)
    if matrix.ndim != 2:
        raise ValueError(
            f"`matrix` must have shape `(d', d)`. Received: shape {matrix.shape}"
        )
    largest = max(float(np.abs(matrix).max()), 1e-12)
    ax = _axes(ax)
    image = ax.imshow(matrix, cmap="RdBu_r", vmin=-largest, vmax=largest)
    ax.figure.colorbar(image, ax=ax, fraction=0.046, pad=0.04)
    ax.set_xlabel("position it acts on")
    ax.set_ylabel("position it leads to")
    ax.set_title(title or "")
    return ax


def plot_errors(
    parameters: ArrayLike,
    errors: ArrayLike,
    ax: "Axes | None" = None,
    title: str | None = None,
) -> Axes:
    """Draws errors against group parameters, on a logarithmic scale.

    Args:
        parameters: Array `(n, k)`. Of several generators, the length of each row is what
            the errors are drawn against.
        errors: Array `(n,)`. Zeros have no place on the scale and are left out.
        ax: Matplotlib axes; by default a new figure's.
        title: Title of the plot.

    Returns:
        The axes.

    Raises:
        ValueError: If the arrays have other shapes.

    Example:
    ```python
    from keras_lconv.visualization import plot_errors

    ax = plot_errors([[0.1], [0.2], [0.3]], [1e-6, 2e-6, 1e-5])
    ```
    """
    parameters = finite_array("parameters", parameters)
    errors = finite_array("errors", errors)
    if parameters.ndim != 2 or errors.shape != parameters.shape[:1]:
        raise ValueError(
            "`parameters` must have shape `(n, k)` and `errors` `(n,)`. "
            f"Received: shapes {parameters.shape} and {errors.shape}"
        )
    single = parameters.shape[1] == 1
    positions = parameters[:, 0] if single else np.linalg.norm(parameters, axis=1)
    order = np.argsort(positions, kind="stable")
    drawn = order[errors[order] > 0]
    ax = _axes(ax)
    ax.plot(positions[drawn], errors[drawn], "o-" if single else "o", markersize=4)
    ax.set_yscale("log")
    ax.set_xlabel("parameter" if single else "length of the parameters")
    ax.set_ylabel("relative error")
    ax.set_title(title or "")
    return ax


def plot_spectrum(
    singular_values: ArrayLike,
    dimension: int,
    ax: "Axes | None" = None,
    title: str | None = None,
    levels: Mapping[int, str] | None = None,
) -> Axes:
    """Draws singular values on a logarithmic scale, those of the null space apart.

    Args:
        singular_values: Array `(p,)`, growing.
        dimension: How many of them count as zero.
        ax: Matplotlib axes; by default a new figure's.
        title: Title of the plot.
        levels: Names of nested null spaces by their dimension, as of symmetries that hold
            nearly. Each is marked after its last value.

    Returns:
        The axes.

    Raises:
        ValueError: If `singular_values` has another shape.

    Example:
    ```python
    from keras_lconv.visualization import plot_spectrum

    ax = plot_spectrum([1e-3, 2e-3, 0.5, 0.7], dimension=2)
    ```
    """
    values = finite_array("singular_values", singular_values)
    if values.ndim != 1:
        raise ValueError(
            f"`singular_values` must have shape `(p,)`. Received: shape {values.shape}"
        )
    dimension = count("dimension", dimension)
    # Zeros have no place on a logarithmic scale, so they are drawn at its lower end.
    positive = values[values > 0]
    drawn = np.maximum(values, float(positive.min()) if len(positive) else 1.0)
    numbers = np.arange(1, len(values) + 1)
    ax = _axes(ax)
    ax.plot(numbers[:dimension], drawn[:dimension], "o", label="symmetries")
    ax.plot(numbers[dimension:], drawn[dimension:], "o", label="no symmetries")
    ax.axvline(dimension + 0.5, color="grey", linestyle="--", linewidth=1)
    for last, name in (levels or {}).items():
        ax.axvline(last + 0.5, color="C2", linestyle=":", linewidth=1)
        ax.annotate(
            name,
            (last + 0.5, 0.4),
            (-2, 0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            rotation=90,
            ha="right",
            va="center",
            fontsize="small",
            color="C2",
        )
    ax.set_yscale("log")
    ax.set_xlabel("number")
    ax.set_ylabel("singular value")
    ax.set_title(title or f"dimension {dimension}")
    ax.legend()
    return ax


def plot_result(
    singular_values: ArrayLike | None,
    dimension: int,
    generators: Any,
    levels: Mapping[int, str] | None = None,
) -> Figure:
    """Draws what a search found: the spectrum with its gap, and the generators.

    Vector fields on images are arrows, all other generators matrices.

    Args:
        singular_values: Array `(p,)`, growing, or `None` where there is no spectrum.
        dimension: How many of them count as zero.
        generators: Built `Generators`, or a sequence of matrices.
        levels: As for `plot_spectrum`.

    Returns:
        The figure.

    Example:
    ```python
    import numpy as np
    from keras_lconv.algebra import so
    from keras_lconv.visualization import plot_result

    figure = plot_result([1e-3, 2e-3, 2e-3, 0.5, 0.7], 3, so(3).basis)
    ```
    """
    import matplotlib.pyplot as plt

    draw: Callable[..., object] = plot_matrix
    pictures = generators
    if isinstance(generators, Generators):
        fields = generators.vector_fields()
        is_plane = fields is not None and fields.shape[-1] == 2
        draw = plot_vector_field if is_plane else plot_matrix
        pictures = fields if is_plane else generators.matrices()
    pictures = pictures[:MOST_PICTURES]
    first = 0 if singular_values is None else 2
    columns = max(first + (len(pictures) + 1) // 2, 1)
    figure = plt.figure(figsize=(2.4 * columns, 4.8), layout="constrained")
    grid = figure.add_gridspec(2, columns)
    if singular_values is not None:
        spectrum = figure.add_subplot(grid[:, :2])
        plot_spectrum(singular_values, dimension, spectrum, levels=levels)
    for number, picture in enumerate(pictures):
        axes = figure.add_subplot(grid[number % 2, first + number // 2])
        draw(picture, axes, f"$L_{{{number + 1}}}$")
    return figure


def plot_graph(
    points: ArrayLike, pairs: ArrayLike, ax: "Axes | None" = None, title: str | None = None
) -> Axes:
    """Draws points and the edges between them, rows downwards as in images.

    Edges much longer than most are drawn in another colour: what they join does not lie
    side by side.

    Args:
        points: Array `(d, 2)` of rows and columns; points that are NaN are left out, with
            their edges.
        pairs: Integers `(m, 2)`, the edges.
        ax: Matplotlib axes; by default a new figure's.
        title: Title of the plot.

    Returns:
        The axes.

    Raises:
        ValueError: If an array has another shape.

    Example:
    ```python
    from keras_lconv.visualization import plot_graph

    ax = plot_graph([[0, 0], [0, 1], [1, 0], [1, 1]], [[0, 1], [0, 2], [1, 3], [2, 3]])
    ```
    """
    from matplotlib.collections import LineCollection

    # Unknown points are NaN, and their lines are left out.
    given = np.nan_to_num(points) if isinstance(points, np.ndarray) else points
    finite_array("points", given)
    points, pairs = np.asarray(points, dtype="float64"), integer_array("pairs", pairs)
    if points.ndim != 2 or pairs.ndim != 2 or points.shape[1] != 2 or pairs.shape[1] != 2:
        raise ValueError(
            "`points` must have shape `(d, 2)` and `pairs` `(m, 2)`. "
            f"Received: shapes {points.shape} and {pairs.shape}"
        )
    if pairs.size and not 0 <= pairs.min() <= pairs.max() < len(points):
        raise ValueError(
            f"`pairs` must be numbers of points from 0 to {len(points) - 1}. "
            f"Received: numbers from {pairs.min()} to {pairs.max()}"
        )
    lines = points[pairs][..., ::-1]
    lines = lines[np.all(np.isfinite(lines), axis=(1, 2))]
    lengths = np.linalg.norm(lines[:, 0] - lines[:, 1], axis=1)
    is_long = lengths > LONG_EDGE * np.median(lengths) if len(lengths) else lengths > 0
    ax = _axes(ax)
    ax.add_collection(LineCollection(lines[~is_long], colors="C0", linewidths=0.8))
    ax.add_collection(LineCollection(lines[is_long], colors="C1", linewidths=0.8))
    ax.scatter(points[:, 1], points[:, 0], s=6, color="black", zorder=2)
    ax.set_aspect("equal")
    ax.invert_yaxis()
    ax.set_xlabel("column")
    ax.set_ylabel("row")
    ax.set_title(title or "")
    return ax


def _axes(ax: "Axes | None") -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots()[1]
