"""Units and origin of variables and of their jets."""

from dataclasses import dataclass

import numpy as np

from keras_lconv.discovery.equations.jets import JetSpace


@dataclass(frozen=True)
class Units:
    """Units and origin of the variables, in which jets are of size 1.

    Args:
        origin: The origin of the variables `(x, u)`, `(p + q,)`.
        scales: Their spread, `(p + q,)`.
    """

    origin: np.ndarray
    scales: np.ndarray

    def factors(self, space: JetSpace) -> np.ndarray:
        """The unit of each coordinate of a jet, `(size,)`. `u_J` has the unit of
        `u / x^J`.
        """
        p = len(space.independent)
        x, u = self.scales[:p], self.scales[p:]
        own = u[:, None] / np.prod(x**space.indices, axis=1)
        return np.concatenate([x, own.ravel()])

    def standard(self, space: JetSpace, jets: np.ndarray) -> np.ndarray:
        """Jets in these units and about this origin."""
        moved = jets.copy()
        p, j = len(space.independent), len(space.indices)
        places = [*range(p), *range(p, space.size, j)]
        moved[:, places] -= self.origin
        return moved / self.factors(space)


def units_of(points: np.ndarray) -> Units:
    """The mean and the spread of variables `(n, p + q)`."""
    spread = np.std(points, axis=0)
    return Units(np.mean(points, axis=0), np.where(spread > 0, spread, 1.0))
