"""Classification with the symmetry of the table."""

from typing import Any

import keras
import numpy as np
from scipy.special import softmax
from sklearn.base import ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets

from keras_lconv._typing import Data
from keras_lconv.estimators.symmetry_estimator import SymmetryEstimator


class SymmetryClassifier(ClassifierMixin, SymmetryEstimator):
    """A classifier of scikit-learn that finds the symmetry of its table, and uses it.

    It is `SymmetryRegressor` for labels: it searches maps that leave the probabilities of
    the classes unchanged. Labels contain less information than numbers, so the confidence
    is often small. `reason_` states which network was built.

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
        random_state: As for `SymmetryRegressor`.
        verbose: Whether to show progress bars.

    Attributes:
        report_: The `SymmetryReport`.
        model_: The `keras.Model`, which returns logits.
        classes_: The labels.
        has_symmetry_: Whether the network has the symmetry.
        reason_: Why, in words.
        n_features_in_: Number of columns.
        feature_names_in_: Their names, if they have any.

    Raises:
        TypeError: When it is fitted, if an argument has a wrong type.
        ValueError: When it is fitted, if a value or a shape does not fit, or all labels are
            equal.

    Example:
    ```python
    import numpy as np
    from keras_lconv.estimators import SymmetryClassifier

    x = np.random.default_rng(0).normal(size=(200, 2))
    y = np.where(np.sum(x**2, axis=1) > 1.4, "out", "in")
    model = SymmetryClassifier(epochs=10, search_epochs=10, random_state=0).fit(x, y)
    assert list(model.classes_) == ["in", "out"]
    assert model.predict_proba(x).shape == (200, 2) and model.score(x, y) > 0.8
    ```
    """

    def fit(self, X: Data, y: Any) -> "SymmetryClassifier":
        """Finds the symmetry, and trains a network.

        Args:
            X: Rows `(batch, n)`, also a pandas `DataFrame`.
            y: Labels `(batch,)`.

        Returns:
            The classifier itself.
        """
        table, y = self._validated(X, y)
        check_classification_targets(y)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                "`y` must have labels of at least two classes. Received: one class, "
                f"{self.classes_[0]!r}"
            )
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        # Strings always count as labels, however many there are.
        self._fit(table, labels.astype(str), labels, loss)
        return self

    def predict_proba(self, X: Data) -> np.ndarray:
        """Predicts the probability of each class.

        Args:
            X: Rows `(batch, n)`.

        Returns:
            Array `(batch, classes)`, in the order of `classes_`.
        """
        return softmax(self._outputs(X), axis=1)

    def predict(self, X: Data) -> np.ndarray:
        """Predicts labels.

        Args:
            X: Rows `(batch, n)`.

        Returns:
            Array `(batch,)`.
        """
        numbers = np.argmax(self._outputs(X), axis=1)
        return self.classes_[numbers]
