"""The house: what the package imports, how it names things, where they are."""

import ast
import dataclasses
import inspect
import re
import subprocess
import sys

import pytest

import keras_lconv
from keras_lconv.report import Report
from tests.public import PUBLIC, ROOT

pytestmark = pytest.mark.backend_free


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


def test_submodules_are_attributes():
    """In a process that has imported nothing but the package."""
    code = (
        "import keras_lconv as k; assert 'models' in dir(k);"
        "print(k.models.steerable_classifier.__name__, hasattr(k, 'nonsense'))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "steerable_classifier False"


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
        "estimators",
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


def test_modules_inside_a_package_have_no_underscore():
    """The `__init__` of a package says what is public; files need not say it again."""
    private = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "keras_lconv").glob("*/**/*.py")
        if path.name.startswith("_") and path.name != "__init__.py"
    ]
    assert private == []


# Of float64, Keras computes these in float32 on PyTorch.
IMPRECISE = {
    "average",
    "matmul",
    "maximum",
    "mean",
    "minimum",
    "norm",
    "segment_sum",
    "tensordot",
    "var",
}


def imprecise_calls(path):
    """The lines where a module takes one of these from `keras.ops`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute) and node.attr in IMPRECISE:
            if ast.unparse(node.value) in ("ops", "keras.ops", "ops.linalg"):
                yield f"{path.relative_to(ROOT)}:{node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            "keras.ops"
        ):
            for name in node.names:
                if name.name in IMPRECISE:
                    yield f"{path.relative_to(ROOT)}:{node.lineno}: {name.name}"


def test_only_modules_that_know_better_call_what_loses_precision():
    calls = [
        call
        for path in sorted((ROOT / "keras_lconv").rglob("*.py"))
        if path.name not in ("_ops.py", "_backend.py")
        for call in imprecise_calls(path)
    ]
    assert calls == []


# ---------------------------------------------------------------------- vocabulary

# Names that mean the same as another one, which is the one to use.
OTHER_NAMES = {
    "ambient": "search",
    "layer_or_model": "function",
    "metric": "form",
    "num_scalars": "scalars",
    "of": "kind",
    "on_fibres": "kind",
    "output_generators": "generators_out",
}
SIZES = ("filters", "units", "outputs", "degree", "rate")
GENERATORS = ("generators", "generators_in", "generators_out", "group", "representation")
DATA = (
    "report",
    "function",
    "equation",
    "hamiltonian",
    "model",
    "layer",
    "loss",
    "data",
    "trajectories",
    "x",
    "y",
    "parameters",
    "order",
)
# What Keras takes by position in layers and models of the same kind.
KERAS = (
    "activation",
    "classes",
    "classifier_activation",
    "include_top",
    "input_shape",
    "kernel_size",
    "name",
    "padding",
    "pool_size",
    "pooling",
    "strides",
)
# Where arguments have roles. Elsewhere, as in `so(p, q)`, mathematics has its own order.
ROOMS = ("callbacks", "discovery", "estimators", "layers", "losses", "metrics", "models")
ROOMS += ("physics",)


def signatures():
    """`(name, parameters)` of all public functions and classes but results, each once."""
    values = {id(value): (name, value) for name, value in reversed(PUBLIC.items())}
    for name, value in values.values():
        if not dataclasses.is_dataclass(value):
            target = value.__init__ if inspect.isclass(value) else value
            parameters = inspect.signature(target).parameters.values()
            yield name, [p for p in parameters if p.name != "self"]


def test_one_thing_has_one_name():
    found = [
        f"{name}: `{parameter.name}` is `{OTHER_NAMES[parameter.name]}`"
        for name, parameters in signatures()
        for parameter in parameters
        if parameter.name in OTHER_NAMES
    ]
    assert found == []


def faults_of_order(parameters):
    """Arguments that may be given by position, and should not be, or not there."""
    names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    for position, name in enumerate(names):
        if name not in (*SIZES, *GENERATORS, *DATA, *KERAS):
            yield f"`{name}` must be keyword-only"
        before = {*SIZES, *GENERATORS, *DATA}
        if name in GENERATORS and not before.issuperset(names[:position]):
            yield f"`{name}` must come first, or after sizes"


def test_sizes_and_generators_come_first_and_the_rest_by_name():
    found = [
        f"{name}: {fault}"
        for name, parameters in signatures()
        if any(f"keras_lconv.{room}" in name for room in ROOMS) or name.count(".") == 1
        for fault in faults_of_order(parameters)
    ]
    assert found == []


def test_every_report_is_one():
    reports = {name: value for name, value in PUBLIC.items() if name.endswith("Report")}
    assert len(reports) >= 9
    for name, report in reports.items():
        assert issubclass(report, Report), name
        assert report is Report or {"summary", "plot"} <= set(vars(report)), name
        assert "__repr__" not in vars(report) or report is Report, name


def test_formulas_are_where_the_guide_says():
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    table = guide.split("## Formulas, and where they are")[1].split("\n## ")[0]
    rows = [line for line in table.splitlines() if "$" in line]
    assert len(rows) >= 18
    for row in rows:
        places = re.findall(r"`([\w/.]+)`", row)
        files = [place for place in places if place.endswith(".py")]
        assert files, row
        code = [(ROOT / "keras_lconv" / file).read_text() for file in files]
        for name in places:
            if name not in files:
                defined = rf"(def|class) {name.split('.')[-1]}\b"
                assert any(re.search(defined, text) for text in code), name


def test_version_is_stated_in_changelog_and_citation():
    assert f"## {keras_lconv.__version__}" in (ROOT / "CHANGELOG.md").read_text()
    assert f"\nversion: {keras_lconv.__version__}\n" in (ROOT / "CITATION.cff").read_text()
