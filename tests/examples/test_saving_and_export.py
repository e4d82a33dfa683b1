"""The example of files and exports, on the backend that runs."""

import keras


def test_main_job(run_example):
    backend = keras.config.backend()
    arguments = ["--epochs", "1", "--backends", backend]
    example, results = run_example("saving_and_export", *arguments)
    assert results["algebra"] < 1e-6
    shared = results["shared"]
    (weights,) = {num for is_shared, num in shared.values() if is_shared}
    assert {name for name, (is_shared, _) in shared.items() if is_shared} == {
        "digits.keras",
        "digits.weights.h5",
    }
    # Two factors of 64 x 4 numbers for each of two generators, a second time.
    assert {num for is_shared, num in shared.values() if not is_shared} == {weights + 1024}
    rows = results["rows"]
    found = [what for name, what, _, _ in rows if name == backend]
    assert found == ["load_model", *example.EXPORTS[backend]]
    for _, _, size, error in rows:
        assert size > 10_000
        assert error < 1e-5
