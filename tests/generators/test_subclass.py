"""A family of one's own: three methods, and the base class does the rest."""

import keras
import numpy as np
from keras import ops

from keras_lconv import LConv
from keras_lconv import generators as g
from tests.families import relative_error, to_numpy


@keras.saving.register_keras_serializable(package="tests")
class DiagonalGenerators(g.Generators):
    """Learned generators that scale each position."""

    def __init__(self, num, **kwargs):
        super().__init__(num, **kwargs)

    def build(self, input_shape):
        super().build(input_shape)
        shape = (self.num_generators, *self.spatial_shape)
        self.rates = self.add_weight(name="rates", shape=shape, initializer="random_normal")

    def call(self, inputs):
        return ops.einsum("khw,bhwc->bhwkc", self.rates, inputs)

    def combine(self, z):
        return ops.einsum("khw,bhwkc->bhwc", self.rates, z)

    def norm_bounds(self):
        return ops.max(ops.abs(self.rates), axis=(1, 2))

    def get_config(self):
        return {**super().get_config(), "num": self.num_generators}


def test_base_class_does_the_rest(tmp_path):
    family = DiagonalGenerators(2)
    model = keras.Sequential([keras.Input((3, 4, 2)), LConv(5, family), LConv(1, family)])
    f = np.random.default_rng(0).normal(size=(2, 3, 4, 2)).astype("float32")
    rates = to_numpy(family.rates)

    dense = np.array([np.diag(rate.ravel()) for rate in rates])
    assert relative_error(family.to_dense(), dense) < 1e-6
    expected = f * np.exp(0.5 * rates[0] - 2.0 * rates[1])[None, ..., None]
    assert relative_error(family.transform(f, [0.5, -2.0]), expected) < 1e-5

    model.save(tmp_path / "model.keras")
    copy = keras.models.load_model(tmp_path / "model.keras")
    assert copy.layers[0].generators is copy.layers[1].generators
    assert relative_error(copy(f), model(f)) < 1e-6
