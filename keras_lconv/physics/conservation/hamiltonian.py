"""The conserved quantities of a Hamiltonian: its symmetries, by Noether's theorem."""

from collections.abc import Callable
from typing import Any

from keras_lconv._streams import is_stream
from keras_lconv._typing import Stream, Tensor
from keras_lconv._validation import count, one_of, optional
from keras_lconv.discovery import find_symmetries
from keras_lconv.physics.conservation.canonical import ACTIONS, phase_space
from keras_lconv.physics.conservation.functions import SearchQuantities, is_nonlinear
from keras_lconv.physics.conservation.hamiltonian_sums import (
    affine_maps,
    brackets_at,
    inference,
    quantities_of,
    streamed_quantities,
)
from keras_lconv.physics.conservation.quantities import ConservationReport


def find_conserved_quantities(
    hamiltonian: Callable[[Tensor], Tensor],
    x: Stream,
    *,
    search: SearchQuantities = None,
    degree: int | None = None,
    action: str = "affine",
    dimension: int | None = None,
) -> ConservationReport:
    """Finds the conserved quantities of a Hamiltonian, with the symmetry of each.

    On phase space, `z = (q, p)`, a quantity `G` is conserved by a Hamiltonian `H` if and
    only if `H` is invariant under the flow of `G`: `{G, H} = -<grad H, J grad G> = 0`.
    Affine flows `dz/dt = L z + b` that preserve the symplectic form, `J L` symmetric,
    belong to `G = z^T S z / 2 + c . z` with `L = J S` and `b = J c`: momenta, angular
    momenta, energies of oscillators. The flows that preserve `H` form an algebra, which
    `find_symmetries` finds. Units and offsets do not matter.

    These quantities are polynomials of degree at most 2. With `search="polynomial"` they
    have any `degree`. With functions as `search` they are polynomials of these and of the
    coordinates, such as the energy of a pendulum with `cos q`, or the Runge-Lenz vector
    with `1/|q|`. The report lists quantities that do not follow from others: their
    differentials are independent at most points. For trajectories without a Hamiltonian use
    `fit_conserved_quantities`.

    Args:
        hamiltonian: `H`, a Keras model or a function of `keras.ops` from `(batch, 2n)` to
            `(batch,)` or `(batch, 1)`, in canonical coordinates, all positions before all
            momenta.
        x: Points `(batch, 2n)` of phase space, or batches of these, as for
            `find_symmetries`.
        search: Where to search. By default all affine maps that preserve the symplectic
            form. Matrices `(k, n, n)`, a `LieAlgebra` or fixed generators of this size act
            on positions, and on momenta by the dual. Matrices of size `2n` act on phase
            space. `"polynomial"`: all polynomials up to `degree`. Functions of arrays
            `(batch, 2n)` with values `(batch,)`, in a list or in a dictionary with names:
            all polynomials of the coordinates and of them.
        degree: The largest degree of such polynomials, by default 3, and 2 with functions.
        action: `"affine"`, or `"linear"` for maps with `b = 0`.
        dimension: The number of quantities, if it is known. By default it is found.

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
    dimension = optional(count, "dimension", dimension)
    function = inference(hamiltonian)
    if is_stream(x):
        asked = {"search": search, "degree": degree, "action": action}
        return streamed_quantities(hamiltonian, x, dimension=dimension, **asked)
    samples: Any = x
    points = phase_space("x", samples, 2)
    if is_nonlinear(search, degree):
        brackets = brackets_at(points, function, search, degree, dimension)
        brackets.add(points)
        return brackets.report()
    report = find_symmetries(
        function,
        points,
        search=affine_maps(search, points.shape[1], action),
        dimension=dimension,
    )
    return quantities_of(report, points, action)
