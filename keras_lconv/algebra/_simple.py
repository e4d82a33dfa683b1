"""The simple real Lie algebras: names by type and signature of the Killing form."""

import math
from collections.abc import Iterator
from typing import NamedTuple

EXCEPTIONAL = {
    # letter: (rank, dimension, dual Coxeter number, characters of the real forms)
    "g2": (2, 14, 4, (-14, 2)),
    "f4": (4, 52, 9, (-52, -20, 4)),
    "e6": (6, 78, 12, (-78, -26, -14, 2, 6)),
    "e7": (7, 133, 18, (-133, -25, -5, 7)),
    "e8": (8, 248, 30, (-248, -24, 8)),
}
# Which of several names for one algebra is its name.
PREFERENCE = ("sl", "so(", "su(", "sp", "usp", "so*", "su*")


class RealForm(NamedTuple):
    """A real form of a simple complex algebra."""

    name: str
    character: int  # positive less negative eigenvalues of the Killing form
    dual_coxeter_number: int


def _signed(name: str, p: int, q: int) -> str:
    return f"{name}({p},{q})" if q else f"{name}({p})"


def _splits(n: int) -> Iterator[tuple[int, int]]:
    """All `p + q = n` with `p >= q`."""
    return ((n - q, q) for q in range(n // 2 + 1))


def _type_a(rank: int) -> Iterator[RealForm]:
    n, h = rank + 1, rank + 1
    yield RealForm(f"sl({n},R)", rank, h)
    for p, q in _splits(n):
        yield RealForm(_signed("su", p, q), 1 - (p - q) ** 2, h)
    if n % 2 == 0 and n > 2:
        yield RealForm(f"su*({n})", -n - 1, h)


def _orthogonal(n: int) -> Iterator[RealForm]:
    # so(3) is of type A1, whose number is 2 and not n - 2.
    h = max(n - 2, 2)
    for p, q in _splits(n):
        yield RealForm(_signed("so", p, q), (n - (p - q) ** 2) // 2, h)
    if n % 2 == 0:
        yield RealForm(f"so*({n})", -n // 2, h)


def _type_c(rank: int) -> Iterator[RealForm]:
    h = rank + 1
    yield RealForm(f"sp({2 * rank},R)", rank, h)
    for p, q in _splits(rank):
        yield RealForm(_signed("usp", 2 * p, 2 * q), -2 * (p - q) ** 2 - rank, h)


def _real_forms(dimension: int, rank: int) -> Iterator[RealForm]:
    if dimension == rank * (rank + 2):
        yield from _type_a(rank)
    if dimension == rank * (2 * rank + 1):
        yield from _orthogonal(2 * rank + 1)
        yield from _type_c(rank)
    if rank > 2 and dimension == rank * (2 * rank - 1):
        yield from _orthogonal(2 * rank)
    for letter, (its_rank, its_dimension, h, characters) in EXCEPTIONAL.items():
        if (its_rank, its_dimension) == (rank, dimension):
            yield from (RealForm(f"{letter}({c})", c, h) for c in characters)


def _complex_names(dimension: int, rank: int) -> Iterator[tuple[str, int]]:
    """Names of the complex algebras of a complex dimension, with Coxeter numbers."""
    if dimension == 3:
        yield "so(3,1)", 2
    if dimension == rank * (rank + 2):
        yield f"sl({rank + 1},C)", rank + 1
    if dimension == rank * (2 * rank + 1):
        yield f"so({2 * rank + 1},C)", max(2 * rank - 1, 2)
        yield f"sp({2 * rank},C)", rank + 1
    if rank > 2 and dimension == rank * (2 * rank - 1):
        yield f"so({2 * rank},C)", 2 * rank - 2
    for letter, (its_rank, its_dimension, h, _) in EXCEPTIONAL.items():
        if (its_rank, its_dimension) == (rank, dimension):
            yield f"{letter}(C)", h


def _preference(name: str) -> int:
    return next((i for i, start in enumerate(PREFERENCE) if name.startswith(start)), 99)


def real_names(dimension: int, rank: int, character: int) -> dict[int, list[str]]:
    """Names of the simple algebras with these invariants that stay simple over C.

    Returns:
        By dual Coxeter number, which tells types B and C apart, the names of one algebra,
        the preferred name first. Empty where there is no such algebra.
    """
    found: dict[int, list[str]] = {}
    for form in _real_forms(dimension, rank):
        if form.character == character:
            found.setdefault(form.dual_coxeter_number, []).append(form.name)
    return {
        h: sorted(set(names), key=lambda n: (_preference(n), n))
        for h, names in found.items()
    }


def complex_names(dimension: int, rank: int) -> dict[int, list[str]]:
    """Names of the simple algebras that are complex ones, of real dimension and rank."""
    found: dict[int, list[str]] = {}
    if dimension % 2 == 0 and rank % 2 == 0:
        for name, h in _complex_names(dimension // 2, rank // 2):
            found.setdefault(h, []).append(name)
    return found


def closest_type(names: dict[int, list[str]], dual_coxeter_number: float) -> list[str]:
    """The names of the type whose dual Coxeter number is the closest."""
    return names[min(names, key=lambda h: abs(math.log(h / dual_coxeter_number)))]
