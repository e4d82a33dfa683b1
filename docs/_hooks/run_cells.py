"""Runs a py:percent script cell by cell and records what each cell shows.

Usage: run_cells.py SCRIPT FOLDER, which writes FOLDER/cells.json and FOLDER/*.png.
"""

import contextlib
import io
import json
import pathlib
import re
import sys

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt

# Okabe and Ito's colours, which colour-blind readers tell apart, the palest left out.
COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
plt.rcParams["axes.prop_cycle"] = plt.cycler(color=COLORS)

CELL = re.compile(r"^# %%(.*)$", re.MULTILINE)
# What a progress bar wrote over: all before the last carriage return of a line.
OVERWRITTEN = re.compile(r"[^\n]*[\r\x08]+")


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


def main(script, folder):
    script, folder = pathlib.Path(script), pathlib.Path(folder)
    # The script sees its own command line, without arguments.
    sys.argv = [str(script)]
    scope = {"__name__": "__main__", "__file__": str(script)}
    cells, count = [], 0
    for kind, text in split(script.read_text("utf-8")):
        cell = {"kind": kind, "source": text, "text": "", "figures": []}
        if kind == "code":
            buffer = io.StringIO()
            with contextlib.redirect_stdout(buffer):
                exec(compile(text, str(script), "exec"), scope)
            cell["text"] = OVERWRITTEN.sub("", buffer.getvalue()).strip()
            cell["figures"] = save_figures(script.stem, folder, count)
            count += len(cell["figures"])
        cells.append(cell)
    (folder / "cells.json").write_text(json.dumps(cells), "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
