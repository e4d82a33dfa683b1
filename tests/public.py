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
# What a package exports from its own modules counts once, under the name that comes first.
PUBLIC: dict = {}
for module in [keras_lconv, *MODULES]:
    for exported in getattr(module, "__all__", []):
        value = getattr(module, exported)
        is_new = all(value is not known for known in PUBLIC.values())
        if is_new and (inspect.isclass(value) or inspect.isfunction(value)):
            PUBLIC[f"{module.__name__}.{exported}"] = value
