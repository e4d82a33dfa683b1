"""The example from data to an equivariant network, with fewer points and epochs."""


def test_main_job(run_example, tmp_path):
    arguments = ["--points", "600", "--epochs", "25", "--discovery-epochs", "150"]
    _, ((errors, _, angles),) = run_example("equivariant_network", *arguments)
    assert (tmp_path / "outputs" / "equivariant_network.png").stat().st_size > 10_000
    # The algebra is found, and the network that knows it is better by far.
    assert angles[0] < 3
    assert angles[1] < 1
    assert errors["found"] < errors["plain"] / 2
