"""Opens a built site in Chromium: `python docs/_tools/check_browser.py site`.

Every page is opened in light and in dark, and looked at on a desktop and on a phone. There
must be no warning in the console, no error, no request to another host and none that fails,
no unset formula, no page wider than the screen, no broken image or one without a
description, and no text that is hard to tell from its background. The search must find
something. It is own code over Playwright, since checkers of accessibility look at the last
two only.

The browser is the one that the environment variable CHROMIUM names, or the one on the path,
or Playwright's own. `--screenshots FOLDER` keeps a picture of every page.
"""

import argparse
import contextlib
import functools
import http.server
import os
import pathlib
import shutil
import sys
import threading
import urllib.parse

from playwright.sync_api import Error, TimeoutError, sync_playwright

WIDTHS = {"desktop": 1280, "phone": 390}
SCHEMES = {"light": "default", "dark": "slate"}  # as readers and as the theme name them
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
NO_OTHER_HOST = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
LOOK = (pathlib.Path(__file__).parent / "look.js").read_text("utf-8")


class Server(http.server.SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def served(site):
    """The address at which the site is served meanwhile."""
    handler = functools.partial(Server, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def launch(playwright):
    """A browser, or the end with advice."""
    installed = filter(None, map(shutil.which, BROWSERS))
    path = os.environ.get("CHROMIUM") or next(installed, None)
    try:
        return playwright.chromium.launch(executable_path=path, args=[NO_OTHER_HOST])
    except Error as error:
        sys.exit(
            f"{error}\nNo browser started. Install Chromium, or name one in the variable "
            "CHROMIUM, or run `playwright install --with-deps chromium`."
        )


class Visit:
    """A window of the browser, which goes from page to page and notes what is wrong."""

    def __init__(self, browser, address, scheme):
        self.address, self.scheme, self.device = address, scheme, "desktop"
        self.faults, self.where = [], ""
        self.page = browser.new_page(color_scheme=scheme, service_workers="block")
        self.page.on("request", self._request)
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self._note(f"error: {error}"))
        self.page.on("requestfailed", self._failed)
        self.page.on("response", self._response)

    def _note(self, fault):
        self.faults.append(f"{self.where} ({self.device}, {self.scheme}): {fault}")

    def _inside(self, url):
        return url.startswith(self.address) or urllib.parse.urlsplit(url).scheme == "data"

    def _request(self, request):
        if not self._inside(request.url):
            self._note(f"asks another host: {request.url}")

    def _console(self, message):
        # Requests are watched themselves.
        if message.type in ("error", "warning") and "Failed to load" not in message.text:
            self._note(f"console: {message.text}")

    def _failed(self, request):
        # Going to the next page cuts off what the last one still loads.
        if self._inside(request.url) and request.failure != "net::ERR_ABORTED":
            self._note(f"{request.failure}: {request.url}")

    def _response(self, response):
        if response.status >= 400:
            self._note(f"{response.status}: {response.url}")

    def turn_to(self, device):
        """Makes the window as wide as that of a device."""
        self.device = device
        self.page.set_viewport_size({"width": WIDTHS[device], "height": 900})

    def open(self, where):
        """Opens a page."""
        self.where = where
        self.page.goto(self.address + where)
        self.page.evaluate("document.fonts.ready")
        # Another width is there at once, without the theme's movements on the way.
        still = "*, ::before, ::after { transition: none !important }"
        self.page.add_style_tag(content=still)

    def look(self):
        """Notes what is wrong with the page as it stands."""
        shown = self.page.locator("body").get_attribute("data-md-color-scheme")
        if shown != SCHEMES[self.scheme]:
            self._note(f"does not follow the reader's system: {shown}")
        for fault in self.page.evaluate(LOOK, WIDTHS[self.device]):
            self._note(fault)

    def search(self, word):
        """Types a word into the search box of the first page."""
        self.open("index.html")
        if self.device == "phone":
            self.page.locator("label[for=__search].md-header__button").click()
        self.page.locator("[data-md-component=search-query]").press_sequentially(word)
        found = self.page.locator(".md-search-result__item", has_text=word)
        try:
            found.first.wait_for(timeout=10_000)
        except TimeoutError:
            self._note(f"the search does not find {word!r}")

    def keep(self, folder):
        """Saves the page, from its top to its end."""
        path = folder / f"{self.device}-{self.scheme}" / self.where
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path.with_suffix(".png"), full_page=True)


def check(site, folder=None):
    """All that is wrong with a site, a line for each, and the number of pages."""
    names = [path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html"))]
    faults = []
    with served(site) as address, sync_playwright() as playwright:
        browser = launch(playwright)
        for scheme in SCHEMES:
            visit = Visit(browser, address, scheme)
            for name in names:
                visit.open(name)
                for device in WIDTHS:
                    visit.turn_to(device)
                    visit.look()
                    if folder:
                        visit.keep(folder)
            for device in WIDTHS:
                visit.turn_to(device)
                visit.search("rotation")
            visit.page.close()
            faults += dict.fromkeys(visit.faults)
        browser.close()
    return faults, len(names)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=pathlib.Path)
    parser.add_argument("--screenshots", type=pathlib.Path, metavar="FOLDER")
    arguments = parser.parse_args()
    if not (arguments.site / "index.html").exists():
        sys.exit(f"{arguments.site} holds no built site")
    faults, pages = check(arguments.site, arguments.screenshots)
    views = len(WIDTHS) * len(SCHEMES)
    count = f"Faults of {pages} pages in {views} views: {len(faults)}"
    print(*faults, count, sep="\n")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
