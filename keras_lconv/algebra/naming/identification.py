"""A name for a Lie algebra, from its invariants."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from keras_lconv.algebra.naming import simple
from keras_lconv.algebra.naming.name import ContradictionError, Name
from keras_lconv.algebra.naming.solvable import solvable_name
from keras_lconv.algebra.structure import StructureConstants, commutant


@dataclass(frozen=True)
class Identification:
    """The result of `LieAlgebra.identify`.

    Args:
        name: A name such as `"so(3)"`, `"heisenberg(3)"` or `"so(3) + R"`. Isomorphic
            algebras have one name, whatever their matrices are.
        isomorphic_to: Other names of the same algebra.
        description: Dimension, rank and properties, in words.
        is_unique: Whether the name stands for one algebra up to isomorphism. If not, it is
            a description that several algebras share.
        confidence: `1 - 1 / m` for the margin `m >= 1`: every number that counts as zero is
            at least `m` times below the tolerance, and every other number `m` times above
            it. It is 1 for an exact algebra up to rounding, and 0.9 if a tenfold change of
            the tolerance might change the answer. It is not a probability.
        tolerance: Numbers up to this size counted as zero, where 1 is expected.
        closure_error: The closure error of the algebra.
        parameter: The parameter `h` of an algebra of type Bianchi VI_h or VII_h, or what a
            type A4 of dimension 4 has, one number or two; the name has fewer digits of it.
            `None` for all others.
    """

    name: str
    isomorphic_to: tuple[str, ...]
    description: str
    is_unique: bool
    confidence: float
    tolerance: float
    closure_error: float
    parameter: float | tuple[float, ...] | None = None

    def __str__(self) -> str:
        if not self.isomorphic_to:
            return self.name
        return f"{self.name} (isomorphic to {', '.join(self.isomorphic_to)})"


# What identify() says instead of a name.
UNNAMED = ("not closed", "undetermined")

# Direct sums that go by a name of their own, and algebras with further names, which come
# after the main one.
OWN_NAMES = {
    "so(3) + so(3)": "so(4)",
    "sl(2,R) + sl(2,R)": "so(2,2)",
}
OTHER_NAMES = {
    "so(3) + sl(2,R)": ("so*(4)",),
    "R": ("so(2)", "so(1,1)"),
    "aff(1) + R": ("Bianchi III",),
    "R^3": ("Bianchi I",),
    "heisenberg(3)": ("Bianchi II",),
    "sl(2,R)": ("Bianchi VIII",),
    "so(3)": ("Bianchi IX",),
}


def identify(structure: StructureConstants, closure_error: float) -> Identification:
    """Names an algebra by new structure constants, which record the decisions."""
    tolerance = structure.tolerance
    error = f"closure error {closure_error:.2g}"
    try:
        if not tolerance.is_zero(closure_error):
            name = Name("not closed", (), False)
            description = f"dimension {structure.dimension}, not closed under brackets"
        else:
            name, description = name_of(structure), describe(structure)
    except ContradictionError as contradiction:
        name, description = Name("undetermined", (), False), str(contradiction)
        tolerance.record(1.0)
    return Identification(
        name=name.name,
        isomorphic_to=name.others,
        description=f"{description} ({error})" if name.name in UNNAMED else description,
        is_unique=name.is_unique,
        confidence=1 - 1 / tolerance.margin,
        tolerance=tolerance.value,
        closure_error=closure_error,
        parameter=name.parameter,
    )


def clearest(
    identify_at: Callable[[float], Identification], tolerances: Iterable[float]
) -> Identification:
    """The clearest of the identifications at several tolerances."""
    return max(map(identify_at, tolerances), key=lambda found: found.confidence)


def name_of(structure: StructureConstants) -> Name:
    """The name of an algebra."""
    if structure.dimension == 0:
        return Name("0")
    ideals = [structure.restrict(ideal) for ideal in structure.indecomposable_ideals]
    abelian = sum(ideal.dimension == 1 for ideal in ideals)
    named = [
        (ideal.is_semisimple, ideal.dimension, _name_indecomposable(ideal))
        for ideal in ideals
        if ideal.dimension > 1
    ]
    named.sort(key=lambda entry: (not entry[0], -entry[1], _sort_key(entry[2].name)))
    parts = [name for _, _, name in named]
    if abelian:
        parts.append(Name(f"R^{abelian}" if abelian > 1 else "R"))
    return _direct_sum(parts)


def _sort_key(name: str) -> tuple[bool, str]:
    """Compact algebras before their non-compact forms, then by alphabet."""
    return name.startswith("sl"), name


def _direct_sum(parts: list[Name]) -> Name:
    total = " + ".join(part.name for part in parts)
    others = list(OTHER_NAMES.get(total, ()))
    if len(parts) == 1:
        return replace(parts[0], others=(*parts[0].others, *others))
    unique = all(part.is_unique for part in parts)
    own = OWN_NAMES.get(total)
    if len(parts) == 2 and parts[1].name == "R":
        for name in parts[0].all:
            if re.fullmatch(r"sl\(\d+,R\)", name):
                own = "gl" + name[2:]
            if re.fullmatch(r"su\([\d,]+\)", name):
                others.append(name[1:])
    if own:
        return Name(own, (total, *others), unique)
    return Name(total, tuple(others), unique)


# --------------------------------------------------------- indecomposable ones


def _name_indecomposable(structure: StructureConstants) -> Name:
    if structure.is_semisimple:
        return _name_simple(structure)
    if structure.is_solvable:
        return solvable_name(structure)
    return _name_mixed(structure)


def _name_simple(structure: StructureConstants) -> Name:
    dimension, rank = structure.dimension, structure.rank
    positive, negative, _ = structure.killing_signature
    if structure.centroid_fields[1]:
        names = simple.complex_names(dimension, rank)
    else:
        names = simple.real_names(dimension, rank, positive - negative)
    if not names:
        raise ContradictionError
    number = next(iter(names))
    if len(names) > 1:
        number = _closest(structure, list(names))
    return Name(names[number][0], tuple(names[number][1:]))


def _closest(structure: StructureConstants, numbers: list[int]) -> int:
    """The root number with the closest ratio."""
    ratios = np.abs(np.log(np.array(numbers) * structure.typical_root_length))
    first, second = np.sort(ratios)[:2]
    structure.tolerance.record(second / max(first, np.finfo("float64").tiny))
    return numbers[int(np.argmin(ratios))]


def _name_mixed(structure: StructureConstants) -> Name:
    """An algebra with a radical and a semisimple part that acts on it."""
    radical = structure.radical
    factor = structure.levi_factor
    levi = structure.restrict(factor)
    moved = structure.bracket_span(structure.everything, radical)
    if not levi.dimension or not levi.is_semisimple or not moved.shape[1]:
        raise ContradictionError
    semisimple = name_of(levi)
    size, extra = moved.shape[1], radical.shape[1] - moved.shape[1]
    is_abelian = structure.tolerance.is_zero(
        float(np.max(np.abs(structure.brackets(moved, moved)), initial=0.0))
    )
    if is_abelian and extra <= 1 and _is_faithful_irreducible(structure, factor, moved):
        found = _name_semidirect(semisimple, size, extra)
        if found:
            return found
    ideal = name_of(structure.restrict(radical))
    return Name(f"{_bracketed(semisimple.name)} ⋉ {_bracketed(ideal.name)}", (), False)


def _bracketed(name: str) -> str:
    return f"({name})" if " " in name else name


def _is_faithful_irreducible(
    structure: StructureConstants, factor: np.ndarray, space: np.ndarray
) -> bool:
    """Whether a semisimple subalgebra acts on an ideal faithfully and irreducibly, over C
    as well.
    """
    # action[a] maps the coordinates of w to those of [a, w].
    action = np.swapaxes(structure.brackets(factor, space) @ space, 1, 2)
    sizes = np.linalg.svd(action.reshape(len(action), -1), compute_uv=False)
    if structure.tolerance.rank(sizes) < len(action):
        return False
    return len(commutant(action, structure.tolerance)) == 1


def _name_semidirect(semisimple: Name, size: int, extra: int) -> Name | None:
    """Names of `s ⋉ R^size`, and of `(s + R) ⋉ R^size` where R acts by dilations.

    Up to an automorphism, so(p,q) has one irreducible faithful representation on p + q
    dimensions. For sl(n,R) on n dimensions there are the natural one and its dual. So each
    name stands for one algebra up to isomorphism.
    """
    for name in semisimple.all:
        if name == f"sl({size},R)":
            return Name(f"aff({size})" if extra else f"saff({size})")
        orthogonal = re.fullmatch(r"so\((\d+)(?:,(\d+))?\)", name)
        if orthogonal and sum(int(n or 0) for n in orthogonal.groups()) == size:
            kind = "sim" if extra else "iso" if orthogonal[2] else "se"
            return Name(kind + name[2:])
    return None


# ---------------------------------------------------------------- description


def describe(structure: StructureConstants) -> str:
    """Dimension, rank and properties, in words."""
    k = structure.dimension
    if k == 0:
        return "dimension 0"
    kind = _kind(structure)
    parts = [f"dimension {k}", f"rank {structure.rank}", kind]
    num_ideals = len(structure.indecomposable_ideals)
    if num_ideals > 1 and not structure.is_abelian:
        parts.append(f"direct sum of {num_ideals} ideals")
    return ", ".join(parts)


def _kind(structure: StructureConstants) -> str:
    if structure.is_abelian:
        return "abelian"
    if structure.is_nilpotent:
        return f"nilpotent of step {len(structure.lower_central_series) - 1}"
    if structure.is_solvable:
        return "solvable, not nilpotent"
    compact = "compact" if structure.is_compact else "not compact"
    if structure.is_semisimple:
        simple = len(structure.indecomposable_ideals) == 1
        return f"{'simple' if simple else 'semisimple'}, {compact}"
    if structure.is_reductive:
        return f"reductive, {compact}"
    radical = structure.radical.shape[1]
    return f"neither solvable nor semisimple, radical of dimension {radical}"
