"""Linear maps between two representations that commute with the group."""

import numpy as np

from keras_lconv.algebra.constraints import (
    LARGEST_DENSE,
    Acting,
    action_of,
    candidates,
    null_maps,
    projected_candidates,
    tolerance_of,
)


def intertwiners(
    source: Acting, target: Acting, tolerance: float | None = None
) -> np.ndarray:
    """A basis of the maps `W` with `K_i W = W L_i`, which commute with the group.

    Then `exp(t K) W = W exp(t L)`: the group may act before the map or after it. For groups
    with further elements `h` the maps satisfy `rho_out(h) W = W rho_in(h)` too. By Schur's
    lemma, the maps between two irreducible representations are zero unless the
    representations are isomorphic. If they are, the maps form a space of one, two
    (rotations of the plane) or four dimensions over the real numbers. Between a
    representation and itself the maps are the commutant.

    The maps are a null space, which is found for any generators: compact or not, reducible
    or not, known or learned. Up to `n' n = 2000` entries a matrix of that size is
    decomposed, in a few seconds. Beyond this size, random maps are projected onto the null
    space by LSMR, which only needs products with the generators. Its time is proportional
    to the number of maps.

    Args:
        source: A `Representation` or a `MatrixGroup`, or `L_i`, an array `(k, n, n)` or a
            `LieAlgebra`.
        target: The same for the outputs: a representation of the same group, or `K_i`, an
            array `(k, n', n')`, of the same elements of the algebra in the same order. See
            `direct_sum`, `tensor_product`, `dual` and `trivial`.
        tolerance: Maps count if `|K_i W - W L_i|` is at most this, with `W` and the
            generators scaled to norm 1. By default the root of the rounding error of the
            type of `source`: `1.5e-8` for float64, `3.5e-4` for float32; 1e-5 for groups
            with further elements. For generators with noise it has to be larger than the
            noise; or use `LieAlgebra.nearest_closed` first.

    Returns:
        Array `(m, n', n)`: an orthonormal basis, in the Frobenius product, of the
        `m`-dimensional space of maps. The largest entry of each is positive.

    Raises:
        TypeError: If an argument is not an array of real numbers.
        ValueError: If it is not finite or not square, if the numbers of generators differ,
            or if `tolerance` is not between 0 and 1.

    Example:
    ```python
    import numpy as np
    from keras_lconv.algebra import intertwiners, so, tensor_product, trivial

    rotations = so(3)
    assert np.allclose(intertwiners(rotations, rotations)[0], np.eye(3) / np.sqrt(3))
    # The only invariant number of a 3x3 matrix that is linear in it: the trace.
    squares = tensor_product(rotations, rotations)
    traces = intertwiners(squares, trivial(3))
    assert np.allclose(traces[0].reshape(3, 3), np.eye(3) / np.sqrt(3))
    ```

    Reference:
        M. Finzi, M. Welling, A. G. Wilson, "A practical method for constructing equivariant
        multilayer perceptrons for arbitrary matrix groups", ICML 2021.
    """
    pair = action_of("source", source), action_of("target", target)
    if len({(len(generators), len(elements)) for generators, elements in pair}) > 1:
        numbers = [tuple(map(len, action)) for action in pair]
        raise ValueError(
            "`source` and `target` must be of one group, with one matrix for each "
            "generator of its algebra, and for each further element. "
            f"Received: {numbers[0]} and {numbers[1]} of them"
        )
    right, left = (np.concatenate(action) for action in pair)
    tolerance = tolerance_of(tolerance, source)
    # A generator that is zero on both sides is no constraint.
    sizes = np.maximum(
        np.linalg.norm(right, 2, axis=(1, 2)), np.linalg.norm(left, 2, axis=(1, 2))
    )
    acting = sizes > 0
    right = right[acting] / sizes[acting, None, None]
    left = left[acting] / sizes[acting, None, None]
    if left.shape[1] * right.shape[1] <= LARGEST_DENSE:
        found = null_maps(candidates(right, left, tolerance), right, left, tolerance)
    else:
        found = projected_candidates(right, left, tolerance)
    rows = found.reshape(len(found), left.shape[1] * right.shape[1])
    # Among entries that are equal up to rounding, the first decides.
    large = np.abs(rows) > 0.999 * np.max(np.abs(rows), axis=1, initial=0, keepdims=True)
    signs = np.sign(rows[np.arange(len(rows)), np.argmax(large, axis=1)])
    return found * signs[:, None, None]
