"""Finds the algebra of the symmetries of a function."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._streams import is_stream
from keras_lconv._typing import Columns, Data, Function, Search, Stream
from keras_lconv.discovery.functions.derivatives import JumpsError, values_of
from keras_lconv.discovery.functions.fit import fit_symmetries
from keras_lconv.discovery.functions.question import Question
from keras_lconv.discovery.functions.solve import as_function, symmetries_of
from keras_lconv.discovery.functions.sums import streamed_symmetries
from keras_lconv.discovery.report import SymmetryReport

BY_NETWORKS = (
    "`function` is constant near most samples, so networks were fitted to its values, as "
    "by `fit_symmetries(x, function(x))`"
)


def find_symmetries(
    function: Function | None,
    x: Stream,
    *,
    kind: str = "invariance",
    blocks: int = 1,
    scalars: int | Sequence[str] = 0,
    columns: Columns = None,
    search: Search = None,
    degree: int | None = None,
    output: ArrayLike = "free",
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
    `J(x) (A x + b) = K F(x)`, where `J` are the derivatives. The squares of the equations
    are summed up to one small matrix, where each equation counts by its size, up to three
    times the mean. The null space of this matrix is the algebra, and the clearest gap of
    its singular values gives the dimension. The values are in units of a random equation's,
    or of the root mean square of all values if that is more. A symmetry needs values of at
    most 0.1, and a gap of at least 5 after them.

    **Tables**, `x` of shape `(batch, n)`: maps of vectors. Computations use coordinates in
    which the vectors have mean zero and second moments 1, so units, offsets and linear
    coordinates of the data do not matter. Repeated samples count once. Vectors may have
    about 40 components: the system has `v^2` unknowns, or as many as `search` has
    dimensions.

    **Fields that are not affine**, of tables: `search="polynomial"` searches all fields
    with polynomial components up to `degree`, and a list of functions is a library of
    fields. Any function times a symmetry is a symmetry again: the report lists the fields
    from which all others follow, and counts the rest. If the samples lie on a surface, the
    report states it and leaves out fields that vanish there. Every smooth function is
    nearly constant along some polynomial field, so a symmetry needs values of at most 0.03.

    **Images**, `x` of shape `(batch, *spatial, channels)`: generators move the content
    along a vector field, by default any affine one, such as translations, rotations and
    scaling. They give the Lie derivatives `L_a x`, without any matrix on the pixels. A
    random equation then has derivatives of the same length in a random direction.
    Symmetries hold only approximately, because moving pixels by half of their width has an
    error, and because those of trained classifiers are approximate. `report.sensitivities`
    states how much the function changes along each field with a name. A signal on a line is
    an image `(batch, n, 1)`.

    The result is about the function, on the samples. A network that is only approximately
    invariant has the symmetry up to its own error. The distribution of the samples does not
    matter, as long as they vary in all directions. Directions that they do not reach are
    listed as `unidentified`.

    In a `keras.distribution` that distributes batches, each device computes the derivatives
    of its share.

    Args:
        function: `F`, a Keras model or layer, which is called in inference mode, or a
            function of `keras.ops` or of the current backend, smooth nearly everywhere. It
            maps `(batch, ...)` to `(batch, ...)`, and samples do not mix. Each component of
            the output gives an equation; a classifier may return logits or probabilities.
            For a table it may also be a function of NumPy arrays, or a model with
            `predict`, such as those of scikit-learn. Derivatives are then central
            differences. For functions without derivatives, such as trees, smooth networks
            are fitted to the values. `report.notes` states this.
        x: Samples: a table `(batch, n)`, also a `DataFrame`, or images
            `(batch, *spatial, channels)`. Or batches of such samples, which need not fit
            into memory: a `tf.data.Dataset`, a `DataLoader`, a `PyDataset`, any iterable or
            a generator function, which is read once. Of a batch `(x, y)` the first counts.
            Of a table the first 4096 samples, which should be in random order, determine
            the units, and repeated samples count each time. `SymmetrySums` shares the
            batches out to workers.
        kind: `"invariance"` or `"equivariance"`.
        blocks: Number of vectors of equal size in a row of the table, one after the other,
            which transform alike.
        scalars: Number of columns at the start of a table that do not transform, such as
            masses or charges. The blocks follow. Or a list of their names.
        columns: The columns of a table or a pandas `DataFrame` that make the vectors: a
            list of names or numbers, or a list for each vector, such as
            `[["x", "y", "z"], ["vx", "vy", "vz"]]`. The function receives the scalars and
            then these, in this order. The summary uses their names.
        search: Where to search. For tables `"linear"`: all maps `A x`; `"affine"`: all maps
            `A x + b`; a `LieAlgebra`, or matrices `(p, v, v)` for vectors of size `v`, or
            affine maps `[A | b]`, `(p, v, v + 1)`; these need not be an algebra. By default
            `"affine"` if the mean of the vectors is clearly not zero, otherwise `"linear"`.
            For images `"affine"`, the default, `"linear"` or `"quadratic"`: all vector
            fields whose components are such polynomials; a name of
            `keras_lconv.generators.get`, or any square `Generators`. For tables also
            `"polynomial"`, or functions of arrays of vectors `(batch, v)`, in a list or in
            a dictionary with names: a function with values `(batch,)` is a coefficient of
            the `v` fields `f(x) d/dx_a`; a function with values `(batch, v)` is a field.
        degree: The largest degree of polynomial fields, by default 2.
        output: For equivariance, the meaning of `K`. `"same"`: the output consists of
            vectors that move like those of the input, and its scalars do not move; or it is
            an image on the same grid that moves like the input. `"tensor2"`: it is a matrix
            `(v, v)` that transforms by `A F + F A^T`. Matrices `(p, m, m)`: one for each
            element of `search`. `"free"`: any matrix (with an offset if affine maps are
            searched), which is found with `A`. Fewer assumptions find more symmetries; the
            report states the assumption.
        dimension: Dimension of the algebra, if it is known. By default it is found. For
            polynomial fields, the number of all symmetries.
        derivatives: By default the backend differentiates `function` if it can. `"finite"`:
            central differences, of a function from NumPy arrays to NumPy arrays, also of a
            single row. Or those of each sample, `(batch, n)` or `(batch, m, n)`, in the
            order of `x`; the function may then be `None` for invariance.
        data_format: Where the channels of images are, `"channels_last"` or
            `"channels_first"`. By default the `data_format` of the function if it has one,
            otherwise that of the Keras configuration.
        discrete: Whether to search also discrete symmetries of a table, about the centre of
            the others if there is one, otherwise about the origin. The result has the
            `DiscreteReport` of `find_discrete_symmetries` as `discrete`.
        batch_size: Number of samples in memory at a time, with all derivatives of all
            outputs. Functions from images to images need a small one.
        verbose: Whether to show a progress bar. By default for 20 batches and more.

    Returns:
        A `SymmetryReport`, or a `FieldReport` for fields that are not affine.

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
    function = as_function(function)
    question = Question(kind, blocks, scalars, columns, search, output, dimension, degree)
    settings = {
        "derivatives": derivatives,
        "data_format": data_format,
        "batch_size": batch_size,
        "verbose": verbose,
    }
    samples: Any = x
    if is_stream(x):
        report, samples = streamed_symmetries(function, x, question, **settings)
    else:
        report = _found(function, samples, question, **settings)
    if not discrete:
        return report
    # The discrete search needs the continuous symmetries, so it comes after them.
    from keras_lconv.discovery.discrete import find_discrete_symmetries

    is_table = report.sensitivities is None
    is_asked = isinstance(derivatives, str | None)
    is_named = isinstance(output, str) or kind == "invariance"
    if not (is_table and is_asked and is_named) or function is None:
        raise ValueError(
            "`discrete` symmetries need a function of a table that can be evaluated at "
            "other samples, and a name as `output`. Received: discrete=True with "
            f"{'a table' if is_table else 'images'}, derivatives={derivatives!r}, and "
            f"{'a name' if is_named else 'matrices'} as `output`"
        )
    return dataclasses.replace(
        report,
        discrete=find_discrete_symmetries(
            function,
            samples,
            kind=kind,
            output=output,
            blocks=blocks,
            scalars=scalars,
            columns=columns,
            centre=report.centre,
            derivatives=derivatives,
        ),
    )


def _found(function: Any, x: Data, question: Question, **settings: Any) -> SymmetryReport:
    """The symmetries from derivatives, or from networks if there are no derivatives."""
    try:
        return symmetries_of(function, x, question, **settings)
    except JumpsError:
        values = None
        if settings["derivatives"] is None:
            values = values_of(function, question.about(x)[0].values)
        if values is None or not np.any(values != values[0]):
            raise
    report = fit_symmetries(x, values, verbose=bool(settings["verbose"]), **vars(question))
    return dataclasses.replace(report, notes=(BY_NETWORKS, *report.notes))
