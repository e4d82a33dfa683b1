"""The examples: as tutorials on PyTorch, in a quick mode elsewhere."""

import importlib.util
import pathlib

FOLDER = pathlib.Path(__file__).parents[2] / "examples"


def load_module(path):
    """The module of a script, which is not run as one."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_example(name):
    """The module of an example."""
    return load_module(FOLDER / f"{name}.py")
