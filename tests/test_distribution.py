"""Models whose weights and batches are spread over devices."""

import textwrap

import keras
import pytest

from keras_lconv.distribution import ModelParallel
from tests.devices import run_on_devices

PROGRAM = textwrap.dedent(
    """
    import json, re
    import jax, keras, numpy as np
    from keras_lconv import InvariantPooling, LConv
    from keras_lconv.distribution import ModelParallel

    def trained():
        keras.utils.set_random_seed(0)
        model = keras.Sequential([
            keras.Input((8, 8, 1)),
            LConv(8, 2),
            InvariantPooling("rotation"),
            keras.layers.Dense(5, name="last"),
        ])
        shares = {
            re.sub(r"_[0-9]+", "", each.path.split("/", 1)[1]): (
                each.value.sharding.shard_shape(each.value.shape)
            )
            for each in model.weights
        }
        model.compile("adam", "mse")
        rng = np.random.default_rng(0)
        x, y = rng.normal(size=(16, 8, 8, 1)), rng.normal(size=(16, 5))
        history = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
        return history.history["loss"], shares

    DEVICES = keras.distribution.list_devices()
    assert len(DEVICES) == 4
    alone = trained()[0]
    mesh = keras.distribution.DeviceMesh((2, 2), ("batch", "weights"), DEVICES)
    layouts = {".*last/bias": (None,), ".*last/kernel": (None, None)}
    keras.distribution.set_distribution(ModelParallel(mesh, layouts=layouts))
    shared, shares = trained()
    print(json.dumps({"alone": alone, "shared": shared, "shares": shares}))
    """
)


@pytest.mark.nightly
@pytest.mark.skipif(keras.config.backend() != "jax", reason="Keras distributes on JAX")
def test_weights_on_several_devices_have_the_loss_of_one():
    found = run_on_devices(PROGRAM)
    assert found["shared"] == pytest.approx(found["alone"], rel=1e-5)
    shares = found["shares"]
    assert shares["l_conv/dense_generators/L"] == [2, 64, 32]
    assert shares["l_conv/kernel"] == [3, 1, 4]
    # All 64 eigenvectors on 64 positions.
    assert shares["invariant_pooling/basis"] == [64, 32]
    # As it was asked.
    assert shares["last/bias"] == [5]
    assert shares["last/kernel"][1] == 5


def test_axes_are_chosen_by_size():
    mesh = keras.distribution.DeviceMesh((1, 1), ("batch", "weights"), ["cpu:0"])
    distribution = ModelParallel(mesh, layouts={"asked.*": ("weights", None)})
    assert distribution.batch_dim_name == "batch"

    class Weight:
        def __init__(self, path, shape):
            self.path, self.shape = path, shape

    for path, shape, expected in [
        ("a", (), ()),
        ("a", (3,), ("weights",)),
        ("a", (3, 64, 64), (None, None, "weights")),
        ("a", (64, 3, 5), ("weights", None, None)),
        ("asked/kernel", (3, 5), ("weights", None)),
    ]:
        layout = distribution.get_variable_layout(Weight(path, shape))
        assert tuple(layout.axes) == expected


def test_what_does_not_fit_is_refused():
    one = keras.distribution.DeviceMesh((1,), ("batch",), ["cpu:0"])
    two = keras.distribution.DeviceMesh((1, 1), ("batch", "weights"), ["cpu:0"])
    with pytest.raises(TypeError, match="`device_mesh` must be"):
        ModelParallel("cpu:0")
    with pytest.raises(ValueError, match="two axes"):
        ModelParallel(one)
    with pytest.raises(TypeError, match="`layouts` must be a dictionary"):
        ModelParallel(two, layouts=[("a", (None,))])
    with pytest.raises(ValueError, match="names of axes of the mesh"):
        ModelParallel(two, layouts={"a": ("other",)})
