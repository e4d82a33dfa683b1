"""A span of matrices, with the invariants that follow from its brackets."""

from abc import abstractmethod
from functools import cached_property
from typing import Self

import numpy as np

from keras_lconv.algebra.balance import unit_ratios
from keras_lconv.algebra.span import Span
from keras_lconv.algebra.structure import StructureConstants
from keras_lconv.algebra.tolerance import EXACT, Tolerance

# Units that differ by less than this leave enough digits.
FAR_APART = 100.0


class StructuredSpan(Span):
    """Ideals, subalgebras and properties of a span that is closed under brackets."""

    @property
    @abstractmethod
    def tolerance(self) -> float:
        """The threshold for zero."""

    @cached_property
    def _in_even_units(self) -> tuple[Span, np.ndarray]:
        """The span in balanced units, and the ratios of these units to the given ones.

        It is the span itself, unless an exact basis has units that are far apart. Then
        balanced units decide what is zero: with the speed of light in metres per second a
        boost is a shear up to rounding.
        """
        ratios = unit_ratios(self._basis)
        if np.max(ratios) >= FAR_APART:
            even = Span(self._basis / ratios, self._given_tolerance)
            if even.closure_error < EXACT:
                return even, ratios
        return self, np.ones_like(ratios)

    @property
    def _even(self) -> Span:
        """The span in balanced units."""
        return self._in_even_units[0]

    def _new_structure(self, tolerance: float) -> StructureConstants:
        """The abstract algebra in a frame, with no decisions taken yet."""
        constants = self._even._constants_of_frame
        scale = self._even._scale or 1.0
        return StructureConstants(constants / scale, Tolerance(tolerance))

    @cached_property
    def _structure(self) -> StructureConstants:
        return self._new_structure(self.tolerance)

    def _subspace(self, columns: np.ndarray) -> Self:
        even, ratios = self._in_even_units
        frame = even._frame * ratios
        return type(self)(np.tensordot(columns.T, frame, 1), self.tolerance)

    @property
    def center(self) -> Self:
        """All elements that commute with the whole algebra."""
        return self._subspace(self._structure.center)

    @property
    def derived_series(self) -> tuple[Self, ...]:
        """`g`, `[g, g]`, `[[g, g], [g, g]]`, ... while they shrink."""
        return tuple(self._subspace(space) for space in self._structure.derived_series)

    @property
    def lower_central_series(self) -> tuple[Self, ...]:
        """`g`, `[g, g]`, `[g, [g, g]]`, ... while they shrink."""
        return tuple(
            self._subspace(space) for space in self._structure.lower_central_series
        )

    @property
    def radical(self) -> Self:
        """The largest solvable ideal."""
        return self._subspace(self._structure.radical)

    @property
    def levi_factor(self) -> Self:
        """A semisimple subalgebra that complements the radical (Levi decomposition)."""
        return self._subspace(self._structure.levi_factor)

    @property
    def indecomposable_ideals(self) -> tuple[Self, ...]:
        """Ideals whose direct sum is the algebra, none of which is a direct sum."""
        ideals = self._structure.indecomposable_ideals
        return tuple(self._subspace(ideal) for ideal in ideals)

    @property
    def rank(self) -> int:
        """Dimension of a Cartan subalgebra."""
        return self._structure.rank

    @property
    def is_abelian(self) -> bool:
        """Whether all brackets are zero."""
        return self._structure.is_abelian

    @property
    def is_nilpotent(self) -> bool:
        """Whether the lower central series ends at zero."""
        return self._structure.is_nilpotent

    @property
    def is_solvable(self) -> bool:
        """Whether the derived series ends at zero."""
        return self._structure.is_solvable

    @property
    def is_semisimple(self) -> bool:
        """Whether the radical is zero."""
        return self._structure.is_semisimple

    @property
    def is_simple(self) -> bool:
        """Whether it is not abelian and has no ideal but zero and itself."""
        return self.is_semisimple and len(self._structure.indecomposable_ideals) == 1

    @property
    def is_reductive(self) -> bool:
        """Whether it is the direct sum of a semisimple algebra and its center."""
        return self._structure.is_reductive

    @property
    def is_compact(self) -> bool:
        """Whether some compact group has this algebra.

        Then the algebra is reductive and its Killing form has no positive eigenvalue. This
        concerns the abstract algebra: R^n is the algebra of a torus, so it counts as
        compact even if its matrices generate translations.
        """
        return self._structure.is_compact
