"""The base of estimators that find the symmetry of their table."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import (
    check_is_fitted,
    check_random_state,
    check_X_y,
    validate_data,
)

from keras_lconv._typing import Data
from keras_lconv._validation import (
    MOST_UNITS,
    fraction,
    optional,
    positive_int,
    positive_ints,
    positive_number,
    progress,
)
from keras_lconv.discovery import FieldReport, SymmetryReport, fit_symmetries
from keras_lconv.discovery.tables import scalar_names, table_of
from keras_lconv.estimators.batches import predict
from keras_lconv.models.symmetric_network import plain_network, symmetric_network

# Networks are trained for this many epochs, or more until there are this many steps.
LEAST_EPOCHS, LEAST_STEPS = 30, 1000
# With fewer rows there are none for validation.
LEAST_ROWS = 6


class SymmetryEstimator(BaseEstimator):
    """Finds the symmetry of a table, and trains a network that has it."""

    def __init__(
        self,
        *,
        blocks: int = 1,
        scalars: int | Sequence[str] = 0,
        columns: Any = None,
        search: Any = None,
        hidden_units: int | Sequence[int] = (32, 32),
        vectors: int = 4,
        epochs: int | None = None,
        search_epochs: int | None = None,
        batch_size: int = 32,
        learning_rate: float = 5e-3,
        min_confidence: float = 0.5,
        random_state: Any = None,
        verbose: bool = False,
    ):
        self.blocks = blocks
        self.scalars = scalars
        self.columns = columns
        self.search = search
        self.hidden_units = hidden_units
        self.vectors = vectors
        self.epochs = epochs
        self.search_epochs = search_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.min_confidence = min_confidence
        self.random_state = random_state
        self.verbose = verbose

    def _validated(self, X: Data, y: Any, **settings: Any) -> tuple[Any, Any]:
        """The table, with its names if it has any, and the targets of its rows."""
        settings = {"dtype": "float64", "ensure_min_samples": LEAST_ROWS, **settings}
        if not hasattr(X, "columns"):
            return validate_data(self, X, y, **settings)
        validate_data(self, X, skip_check_array=True)
        # An error names the columns without numbers among those that are used.
        return X, check_X_y(self._rows(X), y, **settings)[1]

    def _rows(self, table: Any) -> np.ndarray:
        """The columns that are used: scalars first, then the vectors."""
        return table_of("X", table, self.columns, scalar_names(self.scalars)).values

    def _fit(self, table: Any, y: Any, targets: np.ndarray, loss: Any) -> None:
        """Finds the symmetry of `y`, and trains a network on targets `(batch, n)`."""
        x = self._rows(table)
        hidden = positive_ints("hidden_units", self.hidden_units, MOST_UNITS)
        batch_size = positive_int("batch_size", self.batch_size)
        rate = positive_number("learning_rate", self.learning_rate)
        least = fraction("min_confidence", self.min_confidence)
        vectors = positive_int("vectors", self.vectors)
        steps = -(-len(x) // batch_size)
        search_epochs = optional(positive_int, "search_epochs", self.search_epochs)
        epochs = optional(positive_int, "epochs", self.epochs)
        epochs = epochs or max(LEAST_EPOCHS, -(-LEAST_STEPS // steps))
        if self.random_state is not None:
            seed = check_random_state(self.random_state).randint(2**31)
            keras.utils.set_random_seed(int(seed))
        self.report_: SymmetryReport = fit_symmetries(
            table,
            y,
            blocks=self.blocks,
            scalars=self.scalars,
            columns=self.columns,
            search=self.search,
            epochs=search_epochs,
            verbose=bool(progress(self.verbose)),
        )
        outputs = targets.shape[1] if loss == "mse" else int(np.max(targets)) + 1
        self.model_ = self._network(x, outputs, hidden, vectors, least)
        decay = keras.optimizers.schedules.CosineDecay(rate, epochs * steps)
        self.model_.compile(keras.optimizers.Adam(decay), loss)
        self.model_.fit(
            x.astype("float32"),
            targets,
            batch_size=batch_size,
            epochs=epochs,
            verbose=int(bool(self.verbose)),
        )
        if not all(np.all(np.isfinite(each)) for each in self.model_.get_weights()):
            raise ValueError(
                f"Training diverged. Received: learning_rate={rate}. Take a smaller "
                "`learning_rate`, and targets of order one"
            )

    def _network(
        self,
        x: np.ndarray,
        outputs: int,
        hidden: tuple[int, ...],
        vectors: int,
        least: float,
    ) -> keras.Model:
        """A network with the symmetry, or a plain one and the reason."""
        report = self.report_
        self.has_symmetry_ = False
        if not report.dimension:
            self.reason_ = "no symmetry was found"
        elif isinstance(report, FieldReport):
            self.reason_ = f"there is no network with {report.searched}"
        elif report.confidence < least:
            self.reason_ = (
                f"the confidence in {report.name}, {report.confidence:.2f}, is less than "
                f"min_confidence={least}"
            )
        else:
            try:
                network = symmetric_network(
                    report, x, outputs, hidden_units=hidden, vectors=vectors
                )
                self.has_symmetry_, self.reason_ = True, f"{report.name} was found"
                return network
            except ValueError as error:
                self.reason_ = f"there is no network with {report.name}: {error}"
        return plain_network(x, outputs, hidden)

    def _outputs(self, X: Data) -> np.ndarray:
        """The outputs of the network for rows, `(batch, n)`."""
        check_is_fitted(self)
        if hasattr(X, "columns"):
            validate_data(self, X, reset=False, skip_check_array=True)
        else:
            X = validate_data(self, X, reset=False, dtype="float64")
        return predict(self.model_, self._rows(X))
