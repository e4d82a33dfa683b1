"""Names of finite groups, from the orders of their elements, centre and commutators."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np

# Groups are named up to this order: their multiplication tables have its square of entries.
LARGEST_NAMED = 4000


@dataclass(frozen=True)
class Census:
    """What is counted in a group: enough to tell those that have a name here apart.

    Args:
        orders: How many elements have each order, as sorted pairs.
        centre: How many elements commute with all.
        derived: The order of the subgroup that commutators generate.
    """

    orders: tuple[tuple[int, int], ...]
    centre: int
    derived: int

    @property
    def order(self) -> int:
        """The number of elements."""
        return sum(number for _, number in self.orders)

    def __mul__(self, other: "Census") -> "Census":
        found: Counter[int] = Counter()
        for (a, m), (b, n) in product(self.orders, other.orders):
            found[math.lcm(a, b)] += m * n
        return Census(
            tuple(sorted(found.items())),
            self.centre * other.centre,
            self.derived * other.derived,
        )


def multiplication_table(right: np.ndarray) -> np.ndarray:
    """All products, by numbers: row `g` has those of `x g` for all `x`.

    Args:
        right: Integers `(order, m)`: the number of the product of each element with each of
            `m` generating ones; the identity has number 0, and each other element comes
            after one that it is such a product of.
    """
    number, count = right.shape
    table = np.zeros((number, number), dtype="int16")
    table[0] = np.arange(number)
    known = np.arange(number) == 0
    for element in range(number):
        for letter in range(count):
            target = right[element, letter]
            if not known[target]:
                table[target] = right[table[element], letter]
                known[target] = True
    return table


def census(right: np.ndarray) -> Census:
    """Counts a group.

    Args:
        right: As for `multiplication_table`.

    Raises:
        ValueError: If the products are not those of a group, as may be where elements are
            told apart by numbers with errors.
    """
    number = len(right)
    table = multiplication_table(right)
    elements = np.arange(number)
    orders, powers = np.ones(number, dtype=int), elements.copy()
    while np.any(powers):
        if np.max(orders) > number:
            raise ValueError(
                "`right` must hold the products of a group. Received: an element without "
                f"order, among {number}"
            )
        orders[powers > 0] += 1
        # The identity stays, where a power has reached it.
        powers = np.where(powers > 0, table[elements, powers], 0)
    generating = right[0]
    # `g e` and `e g` for each generating `e`.
    forth, back = right, table[:, generating]
    inverse = np.argmin(table, axis=1)
    commutators = np.unique(table[inverse[back], forth])
    return Census(
        tuple(sorted(Counter(orders.tolist()).items())),
        int(np.sum(np.all(forth == back, axis=1))),
        _generated(table, commutators),
    )


def _generated(table: np.ndarray, members: np.ndarray) -> int:
    """The order of the subgroup that some elements generate."""
    found = np.zeros(len(table), dtype=bool)
    found[0] = True
    level = np.array([0])
    while len(level):
        products = np.unique(table[members][:, level])
        level = products[~found[products]]
        found[level] = True
    return int(np.sum(found))


def name_of_finite(found: Census) -> str | None:
    """The name of a group with this census, or `None` if it has none here.

    Names are C(n), D(n), S(n), A(n), wreath products of symmetric groups, and products.
    """
    if found.order == 1:
        return "trivial"
    for factors in sorted(_factorizations(found.order), key=len):
        total = Census(((1, 1),), 1, 1)
        for name in factors:
            total = total * _census_of(name)
        if total == found:
            return _joined([_word(*name) for name in factors])
    return None


def _joined(names: Sequence[str]) -> str:
    """Factors, with powers where they are repeated."""
    counted = Counter(names)
    return " x ".join(f"{n}^{k}" if k > 1 else n for n, k in counted.items())


def _word(kind: str, *sizes: int) -> str:
    if kind != "W":
        return f"{kind}({sizes[0]})"
    a, b = sizes
    return f"{'S' if a > 2 else 'C'}({a}) wr S({b})"


def _factorizations(
    order: int, largest: tuple[int, tuple] | None = None
) -> Iterator[tuple[tuple, ...]]:
    """Products of groups that have a name, of an order."""
    if order == 1:
        yield ()
        return
    for divisor in range(2, order + 1):
        if order % divisor:
            continue
        for name in _names_of_order(divisor):
            if largest is not None and (divisor, name) > largest:
                continue
            for rest in _factorizations(order // divisor, (divisor, name)):
                yield (name, *rest)


@cache
def _names_of_order(order: int) -> tuple[tuple, ...]:
    """Groups with a name that are no product of such."""
    names: list[tuple] = [("S", 3)] if order == 6 else []
    names.append(("C", order))
    if order >= 8 and order % 2 == 0:
        names.append(("D", order // 2))
    for n in range(4, 8):
        if math.factorial(n) == order:
            names.append(("S", n))
        if math.factorial(n) == 2 * order:
            names.append(("A", n))
    for a, b in product(range(2, 6), range(2, 6)):
        # S(2) wr S(2) is D(4), and that of odd `b` a product with C(2) at times.
        if (a, b) != (2, 2) and math.factorial(a) ** b * math.factorial(b) == order:
            names.append(("W", a, b))
    return tuple(names)


@cache
def _census_of(name: tuple) -> Census:
    kind, *sizes = name
    n = sizes[0]
    if kind == "C":
        orders = Counter(n // math.gcd(n, k) for k in range(n))
        return Census(tuple(sorted(orders.items())), n, 1)
    if kind == "D":
        orders = Counter(n // math.gcd(n, k) for k in range(n))
        orders[2] += n
        even = 2 - n % 2
        return Census(tuple(sorted(orders.items())), even, n // even)
    swap = [1, 0, *range(2, n)]
    if kind == "S":
        return census(_permutations([[*range(1, n), 0], swap]))
    if kind == "A":
        cycles = [
            [1, last, *range(2, last), 0, *range(last + 1, n)] for last in range(2, n)
        ]
        return census(_permutations(cycles))
    a, b = sizes
    one = list(range(a * b))
    first = [*range(1, a), 0, *one[a:]]
    flip = [1, 0, *one[2:]]
    turn = [*one[a:], *one[:a]]
    blocks = [*one[a : 2 * a], *one[:a], *one[2 * a :]]
    return census(_permutations([first, flip, turn, blocks]))


def _permutations(generating: Sequence[Sequence[int]]) -> np.ndarray:
    """The products of all elements of a permutation group with the generating ones."""
    letters = [tuple(each) for each in generating]
    found = {tuple(range(len(letters[0]))): 0}
    level, right = list(found), []
    for known in level:
        row = []
        for letter in letters:
            image = tuple(letter[k] for k in known)
            if image not in found:
                found[image] = len(found)
                level.append(image)
            row.append(found[image])
        right.append(row)
    return np.array(right)
