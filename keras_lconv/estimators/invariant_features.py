"""Invariant numbers of images, volumes and signals."""

import math
from typing import Any

import keras
import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from keras_lconv._typing import Data, GeneratorsLike
from keras_lconv._validation import one_of, positive_int, positive_ints
from keras_lconv.discovery.tables import table_of
from keras_lconv.estimators.batches import predict
from keras_lconv.generators import Generators, get
from keras_lconv.layers import InvariantPooling
from keras_lconv.layers.pooling.invariant_pooling import KINDS
from keras_lconv.models.lconv_classifier import another, refinement

# Names of fields that exist on any number of axes.
FIELDS = ("affine", "rotation", "scaling", "shear", "translation")


class InvariantFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A transformer of scikit-learn from images, volumes or signals to invariants.

    Each sample becomes the numbers of `InvariantPooling`, which `exp(t L)` does not change.
    Nothing is trained: `fit` finds the invariants of the generators on the grid of the
    samples. Scale the numbers before a linear model, for example by `StandardScaler`.

    Args:
        generators: As for `InvariantPooling`. Names are resolved for the number of axes
            that samples have.
        input_shape: Shape of a sample with its channels, such as `(8, 8, 1)`, for the rows
            of a table `(batch, n)`. By default samples keep their shape, and a row is a
            signal on a line.
        kind: As for `InvariantPooling`; for the rotations of volumes, which do not commute
            with each other, `"linear"`.
        num_invariants: As for `InvariantPooling`.
        refine: As for `InvariantPooling`. `"auto"`: for `"rotation"` of images, by radius
            and wavenumber (by radius alone if `kind="linear"`), none for others.
        elements: As for `InvariantPooling`.
        tolerance: As for `InvariantPooling`.
        batch_size: Number of samples in memory at a time.

    Input shape:
        `(batch, *spatial, channels)`, or `(batch, n)`.

    Output shape:
        `(batch, m * channels)`, in float64.

    Attributes:
        pooling_: The `InvariantPooling`, in a `keras.Model`.
        n_features_in_: Number of columns of a table.

    Raises:
        TypeError: In `fit`, if an argument has a wrong type.
        ValueError: In `fit`, if an argument has a wrong value, or as for
            `InvariantPooling`.

    Example:
    ```python
    from keras_lconv.estimators import InvariantFeatures
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, y = load_digits(return_X_y=True)  # rows of 64 pixels
    features = InvariantFeatures("rotation", input_shape=(8, 8, 1))
    model = make_pipeline(features, StandardScaler(), LogisticRegression(max_iter=200))
    model.fit(x[:900], y[:900])
    assert model.score(x[900:], y[900:]) > 0.75
    ```
    """

    def __init__(
        self,
        generators: GeneratorsLike = "rotation",
        *,
        input_shape: tuple[int, ...] | None = None,
        kind: str = "spectrum",
        num_invariants: int | None = None,
        refine: Any = "auto",
        elements: Any = None,
        tolerance: float = 1e-7,
        batch_size: int = 128,
    ):
        self.generators = generators
        self.input_shape = input_shape
        self.kind = kind
        self.num_invariants = num_invariants
        self.refine = refine
        self.elements = elements
        self.tolerance = tolerance
        self.batch_size = batch_size

    def fit(self, X: Data, y: Any = None) -> "InvariantFeatures":
        """Finds the invariants on the grid of the samples.

        Args:
            X: Samples; only their shape is used.
            y: Ignored.

        Returns:
            The transformer itself.
        """
        positive_int("batch_size", self.batch_size)
        one_of("kind", self.kind, KINDS)
        samples = self._samples(X, is_new=True)
        ndim = max(samples.ndim - 2, 1)
        pooling = InvariantPooling(
            self._generators(ndim),
            kind=self.kind,
            num_invariants=self.num_invariants,
            refine=refinement(self.refine, self.generators, self.kind, ndim),
            elements=self.elements,
            tolerance=self.tolerance,
            data_format="channels_last",
        )
        self.pooling_ = keras.Sequential([keras.Input(samples.shape[1:]), pooling])
        self._n_features_out = self.pooling_.output_shape[1]
        return self

    def transform(self, X: Data) -> np.ndarray:
        """The invariants of samples.

        Args:
            X: Samples of the same shape as in `fit`.

        Returns:
            Array `(batch, m * channels)`.
        """
        check_is_fitted(self)
        samples = self._samples(X, is_new=False)
        if samples.shape[1:] != self.pooling_.input_shape[1:]:
            raise ValueError(
                f"`X` must hold samples of shape {self.pooling_.input_shape[1:]}, as in "
                f"`fit`. Received: samples of shape {samples.shape[1:]}"
            )
        return predict(self.pooling_, samples, self.batch_size)

    def _samples(self, X: Data, is_new: bool) -> np.ndarray:
        """The samples in their shape."""
        if hasattr(X, "columns"):
            table_of("X", X)  # an error here names the columns without numbers
        x = validate_data(self, X, reset=is_new, allow_nd=True, dtype="numeric")
        if self.input_shape is None:
            return x
        shape = positive_ints("input_shape", self.input_shape)
        if math.prod(shape) != math.prod(x.shape[1:]):
            raise ValueError(
                f"`input_shape` must have as many numbers as a sample, "
                f"{math.prod(x.shape[1:])}. Received: input_shape={shape}"
            )
        return x.reshape(-1, *shape)

    def _generators(self, ndim: int) -> Generators:
        """Generators that no other layer has built."""
        if isinstance(self.generators, str) and self.generators in FIELDS:
            return get(self.generators, ndim=ndim)
        if isinstance(self.generators, Generators):
            return another(self.generators)
        return get(self.generators)
