"""What a Hamiltonian conserves: its symmetries, by Noether's theorem."""

import functools
from collections.abc import Callable

import keras
import numpy as np

from keras_lconv._typing import Data, MatricesLike, Tensor
from keras_lconv._validation import one_of
from keras_lconv.discovery import find_symmetries
from keras_lconv.physics.conservation.canonical import (
    ACTIONS,
    canonical_maps,
    phase_space,
)
from keras_lconv.physics.conservation.quantities import ConservationReport, quantity_of
from keras_lconv.physics.conservation.readable import conservation_report


def find_conserved_quantities(
    hamiltonian: Callable[[Tensor], Tensor],
    x: Data,
    *,
    search: MatricesLike | None = None,
    action: str = "affine",
    dimension: int | None = None,
) -> ConservationReport:
    """Finds what a Hamiltonian conserves, with the symmetry behind each quantity.

    On phase space, `z = (q, p)`, a quantity `G` is conserved by a Hamiltonian `H` if and
    only if `H` is invariant under the flow of `G`: `{G, H} = -<grad H, J grad G> = 0`.
    Affine flows `dz/dt = L z + b` that keep the symplectic form, `J L` symmetric, belong to
    `G = z^T S z / 2 + c . z` with `L = J S` and `b = J c`: momenta, angular momenta,
    energies of oscillators. Those among them that preserve `H` are an algebra, which
    `find_symmetries` finds. Units and offsets do not matter.

    It sees quantities that are polynomials of degree 2 at most: not the energy of a
    pendulum, and not the Runge-Lenz vector. Where there are trajectories and no
    Hamiltonian, see `fit_conserved_quantities`.

    Args:
        hamiltonian: `H`, a Keras model or a function of `keras.ops` from `(batch, 2n)` to
            `(batch,)` or `(batch, 1)`, in canonical coordinates, all positions before all
            momenta.
        x: Points `(batch, 2n)` of phase space.
        search: Where to search. By default all affine maps that keep the symplectic form.
            Matrices `(k, n, n)`, a `LieAlgebra` or fixed generators of this size act on
            positions, and on momenta by the dual. Those of size `2n` act on phase space.
        action: `"affine"` or `"linear"`: without or with the condition `b = 0`.
        dimension: The number of quantities, where it is known; by default it is found.

    Returns:
        A `ConservationReport`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If a shape does not fit, or `search` does not keep the symplectic form.

    Example:
    ```python
    import numpy as np
    from keras import ops
    from keras_lconv.physics import find_conserved_quantities

    def kepler(z):
        q, p = z[:, :2], z[:, 2:]
        return ops.sum(p**2, axis=1) / 2 - 1 / ops.sqrt(ops.sum(q**2, axis=1))

    z = np.random.default_rng(0).normal(size=(500, 4))
    report = find_conserved_quantities(kepler, z)
    assert [quantity.formula() for quantity in report.quantities] == ["q1 p2 - q2 p1"]
    ```

    Reference:
        V. I. Arnold, "Mathematical Methods of Classical Mechanics", chapter 8 (Noether's
        theorem for Hamiltonian systems).
    """
    one_of("action", action, ACTIONS)
    if not callable(hamiltonian):
        raise TypeError(
            "`hamiltonian` must be a model or a function; trajectories belong to "
            "`fit_conserved_quantities`. "
            f"Received: an object of type {type(hamiltonian).__name__}"
        )
    points = phase_space("x", x, 2)
    candidates = canonical_maps(search, points.shape[-1], action)
    if isinstance(hamiltonian, keras.layers.Layer):
        hamiltonian = functools.partial(hamiltonian, training=False)
    report = find_symmetries(
        hamiltonian,
        points,
        search=candidates if action == "affine" else candidates[..., :-1],
        dimension=dimension,
    )
    size = points.shape[1]
    maps = np.zeros((report.dimension, size, size + 1))
    maps[..., : report.basis.shape[2]] = report.basis[:, :size]
    quantities = [quantity_of(each) for each in maps]
    return conservation_report(
        quantities,
        points,
        action,
        {
            "singular_values": report.singular_values,
            "gap": report.gap,
            "confidence": report.confidence,
            "errors": report.errors,
            "is_determined": report.is_determined,
        },
    )
