"""The examples, run in a quick mode."""

import importlib.util
import pathlib

FOLDER = pathlib.Path(__file__).parents[2] / "examples"


def load_example(name):
    """The module of an example, which is not run as a script."""
    spec = importlib.util.spec_from_file_location(name, FOLDER / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
