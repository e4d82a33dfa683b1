"""Refuses arrays that would take more than a share of the memory, before they are
allocated.
"""

import math
import os

# The environment variable `KERAS_LCONV_MEMORY_SHARE` sets another share.
VARIABLE = "KERAS_LCONV_MEMORY_SHARE"
DEFAULT_SHARE = 0.5
# The assumption if the operating system does not tell the size of the memory.
UNKNOWN_MEMORY = 8 * 2**30
LARGEST = 1e300


def physical_memory() -> int:
    """The memory of the machine, in bytes."""
    try:
        pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return UNKNOWN_MEMORY
    return pages * size if pages > 0 and size > 0 else UNKNOWN_MEMORY


def memory_limit() -> float:
    """The memory in bytes that one array, or one step, may take.

    Raises:
        ValueError: If the environment variable is not a positive number.
    """
    text = os.environ.get(VARIABLE, str(DEFAULT_SHARE))
    try:
        share = float(text)
    except ValueError:
        share = math.nan
    if not share > 0:
        raise ValueError(f"`{VARIABLE}` must be a positive number. Received: {text!r}")
    return share * physical_memory()


def require_memory(what: str, numbers: float, way_out: str, itemsize: int = 8) -> None:
    """Raises an error if numbers do not fit into the share of the memory.

    Args:
        what: The object that needs them, with the name of the argument, as the start of a
        sentence.
        numbers: Number of numbers.
        way_out: A sentence without its full stop.
        itemsize: Bytes of each number.

    Raises:
        ValueError: If they take more than `memory_limit()`.
    """
    # Powers may be integers beyond the largest float.
    needed, limit = float(min(numbers, LARGEST)) * itemsize, memory_limit()
    if needed > limit:
        raise ValueError(
            f"{what} would take {readable(needed)} of memory, more than the "
            f"{readable(limit)} that one step may take. {way_out}. The environment "
            f"variable `{VARIABLE}` sets the allowed share of the memory of this machine, "
            f"by default {DEFAULT_SHARE}"
        )


def readable(number: float) -> str:
    """Bytes in the largest unit that leaves a number above 1."""
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if number < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} PB"
