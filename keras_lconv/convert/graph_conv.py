"""Graph convolutions as L-convs with the matrix of the graph."""

from typing import Any

from keras_lconv._typing import Data
from keras_lconv._validation import finite_array, one_of, positive_number
from keras_lconv.convert.settings import take_over
from keras_lconv.generators import chebyshev_graph, graph
from keras_lconv.layers import LConv

NORMALIZATIONS = ("adjacency", "chebyshev", "laplacian", "normalized", "renormalized")


def from_graph_conv(
    kernel: Data,
    bias: Data | None,
    adjacency: Any,
    normalization: str = "renormalized",
    *,
    largest_eigenvalue: float = 2.0,
    **kwargs: Any,
) -> LConv:
    """A graph convolution as an L-conv: the generators are matrices of the graph.

    - `"renormalized"`, of Kipf and Welling: `Q[f] = M f W + b`, with one generator
      `M = D^-1/2 (A + 1) D^-1/2`, where `D` are the degrees of `A + 1`.
    - `"chebyshev"`, of Defferrard et al.: `Q[f] = sum_n T_n(M) f W_n + b`, with the
      Chebyshev polynomials of the scaled Laplacian, see
      `keras_lconv.generators.chebyshev_graph`. `W_0` is the self-interaction.
    - `"adjacency"`, `"laplacian"`, `"normalized"`: `Q[f] = M f W + b` with this matrix, see
      `keras_lconv.generators.graph`.

    The graph is stored by neighbours, and fixed. The kernel and the bias can be trained.

    Args:
        kernel: `W`, an array `(channels, filters)`; for `"chebyshev"`
            `(K + 1, channels, filters)`, with one matrix for each degree from 0 on.
        bias: `b`, an array `(filters,)`, or `None`.
        adjacency: Array or SciPy sparse matrix `(d, d)` with the weights of the edges,
            from the column's node to the row's, without the loops that `"renormalized"`
            adds.
        normalization: One of the names above.
        largest_eigenvalue: Largest eigenvalue of the normalized Laplacian, for
            `"chebyshev"`.
        **kwargs: Arguments of `LConv`, such as `activation`, `name` and `dtype`.

    Returns:
        A built `LConv`, for inputs `(batch, d, channels)`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If an argument has a wrong value, or shapes do not fit.

    Example:
    ```python
    import keras
    import numpy as np
    from keras_lconv.convert import from_graph_conv

    rng = np.random.default_rng(0)
    ring = np.roll(np.eye(6), 1, axis=0) + np.roll(np.eye(6), -1, axis=0)
    kernel, nodes = rng.normal(size=(3, 4)), rng.normal(size=(1, 6, 3))
    layer = from_graph_conv(kernel, np.zeros(4), ring)
    expected = (ring + np.eye(6)) / 3 @ nodes @ kernel
    assert np.allclose(keras.ops.convert_to_numpy(layer(nodes)), expected, atol=1e-5)
    ```

    Reference:
        T. Kipf, M. Welling, "Semi-supervised classification with graph convolutional
        networks", ICLR 2017. M. Defferrard, X. Bresson, P. Vandergheynst, "Convolutional
        neural networks on graphs with fast localized spectral filtering", NIPS 2016.
    """
    largest_eigenvalue = positive_number("largest_eigenvalue", largest_eigenvalue)
    one_of("normalization", normalization, NORMALIZATIONS)
    kernel = finite_array("kernel", kernel)
    is_chebyshev = normalization == "chebyshev"
    if kernel.ndim != 2 + is_chebyshev or 0 in kernel.shape:
        shape = "(K + 1, channels, filters)" if is_chebyshev else "(channels, filters)"
        raise ValueError(
            f"`kernel` must have shape `{shape}` with normalization={normalization!r}. "
            f"Received: shape {kernel.shape}"
        )
    if is_chebyshev and len(kernel) == 1:
        raise ValueError(
            "`kernel` must have matrices for at least the degrees 0 and 1: with degree 0 "
            f"alone the graph has no influence. Received: shape {kernel.shape}"
        )
    channels, filters = kernel.shape[-2:]
    if bias is not None:
        bias = finite_array("bias", bias)
        if bias.shape != (filters,):
            raise ValueError(
                f"`bias` must have shape {(filters,)}, for the filters of the kernel. "
                f"Received: shape {bias.shape}"
            )
    dtype = kwargs.get("dtype")
    if is_chebyshev:
        generators = chebyshev_graph(
            adjacency, len(kernel) - 1, largest_eigenvalue, dtype=dtype
        )
    else:
        kernel = kernel[None]
        generators = graph(adjacency, normalization, dtype=dtype)
    layer = LConv(
        filters,
        generators,
        self_interaction="learned" if is_chebyshev else None,
        use_bias=bias is not None,
        data_format="channels_last",
        **kwargs,
    )
    layer.build((None, len(generators.neighbors), channels))
    take_over(layer, kernel, bias)
    return layer
