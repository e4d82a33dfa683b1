"""The base of all results."""

from dataclasses import dataclass

from keras_lconv._typing import Figure


@dataclass(frozen=True, eq=False, repr=False)
class Report:
    """A result that says what it found: the base of all reports.

    Reports do not change. `print(report)` shows the summary, and in a notebook the first
    line of it stands for the whole. Singular values grow: small ones mark what was found.

    Example:
    ```python
    import numpy as np
    from keras_lconv.metrics import invariance_error
    from keras_lconv.report import Report

    images = np.random.default_rng(0).normal(size=(2, 9, 9, 1))
    report = invariance_error(lambda f: f**2, "rotation", images, [[0.0], [0.1]])
    assert isinstance(report, Report)
    print(report)
    ```
    """

    def summary(self) -> str:
        """The result in words.

        Returns:
            Text of some lines.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement `summary`")

    def plot(self) -> Figure:
        """Draws the result.

        Returns:
            The Matplotlib figure.
        """
        raise NotImplementedError(f"{type(self).__name__} does not implement `plot`")

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.summary().splitlines()[0]}>"


__all__ = ["Report"]
