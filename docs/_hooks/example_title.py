"""MkDocs hook: sets the title of a docstring's example like those of its other sections."""


def on_page_content(html, **_):
    return html.replace("<p>Example:", "<p><strong>Example:</strong>")
