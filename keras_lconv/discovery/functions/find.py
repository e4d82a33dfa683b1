"""From a function to the algebra of its symmetries."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from keras_lconv._layout import data_format_of
from keras_lconv._typing import Data
from keras_lconv._validation import (
    count,
    finite_array,
    one_of,
    optional,
    positive_int,
    progress,
)
from keras_lconv.discovery.functions.derivatives import (
    derivatives_of,
    finite_differences,
    given_derivatives,
)
from keras_lconv.discovery.functions.grid_equations import GridEquations
from keras_lconv.discovery.functions.table_equations import OUTPUTS, TableEquations
from keras_lconv.discovery.report import SymmetryReport
from keras_lconv.discovery.tables import scalar_names, table_of

KINDS = ("invariance", "equivariance")

# From so many batches on there is a progress bar.
BATCHES_WITH_BAR = 20


def find_symmetries(
    function: Callable[[Any], Any] | None,
    x: Data,
    *,
    kind: str = "invariance",
    blocks: int = 1,
    scalars: int | Sequence[str] = 0,
    columns: Any = None,
    search: Any = None,
    output: Any = "free",
    dimension: int | None = None,
    derivatives: Any = None,
    data_format: str | None = None,
    discrete: bool = False,
    batch_size: int = 512,
    verbose: bool | None = None,
) -> SymmetryReport:
    """Finds the Lie algebra of symmetries of a function or a trained model.

    `F` is invariant under the flow of `v(x) = A x + b` if and only if
    `<grad F(x), A x + b> = 0` for all `x`: one linear equation for `A` and `b` from each
    sample and output. It is equivariant, `F(exp(t v) x) = exp(t K) F(x)`, if and only if
    `J(x) (A x + b) = K F(x)`, where `J` are the derivatives. The squares of the equations,
    weighted such that each counts by its size, are summed up to one small matrix. Its null
    space is the algebra, and the dimension is where the singular values have their
    clearest gap. No symmetry is found where there is no gap of 5 at least, above values of
    0.1 at most, in units of what a random equation would give (or of the root mean square
    of all values, if that is more).

    **Tables**, `x` of shape `(batch, n)`: maps of vectors. All is computed in coordinates
    in which the vectors have mean zero and second moments 1, so that units, offsets and
    linear coordinates of the data do not matter. Samples that are repeated count once.
    Vectors may have some 40 components: the system has `v^2` unknowns, or as many as
    `search` has dimensions.

    **Images**, `x` of shape `(batch, *spatial, channels)`: generators move the content
    along a vector field, any affine one by default, as translations, rotations and scaling.
    They give the Lie derivatives `L_a x`, without any matrix on the pixels. A random
    equation is then one with derivatives of the same length, but of random direction.
    Symmetries hold nearly at best, since pixels cannot be moved by half of their width
    without an error, and those of trained classifiers are approximate anyway:
    `report.sensitivities` says for each field that has a name how much the function changes
    along it. A signal on a line is an image `(batch, n, 1)`.

    The result is about the function, on the samples. A network that is only nearly
    invariant has the symmetry up to its own error; how the samples are distributed does
    not matter, as long as they vary in all directions. Directions that they do not reach
    tell nothing, and are listed as `unidentified`.

    In a `keras.distribution` that shares batches out, each device computes the derivatives
    of its share.

    Args:
        function: `F`, a Keras model or layer, which is called in inference mode, or a
            function of `keras.ops` or of the backend that runs, smooth nearly everywhere.
            It maps `(batch, ...)` to `(batch, ...)`, and samples do not mix. Each component
            of the output gives an equation: of a classifier those before the softmax, or
            those after.
        x: Samples: a table `(batch, n)`, also a `DataFrame`, or images
            `(batch, *spatial, channels)`.
        kind: `"invariance"` or `"equivariance"`.
        blocks: A row of the table consists of so many vectors of equal size, one after the
            other, that transform alike.
        scalars: The first so many columns of a table do not transform, as masses or
            charges. The blocks follow. Or a list of their names.
        columns: Which columns of a table or a pandas `DataFrame` the vectors consist of:
            a list of names or numbers, or a list for each vector, as
            `[["x", "y", "z"], ["vx", "vy", "vz"]]`. The function gets the scalars and then
            these, in this order. Names stay in the summary.
        search: Where to search. For tables `"linear"`: all maps `A x`; `"affine"`: all maps
            `A x + b`; a `LieAlgebra`, or matrices `(p, v, v)` for vectors of size `v`, or
            affine maps `[A | b]`, `(p, v, v + 1)`; these need not be an algebra. By default
            `"affine"` where the mean of the vectors is clearly not zero, and else
            `"linear"`. For images `"affine"`, the default, `"linear"` or `"quadratic"`: all
            vector fields whose components are such polynomials; a name of
            `keras_lconv.generators.get`, or any square `Generators`.
        output: For equivariance, what `K` is. `"same"`: the output is of vectors as the
            input, and moves as they do, and scalars do not move; or it is an image on the
            same grid, moved alike. `"tensor2"`: it is a matrix `(v, v)` that transforms by
            `A F + F A^T`. Matrices `(p, m, m)`: that of each element of `search`.
            `"free"`: any matrix (with an offset, where affine maps are searched), which is
            found with `A`. Fewer assumptions find more symmetries: the report says which
            were made.
        dimension: Dimension of the algebra, where it is known; by default it is found.
        derivatives: By default the backend differentiates `function`. `"finite"`: central
            differences, of a function that gets and returns NumPy arrays, also of a single
            row. Or those of each sample, `(batch, n)` or `(batch, m, n)`, in the order of
            `x`; the function may then be `None` for invariance.
        data_format: Where the channels of images are, `"channels_last"` or
            `"channels_first"`. By default as the function says in its own `data_format`,
            and else as the Keras configuration does.
        discrete: Whether to look for discrete symmetries of a table as well, about the
            centre of the others if there is one, and else about the origin: the result has
            the `DiscreteReport` of `find_discrete_symmetries` as `discrete`.
        batch_size: Number of samples in memory at a time, with all derivatives of all
            outputs. Functions from images to images need a small one.
        verbose: Whether to show a progress bar. By default for 20 batches and more.

    Returns:
        A `SymmetryReport`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If a value or a shape does not fit, the function does not depend on
            its input, or no generator of `search` changes it.

    Example:
    ```python
    import numpy as np
    from keras import ops
    from keras_lconv.discovery import find_symmetries

    x = np.random.default_rng(0).normal(size=(200, 3))
    report = find_symmetries(lambda x: ops.sum(x**2, axis=1), x)
    assert report.name == "so(3)"

    images = np.random.default_rng(0).normal(size=(50, 8, 8, 1))
    report = find_symmetries(lambda x: ops.sum(x**2, axis=(1, 2)), images)
    assert report.sensitivities["rotation"] < 1e-3  # values move, their squares stay
    assert report.sensitivities["scaling"] > 0.1
    ```

    Reference:
        A. Moskalev et al., "LieGG: Studying Learned Lie Group Generators", NeurIPS 2022,
        for the null space of one polarization matrix. N. Gruver et al., "The Lie Derivative
        for Measuring Learned Equivariance", ICLR 2023, for Lie derivatives of classifiers.
    """
    report = symmetries_of(
        function,
        x,
        kind=kind,
        blocks=blocks,
        scalars=scalars,
        columns=columns,
        search=search,
        output=output,
        dimension=dimension,
        derivatives=derivatives,
        data_format=data_format,
        batch_size=batch_size,
        verbose=verbose,
    )
    if not discrete:
        return report
    # It asks for the symmetries that are not discrete, and comes after this.
    from keras_lconv.discovery.discrete import find_discrete_symmetries

    is_table = report.sensitivities is None
    is_asked = isinstance(derivatives, str | None)
    if kind != "invariance" or not is_table or not is_asked or function is None:
        raise ValueError(
            "`discrete` symmetries are looked for in invariant functions of tables "
            "that can be asked at other samples. Received: discrete=True with "
            f"{f'kind={kind!r}' if is_table else 'images'} and derivatives={derivatives!r}"
        )
    return replace(
        report,
        discrete=find_discrete_symmetries(
            function,
            x,
            blocks=blocks,
            scalars=scalars,
            columns=columns,
            centre=report.centre,
            derivatives=derivatives,
        ),
    )


def symmetries_of(
    function: Callable[[Any], Any] | None,
    x: Data,
    *,
    members: int = 1,
    fit_error: float = 0.0,
    kind: str = "invariance",
    blocks: int = 1,
    scalars: int | Sequence[str] = 0,
    columns: Any = None,
    search: Any = None,
    output: Any = "free",
    dimension: int | None = None,
    derivatives: Any = None,
    data_format: str | None = None,
    batch_size: int = 512,
    verbose: bool | None = None,
) -> SymmetryReport:
    """What `find_symmetries` does, for one function or some that should be the same.

    Args:
        function: A function to `(batch, ...)`, or to `(batch, members, ...)`.
        x: As for `find_symmetries`.
        members: How many functions there are.
        fit_error: Their relative error.
        kind: As for `find_symmetries`.
        blocks: As for `find_symmetries`.
        scalars: As for `find_symmetries`.
        columns: As for `find_symmetries`.
        search: As for `find_symmetries`.
        output: As for `find_symmetries`.
        dimension: As for `find_symmetries`.
        derivatives: As for `find_symmetries`.
        data_format: As for `find_symmetries`.
        batch_size: As for `find_symmetries`.
        verbose: As for `find_symmetries`.
    """
    verbose = progress(verbose)
    batch_size = positive_int("batch_size", batch_size)
    labels = scalar_names(scalars)
    table = table_of("x", x, columns, labels)
    samples = distinct_rows(table.values)
    equations = equations_for(
        samples,
        kind,
        table.blocks or blocks,
        len(labels) or scalars,
        search,
        output,
        dimension,
        data_format_of(function, data_format),
        table.names,
    )
    batches = np.array_split(samples, math.ceil(len(samples) / batch_size))
    if verbose is None:
        verbose = len(batches) >= BATCHES_WITH_BAR
    bar = keras.utils.Progbar(len(batches), verbose=int(verbose), unit_name="batch")
    evaluate = _evaluation(function, derivatives, table.values)
    for batch in batches:
        values, slopes = evaluate(batch)
        if members > 1:
            slopes = slopes.reshape(len(batch), members, -1, *slopes.shape[2:])
            each = np.moveaxis(slopes, 1, 0)
            equations.add(batch, values.mean(axis=1), each.mean(axis=0), each)
        else:
            equations.add(batch, values, slopes)
        bar.add(1)
    if not equations.depends_on_input:
        raise ValueError(
            "`function` must depend on its input. Received: a function with derivatives "
            f"that are zero at all {len(samples)} samples of `x` that differ"
        )
    return equations.report(dimension, fit_error)


def equations_for(
    samples: np.ndarray,
    kind: str,
    blocks: int,
    scalars: Any,
    search: Any,
    output: Any,
    dimension: int | None,
    data_format: str,
    names: Any = None,
) -> GridEquations | TableEquations:
    """The equations that symmetries fulfil, without any yet: arguments that fit samples.

    Args:
        samples: Array `(batch, n)` or `(batch, *spatial, channels)`.
        kind: As for `find_symmetries`.
        blocks: As for `find_symmetries`.
        scalars: Their number.
        search: As for `find_symmetries`.
        output: As for `find_symmetries`.
        dimension: As for `find_symmetries`.
        data_format: `"channels_last"` or `"channels_first"`.
        names: Names of the columns of a table.
    """
    one_of("kind", kind, KINDS)
    if isinstance(output, str):
        one_of("output", output, OUTPUTS)
    elif kind == "invariance":
        finite_array("output", output)
    blocks, scalars = positive_int("blocks", blocks), count("scalars", scalars)
    equations: GridEquations | TableEquations
    if samples.ndim > 2:
        if blocks > 1 or scalars:
            raise ValueError(
                "`blocks` and `scalars` belong to vectors, of which maps are searched. "
                f"Received: blocks={blocks!r}, scalars={scalars!r} with a grid"
            )
        equations = GridEquations(samples, kind, search, output, data_format)
    else:
        equations = TableEquations(samples, kind, blocks, scalars, search, output, names)
    if (optional(count, "dimension", dimension) or 0) > equations.num_searched:
        raise ValueError(
            f"`dimension` must be from 0 to {equations.num_searched}, the dimension of "
            f"what is searched. Received: dimension={dimension!r}"
        )
    return equations


def _evaluation(
    function: Any, derivatives: Any, samples: np.ndarray
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """How values and derivatives of a batch are had."""
    if derivatives is None:
        return derivatives_of(function)
    if isinstance(derivatives, str):
        one_of("derivatives", derivatives, ("finite",))
        return finite_differences(function, samples)
    return given_derivatives(function, derivatives, samples)


def distinct_rows(samples: np.ndarray) -> np.ndarray:
    """Samples without repetitions, each where it came first."""
    if samples.ndim < 2:
        return samples
    first = {row.tobytes(): number for number, row in reversed(list(enumerate(samples)))}
    return samples[sorted(first.values())]
