"""What applying generators costs: how layers choose the order of their products."""

from dataclasses import dataclass

# Costs are counted in float32. What a batch needs once, its samples share: as many as Keras
# takes by default.
BYTES = 4
SAMPLES = 32


@dataclass(frozen=True, order=True)
class Cost:
    """What an operation costs for one sample.

    Args:
        multiply_adds: Number of multiply-adds.
        bytes: Memory of what is computed, intermediate results included, in float32.
    """

    multiply_adds: int
    bytes: int


def precombined_cost(entries: int, num_generators: int, results: int) -> Cost:
    """The cost of one merged operator, and of its share in making it.

    Args:
        entries: Number of its entries: each is a multiply-add.
        num_generators: Number of terms that each entry is a sum of.
        results: Number of values that are computed with it, for one sample.
    """
    return Cost(
        entries + num_generators * entries // SAMPLES,
        BYTES * (results + entries // SAMPLES),
    )
