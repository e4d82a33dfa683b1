"""The example from data to an equivariant network, with fewer points and epochs."""

from tests.examples import load_example


def test_main_job(tmp_path):
    example = load_example("equivariant_network")
    arguments = ["--points", "600", "--epochs", "25", "--discovery-epochs", "150"]
    ((errors, _, angles),) = example.main([*arguments, "--output", str(tmp_path)])
    assert (tmp_path / "equivariant_network.png").stat().st_size > 10_000
    # The algebra is found, and the network that knows it is better by far.
    assert angles[0] < 3
    assert angles[1] < 1
    assert errors["found"] < errors["plain"] / 2
