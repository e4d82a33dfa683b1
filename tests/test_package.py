"""The package as a whole: what it imports, exports and says."""

import importlib
import inspect
import pathlib
import pkgutil
import re
import subprocess
import sys
import textwrap

import pytest

import keras_lconv

ROOT = pathlib.Path(__file__).parents[1]
MODULES = [
    importlib.import_module(info.name)
    for info in pkgutil.walk_packages(keras_lconv.__path__, "keras_lconv.")
]
# What a package exports from its own modules counts once, under the shortest name.
PUBLIC: dict = {}
for module in [keras_lconv, *MODULES]:
    for exported in getattr(module, "__all__", []):
        value = getattr(module, exported)
        is_new = all(value is not known for known in PUBLIC.values())
        if is_new and (inspect.isclass(value) or inspect.isfunction(value)):
            PUBLIC[f"{module.__name__}.{exported}"] = value
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = [
    str(path.relative_to(ROOT))
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    if EXAMPLE.search(path.read_text())
]


def test_there_is_something_to_test():
    assert len(PUBLIC) > 15
    assert len(PAGES) > 10


@pytest.mark.parametrize("name", PUBLIC)
def test_docstring_examples_run(name):
    documentation = inspect.getdoc(PUBLIC[name])
    assert documentation
    for code in EXAMPLE.findall(documentation):
        exec(compile(textwrap.dedent(code), name, "exec"), {})


METHODS = [
    (f"{name}.{method}", function)
    for name, value in PUBLIC.items()
    if inspect.isclass(value)
    for base in value.__mro__
    if base is value or base.__module__.startswith("keras_lconv.algebra")
    for method, function in vars(base).items()
    if inspect.isfunction(function) and not method.startswith("_")
]


@pytest.mark.parametrize(("name", "method"), METHODS, ids=[name for name, _ in METHODS])
def test_methods_are_documented_and_their_examples_run(name, method):
    documentation = inspect.getdoc(method)
    assert documentation
    for code in EXAMPLE.findall(documentation):
        exec(compile(textwrap.dedent(code), name, "exec"), {})


@pytest.mark.parametrize("name", PUBLIC)
def test_arguments_are_documented(name):
    value = PUBLIC[name]
    target = value.__init__ if inspect.isclass(value) else value
    arguments = [
        argument for argument in inspect.signature(target).parameters if argument != "self"
    ]
    documentation = inspect.getdoc(value)
    for argument in arguments:
        assert re.search(rf"^    \**{argument}: ", documentation, re.MULTILINE), argument


@pytest.mark.parametrize("page", PAGES)
def test_markdown_examples_run(page):
    scope = {}
    for code in EXAMPLE.findall((ROOT / page).read_text()):
        exec(compile(code, page, "exec"), scope)


def test_the_reference_has_every_public_name_once():
    pages = (path.read_text() for path in (ROOT / "docs" / "api").glob("*.md"))
    names = [name for page in pages for name in re.findall(r"^::: (\S+)", page, re.M)]
    assert len(names) == len(set(names))
    assert set(names) <= set(PUBLIC)
    documented = {id(PUBLIC[name]) for name in names}
    missing = [name for name, value in PUBLIC.items() if id(value) not in documented]
    assert missing == []


def test_import_is_light():
    """No plotting, no scikit-learn, no SciPy and no other backend than the chosen one."""
    code = (
        "import sys, keras; before = set(sys.modules); import keras_lconv;"
        "new = {name.split('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(new & {'matplotlib', 'sklearn', 'scipy', 'torch', 'jax',"
        " 'tensorflow'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert done.stdout.strip() == "[]"


def test_only_public_keras():
    for path in (ROOT / "keras_lconv").rglob("*.py"):
        assert "keras.src" not in path.read_text(), path


def test_only_one_module_knows_the_backends():
    pattern = re.compile(r"^\s*(import|from) (tensorflow|jax|torch)\b", re.MULTILINE)
    knowing = [
        path.name
        for path in (ROOT / "keras_lconv").rglob("*.py")
        if pattern.search(path.read_text())
    ]
    assert knowing == ["_backend.py"]


def test_imports_point_one_way():
    """The order of modules and subpackages: each may import those before it only."""
    order = [
        "algebra",
        "datasets",
        "generators",
        "regularizers",
        "layers",
        "metrics",
        "callbacks",
        "discovery",
        "convert",
        "models",
        "physics",
    ]
    pattern = re.compile(
        r"(?:from|import) keras_lconv\.(\w+)|from keras_lconv import (\w+)"
    )
    for position, package in enumerate(order):
        folder = ROOT / "keras_lconv" / package
        paths = [*folder.rglob("*.py"), *folder.parent.glob(f"{package}.py")]
        assert paths, package
        for path in paths:
            for found in pattern.findall(path.read_text()):
                imported = found[0] or found[1]
                later = order[position + 1 :]
                assert imported not in later, f"{path} imports {imported}"


def test_version_is_stated_in_changelog_and_citation():
    assert f"## {keras_lconv.__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert f"\nversion: {keras_lconv.__version__}\n" in (ROOT / "CITATION.cff").read_text()
