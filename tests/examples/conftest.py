import sys
import types

import keras
import pytest

from tests.examples import FOLDER, load_example, load_module


@pytest.fixture
def run_example(tmp_path, monkeypatch):
    """Runs an example; returns its names and what its `main` returned.

    On PyTorch it runs as a tutorial, whose page of the documentation then shows this run.
    Elsewhere it has arguments that make it short. Its files go to `tmp_path / "outputs"`.
    """

    def run(name, *arguments):
        monkeypatch.chdir(tmp_path)
        if keras.config.backend() != "torch":
            example = load_example(name)
            # Some are steps, which the import has run.
            has_main = hasattr(example, "main")
            return example, example.main(arguments) if has_main else None
        path = FOLDER / f"{name}.py"
        monkeypatch.setattr(sys, "argv", [str(path)])
        tutorial = load_module(FOLDER.parent / "docs" / "_hooks" / "run_cells.py")
        names, results = tutorial.run(path)
        return types.SimpleNamespace(**names), results

    return run
