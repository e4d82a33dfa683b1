"""MkDocs hook: puts what benchmarks measured into their pages.

A comment `<!-- benchmark: PART -->` in a page stands for a part of the report.
"""

import io
import json
import pathlib
import re
import sys
import textwrap

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).parents[2]
COMMENT = re.compile(r"^( *)<!-- benchmark: (.*) -->$", re.MULTILINE)

sys.path.append(str(ROOT / "benchmarks"))
import layers_report as report  # noqa: E402
import which_model_report  # noqa: E402


def results_of(name):
    """What a benchmark wrote."""
    return json.loads((ROOT / "docs" / "assets" / f"{name}.json").read_text("utf-8"))


def parts_of_layers():
    """The parts of the report on layers, as Markdown."""
    results = results_of("benchmark_layers")
    times = results["times"]
    ratios = {f"ratios {to}": report.ratio_tables(times, to) for to in report.COLUMNS}
    return {
        "environment": report.environment_text(results["environment"]),
        "findings": report.findings(times),
        "memory": report.memory_table(results["memory"]),
        **ratios,
    }


def parts_of_models():
    """A table of networks for each kind of data."""
    results = results_of("which_model")
    tables = {name: which_model_report.report(t) for name, t in results["tasks"].items()}
    return {"heading": which_model_report.heading(results), **tables}


PAGES = {"benchmarks.md": parts_of_layers, "which_model.md": parts_of_models}


def on_files(files, config):
    picture = io.BytesIO()
    report.plot(results_of("benchmark_layers")["times"], picture)
    uri = "assets/benchmark_layers.png"
    files.append(File.generated(config, uri, content=picture.getvalue()))
    return files


def on_page_markdown(markdown, page, **_):
    if page.file.src_uri not in PAGES:
        return markdown
    made = PAGES[page.file.src_uri]()
    return COMMENT.sub(lambda match: textwrap.indent(made[match[2]], match[1]), markdown)
