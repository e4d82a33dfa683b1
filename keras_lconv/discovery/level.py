"""A symmetry that holds approximately."""

from dataclasses import dataclass

from keras_lconv.algebra import LieAlgebra
from keras_lconv.discovery.gap import EXACT_LEVEL


@dataclass(frozen=True)
class Level:
    """An approximate symmetry in the search space.

    Args:
        algebra: Its algebra, in standard coordinates.
        size: Its error: 0 if it is exact, and 1 for a random direction.
    """

    algebra: LieAlgebra
    size: float

    @property
    def dimension(self) -> int:
        """The dimension of the algebra."""
        return self.algebra.dimension

    @property
    def short(self) -> str:
        """Its name and its error, such as `"so(3) to 2%"`."""
        name = self.algebra.identify().name
        exact = "exact" if self.size <= EXACT_LEVEL else f"to {self.size:.1%}"
        return f"{name} {exact}"

    def __str__(self) -> str:
        return f"{self.algebra.identify()} (dimension {self.dimension}) to {self.size:.1e}"
