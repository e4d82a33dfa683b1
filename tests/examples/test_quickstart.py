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
    _, (agreement, results) = run_example("quickstart", "--digit-epochs", "4")
    assert agreement >= 0.99
    assert (tmp_path / "outputs" / "quickstart_generator.png").stat().st_size > 10_000
    assert set(results) == {"LConv", "Dense", "Conv2D"}
    for accuracy, _ in results.values():
        assert accuracy > 0.8
    sizes = [weights for _, weights in results.values()]
    assert max(sizes) < 1.5 * min(sizes)
