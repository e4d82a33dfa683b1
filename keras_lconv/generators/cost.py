"""The cost of applying generators. Layers choose the order of their products by it."""

from dataclasses import dataclass

# The number of multiply-adds that take as long as writing and reading one byte of results.
# `benchmarks/layers.py` measures about 4, to within a factor of two: some 20 for one
# float32.
MULTIPLY_ADDS_PER_BYTE = 4

# Costs are counted in float32. The samples of a batch share the costs that occur once.
# Keras' default batch size is assumed.
BYTES = 4
SAMPLES = 32


@dataclass(frozen=True)
class Cost:
    """The cost of an operation for one sample.

    Args:
        multiply_adds: Number of multiply-adds.
        bytes: Memory of all results in float32, including intermediate ones.
    """

    multiply_adds: int
    bytes: int

    @property
    def effort(self) -> int:
        """Both as one number of multiply-adds, where a byte counts as four."""
        return self.multiply_adds + MULTIPLY_ADDS_PER_BYTE * self.bytes

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.multiply_adds + other.multiply_adds, self.bytes + other.bytes)


NOTHING = Cost(0, 0)


def precombined_cost(entries: int, num_generators: int, results: int) -> Cost:
    """The cost of applying one merged operator, and the sample's share of making it.

    Args:
        entries: Number of its entries. Each is a multiply-add.
        num_generators: Number of terms in the sum for each entry.
        results: Number of values computed with it for one sample.
    """
    return Cost(
        entries + num_generators * entries // SAMPLES,
        BYTES * (results + entries // SAMPLES),
    )
