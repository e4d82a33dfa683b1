"""The simple real Lie algebras: names by type and signature of the Killing form."""

from collections.abc import Iterator
from typing import NamedTuple

EXCEPTIONAL = {
    # rank, dimension, and the characters of the real forms
    "g2": (2, 14, (-14, 2)),
    "f4": (4, 52, (-52, -20, 4)),
    "e6": (6, 78, (-78, -26, -14, 2, 6)),
    "e7": (7, 133, (-133, -25, -5, 7)),
    "e8": (8, 248, (-248, -24, 8)),
}
# The preferred name, where an algebra has several.
PREFERENCE = ("sl", "so(", "su(", "sp", "usp", "so*", "su*")


class RealForm(NamedTuple):
    """A real form of a simple complex algebra."""

    name: str
    character: int  # positive minus negative eigenvalues of the Killing form


def _signed(name: str, p: int, q: int) -> str:
    return f"{name}({p},{q})" if q else f"{name}({p})"


def _splits(n: int) -> Iterator[tuple[int, int]]:
    """All `p + q = n` with `p >= q`."""
    return ((n - q, q) for q in range(n // 2 + 1))


def _special_linear(n: int) -> Iterator[RealForm]:
    yield RealForm(f"sl({n},R)", n - 1)
    for p, q in _splits(n):
        yield RealForm(_signed("su", p, q), 1 - (p - q) ** 2)
    if n % 2 == 0 and n > 2:
        yield RealForm(f"su*({n})", -n - 1)


def _orthogonal(n: int) -> Iterator[RealForm]:
    for p, q in _splits(n):
        yield RealForm(_signed("so", p, q), (n - (p - q) ** 2) // 2)
    if n % 2 == 0:
        yield RealForm(f"so*({n})", -n // 2)


def _symplectic(n: int) -> Iterator[RealForm]:
    yield RealForm(f"sp({n},R)", n // 2)
    for p, q in _splits(n // 2):
        yield RealForm(_signed("usp", 2 * p, 2 * q), -2 * (p - q) ** 2 - n // 2)


class ComplexType(NamedTuple):
    """A simple complex algebra, under one of its names."""

    name: str
    real_forms: tuple[RealForm, ...]
    # The inverse of the median of |root|^2 in the Killing form. It tells apart types that
    # share dimension and rank, which exist from rank 3 on.
    root_number: int


def _complex_types(dimension: int, rank: int) -> Iterator[ComplexType]:
    """All names of the complex algebras of a complex dimension and rank."""
    if dimension == rank * (rank + 2):
        n = rank + 1
        yield ComplexType(f"sl({n},C)", tuple(_special_linear(n)), n)
    if dimension == rank * (2 * rank + 1):
        # Most roots are long in type B and short in type C.
        n, m = 2 * rank + 1, 2 * rank
        long, short = 2 * rank - 1, 2 * rank + 2
        if rank < 3:
            long = short = rank + 1
        yield ComplexType(f"so({n},C)", tuple(_orthogonal(n)), long)
        yield ComplexType(f"sp({m},C)", tuple(_symplectic(m)), short)
    if rank > 2 and dimension == rank * (2 * rank - 1):
        n = 2 * rank
        yield ComplexType(f"so({n},C)", tuple(_orthogonal(n)), n - 2)
    for letter, (its_rank, its_dimension, characters) in EXCEPTIONAL.items():
        if (its_rank, its_dimension) == (rank, dimension):
            forms = tuple(RealForm(f"{letter}({c})", c) for c in characters)
            yield ComplexType(f"{letter}(C)", forms, 12)


def _preference(name: str) -> tuple[int, str]:
    found = (i for i, start in enumerate(PREFERENCE) if name.startswith(start))
    return next(found, len(PREFERENCE)), name


def real_names(dimension: int, rank: int, character: int) -> dict[int, list[str]]:
    """Names of the simple algebras with these invariants that stay simple over C.

    Returns:
        By root number, the names of one algebra, the preferred one first. Empty where
        there is no such algebra.
    """
    found: dict[int, list[str]] = {}
    for kind in _complex_types(dimension, rank):
        for form in kind.real_forms:
            if form.character == character:
                found.setdefault(kind.root_number, []).append(form.name)
    return {number: sorted(names, key=_preference) for number, names in found.items()}


def complex_names(dimension: int, rank: int) -> dict[int, list[str]]:
    """Names of the simple algebras that are complex ones, of real dimension and rank."""
    found: dict[int, list[str]] = {}
    if dimension % 2 == 0 and rank % 2 == 0:
        for kind in _complex_types(dimension // 2, rank // 2):
            found.setdefault(kind.root_number, []).append(kind.name)
    if dimension == 6:
        found = {number: ["so(3,1)", *names] for number, names in found.items()}
    return found
