"""From a function to its discrete symmetries."""

import dataclasses
import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from keras_lconv._typing import Columns, Data, Function
from keras_lconv._validation import (
    count,
    finite_array,
    fraction,
    one_of,
    positive_int,
    require_function,
    square_matrices,
)
from keras_lconv.algebra import LieAlgebra, MatrixGroup
from keras_lconv.algebra.naming.finite import LARGEST_NAMED
from keras_lconv.discovery.discrete.group import Found, generated_group
from keras_lconv.discovery.discrete.outputs import outputs_of
from keras_lconv.discovery.discrete.reduced import (
    SAME,
    Reduced,
    Slopes,
    reduced_coordinates,
)
from keras_lconv.discovery.discrete.report import DiscreteReport
from keras_lconv.discovery.discrete.search import Search
from keras_lconv.discovery.discrete.trial import Trial, parts_of
from keras_lconv.discovery.functions.derivatives import derivatives_of, finite_differences
from keras_lconv.discovery.functions.question import Question
from keras_lconv.discovery.functions.solve import (
    distinct_rows,
    require_output,
    symmetries_of,
)
from keras_lconv.discovery.tables import scalar_names, table_of

KINDS = ("permutations", "signs", "reflections", "rotations")
# Maps are tried on this many distinct samples, the first ones.
MOST_SAMPLES = 400
# Of the connected part: independent maps are larger than this.
INDEPENDENT = 1e-3


