"""MkDocs hook: makes the formulas in search results readable.

The index of the search holds TeX as it was written, and results show it so. Here it is made
plain: `\\exp(-\\tau C)` becomes `exp(-tau C)`, which can be searched for, too. It is own
code of some lines, since the plugin for the search knows no formulas.
"""

import html
import json
import pathlib
import re

from mkdocs.plugins import event_priority

FORMULA = re.compile(r"\\\((.*?)\\\)|\\\[(.*?)\\\]", re.DOTALL)
FRACTION = re.compile(r"\\[td]?frac\{([^{}]*)\}\{([^{}]*)\}")
ENVIRONMENT = re.compile(r"\\(begin|end)\{\w+\}")
COMMAND = re.compile(r"\\([a-zA-Z]+)")
MARKUP = re.compile(r"\\[\\,;:! ]|(?<!\\)[{}&]|\\(?=[{}])")
# Commands that have a character, or none, in plain text. All others are words.
CHARACTERS = {
    **dict.fromkeys(("left", "right", "text", "mathrm", "mathbf", "operatorname"), ""),
    **dict.fromkeys(("quad", "qquad"), " "),
    **dict.fromkeys(("lvert", "rvert", "lVert", "rVert"), "|"),
    **dict.fromkeys(("to", "mapsto"), "→"),
    "cdot": "·",
    "times": "x",
    "otimes": "⊗",
    "dots": "…",
    "langle": "⟨",
    "rangle": "⟩",
    "le": "≤",
    "ge": "≥",
    "ne": "≠",
    "in": "∈",
}


def plain(tex):
    """A formula in plain text."""
    tex = ENVIRONMENT.sub("", tex)
    tex = FRACTION.sub(r"(\1) / (\2)", tex)
    tex = COMMAND.sub(lambda match: CHARACTERS.get(match[1], match[1]), tex)
    return " ".join(MARKUP.sub("", tex).split())


def replace(match):
    tex = html.unescape(match[1] or match[2])
    return html.escape(plain(tex), quote=False)


# After the search has written its index.
@event_priority(-100)
def on_post_build(config):
    path = pathlib.Path(config.site_dir) / "search" / "search_index.json"
    index = json.loads(path.read_text("utf-8"))
    for entry in index["docs"]:
        for key in ("title", "text"):
            entry[key] = FORMULA.sub(replace, entry[key])
    path.write_text(json.dumps(index, separators=(",", ":")), "utf-8")
