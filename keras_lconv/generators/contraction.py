"""The core of an L-conv, `sum_i (L_i f) W_i`, in the cheapest order of products.

All orders of the products give the same result. `contractions` lists the orders of a
family, `contract` computes one, and `contraction_cost` returns its cost. They dispatch on
the family. The defaults here are right for all families. A family whose structure allows
more registers its own functions. It calls a default by `contract.dispatch(object)`.
"""

import functools
from typing import TYPE_CHECKING

from keras import ops

from keras_lconv._typing import Tensor
from keras_lconv._validation import one_of
from keras_lconv.generators.cost import BYTES, Cost

if TYPE_CHECKING:
    from keras_lconv.generators.base import Generators

OPERATIONS = ("apply", "combine")
ORDERS = ("generators_first", "channels_first")


@functools.singledispatch
def cost(generators: "Generators", channels: int, operation: str = "apply") -> Cost:
    """The cost of `apply` or `combine` for one sample.

    The default is the cost of matrices without any structure, `k d' d` multiply-adds a
    channel.

    Args:
        generators: Built generators.
        channels: Number of channels that the generators act on.
        operation: `"apply"` or `"combine"`.

    Returns:
        A `Cost`.

    Raises:
        ValueError: If the generators are not built yet, or `operation` is unknown.
    """
    rows, k = generators.output_size, generators.num_generators
    return Cost(
        k * rows * generators.size * channels,
        result_bytes(generators, channels, operation),
    )


def result_bytes(generators: "Generators", channels: int, operation: str) -> int:
    """Memory of what `apply` or `combine` returns for one sample."""
    one_of("operation", operation, OPERATIONS)
    copies = generators.num_generators if operation == "apply" else 1
    return BYTES * generators.output_size * channels * copies


@functools.singledispatch
def contractions(generators: "Generators") -> tuple[str, ...]:
    """The orders in which `contract` can compute its products.

    - `"generators_first"`: all `L_i f`, then the channels.
    - `"channels_first"`: all `f W_i`, then `sum_i L_i (f W_i)`.

    A family may add an order that its structure allows.
    """
    return ORDERS


@functools.singledispatch
def contract(generators: "Generators", f: Tensor, kernel: Tensor, order: str) -> Tensor:
    """The sum `sum_i (L_i f) W_i`.

    Args:
        generators: Built generators.
        f: Tensor `(batch, d, channels)`.
        kernel: Tensor `W`, of shape `(k, channels, filters)`, of the dtype of `f`.
        order: One of `contractions`.

    Returns:
        Tensor `(batch, d', filters)`.
    """
    if order == "generators_first":
        terms = generators.apply(f)
        _, rows, k, channels = terms.shape
        terms = ops.reshape(terms, (-1, rows, k * channels))
        kernel = ops.reshape(kernel, (k * channels, -1))
        return ops.einsum("bdp,pf->bdf", terms, kernel)
    return generators.combine(ops.einsum("bdc,kcf->bdkf", f, kernel))


@functools.singledispatch
def contraction_cost(
    generators: "Generators", order: str, channels: int, filters: int
) -> Cost:
    """The cost of `contract` for one sample.

    Args:
        generators: Built generators.
        order: One of `contractions`.
        channels: Number of input channels.
        filters: Number of output channels.

    Returns:
        A `Cost`.
    """
    rows, size = generators.output_size, generators.size
    pairs = generators.num_generators * channels * filters
    if order == "generators_first":
        return cost(generators, channels) + Cost(rows * pairs, BYTES * rows * filters)
    mixed = BYTES * size * generators.num_generators * filters
    return cost(generators, filters, "combine") + Cost(size * pairs, mixed)
