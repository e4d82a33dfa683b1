"""MkDocs hook: sets every formula with KaTeX while the site is built.

So no page needs JavaScript for its formulas, and a formula that KaTeX refuses is a warning,
which a strict build turns into a failure. It is own code around KaTeX itself, since plugins
that do this need Node.
"""

import functools
import html
import logging
import pathlib
import re

import dukpy

log = logging.getLogger("mkdocs.hooks.math")
KATEX = pathlib.Path(__file__).parent / "katex" / "katex.min.js"
# What `pymdownx.arithmatex` makes of `$...$` and of `$$...$$`.
FORMULA = re.compile(r'<(span|div) class="arithmatex">(.*?)</\1>', re.DOTALL)
MACROS = {
    r"\ad": r"\operatorname{ad}",
    r"\divergence": r"\operatorname{div}",
    r"\sign": r"\operatorname{sign}",
    r"\tr": r"\operatorname{tr}",
}


@functools.cache
def engine():
    """An interpreter of JavaScript that has loaded KaTeX as the global `katex`."""
    interpreter = dukpy.JSInterpreter()
    source = KATEX.read_text("utf-8")
    interpreter.evaljs(
        f"var module = {{exports: {{}}}}, exports = module.exports; {source};"
        "var katex = module.exports; null"
    )
    return interpreter


@functools.cache
def typeset(tex, display):
    """A formula as HTML and MathML, on a line of its own if `display`."""
    options = {"displayMode": display, "strict": "error", "macros": MACROS}
    code = "katex.renderToString(dukpy['tex'], dukpy['options'])"
    return engine().evaljs(code, tex=tex, options=options)


def on_post_page(output, page, config):
    """Replaces the TeX in a page by what it means, and leaves what KaTeX refuses."""

    def replace(match):
        tag, content = match.groups()
        tex = html.unescape(content).strip()
        try:
            made = typeset(tex[2:-2], tex.startswith(r"\["))
        except dukpy.JSRuntimeError as error:
            log.warning("%s: %s", page.file.src_uri, str(error).splitlines()[0])
            made = content
        return f'<{tag} class="arithmatex">{made}</{tag}>'

    return FORMULA.sub(replace, output)
