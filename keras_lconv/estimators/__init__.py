"""Estimators for scikit-learn: invariants, and networks with the symmetry of a table."""

try:
    from sklearn.utils.validation import validate_data  # noqa: F401, since version 1.6
except ImportError as error:
    raise ImportError(
        "`keras_lconv.estimators` needs scikit-learn, version 1.6 or newer: "
        '`pip install "keras-lconv[sklearn]"`'
    ) from error

from keras_lconv.estimators.invariant_features import InvariantFeatures
from keras_lconv.estimators.symmetry_classifier import SymmetryClassifier
from keras_lconv.estimators.symmetry_regressor import SymmetryRegressor

__all__ = ["InvariantFeatures", "SymmetryClassifier", "SymmetryRegressor"]
