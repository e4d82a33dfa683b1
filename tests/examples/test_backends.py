"""The example of backends and devices, on the backend that runs."""

import keras


def test_main_job(run_example):
    """In a process of its own the same numbers, and from several devices the same weights.

    That files are the same for all backends is tested with the layers.
    """
    backend = keras.config.backend()
    _, rows = run_example("backends", "--epochs", "1", "--backends", backend)
    row = rows[backend]
    assert row["devices"] == {"jax": 4, "tensorflow": 2, "torch": 2}[backend]
    assert row["logits"] < 1e-4
    assert row["trained"] > 1e-2
    assert row["weights"] < 1e-5
