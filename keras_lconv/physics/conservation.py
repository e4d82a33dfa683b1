"""From a Hamiltonian or from trajectories to conserved quantities, by Noether's theorem."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._validation import finite_array, one_of
from keras_lconv.algebra import LieAlgebra
from keras_lconv.discovery import find_symmetries
from keras_lconv.discovery._null_space import NormalMatrices
from keras_lconv.physics.quantities import (
    ConservedQuantities,
    ConservedQuantity,
    symplectic_form,
)

ACTIONS = ("affine", "linear")


def conserved_quantities(
    source: Callable[[Any], Any] | Any,
    x: Any = None,
    generators: Any = None,
    *,
    action: str = "affine",
    dimension: int | None = None,
) -> ConservedQuantities:
    """Finds what motion conserves, with the symmetry behind each quantity.

    On phase space, `z = (q, p)`, a quantity `G` is conserved by a Hamiltonian `H` if and
    only if `H` is invariant under the flow of `G`: `{G, H} = -<grad H, J grad G> = 0`.
    Affine flows `dz/dt = L z + b` that keep the symplectic form, `J L` symmetric, belong to
    `G = z^T S z / 2 + c . z` with `L = J S` and `b = J c`: momenta, angular momenta,
    energies of oscillators. Those among them that leave `H` as it is are an algebra.

    There are two ways to ask. With a Hamiltonian, which may be a trained model, its
    symmetries are found by `find_symmetries`. With trajectories no Hamiltonian is needed: a
    quantity is conserved if it varies between trajectories only. Both find the dimension
    from a gap, and both see quantities that are polynomials of degree 2 at most: not the
    energy of a pendulum, and not the Runge-Lenz vector.

    Args:
        source: `H`, a Keras model or a function of `keras.ops` from `(batch, 2n)` to
            `(batch,)` or `(batch, 1)`; or trajectories, an array
            `(trajectories, times, 2n)` in canonical coordinates, all positions before all
            momenta. They need many trajectories, which differ in what they conserve.
        x: For a Hamiltonian, points `(batch, 2n)` of phase space.
        generators: Where to search. By default all affine maps that keep the symplectic
            form. Matrices `(k, n, n)` or a `LieAlgebra` of these act on positions, and on
            momenta by the dual. Matrices `(k, 2n, 2n)` act on phase space.
        action: `"affine"` or `"linear"`: without or with the condition `b = 0`.
        dimension: The number of quantities, where it is known; by default it is found.

    Returns:
        `ConservedQuantities`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If a shape does not fit, `x` is missing, `generators` do not keep the
            symplectic form, or there are fewer than two trajectories.

    Example:
    ```python
    import numpy as np
    from keras import ops
    from keras_lconv.physics import conserved_quantities

    def kepler(z):
        q, p = z[:, :2], z[:, 2:]
        return ops.sum(p**2, axis=1) / 2 - 1 / ops.sqrt(ops.sum(q**2, axis=1))

    z = np.random.default_rng(0).normal(size=(500, 4))
    found = conserved_quantities(kepler, z)
    assert [quantity.formula() for quantity in found.quantities] == ["q1 p2 - q2 p1"]
    ```

    Reference:
        V. I. Arnold, "Mathematical Methods of Classical Mechanics", chapter 8 (Noether's
        theorem for Hamiltonian systems).
    """
    one_of("action", action, ACTIONS)
    if callable(source):
        if x is None:
            raise ValueError(
                "`x` must be points of phase space `(batch, 2n)` where `source` is a "
                "Hamiltonian. Received: x=None"
            )
        points = _phase_space("x", x, 2)
        candidates = _candidates(generators, points.shape[-1], action)
        return _from_hamiltonian(source, points, candidates, action, dimension)
    if x is not None:
        raise ValueError(
            "`x` must not be given where `source` is an array of trajectories. "
            f"Received: x of type {type(x).__name__}"
        )
    trajectories = _phase_space("source", source, 3)
    if len(trajectories) < 2:
        raise ValueError(
            "`source` must hold at least 2 trajectories: along a single one, what is "
            "conserved by the motion cannot be told from what is constant anyway. "
            f"Received: shape {trajectories.shape}"
        )
    candidates = _candidates(generators, trajectories.shape[-1], action)
    return _from_trajectories(trajectories, candidates, action, dimension)


def _phase_space(name: str, value: Any, ndim: int) -> np.ndarray:
    points = finite_array(
        name, ops.convert_to_numpy(value) if ops.is_tensor(value) else value
    )
    if points.ndim != ndim or 0 in points.shape or points.shape[-1] % 2:
        shape = "(batch, 2n)" if ndim == 2 else "(trajectories, times, 2n)"
        raise ValueError(
            f"`{name}` must have shape `{shape}`: n positions, then n momenta. "
            f"Received: shape {points.shape}"
        )
    return points


def _units(points: np.ndarray) -> np.ndarray:
    """Sizes of positions and momenta, `(2n,)`.

    In these units coordinates are of order 1, as the one that is 1 everywhere. One unit for
    all positions and one for all momenta keep maps canonical.
    """
    n = points.shape[-1] // 2
    halves = points[..., :n], points[..., n:]
    sizes = [max(np.sqrt(np.mean(each**2)), np.finfo("float64").tiny) for each in halves]
    return np.repeat(sizes, n)


# ---------------------------------------------------------------------- candidates


def _candidates(generators: Any, size: int, action: str) -> np.ndarray:
    """Generators of affine canonical maps that span the search, `(p, 2n + 1, 2n + 1)`.

    The last column is the translation `b`, and the last row is zero.
    """
    if generators is not None:
        linear = _on_phase_space(generators, size)
    else:
        upper = [(a, b) for a in range(size) for b in range(a, size)]
        symmetric = np.zeros((len(upper), size, size))
        for matrix, (a, b) in zip(symmetric, upper, strict=True):
            matrix[a, b] = matrix[b, a] = 1.0
        linear = symplectic_form(size // 2) @ symmetric
    count = len(linear)
    translations = size if action == "affine" and generators is None else 0
    candidates = np.zeros((count + translations, size + 1, size + 1))
    candidates[:count, :size, :size] = linear
    candidates[count:, :size, size] = np.eye(size)[:translations]
    return candidates


def _on_phase_space(generators: Any, size: int) -> np.ndarray:
    """Given matrices as maps of phase space that keep its symplectic form."""
    matrices = finite_array("generators", generators)
    n = size // 2
    if (
        matrices.ndim != 3
        or not len(matrices)
        or matrices.shape[1:]
        not in (
            (n, n),
            (size, size),
        )
    ):
        raise ValueError(
            f"`generators` must be matrices of shape `(k, {n}, {n})` on positions, or "
            f"`(k, {size}, {size})` on phase space. Received: shape {matrices.shape}"
        )
    if matrices.shape[1] == n:
        lifted = np.zeros((len(matrices), size, size))
        lifted[:, :n, :n] = matrices
        # Momenta transform by the dual, so that p . dq stays as it is.
        lifted[:, n:, n:] = -np.swapaxes(matrices, 1, 2)
        return lifted
    lowered = symplectic_form(n) @ matrices
    defect = np.linalg.norm(lowered - np.swapaxes(lowered, 1, 2))
    if defect > 1e-6 * np.linalg.norm(lowered):
        raise ValueError(
            "`generators` on phase space must keep its symplectic form: `J L` must be "
            f"symmetric. Received: matrices with a relative defect of "
            f"{defect / np.linalg.norm(lowered):.1e}"
        )
    return matrices


# --------------------------------------------------------------------- two sources


def _from_hamiltonian(
    hamiltonian: Callable[[Any], Any],
    points: np.ndarray,
    candidates: np.ndarray,
    action: str,
    dimension: int | None,
) -> ConservedQuantities:
    size = points.shape[1]
    units = _units(points)
    if isinstance(hamiltonian, keras.layers.Layer):
        hamiltonian = functools.partial(hamiltonian, training=False)

    def energy(z: Any) -> Any:
        return hamiltonian(z[:, :size] * ops.convert_to_tensor(units, dtype=z.dtype))

    constant = np.ones((len(points), 1))
    report = find_symmetries(
        energy,
        np.concatenate([points / units, constant], axis=1),
        ambient=candidates,
        dimension=dimension,
    )
    return _named(
        report.algebra.basis,
        units,
        action,
        report.singular_values,
        report.gap,
        report.confidence,
    )


def _from_trajectories(
    trajectories: np.ndarray, candidates: np.ndarray, action: str, dimension: int | None
) -> ConservedQuantities:
    units = _units(trajectories)
    quantities = [_quantity(matrix) for matrix in candidates]
    values = np.stack([quantity(trajectories / units) for quantity in quantities], axis=-1)
    centred = values - values.mean(axis=(0, 1))
    sizes = np.sqrt(np.mean(centred**2, axis=(0, 1)))
    scales = np.divide(1.0, sizes, out=np.zeros_like(sizes), where=sizes > 0)
    own = (values - values.mean(axis=1, keepdims=True)) * scales
    # Against the variance over all points, what is constant along trajectories is told
    # from what is nearly constant everywhere.
    centred = centred * scales
    system = NormalMatrices(len(candidates))
    system.add(own, np.einsum("stp,stq->spq", centred, centred, optimize=True))
    space = system.solve(dimension)
    found = np.tensordot((scales[:, None] * space.basis).T, candidates, 1)
    return _named(found, units, action, space.singular_values, space.gap, space.confidence)


# -------------------------------------------------------------------------- results


def _named(
    matrices: np.ndarray,
    units: np.ndarray,
    action: str,
    singular_values: np.ndarray,
    gap: float,
    confidence: float,
) -> ConservedQuantities:
    """The result, from generators `(k, 2n + 1, 2n + 1)` for coordinates in units."""
    matrices = np.array(matrices)
    # Sparse in units in which all coordinates are alike, and so in the given ones.
    readable = LieAlgebra(matrices).canonical_basis() if len(matrices) else matrices
    scales = np.append(units, 1.0)
    readable = readable * scales[:, None] / scales
    algebra = LieAlgebra(readable if action == "affine" else readable[:, :-1, :-1])
    return ConservedQuantities(
        algebra=algebra,
        quantities=tuple(_scaled(_quantity(matrix)) for matrix in readable),
        singular_values=singular_values,
        gap=gap,
        confidence=confidence,
    )


def _quantity(matrix: np.ndarray) -> ConservedQuantity:
    """The quantity whose flow is that of a matrix `(2n + 1, 2n + 1)`."""
    inverse = symplectic_form((len(matrix) - 1) // 2).T
    quadratic = inverse @ matrix[:-1, :-1]
    # Symmetric up to rounding, and then exactly.
    return ConservedQuantity((quadratic + quadratic.T) / 2, inverse @ matrix[:-1, -1])


def _scaled(quantity: ConservedQuantity) -> ConservedQuantity:
    """With the first coefficient positive and the largest one 1.

    Energies are then positive, and angular momenta start with `q1 p2`.
    """
    quadratic, linear = quantity.quadratic, quantity.linear
    terms = np.concatenate([quadratic[np.triu_indices(len(linear))], linear])
    scale = np.sign(terms[np.flatnonzero(terms)[0]]) * np.max(np.abs(terms))
    return ConservedQuantity(quadratic / scale + 0.0, linear / scale + 0.0)
