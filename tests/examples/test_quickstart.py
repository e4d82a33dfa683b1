"""The quickstart, and the figures that it must reach."""

import pytest

from tests.examples import load_example


@pytest.fixture(scope="module")
def quickstart():
    return load_example("quickstart")


@pytest.mark.thorough
@pytest.mark.parametrize(("size", "least"), [(7, 0.96), (20, 0.99)])
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.nightly)])
def test_generator_of_rotations_is_learned(quickstart, size, least, seed):
    _, _, agreement = quickstart.learn_rotation(size, 4096, epochs=8, seed=seed)
    assert agreement >= least


def test_main_job(run_example, tmp_path):
    _, (cells, tables, agreement) = run_example(
        "quickstart", "--images", "48", "--image-epochs", "2"
    )
    assert agreement >= 0.99
    assert (tmp_path / "outputs" / "quickstart.png").stat().st_size > 10_000
    ((report, errors),) = tables
    assert report.name.startswith("so(3)")
    assert errors["symmetric"] < errors["plain"] / 2
    _, _, steerable = cells[0]["steerable"]
    _, _, plain = cells[0]["CNN"]
    assert steerable < plain < 1.2 * steerable
