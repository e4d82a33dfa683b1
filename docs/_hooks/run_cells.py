"""Runs a py:percent script cell by cell and records what each cell shows.

`run_cells.py SCRIPT` writes `cells.json` and pictures to a folder in `.cache/tutorials`,
whose name has a hash of the script, the package, the versions and the backend. It is own
code, since notebooks would run once for the page and once more for the test.
"""

import contextlib
import hashlib
import importlib.metadata
import io
import json
import os
import pathlib
import re
import shutil
import sys

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt

# Okabe and Ito's colours, which colour-blind readers tell apart, the palest left out.
COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]

ROOT = pathlib.Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "tutorials"
# With another name of the module it does not, and its result can be had.
RUNS_MAIN = 'if __name__ == "__main__":'
CELL = re.compile(r"^# %%(.*)$", re.MULTILINE)
# What a progress bar wrote over: all before the last carriage return of a line.
OVERWRITTEN = re.compile(r"[^\n]*[\r\x08]+")


def key(script):
    """A hash of all that the result depends on."""
    digest = hashlib.sha256()
    package = sorted((ROOT / "keras_lconv").rglob("*.py"))
    for path in [script, pathlib.Path(__file__), *package]:
        digest.update(path.read_bytes())
    backend = os.environ["KERAS_BACKEND"]
    for name in ("keras", backend, "numpy", "scipy", "matplotlib"):
        digest.update(f"{name}={importlib.metadata.version(name)}".encode())
    return digest.hexdigest()[:16]


def folder_of(script):
    """Where the result is kept."""
    return CACHE / f"{script.stem}-{key(script)}"


def split(source):
    """`[(kind, text)]` of a script."""
    parts = CELL.split(source)
    cells = []
    for head, body in zip(parts[1::2], parts[2::2], strict=True):
        if "[markdown]" in head:
            lines = (re.sub(r"^# ?", "", line) for line in body.split("\n"))
            cells.append(("markdown", "\n".join(lines).strip("\n")))
        elif body.strip():
            cells.append(("code", body.strip("\n")))
    return cells


def words(text):
    """A label without TeX and line breaks."""
    return " ".join(re.sub(r"[$_{}\\]", "", text).split())


def describe(figure):
    """What a figure shows, in the words that stand in it."""
    panels = [figure.get_suptitle()]
    for ax in figure.axes:
        parts = [ax.get_title()]
        if ax.lines or ax.patches:
            axes = [ax.get_ylabel(), ax.get_xlabel()]
            parts.append(" against ".join(filter(None, axes)))
        legends = [*filter(None, [ax.get_legend()]), *figure.legends]
        names = [text.get_text() for legend in legends for text in legend.get_texts()]
        parts.append(" and ".join(names))
        panels.append(": ".join(filter(None, parts)))
    return words("; ".join(filter(None, panels)))


def save_figures(stem, folder, count):
    """Saves the open figures; returns their names and descriptions."""
    saved = []
    for number in plt.get_fignums():
        figure = plt.figure(number)
        name = f"{stem}_{count + len(saved) + 1}.png"
        figure.savefig(folder / name, dpi=110, metadata={"Software": None})
        saved.append({"file": name, "alt": describe(figure)})
    plt.close("all")
    return saved


@plt.rc_context({"axes.prop_cycle": plt.cycler(color=COLORS)})
def run(script):
    """Runs a script, keeps what it shows, and returns its names and those of `main`.

    The second result is what `main` returned, or `None` for a script of steps only.

    The script sees the command line and the working directory of this process.
    """
    folder = folder_of(script)
    for old in CACHE.glob(f"{script.stem}-*"):
        shutil.rmtree(old)
    folder.mkdir(parents=True)
    scope = {"__name__": script.stem, "__file__": str(script)}
    cells, count, result = [], 0, None
    for kind, text in split(script.read_text("utf-8")):
        cell = {"kind": kind, "source": text, "text": "", "figures": []}
        if kind == "code":
            buffer = io.StringIO()
            with contextlib.redirect_stdout(buffer):
                exec(compile(text, str(script), "exec"), scope)
                if RUNS_MAIN in text:
                    result = scope["main"]()
            cell["text"] = OVERWRITTEN.sub("", buffer.getvalue()).strip()
            cell["figures"] = save_figures(script.stem, folder, count)
            count += len(cell["figures"])
        cells.append(cell)
    (folder / "cells.json").write_text(json.dumps(cells), "utf-8")
    return scope, result


if __name__ == "__main__":
    # The script sees its own command line, without arguments.
    sys.argv = sys.argv[1:]
    run(pathlib.Path(sys.argv[0]))
