"""The modules of the package, and all that they say is public."""

import importlib
import inspect
import pathlib
import pkgutil

import keras_lconv

ROOT = pathlib.Path(__file__).parents[1]
MODULES = [
    importlib.import_module(info.name)
    for info in pkgutil.walk_packages(keras_lconv.__path__, "keras_lconv.")
]
PUBLIC = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in [keras_lconv, *MODULES]
    for name in getattr(module, "__all__", [])
    if inspect.isclass(getattr(module, name)) or inspect.isfunction(getattr(module, name))
}
