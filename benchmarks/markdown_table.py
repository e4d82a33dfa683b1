"""Tables of what was measured."""


def show(rows):
    """Prints rows, dictionaries with the same keys, as a table in Markdown."""
    names = list(rows[0])
    print("| " + " | ".join(names) + " |")
    print("|" + " --- |" * len(names))
    for row in rows:
        print("| " + " | ".join(str(row[name]) for name in names) + " |")
