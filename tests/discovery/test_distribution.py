"""Derivatives that are shared out to the devices of a Keras distribution."""

import textwrap

import keras
import numpy as np
import pytest

from tests.devices import run_on_devices

# Two batches of 29 samples, which four devices cannot share evenly.
PROGRAM = textwrap.dedent(
    """
    import json
    import jax, keras, numpy as np
    from keras import ops
    from keras_lconv.discovery import find_symmetries

    assert jax.device_count() == 4
    x = np.random.default_rng(0).normal(size=(58, 3))
    results = []
    for distribution in (None, keras.distribution.DataParallel()):
        keras.distribution.set_distribution(distribution)
        keras.utils.set_random_seed(0)
        layer = keras.layers.Dense(1)
        layer.build((None, 1))
        shardings = []

        def function(x):
            jax.debug.inspect_array_sharding(x, callback=shardings.append)
            return layer(ops.sum(x**2, axis=1, keepdims=True) ** 2)

        report = find_symmetries(function, x, batch_size=30, verbose=False)
        results.append({
            "values": report.singular_values.tolist(),
            "name": report.algebra.identify().name,
            "shares": [s.shard_shape((32, 3))[0] for s in shardings if s.num_devices > 1],
        })
    print(json.dumps(results))
    """
)


@pytest.mark.skipif(keras.config.backend() != "jax", reason="Keras distributes on JAX")
def test_devices_share_batches_and_find_the_same():
    alone, shared = run_on_devices(PROGRAM)
    assert not alone["shares"]
    # A quarter of 32 samples, to which 29 are filled up.
    assert set(shared["shares"]) == {8}
    assert shared["name"] == alone["name"] == "so(3)"
    assert np.allclose(shared["values"], alone["values"], rtol=1e-4, atol=1e-5)