def find_discrete_symmetries(
    function: Function,
    x: Data,
    *,
    kind: str = "invariance",
    search: Any = None,
    output: ArrayLike = "free",
    blocks: int = 1,
    scalars: int | Sequence[str] = 0,
    columns: Columns = None,
    centre: ArrayLike | None = None,
    tolerance: float = 1e-3,
    derivatives: str | None = None,
) -> DiscreteReport:
    """Finds the reflections, permutations and finite rotations that are symmetries of a
    function.

    For each map `h` that is tried, `F(h x)` is compared with `F(x)` at the samples, or for
    equivariance with `W F(x)`, where `output` defines `W`. The error of a map is 0 for a
    symmetry, and 1 if `F(h x)` is as far away as the value at another sample. Maps with
    errors below the `tolerance` generate the group, modulo its connected part, which
    `find_symmetries` finds.

    Maps that are tried, by `search`:

    - `"permutations"` of the components of a vector: all of them for up to 7 components.
      For more components, exchanges of two, cycles and reversals in the given order, and
      exchanges of groups of components whose orders do not matter (wreath products). For
      several vectors (`blocks`) also permutations of these, and every symmetry of one
      vector on each of them alone.
    - `"signs"`: all of them for up to 10 components, and for more those of one, two and
      all. With permutations, signed permutations for up to 5 components.
    - `"reflections"` at any hyperplane through the centre, along any direction: by least
      squares from the best of 400 random ones and of the eigenvectors of the second moments
      of the slopes. In up to 6 dimensions the direction need not be orthogonal to the
      plane, so the units of columns do not matter.
    - `"rotations"` by `2 pi / n`: in the planes of two components for `n` up to 12, and in
      any plane for `n` from 2 to 8, by the same search as reflections.
    - matrices `(m, v, v)` or `(m, n, n)`, or a finite `MatrixGroup`: each of its elements.

    The function is evaluated at moved samples, which may lie outside the data: a function
    fitted to data is not reliable there. Least squares may miss a direction; every reported
    symmetry was tried on all samples.

    Args:
        function: `F`, a Keras model or layer, which is called in inference mode, or a
            function of `keras.ops` or of the backend that runs. It maps `(batch, n)` to
            `(batch, ...)`, and samples do not mix.
        x: Samples, a table `(batch, n)`, also a `DataFrame`. The first 400 different rows
            are used.
        kind: `"invariance"` or `"equivariance"`.
        search: Kinds of maps, a name or a list of names; or matrices, or a `MatrixGroup`.
            By default all kinds.
        output: For equivariance, how outputs move. `"same"`: they are vectors like the
            inputs and move as these do, about the same centre, and scalars do not move.
            `"tensor2"`: a matrix `(v, v)`, which becomes `h F h^T`. `"free"`: by any matrix
            `W`, with an offset if there is a `centre`, fitted for each map; this takes 8
            samples for each output. For one number `W` is a sign, so odd functions are
            found. Matrices `(m, k, k)`: that of each of the `m` matrices of `search`.
        blocks: Number of vectors of equal size in a row of the table, one after the other,
            which transform alike.
        scalars: Number of columns at the start that do not transform. Or a list of their
            names.
        columns: The columns of the vectors, as for `find_symmetries`.
        centre: The fixed point of all maps, `(v,)`. By default the origin.
        tolerance: The largest error of a symmetry. If there is a clearer gap at smaller
            errors, the limit is there. For trained models it has to be larger than their
            error.
        derivatives: By default the backend differentiates `function`. `"finite"`: central
            differences, of a function from NumPy arrays to NumPy arrays.

    Returns:
        A `DiscreteReport`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, the function is constant, an output
            varies by no more than its rounding error, or outputs do not fit `output`.

    Example:
    ```python
    import numpy as np
    from keras import ops
    from keras_lconv.discovery import find_discrete_symmetries


    def sevenfold(x):
        angles = ops.arctan2(x[:, 1], x[:, 0])
        return x[:, 2] / (1 + ops.mod(angles, 2 * np.pi / 7))


    x = np.random.default_rng(0).normal(size=(200, 3))
    report = find_discrete_symmetries(sevenfold, x)
    assert (report.name, report.order) == ("C(7)", 7)

    # A force along each axis: sign flips turn it as they turn x.
    def force(x):
        return ops.stack([ops.tanh(x[:, 0]), ops.sinh(x[:, 1])], axis=1)


    report = find_discrete_symmetries(force, x[:, :2], kind="equivariance", output="same")
    assert (report.name, report.order) == ("C(2)^2", 4)
    ```

    Reference:
        J. Yang, R. Walters, N. Dehmamy, R. Yu, "Generative Adversarial Symmetry Discovery",
        ICML 2023, for the example.
    """
    labels = scalar_names(scalars)
    table = table_of("x", x, columns, labels)
    samples = distinct_rows(table.values)
    if samples.ndim != 2 or not len(samples):
        raise ValueError(
            f"`x` must be a table `(batch, n)`. Received: shape {table.values.shape}"
        )
    blocks = positive_int("blocks", table.blocks or blocks)
    scalars = len(labels) if labels else count("scalars", scalars)
    size, rest = divmod(samples.shape[1] - scalars, blocks)
    if size < 1 or rest:
        left = samples.shape[1] - scalars
        what = f"`blocks` must divide the {left} components of `x` that are not scalars"
        raise ValueError(
            f"{what if left > 0 else '`scalars` must leave some components of `x`'}. "
            f"Received: blocks={blocks}, scalars={scalars}"
        )
    tolerance = fraction("tolerance", tolerance)
    require_function(function)
    if derivatives is not None:
        one_of("derivatives", derivatives, ("finite",))
    middle = np.zeros(size) if centre is None else finite_array("centre", centre)
    if middle.shape != (size,):
        raise ValueError(
            f"`centre` must have shape {(size,)}, a number for each component of a vector. "
            f"Received: shape {middle.shape}"
        )
    require_output(kind, output)
    kinds, given = _kinds(search, size, blocks)
    samples = samples[:MOST_SAMPLES]
    takes_arrays = derivatives is not None
    whole_centre = np.tile(middle, blocks)
    law = partial(
        outputs_of,
        kind=kind,
        output=output,
        tolerance=tolerance,
        scalars=scalars,
        centre=middle,
        blocks=blocks,
        given=_of_rows(given, size, blocks),
    )
    trial = Trial(function, samples, scalars, whole_centre, takes_arrays, law)
    slopes, reason = _slopes(function, samples, takes_arrays)
    vectors = samples[:, scalars:].reshape(len(samples), blocks, size) - middle
    found_slopes = None
    algebra = np.zeros((0, size, size))
    if slopes is not None:
        gradients = slopes(samples)[1]
        trial.outputs.require_seen(np.any(gradients, axis=(0, 2)))
        found_slopes = gradients[..., scalars:].reshape(len(samples), -1, blocks, size)
        if isinstance(output, str):
            question = Question(kind, blocks, scalars, output=output)
            algebra = _connected(function, samples, middle, question, derivatives)
    # A motion that does not change a function may still move the expected outputs.
    keeps_all = kind == "equivariance" and output != "free"
    reduced = reduced_coordinates(vectors, found_slopes, keeps_all=keeps_all)
    names = table.names or tuple(f"x{k}" for k in range(size))
    hunt = Search(trial, reduced, names, blocks, tolerance)
    if given is not None:
        hunt.given(given)
    hunt.components([kind for kind in ("permutations", "signs") if kind in kinds])
    if "rotations" in kinds:
        hunt.turns()
    for kind in ("reflection", "rotation"):
        if f"{kind}s" in kinds and slopes is not None:
            hunt.anywhere(kind, slopes, middle)
        elif f"{kind}s" in kinds:
            hunt.not_searched.append(f"{kind}s in any direction: {reason}")
    if "permutations" in kinds:
        hunt.vectors()
    hunt.not_searched += [kind for kind in KINDS if kind not in kinds]
    hunt.keep_up_to_gap()
    algebra = _independent(reduced.lowered(algebra)[0])
    if not hunt.holds(algebra):
        hunt.not_searched.append(
            "a connected part, which holds approximately but not closely enough"
        )
        algebra = algebra[:0]
    return _report(hunt, algebra, middle, scalars, reduced)


