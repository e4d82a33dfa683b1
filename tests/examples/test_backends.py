"""The example of backends and devices, on the backend that runs."""

import keras

from tests.examples import load_example


def test_main_job(tmp_path):
    """In a process of its own the same numbers, and from several devices the same weights.

    That files are the same for all backends is tested with the layers.
    """
    backend = keras.config.backend()
    example = load_example("backends")
    arguments = ["--epochs", "1", "--backends", backend, "--output", str(tmp_path)]
    row = example.main(arguments)[backend]
    assert row["devices"] == {"jax": 4, "tensorflow": 2, "torch": 2}[backend]
    assert row["logits"] < 1e-4
    assert row["trained"] > 1e-2
    assert row["weights"] < 1e-5
