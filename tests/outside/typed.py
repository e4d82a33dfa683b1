"""The types of the package as a user's type checker sees them: never run, only checked."""

from typing import assert_type

import numpy as np

from keras_lconv import InvariantPooling, LConv
from keras_lconv.algebra import LieAlgebra, MatrixGroup, O, so
from keras_lconv.discovery import find_symmetries
from keras_lconv.generators import Generators, rotation
from keras_lconv.models import steerable_classifier

assert_type(so(3), LieAlgebra)
assert_type(so(3).dimension, int)
assert_type(so(3).identify().name, str)
assert_type(O(3), MatrixGroup)

layer = LConv(16, "rotation", activation="relu")
assert_type(layer, LConv)
generators: Generators = rotation()
pooling = InvariantPooling(generators, kind="spectrum")
model = steerable_classifier(input_shape=(20, 20, 1), classes=10)

report = find_symmetries(lambda x: x[:, 0] ** 2 + x[:, 1] ** 2, np.zeros((10, 2)))
assert_type(report.confidence, float)
assert_type(report.summary(), str)
