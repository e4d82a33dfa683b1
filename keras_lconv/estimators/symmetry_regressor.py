"""Regression with the symmetry of the table."""

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin

from keras_lconv._typing import Data
from keras_lconv.estimators.symmetry_estimator import SymmetryEstimator
from keras_lconv.models.symmetric_network import spread


class SymmetryRegressor(RegressorMixin, SymmetryEstimator):
    """A regressor of scikit-learn that finds the symmetry of its table, and respects it.

    `fit` asks `fit_symmetries` what leaves the outputs unchanged, and trains a network with
    that symmetry: an `equivariant_mlp` of the algebra, about its fixed point, of the
    coordinates that matter. Where nothing is found, where the confidence is small, or where
    there is no such network, as for scalings, it is a plain perceptron: `reason_` says so.

    Args:
        blocks: As for `fit_symmetries`.
        scalars: As for `fit_symmetries`.
        columns: As for `fit_symmetries`.
        search: As for `fit_symmetries`.
        hidden_units: Number of units of each hidden layer.
        vectors: Number of channels of vectors in each hidden layer.
        epochs: Number of epochs. By default 30, or as many more as make 1,000 steps.
        search_epochs: The `epochs` of `fit_symmetries`.
        batch_size: Number of samples in a step.
        learning_rate: Rate at first; it falls to zero.
        min_confidence: A symmetry is built in from this confidence of the report on.
        random_state: An integer, or a `RandomState`, seeds Keras, NumPy and Python, as
            `keras.utils.set_random_seed` does. By default nothing is seeded.
        verbose: Whether to show progress bars.

    Attributes:
        report_: The `SymmetryReport`.
        model_: The `keras.Model`, of outputs with mean zero and spread 1.
        has_symmetry_: Whether the network has the symmetry.
        reason_: Why, in words.
        n_features_in_: Number of columns.
        feature_names_in_: Their names, if they have any.

    Raises:
        TypeError: When it is fitted, if an argument has a wrong type.
        ValueError: When it is fitted, if a value or a shape does not fit.

    Example:
    ```python
    import numpy as np
    from keras_lconv.estimators import SymmetryRegressor

    x = np.random.default_rng(0).normal(size=(200, 3))
    y = np.sum(x**2, axis=1)
    model = SymmetryRegressor(epochs=10, random_state=0).fit(x, y)
    assert model.report_.name == "so(3)" and model.has_symmetry_
    assert model.score(x, y) > 0.9
    ```
    """

    def fit(self, X: Data, y: Any) -> "SymmetryRegressor":
        """Finds the symmetry, and trains a network.

        Args:
            X: Rows `(batch, n)`, also a pandas `DataFrame`.
            y: Numbers `(batch,)` or `(batch, m)`.

        Returns:
            The regressor itself.
        """
        table, y = self._validated(X, y, y_numeric=True, multi_output=True)
        y = y.astype("float64")
        self._mean, self._spread = np.mean(y, axis=0), spread(y)
        targets = ((y - self._mean) / self._spread).reshape(len(y), -1)
        self._fit(table, y, targets, "mse")
        return self

    def predict(self, X: Data) -> np.ndarray:
        """Predicts numbers.

        Args:
            X: Rows `(batch, n)`.

        Returns:
            Array of the shape of `y`.
        """
        outputs = self._outputs(X)
        if not np.ndim(self._mean):
            outputs = outputs[:, 0]
        return self._mean + self._spread * outputs

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = True
        tags.target_tags.multi_output = True
        return tags
