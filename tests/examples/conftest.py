import sys
import types

import keras
import pytest

from tests.examples import FOLDER, load_example, load_module


@pytest.fixture
def run_example(tmp_path, monkeypatch):
    """Runs an example; returns its names and what its `main` returned, if it has one.

    On PyTorch it runs as a tutorial, whose page of the documentation then shows this run.
    Elsewhere it has arguments that make it short. Its files go to `tmp_path / "outputs"`.
    """

    def run(name, *arguments):
        monkeypatch.chdir(tmp_path)
        path = FOLDER / f"{name}.py"
        is_tutorial = keras.config.backend() == "torch"
        monkeypatch.setattr(sys, "argv", [str(path), *(() if is_tutorial else arguments)])
        if not is_tutorial:
            example = load_example(name)
            return example, example.main() if hasattr(example, "main") else None
        tutorial = load_module(FOLDER.parent / "docs" / "_hooks" / "run_cells.py")
        names, results = tutorial.run(path)
        return types.SimpleNamespace(**names), results

    return run
