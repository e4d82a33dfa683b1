"""The example from data to an equivariant network, with fewer points and epochs."""

import importlib.util
import pathlib


def test_main_job(tmp_path):
    path = pathlib.Path(__file__).parents[1] / "examples" / "equivariant_network.py"
    spec = importlib.util.spec_from_file_location("equivariant_network", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    arguments = ["--points", "600", "--epochs", "25", "--discovery-epochs", "120"]
    ((errors, _, angles),) = example.main([*arguments, "--output", str(tmp_path)])
    assert (tmp_path / "equivariant_network.png").stat().st_size > 10_000
    # The algebra is found, and the network that knows it is better by far.
    assert angles[0] < 3
    assert angles[1] < 1
    assert errors["found"] < errors["plain"] / 2
