"""A symmetry that holds nearly."""

from dataclasses import dataclass

from keras_lconv.algebra import LieAlgebra
from keras_lconv.discovery.gap import EXACT_LEVEL


@dataclass(frozen=True)
class Level:
    """A symmetry that holds nearly, inside of the space that was searched.

    Args:
        algebra: Its algebra, in standard coordinates.
        size: How far it is from exact: 0 is exact, 1 is what a random direction gives.
    """

    algebra: LieAlgebra
    size: float

    @property
    def dimension(self) -> int:
        """The dimension of the algebra."""
        return self.algebra.dimension

    @property
    def short(self) -> str:
        """Its name and how exact it is, as `"so(3) to 2%"`."""
        name = self.algebra.identify().name
        exact = "exact" if self.size <= EXACT_LEVEL else f"to {self.size:.1%}"
        return f"{name} {exact}"

    def __str__(self) -> str:
        return f"{self.algebra.identify()} (dimension {self.dimension}) to {self.size:.1e}"
