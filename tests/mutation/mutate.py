"""Puts faults into the package and counts those that its tests notice: `make mutate`.

The faults are those of Cosmic Ray: another operator, comparison, number or keyword, a loop
that does not run, a decorator that is gone. A sample of them is drawn: modules by their
size, and each place in them as likely as any other. A fault is killed if a test of its
area fails, if one takes a minute of computing, or if all take three times as long as
without a fault. No file is written: each fault lives in one process, which has it compiled
in place of the module.
"""

import argparse
import ast
import functools
import importlib.machinery
import os
import pathlib
import random
import resource
import signal

import keras  # noqa: F401  (loaded once, and not for each fault)
import parso  # noqa: F401  (before cosmic_ray, which imports a part of it first)
import pytest
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

ROOT = pathlib.Path(__file__).parents[2]
# The tests for each area.
AREAS = {
    "generators": (
        ("generators",),
        (
            "tests/generators",
            "tests/layers/test_contraction.py",
            "tests/layers/test_lconv_width.py",
            "tests/layers/test_induced_generators.py",
            "tests/layers/test_equivariant_groups.py",
        ),
    ),
    "layers": (("layers",), ("tests/layers",)),
    "algebra": (("algebra",), ("tests/algebra",)),
    "discovery": (("discovery",), ("tests/discovery",)),
    "physics": (("physics",), ("tests/physics",)),
    "steerable": (
        ("layers/steerable", "layers/equivariant", "models/steerable_classifier.py"),
        ("tests/layers", "tests/models/test_steerable_classifier.py"),
    ),
    "models": (("models", "datasets"), ("tests/models", "tests/datasets")),
    "convert": (("convert",), ("tests/convert",)),
    "training": (
        ("callbacks", "metrics", "regularizers", "losses.py", "initializers.py"),
        (
            "tests/test_callbacks.py",
            "tests/test_generator_monitor.py",
            "tests/test_losses.py",
            "tests/test_metrics.py",
            "tests/test_regularizers.py",
            "tests/layers/test_initialization.py",
        ),
    ),
}
# Arguments and default values of all public names, and the ones refused for their size.
EVERYWHERE = ("tests/test_signatures.py", "tests/test_memory.py")
# Test files that come first, since most faults fail there.
NEAREST = 3
# A file may hold nothing that runs by day.
PASSED = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
# Faults that are none: `is` for `==` of small numbers and names.
EQUIVALENT = ("_Is", "_IsNot")


def idle(code):
    """Lines and columns of code without effect: annotations, `strict=` for equal
    lengths.
    """
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.keyword) and node.arg == "strict":
            value = node.value
            yield (
                (value.lineno, value.col_offset),
                (value.end_lineno, value.end_col_offset),
            )
        for name in ("annotation", "returns"):
            found = getattr(node, name, None)
            if found is not None:
                yield (
                    (found.lineno, found.col_offset),
                    (found.end_lineno, found.end_col_offset),
                )


@functools.cache
def faults(path):
    """All faults of a module, by their place: lists of operators and occurrences."""
    code = path.read_text()
    skipped = list(idle(code))
    nodes = list(ast_nodes(get_ast(code)))
    places = {}
    for name in operator_names():
        operator = get_operator(name)
        if operator.arguments() or name.endswith(EQUIVALENT):
            continue
        positions = (p for node in nodes for p in operator().mutation_positions(node))
        for occurrence, (start, end) in enumerate(positions):
            if not any(first <= start < last for first, last in skipped):
                places.setdefault((start, end), []).append((name, occurrence))
    return places


def sample(area, number, seed):
    """So many faults of an area: paths, lines, names of operators, and the code."""
    source = random.Random(f"{seed} {area}")
    parts = [ROOT / "keras_lconv" / part for part in AREAS[area][0]]
    paths = [path for part in parts for path in sorted(part.rglob("*.py")) or [part]]
    sizes = [path.stat().st_size for path in paths]
    drawn = set()
    while len(drawn) < number:
        (path,) = source.choices(paths, sizes)
        places = faults(path)
        if not places:
            continue
        place = source.choice(sorted(places))
        name, occurrence = source.choice(places[place])
        mutated = mutate_code(path.read_text(), get_operator(name)(), occurrence)
        if (path, place) not in drawn and is_code(mutated):
            drawn.add((path, place))
            yield path, place[0][0], name.removeprefix("core/"), mutated


