"""The documentation: it says all there is, and its examples run."""

import inspect
import re
import textwrap

import pytest

from tests.public import PUBLIC, ROOT

# The reader's first lines run on every backend. All others run on the one that compiles
# nothing, and nightly on those that compile each line of them.
FIRST = ("README.md",)


def each(names):
    """Parameters: `thorough`, except the values that are read first."""
    return [n if n in FIRST else pytest.param(n, marks=pytest.mark.thorough) for n in names]


EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = [
    str(path.relative_to(ROOT))
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    if EXAMPLE.search(path.read_text())
]
METHODS = {
    f"{name}.{method}": function
    for name, value in PUBLIC.items()
    if inspect.isclass(value)
    for base in value.__mro__
    if base is value or base.__module__.startswith("keras_lconv.algebra")
    for method, function in vars(base).items()
    if inspect.isfunction(function) and not method.startswith("_")
}
EXAMPLES = {
    name: examples
    for name, value in {**PUBLIC, **METHODS}.items()
    if (examples := EXAMPLE.findall(inspect.getdoc(value) or ""))
}


@pytest.mark.backend_free
def test_there_is_something_to_test():
    assert len(PUBLIC) > 15
    assert len(EXAMPLES) > 15
    assert len(PAGES) > 10


@pytest.mark.parametrize("name", each(EXAMPLES))
def test_docstring_examples_run(name):
    for code in EXAMPLES[name]:
        exec(compile(textwrap.dedent(code), name, "exec"), {})


@pytest.mark.parametrize("page", each(PAGES))
def test_markdown_examples_run(page):
    scope = {}
    for code in EXAMPLE.findall((ROOT / page).read_text()):
        exec(compile(code, page, "exec"), scope)


@pytest.mark.backend_free
@pytest.mark.parametrize("name", PUBLIC)
def test_arguments_are_documented(name):
    value = PUBLIC[name]
    target = value.__init__ if inspect.isclass(value) else value
    arguments = [
        argument for argument in inspect.signature(target).parameters if argument != "self"
    ]
    documentation = inspect.getdoc(value)
    assert documentation
    for argument in arguments:
        assert re.search(rf"^    \**{argument}: ", documentation, re.MULTILINE), argument


@pytest.mark.backend_free
def test_methods_are_documented():
    assert [name for name, method in METHODS.items() if not inspect.getdoc(method)] == []


@pytest.mark.backend_free
def test_the_reference_has_every_public_name_once():
    pages = (path.read_text() for path in (ROOT / "docs" / "api").glob("*.md"))
    names = [name for page in pages for name in re.findall(r"^::: (\S+)", page, re.M)]
    assert len(names) == len(set(names))
    assert set(names) <= set(PUBLIC)
    documented = {id(PUBLIC[name]) for name in names}
    missing = [name for name, value in PUBLIC.items() if id(value) not in documented]
    assert missing == []