def _kinds(
    search: Any, size: int, blocks: int
) -> tuple[tuple[str, ...], np.ndarray | None]:
    """The kinds of maps to try, and given matrices."""
    if search is None:
        return KINDS, None
    if isinstance(search, str):
        search = [search]
    if isinstance(search, (list, tuple)) and search and isinstance(search[0], str):
        return tuple(one_of("search", kind, KINDS) for kind in search), None
    matrices = (
        search.all_elements()
        if isinstance(search, MatrixGroup)
        else square_matrices("search", search)
    )
    if matrices.shape[1] not in (size, size * blocks):
        raise ValueError(
            f"`search` must hold {size}x{size} matrices, for vectors of size {size}"
            + (f", or {size * blocks}x{size * blocks} ones, for rows" if blocks > 1 else "")
            + f". Received: shape {matrices.shape}"
        )
    return (), matrices


def _of_rows(given: np.ndarray | None, size: int, blocks: int) -> np.ndarray | None:
    """Maps of one vector as maps of all vectors of a row."""
    if given is None or given.shape[1] == size * blocks:
        return given
    return np.kron(np.eye(blocks), given)


def _slopes(
    function: Function, samples: np.ndarray, takes_arrays: bool
) -> tuple[Slopes | None, str]:
    """Values and slopes for any number of rows, or the reason why there are none."""
    flat = "the function is constant near all samples"
    if takes_arrays:
        evaluate = finite_differences(function, samples)
        try:
            evaluate(samples[:1])
            return evaluate, ""
        except ValueError:
            return None, flat
    evaluate = derivatives_of(function)

    def in_parts(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = [
            tuple(found[:number] for found in evaluate(part))
            for part, number in parts_of(rows)
        ]
        values, slopes = (np.concatenate(each) for each in zip(*parts, strict=True))
        return values, slopes

    if not np.any(in_parts(samples)[1]):
        return None, flat
    return in_parts, ""


def _connected(
    function: Function,
    samples: np.ndarray,
    centre: np.ndarray,
    question: Question,
    derivatives: ArrayLike | str | None,
) -> np.ndarray:
    """The algebra of linear maps about the centre that are symmetries."""
    size = len(centre)
    linear = np.eye(size * size).reshape(-1, size, size)
    maps = np.concatenate([linear, -linear @ centre[:, None]], axis=2)
    question = dataclasses.replace(question, search=maps)
    report = symmetries_of(
        function, samples, question, derivatives=derivatives, verbose=False
    )
    return report.basis[:, :size, :size]


def _report(
    hunt: Search,
    algebra: np.ndarray,
    centre: np.ndarray,
    scalars: int,
    reduced: Reduced,
) -> DiscreteReport:
    """The report about the group that was found, in the units of the data."""
    algebra = hunt.on_each(algebra)
    size = algebra.shape[1]
    elements = [element for element, _ in hunt.found]
    rows = len(centre) * hunt.blocks
    matrices = np.array([e.matrix for e in elements]).reshape(-1, rows, rows)
    inside = hunt.lowered(matrices)[0]
    permuted = math.prod(math.factorial(cell) for cell in hunt.cells)
    if permuted > LARGEST_NAMED:
        # There are too many products to list. Only exchanges of two have a name.
        is_all = len(elements) == sum(hunt.cells) - len(hunt.cells)
        name = " x ".join(f"S({cell})" for cell in hunt.cells) if is_all else None
        order = permuted if is_all else None
        found = Found(tuple(range(len(elements))), inside, order, name)
    else:
        found = generated_group(inside, algebra, max(SAME, hunt.tolerance))
    chosen = [hunt.found[k] for k in found.generating]
    raised = hunt.raised(found.matrices)
    return DiscreteReport(
        elements=raised,
        outputs=hunt.outputs(raised),
        words=tuple(str(element) for element, _ in chosen),
        errors=np.array([error for _, error in chosen]),
        order=found.order,
        name=found.name,
        algebra=hunt.raised(algebra + np.eye(size)) - np.eye(hunt.blocks * len(centre)),
        connected=str(LieAlgebra(algebra, tolerance=SAME).identify())
        if len(algebra)
        else None,
        centre=centre,
        tried=dict(hunt.tried),
        accepted=dict(hunt.accepted),
        nearest=hunt.nearest,
        tolerance=hunt.tolerance,
        not_searched=tuple(dict.fromkeys(hunt.not_searched)),
        independent=len(centre) - reduced.size,
        blocks=hunt.blocks,
        scalars=scalars,
    )


def _independent(maps: np.ndarray) -> np.ndarray:
    """A basis of the span of maps that may be dependent."""
    size = maps.shape[1]
    flat = maps.reshape(len(maps), size * size)
    norms = np.linalg.norm(flat, axis=1, keepdims=True)
    largest = np.max(norms, initial=0.0)
    flat = flat[norms[:, 0] > INDEPENDENT * largest]
    if not len(flat):
        return np.zeros((0, size, size))
    flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    _, values, rows = np.linalg.svd(flat, full_matrices=False)
    return rows[values > INDEPENDENT * values[0]].reshape(-1, size, size)


def _name_of(algebra: np.ndarray) -> str | None:
    """The name of a basis of matrices, if there is one."""
    return str(LieAlgebra(algebra, tolerance=SAME).identify()) if len(algebra) else None
