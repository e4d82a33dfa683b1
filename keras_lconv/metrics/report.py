"""The errors of equivariance."""

from dataclasses import dataclass

import numpy as np

from keras_lconv._typing import Figure
from keras_lconv.report import Report


@dataclass(frozen=True, eq=False, repr=False)
class EquivarianceReport(Report):
    """Errors of a model under group elements, one for each parameter.

    Args:
        kind: `"equivariance"` or `"invariance"`.
        parameters: The group parameters, `(n, k)`; for random elements of a group their
            numbers, `(n, 1)`.
        errors: Relative errors, `(n,)`.
        emlp_errors: The same, relative to the sum of both norms, `(n,)`.

    Attributes:
        mean: Mean of `errors`.
        max: Largest of `errors`.

    Example:
    ```python
    import numpy as np
    from keras_lconv.metrics import invariance_error

    turns = np.linspace(0, np.pi, 5)
    images = np.random.default_rng(0).normal(size=(2, 9, 9, 1))
    report = invariance_error(lambda f: f, "rotation", images, turns)
    assert report.errors[0] < 1e-6 and report.max > 1
    ```
    """

    kind: str
    parameters: np.ndarray
    errors: np.ndarray
    emlp_errors: np.ndarray

    @property
    def mean(self) -> float:
        """The mean of the relative errors."""
        return float(np.mean(self.errors))

    @property
    def max(self) -> float:
        """The largest relative error."""
        return float(np.max(self.errors))

    def summary(self) -> str:
        """The result in words."""
        number = len(self.errors)
        return (
            f"{self.kind}: mean error {self.mean:.2e}, largest {self.max:.2e}, "
            f"over {number} group element{'s' if number > 1 else ''}"
        )

    def plot(self) -> Figure:
        """Draws the errors against the parameter, or its length if there are several.

        Returns:
            The figure.
        """
        from keras_lconv.visualization import plot_errors

        title = f"{self.kind} error"
        return plot_errors(self.parameters, self.errors, title=title).figure
