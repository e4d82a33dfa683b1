"""Tables of results."""

import json


def show(rows, path=None):
    """Prints rows, dictionaries with the same keys, as a table in Markdown.

    With a path it writes them to this file, too.
    """
    names = list(rows[0])
    print("| " + " | ".join(names) + " |")
    print("|" + " --- |" * len(names))
    for row in rows:
        print("| " + " | ".join(str(row[name]) for name in names) + " |")
    if path:
        path.write_text(json.dumps(rows, indent=1) + "\n")
