"""MkDocs hook: runs every `examples/*.py` and makes a page of it.

What `run_cells.py` keeps is not run again: the tests of the examples run them, too. For
this reason it is own code, and no plugin for notebooks or galleries.
"""

import concurrent.futures
import json
import logging
import os
import pathlib
import re
import subprocess
import sys

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from run_cells import folder_of

log = logging.getLogger("mkdocs.hooks.tutorials")
HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
PROCESSES = min(4, os.cpu_count() or 1)
EPOCHS = re.compile(
    r"(^Epoch 1/(?P<last>\d+)\n.*\n)(?:Epoch \d+/(?P=last)\n.*\n)+"
    r"(Epoch (?P=last)/(?P=last)\n)",
    re.MULTILINE,
)
os.environ.setdefault("KERAS_BACKEND", "torch")
ENVIRONMENT = {"OMP_NUM_THREADS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", **os.environ}


def execute(script):
    """Runs a script in its own process, unless its result is known."""
    folder = folder_of(script)
    if not (folder / "cells.json").exists():
        done = subprocess.run(
            [sys.executable, HERE / "run_cells.py", script],
            env=ENVIRONMENT,
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            name = script.relative_to(ROOT)
            raise PluginError(f"{name} failed:\n{done.stderr[-3000:]}")
        log.info("ran %s", script.name)
    return folder, json.loads((folder / "cells.json").read_text("utf-8"))


def shorten(text):
    """Training logs with their first and their last epoch."""
    return EPOCHS.sub(r"\1...\n\3", text)


def fence(text, language):
    bar = "```"
    while bar in text:
        bar += "`"
    return f"{bar} {language}\n{text}\n{bar}"


# Jupyter has arguments of its own on the command line.
NO_ARGUMENTS = {"kind": "code", "source": "import sys\n\nsys.argv = sys.argv[:1]"}


def notebook(cells):
    """The script as a Jupyter notebook."""
    made = []
    for number, cell in enumerate([NO_ARGUMENTS, *cells]):
        entry = {
            "cell_type": cell["kind"],
            "id": f"cell-{number}",
            "metadata": {},
            "source": cell["source"],
        }
        if cell["kind"] == "code":
            entry |= {"execution_count": None, "outputs": []}
        made.append(entry)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel}
    book = {"cells": made, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(book, indent=1)


def page(script, cells):
    """The script and what it showed, as Markdown."""
    parts = []
    for cell in cells:
        if cell["kind"] == "markdown":
            parts.append(cell["source"])
            continue
        parts.append(fence(cell["source"], "python"))
        if cell["text"]:
            shown = fence(shorten(cell["text"]), "text")
            parts.append(f'<div class="output" markdown>\n\n{shown}\n\n</div>')
        for figure in cell["figures"]:
            # A figure leads to itself in full size, for small screens.
            parts.append(f"[![{figure['alt']}]({figure['file']})]({figure['file']})")
    parts.append(f"---\n\n[Script]({script.name}) · [Notebook]({script.stem}.ipynb)")
    return "\n\n".join(parts) + "\n"


def on_files(files, config):
    scripts = sorted((ROOT / "examples").glob("[!_]*.py"))
    # Scripts compute on one core most of the time.
    with concurrent.futures.ThreadPoolExecutor(PROCESSES) as pool:
        results = list(pool.map(execute, scripts))
    for script, (folder, cells) in zip(scripts, results, strict=True):
        made = {
            f"{script.stem}.md": page(script, cells),
            f"{script.stem}.ipynb": notebook(cells),
            script.name: script.read_text("utf-8"),
        }
        for name, content in made.items():
            file = File.generated(config, f"tutorials/{name}", content=content)
            file.edit_uri = None
            files.append(file)
        for figure in folder.glob("*.png"):
            uri = f"tutorials/{figure.name}"
            files.append(File.generated(config, uri, abs_src_path=str(figure)))
    return files
