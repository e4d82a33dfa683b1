"""Checks a built site: `python docs/_tools/check_site.py site`.

Every link, image and anchor that stays within the site must exist, nothing may be loaded
from elsewhere, and no formula may be left as TeX. It is own code, since MkDocs checks links
before hooks and plugins write their pages.
"""

import html.parser
import pathlib
import sys
import urllib.parse

# What a browser loads without a click, beside all that has a `src`.
LOADED = {"stylesheet", "icon", "preload", "preconnect"}
NOT_PROSE = {"annotation", "code", "script", "style"}


class Page(html.parser.HTMLParser):
    """The anchors of a page, what it links to, what it loads, and its unset formulas."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links, self.loads, self.formulas = set(), [], [], []
        self._not_prose = 0
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self._not_prose += tag in NOT_PROSE
        self.anchors |= {values[key] for key in ("id", "name") if values.get(key)}
        if values.get("href"):
            loaded = tag == "link" and values.get("rel") in LOADED
            (self.loads if loaded else self.links).append(values["href"])
        if values.get("src"):
            self.loads.append(values["src"])

    def handle_endtag(self, tag):
        self._not_prose -= tag in NOT_PROSE

    def handle_data(self, data):
        if not self._not_prose and any(mark in data for mark in ("$", r"\(", r"\[")):
            self.formulas.append(data.strip())


def fault(site, path, url, pages):
    """What is wrong with a link from the page at `path`, or None."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme or parts.netloc:
        return None
    target = path
    if parts.path.startswith("/"):
        return "not relative"
    if parts.path:
        target = (path.parent / urllib.parse.unquote(parts.path)).resolve()
    if target.is_dir():
        target /= "index.html"
    if not target.exists() or not target.is_relative_to(site):
        return "missing"
    anchor = urllib.parse.unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].anchors:
        return "no such anchor"
    return None


def faults(site):
    """All that is wrong with a site, a line for each."""
    files = [path for path in sorted(site.rglob("*.html")) if path.name != "404.html"]
    pages = {path: Page(path.read_text("utf-8")) for path in files}
    for path, page in pages.items():
        name = path.relative_to(site)
        for url in [*page.links, *page.loads]:
            if why := fault(site, path, url, pages):
                yield f"{name}: {url}: {why}"
        for url in page.loads:
            if urllib.parse.urlsplit(url).scheme not in ("", "data"):
                yield f"{name}: {url}: loads from outside"
        for text in page.formulas:
            yield f"{name}: formula is not set: {text}"


def main():
    site = pathlib.Path(sys.argv[1]).resolve()
    if not (site / "index.html").exists():
        sys.exit(f"{site} holds no built site")
    found = list(faults(site))
    print(*found, f"Faults of the site: {len(found)}", sep="\n")
    sys.exit(bool(found))


if __name__ == "__main__":
    main()
