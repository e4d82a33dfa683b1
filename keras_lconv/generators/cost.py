"""The cost of applying generators, by which layers choose the order of their products."""

from dataclasses import dataclass

# How many multiply-adds take the time that one byte of results takes, to be written and to
# be read again. A processor does some 20 of them in the time of one float32; that it is 4
# per byte to within a factor of two was seen in `benchmarks/layers.py`.
MULTIPLY_ADDS_PER_BYTE = 4

# Costs are counted in float32. What a batch needs once, its samples share: as many as Keras
# takes by default.
BYTES = 4
SAMPLES = 32


@dataclass(frozen=True)
class Cost:
    """The cost of an operation for one sample.

    Args:
        multiply_adds: Number of multiply-adds.
        bytes: Memory of what is computed, intermediate results included, in float32.
    """

    multiply_adds: int
    bytes: int

    @property
    def effort(self) -> int:
        """Both in one number: multiply-adds, where a byte counts as four of them."""
        return self.multiply_adds + MULTIPLY_ADDS_PER_BYTE * self.bytes

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.multiply_adds + other.multiply_adds, self.bytes + other.bytes)


NOTHING = Cost(0, 0)


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