def is_code(text):
    """Whether it compiles: `**kwargs` is no power."""
    try:
        compile(text, "fault", "exec")
    except SyntaxError:
        return False
    return True


class TimeLimit:
    """Ends the process where a test takes more computing than any does without a fault."""

    SECONDS = 60

    def pytest_runtest_logstart(self):
        signal.setitimer(signal.ITIMER_PROF, self.SECONDS)


def run_tests(tests, path, code):
    """Ends the process with 1 if a test fails with a module's code replaced, or with 0."""
    load = importlib.machinery.SourceFileLoader.get_code

    def get_code(loader, fullname):
        if loader.path == str(path):
            return compile(code, loader.path, "exec")
        return load(loader, fullname)

    importlib.machinery.SourceFileLoader.get_code = get_code
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    os.chdir(ROOT)
    cache = f"cache_dir={ROOT / '.cache' / 'mutation'}"
    options = ["-x", "-q", "-o", cache, "-m", "not nightly"]
    try:
        nearest, others = tests[:NEAREST], tests[NEAREST:]
        result = pytest.main([*options, *nearest], [TimeLimit()])
        if others and result in PASSED:
            result = pytest.main([*options, *others], [TimeLimit()])
        result = int(result not in PASSED)
    except BaseException:
        # The fault is in the collection of the tests.
        result = 1
    os._exit(result)


def in_child(limit, *arguments):
    """Whether `run_tests` fails in a process of its own, and its seconds of computing."""
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
        run_tests(*arguments)
    _, status, usage = os.wait4(child, 0)
    failed = not os.WIFEXITED(status) or bool(os.WEXITSTATUS(status))
    return failed, usage.ru_utime + usage.ru_stime


def limit_of(area):
    """Three times the seconds that the tests take; they have to pass without any fault."""
    path = ROOT / "keras_lconv" / "__init__.py"
    failed, seconds = in_child(3600, order(area, path, None), path, path.read_text())
    if failed:
        raise SystemExit(f"The tests of {area} fail without any fault")
    print(f"{area}: the tests take {seconds:.0f} s of computing", flush=True)
    return 3 * int(seconds) + 10


def order(area, path, number):
    """The test files of an area, first those with a name as the module's."""
    tests = [ROOT / name for name in (*AREAS[area][1], *EVERYWHERE)]
    files = [file for test in tests for file in sorted(test.rglob("test_*.py")) or [test]]
    words = stems(path.stem) | stems(path.parent.name)
    # Then the small ones.
    ranked = sorted(files, key=lambda f: (-len(words & stems(f.stem)), f.stat().st_size))
    return [str(file) for file in ranked[:number]]


def stems(name):
    """The beginnings of its words: `fields` are of `field`."""
    return {word[:5] for word in name.split("_")}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--areas", nargs="+", choices=AREAS, default=list(AREAS))
    parser.add_argument("--sample", type=int, default=20, help="faults of each area")
    parser.add_argument("--files", type=int, help="test files for each, the nearest ones")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    totals = [0, 0]
    for area in options.areas:
        killed = number = 0
        limit = limit_of(area)
        for path, line, name, code in sample(area, options.sample, options.seed):
            tests = order(area, path, options.files)
            failed, _ = in_child(limit, tests, path, code)
            number += 1
            killed += failed
            place = f"{path.relative_to(ROOT)}:{line}"
            text = "" if failed else code.splitlines()[line - 1].strip()
            print(f"{'killed' if failed else 'SURVIVED'} {place} {name} {text}", flush=True)
        print(f"{area}: {killed} of {number} faults killed", flush=True)
        totals[0] += killed
        totals[1] += number
    print(f"{totals[0]} of {totals[1]} faults killed, seed {options.seed}")


if __name__ == "__main__":
    main()
