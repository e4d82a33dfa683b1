"""MkDocs hook: puts what the benchmark measured into the page of benchmarks.

A comment `<!-- benchmark: PART -->` in the page stands for a part of the report.
"""

import io
import json
import pathlib
import re
import sys
import textwrap

from mkdocs.structure.files import File

ROOT = pathlib.Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "assets" / "benchmark_layers.json"
COMMENT = re.compile(r"^( *)<!-- benchmark: (.*) -->$", re.MULTILINE)

sys.path.append(str(ROOT / "benchmarks"))
import layers_report as report  # noqa: E402


def parts(results):
    """The parts of the report, as Markdown."""
    times = results["times"]
    ratios = {f"ratios {to}": report.ratio_tables(times, to) for to in report.COLUMNS}
    return {
        "environment": report.environment_text(results["environment"]),
        "findings": report.findings(times),
        "memory": report.memory_table(results["memory"]),
        **ratios,
    }


def on_files(files, config):
    picture = io.BytesIO()
    report.plot(json.loads(RESULTS.read_text("utf-8"))["times"], picture)
    uri = "assets/benchmark_layers.png"
    files.append(File.generated(config, uri, content=picture.getvalue()))
    return files


def on_page_markdown(markdown, page, **_):
    if page.file.src_uri != "benchmarks.md":
        return markdown
    made = parts(json.loads(RESULTS.read_text("utf-8")))
    return COMMENT.sub(lambda match: textwrap.indent(made[match[2]], match[1]), markdown)
