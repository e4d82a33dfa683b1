"""Names, arguments and default values of all that is public, as text.

A default that changes changes what users get. So they are written down, and a change has
to be made in two places: `python -m tests.signatures` writes `tests/signatures.txt`.
"""

import inspect
import pathlib

from tests.public import PUBLIC

FILE = pathlib.Path(__file__).with_suffix(".txt")


def signatures():
    """One line for each function, class and method."""
    for name, value in sorted(PUBLIC.items()):
        yield name + _arguments(value)
        if inspect.isclass(value):
            for member, function in sorted(vars(value).items()):
                if inspect.isfunction(function) and not member.startswith("_"):
                    yield f"{name}.{member}{_arguments(function)}"


def _arguments(value):
    signature = inspect.signature(value)
    plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(signature.replace(parameters=plain, return_annotation=signature.empty))


if __name__ == "__main__":
    FILE.write_text("\n".join(signatures()) + "\n")
