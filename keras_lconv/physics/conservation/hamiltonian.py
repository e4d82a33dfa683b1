"""The conserved quantities of a Hamiltonian: its symmetries, by Noether's theorem."""

import functools
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_lconv._streams import batches_of, is_stream
from keras_lconv._typing import Stream, Tensor
from keras_lconv._validation import one_of
from keras_lconv.discovery import find_symmetries
from keras_lconv.discovery.functions.derivatives import AnyDerivatives
from keras_lconv.discovery.functions.sums import first_samples
from keras_lconv.discovery.functions.weights import weighing_of
from keras_lconv.discovery.null_space import NormalMatrices
from keras_lconv.discovery.standard import standard_coordinates
from keras_lconv.physics.conservation.canonical import (
    ACTIONS,
    canonical_maps,
    phase_space,
)
from keras_lconv.physics.conservation.functions import (
    Candidates,
    SearchQuantities,
    is_nonlinear,
    names_of,
)
from keras_lconv.physics.conservation.independent import Independent
from keras_lconv.physics.conservation.quantities import (
    ConservationReport,
    quantity_of,
    symplectic_form,
)
from keras_lconv.physics.conservation.readable import conservation_report

# The number of points whose derivatives are in memory at a time.
BATCH_SIZE = 512
# A function does not depend on directions with smaller derivatives than this.
SMALLEST_SLOPE = 1e-3


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
    Affine flows `dz/dt = L z + b` that keep the symplectic form, `J L` symmetric, belong to
    `G = z^T S z / 2 + c . z` with `L = J S` and `b = J c`: momenta, angular momenta,
    energies of oscillators. The flows that preserve `H` form an algebra, which
    `find_symmetries` finds. Units and offsets do not matter.

    These quantities are polynomials of degree 2 at most. With `search="polynomial"` they
    have any `degree`. With functions as `search` they are polynomials of these and of the
    coordinates, such as the energy of a pendulum with `cos q`, or the Runge-Lenz vector
    with `1/|q|`. The report lists quantities that do not follow from others: their
    differentials are independent at most points. For trajectories without a Hamiltonian
    there is `fit_conserved_quantities`.

    Args:
        hamiltonian: `H`, a Keras model or a function of `keras.ops` from `(batch, 2n)` to
            `(batch,)` or `(batch, 1)`, in canonical coordinates, all positions before all
            momenta.
        x: Points `(batch, 2n)` of phase space; or batches of these, as for
            `find_symmetries`, for quantities of affine flows.
        search: Where to search. By default all affine maps that keep the symplectic form.
            Matrices `(k, n, n)`, a `LieAlgebra` or fixed generators of this size act on
            positions, and on momenta by the dual. Matrices of size `2n` act on phase space.
            `"polynomial"`: all polynomials up to `degree`. Functions of arrays
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
    if not callable(hamiltonian):
        raise TypeError(
            "`hamiltonian` must be a model or a function. Received: an object of type "
            f"{type(hamiltonian).__name__}. For trajectories use `fit_conserved_quantities`"
        )
    batches: Any = None
    samples: Any = x
    if is_stream(x):
        if is_nonlinear(search, degree):
            raise ValueError(
                "`x` must be in memory for conserved quantities that are not affine. "
                "Received: batches. Take some thousand points of them"
            )
        samples, batches = first_samples(batches_of("x", x))
    points = phase_space("x", samples, 2)
    if is_nonlinear(search, degree):
        names = names_of(points.shape[1], True)
        functions = Candidates(points, search, degree, names)
        return _functions(hamiltonian, points, functions, dimension)
    given: Any = search
    candidates = canonical_maps(given, points.shape[-1], action)
    if isinstance(hamiltonian, keras.layers.Layer):
        hamiltonian = functools.partial(hamiltonian, training=False)
    report = find_symmetries(
        hamiltonian,
        points if batches is None else batches,
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


def _functions(
    hamiltonian: Callable[[Tensor], Tensor],
    points: np.ndarray,
    candidates: Candidates,
    dimension: int | None,
) -> ConservationReport:
    """Conserved polynomials of coordinates and of given functions: `{G, H} = 0`."""
    evaluate = AnyDerivatives(hamiltonian, points)
    batches = np.array_split(points, math.ceil(len(points) / BATCH_SIZE))
    slopes = np.concatenate([evaluate(batch)[1][:, 0] for batch in batches])
    form = symplectic_form(points.shape[1] // 2)
    flows = candidates.gradients(points) @ form.T
    rows = np.einsum("sn,swn->sw", slopes, flows)
    # A random gradient has the same second moments, but no relation to the point.
    standard = standard_coordinates(points, True)
    steps = (slopes @ standard.restore)[:, None, None]
    one = np.ones((len(points), 1, 1))
    weighing = weighing_of(one, steps, None, False, SMALLEST_SLOPE)
    weights, sizes = weighing(one, steps, None)
    moments = weighing.unit_of_slopes
    moved = flows @ standard.whiten.T
    unit = np.einsum("swa,ab,svb->wv", moved, moments, moved, optimize=True) / len(points)
    # All candidates count equally, however steep they are.
    scales = 1 / np.sqrt(np.diag(unit))
    rows, unit = rows * scales, unit * np.outer(scales, scales)
    listed = Independent(candidates, points)
    for degree, end in enumerate(candidates.ends, 1):
        system = NormalMatrices(end, unit=unit[:end, :end])
        own = rows[:, None, :end] * np.sqrt(weights)[..., None]
        system.add(own, (weights * sizes)[:, 0] / moments.shape[0])
        space = system.solve(dimension if end == candidates.ends[-1] else None)
        unscaled = functools.partial(_parts, system, scales[:end])
        listed.add(degree, space.basis.T * scales[:end], space, unscaled)
    return listed.report(space, space.dimension)


def _parts(
    system: NormalMatrices, scales: np.ndarray, mixtures: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The sums for mixtures of candidates. The unknowns of the equations belong to scaled
    candidates.
    """
    return system.parts(mixtures / scales)
