"""From a function to the algebra of its symmetries."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._backend import jacobian
from keras_lconv._validation import finite_array, one_of, positive_int
from keras_lconv.algebra import LieAlgebra
from keras_lconv.discovery._null_space import NormalMatrices
from keras_lconv.discovery.report import SymmetryReport

KINDS = ("invariance", "equivariance")
OUTPUTS = ("free", "same", "tensor2")

# Directions in which data vary less, relative to the largest, are not reached by them.
SMALLEST_VARIATION = 1e-4
# From so many batches on there is a progress bar.
BATCHES_WITH_BAR = 20


def find_symmetries(
    function: Callable[[Any], Any],
    x: Any,
    kind: str = "invariance",
    blocks: int = 1,
    ambient: Any = None,
    output: Any = "free",
    *,
    dimension: int | None = None,
    batch_size: int = 512,
    verbose: bool | None = None,
) -> SymmetryReport:
    """Finds the Lie algebra of linear symmetries of a function or a trained model.

    `F` is invariant under `exp(t L)` if and only if `<grad F(x), L x> = 0` for all `x`:
    one linear equation for `L` from each sample and output. It is equivariant,
    `F(exp(t L) x) = exp(t K) F(x)`, if and only if `J(x) L x = K F(x)`, where `J` are the
    derivatives. The squares of the equations, weighted such that each counts by its size,
    are summed up to one small matrix. Its null space is the algebra, and the dimension is
    where the singular values have their clearest gap. No symmetry is found where there is
    no gap of 5 at least, above values of 0.1 at most, in units of what a random equation
    would give.

    The result is about the function, on the samples. A network that is only nearly
    invariant has the symmetry up to its own error; how the samples are distributed does
    not matter, as long as they vary in all directions. Directions that they do not reach
    tell nothing, and are listed as `unidentified`.

    Vectors may have some 40 components: the matrix has `v^2` rows, or as many as `ambient`
    has dimensions.

    Args:
        function: `F`, a Keras model or layer, which is called in inference mode, or a
            function of `keras.ops`, smooth nearly everywhere. It maps `(batch, n)` to
            `(batch, ...)`.
        x: Samples `(batch, n)`.
        kind: `"invariance"` or `"equivariance"`.
        blocks: `x` consists of so many vectors of equal size, one after the other, that
            transform alike.
        ambient: Where to search: a `LieAlgebra`, or matrices `(p, v, v)` for vectors of
            size `v = n / blocks`. They need not be an algebra. By default all matrices.
        output: For equivariance, what `K` is. `"same"`: the output is of vectors as the
            input, and `K = L` on each block. `"tensor2"`: it is a matrix `(v, v)` that
            transforms by `L F + F L^T`. Matrices `(p, m, m)`: that of each matrix of
            `ambient`. `"free"`: any matrix, which is found with `L`. Fewer assumptions
            find more symmetries: the report says which were made.
        dimension: Dimension of the algebra, where it is known; by default it is found.
        batch_size: Number of samples in memory at a time, with all derivatives.
        verbose: Whether to show a progress bar. By default for 20 batches and more.

    Returns:
        A `SymmetryReport`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If a value or a shape does not fit, or the function does not depend on
            its input.

    Example:
    ```python
    import numpy as np
    from keras import ops
    from keras_lconv.discovery import find_symmetries

    x = np.random.default_rng(0).normal(size=(200, 3))
    report = find_symmetries(lambda x: ops.sum(x**2, axis=1), x)
    assert report.algebra.identify().name == "so(3)"
    ```

    Reference:
        A. Moskalev et al., "LieGG: Studying Learned Lie Group Generators", NeurIPS 2022,
        for the null space of one polarization matrix.
    """
    one_of("kind", kind, KINDS)
    samples = _checked_samples(x, positive_int("blocks", blocks))
    reach, unreached = _reached_directions(samples)
    frame = _ambient_frame(ambient, samples.shape[-1], reach)
    if dimension is not None and not 0 <= dimension <= len(frame.matrices):
        raise ValueError(
            f"`dimension` must be from 0 to {len(frame.matrices)}, the dimension of what "
            f"is searched. Received: dimension={dimension!r}"
        )
    batches = np.array_split(samples, math.ceil(len(samples) / batch_size))
    if verbose is None:
        verbose = len(batches) >= BATCHES_WITH_BAR
    bar = keras.utils.Progbar(len(batches), verbose=int(verbose), unit_name="batch")
    evaluate = _derivatives_of(function, samples.shape[1:])
    system: _System | None = None
    for batch in batches:
        values, derivatives = evaluate(batch)
        if system is None:
            system = _System(frame, kind, output, samples.shape[1:], values.shape[1:])
        system.add(batch, values, derivatives)
        bar.add(1)
    assert system is not None
    if not system.depends_on_input:
        raise ValueError(
            "`function` must depend on its input. Received: a function with derivatives "
            f"that are zero at all {len(samples)} samples"
        )
    space = system.equations.solve(1 / reach.shape[1] ** 2, dimension)
    return SymmetryReport(
        algebra=LieAlgebra(np.tensordot(space.basis.T, frame.matrices, 1)),
        kind=kind,
        output=system.output if kind == "equivariance" else None,
        blocks=blocks,
        singular_values=space.singular_values,
        gap=space.gap,
        confidence=space.confidence,
        errors=space.errors,
        unidentified=unreached,
    )


@dataclass(frozen=True)
class _Frame:
    """Orthonormal matrices `(q, v, v)` to search among, mixtures `(q, p)` of given ones."""

    matrices: np.ndarray
    mixture: np.ndarray


class _System:
    """The equations for the coefficients of the frame."""

    def __init__(
        self,
        frame: _Frame,
        kind: str,
        output: Any,
        input_shape: tuple[int, ...],
        output_shape: tuple[int, ...],
    ):
        self._frame = frame.matrices
        self._input_shape = input_shape
        size = math.prod(output_shape)
        self._actions = None
        self._is_free = False
        self.output = output if isinstance(output, str) else "matrices"
        if kind == "equivariance":
            self._is_free = isinstance(output, str) and output == "free"
            if not self._is_free:
                self._actions = _output_actions(frame, output, input_shape, size)
        self.equations = NormalMatrices(len(frame.matrices), size if self._is_free else 0)
        self.depends_on_input = False

    def add(self, x: np.ndarray, values: np.ndarray, derivatives: np.ndarray) -> None:
        """Adds the equations of samples `(batch, blocks, v)`."""
        values = values.reshape(len(values), -1)
        # What multiplies `L_ab` in `J L x`, summed over blocks.
        factors = np.einsum("smna,snb->smab", derivatives, x, optimize=True)
        rows = np.einsum("smab,qab->smq", factors, self._frame, optimize=True)
        squares = np.sum(factors**2, axis=(2, 3))
        self.depends_on_input |= bool(np.any(squares > 0))
        if self._actions is not None:
            moved = np.einsum("qmn,sn->smq", self._actions, values, optimize=True)
            rows = rows - moved
            squares = squares + np.sum(moved**2, axis=2)
        if self._is_free:
            # The equations of a sample share `K`, and so their scale.
            squares = np.repeat(
                np.mean(squares, axis=1, keepdims=True), squares.shape[1], axis=1
            )
        # Of size 1 they would all count alike, also where a function is flat, and what a
        # network makes of it there is noise. As they are, a few large ones would count
        # alone. This is half way: an equation counts by its size.
        weights = np.sqrt(squares)
        scale = np.sqrt(1 / np.where(weights > 0, weights, 1.0))
        eliminated = values * scale[:, :1] if self._is_free else None
        self.equations.add(rows * scale[..., None], weights, eliminated)


def _derivatives_of(
    function: Callable[[Any], Any], input_shape: tuple[int, ...]
) -> Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Values and derivatives, in float64, for samples `(batch, blocks, v)`."""
    if not callable(function):
        raise TypeError(
            "`function` must be a model, a layer or a function. "
            f"Received: {function!r} (of type {type(function).__name__})"
        )
    if isinstance(function, keras.layers.Layer):
        function = functools.partial(function, training=False)
    size = math.prod(input_shape)
    output_shape: list[tuple[int, ...]] = []

    def flat(x: Any) -> Any:
        y = function(x)
        if not ops.is_tensor(y) or len(y.shape) == 0:
            raise TypeError(
                "`function` must return one tensor `(batch, ...)`. "
                f"Received: {type(y).__name__}"
            )
        output_shape[:] = [tuple(y.shape[1:])]
        return ops.reshape(y, (-1, math.prod(y.shape[1:])))

    derivatives = jacobian(flat)

    def evaluate(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        tensor = ops.convert_to_tensor(x.reshape(-1, size), dtype=keras.config.floatx())
        found = [ops.convert_to_numpy(each) for each in derivatives(tensor)]
        values, slopes = (each.astype("float64") for each in found)
        if not (np.all(np.isfinite(values)) and np.all(np.isfinite(slopes))):
            raise ValueError(
                "`function` must have finite values and derivatives at all samples. "
                "Received: some that are NaN or infinite"
            )
        shape = (len(x), values.shape[1], *input_shape)
        return values.reshape(len(x), *output_shape[0]), slopes.reshape(shape)

    return evaluate


def _checked_samples(x: Any, blocks: int) -> np.ndarray:
    """Samples as `(batch, blocks, v)`."""
    samples = finite_array("x", ops.convert_to_numpy(x) if ops.is_tensor(x) else x)
    if samples.ndim != 2 or 0 in samples.shape:
        raise ValueError(
            f"`x` must have shape `(batch, n)`. Received: shape {samples.shape}"
        )
    if samples.shape[1] % blocks:
        raise ValueError(
            f"`blocks` must divide the n={samples.shape[1]} components of `x`. "
            f"Received: blocks={blocks}"
        )
    return samples.reshape(len(samples), blocks, -1)


def _reached_directions(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Orthonormal directions `(v, r)` that vectors reach, and `(v - r, v)` of no vector."""
    vectors = samples.reshape(-1, samples.shape[-1])
    values, directions = np.linalg.eigh(vectors.T @ vectors)
    reached = values > SMALLEST_VARIATION**2 * values[-1]
    return directions[:, reached], directions[:, ~reached].T


def _ambient_frame(ambient: Any, size: int, reach: np.ndarray) -> _Frame:
    if ambient is None:
        matrices = np.eye(size * size).reshape(-1, size, size)
    else:
        matrices = finite_array("ambient", ambient)
        if matrices.ndim != 3 or matrices.shape[1:] != (size, size) or not len(matrices):
            raise ValueError(
                f"`ambient` must be matrices of shape `(p, {size}, {size})`, for vectors "
                f"of size {size}. Received: shape {matrices.shape}"
            )
    projector = reach @ reach.T
    inside = (projector @ matrices @ projector).reshape(len(matrices), -1)
    left, values, rows = np.linalg.svd(inside, full_matrices=False)
    kept = values > 1e-10 * values[0]
    return _Frame(rows[kept].reshape(-1, size, size), (left[:, kept] / values[kept]).T)


def _output_actions(
    frame: _Frame, output: Any, input_shape: tuple[int, ...], size: int
) -> np.ndarray:
    """The matrices `K` on flat outputs for each matrix of the frame, `(q, m, m)`."""
    blocks, vector = input_shape
    identity = np.eye(vector)
    if isinstance(output, str):
        one_of("output", output, OUTPUTS)
        needed = {"same": blocks * vector, "tensor2": vector * vector}[output]
        if size != needed:
            raise ValueError(
                f"output={output!r} needs a function with {needed} outputs, for {blocks} "
                f"vectors of size {vector}. Received: {size} outputs"
            )
        if output == "same":
            return np.array([np.kron(np.eye(blocks), m) for m in frame.matrices])
        # `L F + F L^T`, for `F` flattened by rows.
        return np.array(
            [np.kron(m, identity) + np.kron(identity, m) for m in frame.matrices]
        )
    matrices = finite_array("output", output)
    expected = (frame.mixture.shape[1], size, size)
    if matrices.shape != expected:
        raise ValueError(
            f"`output` must be one of {OUTPUTS}, or matrices of shape {expected}: one for "
            f"each matrix of `ambient`. Received: shape {matrices.shape}"
        )
    return np.tensordot(frame.mixture, matrices, 1)
