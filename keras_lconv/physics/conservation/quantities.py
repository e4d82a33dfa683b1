"""Conserved quantities of affine symmetries, as functions and as formulas."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from keras import ops
from numpy.typing import ArrayLike

from keras_lconv._typing import Figure, Tensor
from keras_lconv._validation import real_array
from keras_lconv.algebra import LieAlgebra
from keras_lconv.algebra.field_formulas import shifted_names, sum_in_words
from keras_lconv.report import Report


def symplectic_form(degrees_of_freedom: int) -> np.ndarray:
    """The matrix `J` of Hamilton's equations `dz/dt = J grad H`, for `z = (q, p)`."""
    n = degrees_of_freedom
    return np.kron([[0.0, 1.0], [-1.0, 0.0]], np.eye(n))


@dataclass(frozen=True, eq=False)
class ConservedQuantity:
    """A quantity `G(z) = z^T S z / 2 + c . z` on phase space, `z = (q, p)`.

    Its flow `dz/dt = J grad G = J S z + J c` is an affine canonical transformation, and by
    Noether's theorem a symmetry of each Hamiltonian that conserves `G`.

    Args:
        quadratic: The symmetric matrix `S`, `(2n, 2n)`.
        linear: The vector `c`, `(2n,)`.
        spread: The spread of each coordinate, `(2n,)`: a formula leaves out terms that
            contribute little. By default all are equal.
        centre: A point `(2n,)` far from the origin, about which formulas are written.

    Example:
    ```python
    import numpy as np
    from keras_lconv.physics import ConservedQuantity

    momentum = ConservedQuantity(np.zeros((4, 4)), np.array([0.0, 0.0, 1.0, 1.0]))
    assert momentum(np.array([5.0, 6.0, 0.5, -0.2])) == 0.3
    assert momentum.formula() == "p1 + p2"
    ```
    """

    quadratic: np.ndarray
    linear: np.ndarray
    spread: np.ndarray | None = None
    centre: np.ndarray | None = None

    def __call__(self, z: Tensor) -> Tensor:
        """The values at points of phase space.

        Args:
            z: Array or tensor `(..., 2n)`.

        Returns:
            Array or tensor `(...)`, as `z`.
        """
        if ops.is_tensor(z):
            quadratic = ops.convert_to_tensor(self.quadratic, dtype=z.dtype)
            linear = ops.convert_to_tensor(self.linear, dtype=z.dtype)
            gradient = ops.einsum("ab,...b->...a", quadratic, z) / 2 + linear
            return ops.einsum("...a,...a->...", z, gradient)
        z = np.asarray(z)
        return np.sum(z * (z @ self.quadratic / 2 + self.linear), axis=-1)

    @property
    def generator(self) -> np.ndarray:
        """The matrix of its flow, `(2n + 1, 2n + 1)`, on vectors `(z, 1)`."""
        size = len(self.linear)
        form = symplectic_form(size // 2)
        matrix = np.zeros((size + 1, size + 1))
        matrix[:size, :size] = form @ self.quadratic
        matrix[:size, size] = form @ self.linear
        return matrix

    def formula(self, names: Sequence[str] | None = None, digits: int = 3) -> str:
        """The quantity in symbols, as `q1 p2 - q2 p1`, up to a constant.

        Args:
            names: Names of the `2n` coordinates; by default `q1, ..., qn, p1, ..., pn`.
            digits: Significant digits of the coefficients. Terms that contribute less than
                these, relative to the largest one, are left out.

        Returns:
            A string.

        Raises:
            ValueError: If there are not `2n` names.
        """
        size = len(self.linear)
        if names is None:
            names = [f"{letter}{i + 1}" for letter in "qp" for i in range(size // 2)]
        if len(names) != size:
            raise ValueError(
                f"`names` must hold one name for each of {size} coordinates. Received: "
                f"names={list(names)!r}"
            )
        units = np.ones(size) if self.spread is None else self.spread
        centre = np.zeros(size) if self.centre is None else self.centre
        about = shifted_names(names, centre)
        terms: list[tuple[float, float, str]] = []
        for a in range(size):
            square = self.quadratic[a, a] / 2
            terms.append((square, square * units[a] ** 2, f"{about[a]}^2"))
            for b in range(a + 1, size):
                factor = self.quadratic[a, b]
                product = f"{about[a]} {about[b]}"
                terms.append((factor, factor * units[a] * units[b], product))
        linear = self.linear + self.quadratic @ centre
        terms.extend(zip(linear, linear * units, names, strict=True))
        return _as_sum(terms, digits)


def quantity_of(matrix: np.ndarray) -> ConservedQuantity:
    """The quantity whose flow is that of a map `[L | b]`, `(2n, 2n + 1)`."""
    inverse = symplectic_form(len(matrix) // 2).T
    quadratic = inverse @ matrix[:, :-1]
    # This is symmetric up to rounding, and is made so exactly.
    return ConservedQuantity((quadratic + quadratic.T) / 2, inverse @ matrix[:, -1])


def _as_sum(terms: list[tuple[float, float, str]], digits: int) -> str:
    """`3 x - y` for values, contributions and symbols `[(3, 3, "x"), (-1, -1, "y")]`."""
    least = 0.5 * 10.0**-digits * max(abs(contribution) for _, contribution, _ in terms)
    values = [value if abs(size) >= least else 0.0 for value, size, _ in terms]
    return sum_in_words(values, [symbol for *_, symbol in terms], digits)


class Quantity(Protocol):
    """A function on phase space with a formula."""

    def __call__(self, z: Any) -> Any:
        """The values at points."""

    def formula(self, names: Sequence[str] | None = None, digits: int = 3) -> str:
        """The quantity in symbols."""


Q = TypeVar("Q", bound=Quantity, covariant=True)


@dataclass(frozen=True, eq=False)
class Drift(Generic[Q]):
    """A quantity that changes steadily or exponentially, so it is not conserved.

    Args:
        quantity: The quantity.
        rate: Its rate of decay, `-dG/dt / G` about the mean over all points, for one unit
            of time; negative if it grows.
        size: How far it moves along trajectories, relative to its spread; for a steady
            change, along straight lines in time.
    """

    quantity: Q
    rate: float
    size: float


@dataclass(frozen=True, eq=False, repr=False)
class ConservationReport(Report):
    """The conserved quantities of a motion, and their symmetries.

    Args:
        algebra: The algebra of the symmetries, linear or affine maps of phase space that
            keep its symplectic form: matrices `(2n, 2n)` or, on `(z, 1)`,
            `(2n + 1, 2n + 1)`. `None` where other functions were searched.
        quantities: One `ConservedQuantity` for each generator, in a basis that is easy to
            read. Products and other functions of them are conserved too. Where other
            functions were searched, those that are independent: with differentials that
            are so at most points.
        singular_values: Those of the equations, growing; a random equation gives 1.
        gap: The ratio of the first value that is not zero to the last that is.
        confidence: From 0 to 1: how clear the number of quantities is.
        errors: An error bar of each, in radians: how far it would turn with other samples.
        standard: The algebra about the mean of the points, in units in which positions and
            momenta have spread 1, so that its name does not depend on units.
        is_determined: Whether there are enough points, or trajectories, for an answer.
        drifting: For trajectories, the quantities that change steadily or exponentially.
        dependent: If other functions were searched: conserved quantities that follow from
            `quantities`, but are not polynomials of these.
        num_solutions: How many candidates are conserved, including those that follow from
            others.
        is_rough: Whether trajectories are rough, by noise or since the motion is fast. Then
            conserved quantities may be missed.

    Example:
    ```python
    import numpy as np
    from keras import ops
    from keras_lconv.physics import find_conserved_quantities

    def energy(z):  # two masses with a spring between them
        q, p = z[:, :2], z[:, 2:]
        return ops.sum(p**2, axis=1) / 2 + ops.cos(q[:, 0] - q[:, 1])

    z = np.random.default_rng(0).normal(size=(500, 4))
    report = find_conserved_quantities(energy, z)
    assert report.quantities[-1].formula() == "p1 + p2"
    ```
    """

    algebra: LieAlgebra | None
    quantities: tuple[Quantity, ...]
    singular_values: np.ndarray
    gap: float
    confidence: float
    errors: np.ndarray
    standard: LieAlgebra | None
    is_determined: bool = True
    drifting: tuple[Drift[Quantity], ...] = ()
    dependent: tuple[Quantity, ...] = ()
    num_solutions: int | None = None
    is_rough: bool = False

    @property
    def name(self) -> str:
        """The name of the algebra, found in units of the spread; empty if there is none."""
        if not len(self):
            return "0"
        return "" if self.standard is None else self.standard.identify().name

    def __len__(self) -> int:
        return len(self.quantities)

    def summary(self, names: Sequence[str] | None = None) -> str:
        """The result in words.

        Args:
            names: Names of the coordinates of phase space.

        Returns:
            Text of some lines.
        """
        searched = len(self.singular_values)
        if not self.quantities:
            lines = [f"no conserved quantity among {searched} dimensions searched"]
            if not self.is_determined:
                lines = [
                    f"undetermined among {searched} dimensions searched",
                    "there are too few points or trajectories, or some quantity has the "
                    "same value on all. Take more and different ones, or search fewer "
                    "dimensions",
                ]
        else:
            further = (self.num_solutions or len(self)) - len(self)
            more = f", and {further} functions of these," if further else ""
            lines = [f"conserved: {len(self)}{more} of {searched} dimensions searched"]
            if self.name:
                lines.append(f"algebra of the symmetries: {self.name}")
            lines += [f"  {quantity.formula(names)}" for quantity in self.quantities]
            if self.dependent:
                lines.append("of the others, these are not polynomials of them:")
                lines += [f"  {quantity.formula(names)}" for quantity in self.dependent]
        for drift in self.drifting:
            change = "decays" if drift.rate >= 0 else "grows"
            lines.append(
                f"not conserved: {drift.quantity.formula(names)} {change} at rate "
                f"{abs(drift.rate):.3g}"
            )
        if self.is_rough:
            lines.append(
                "values are rough from time to time, because of noise or too few points "
                "for the motion: more may be conserved"
            )
        lines.append(f"gap {self.gap:.3g}, confidence {self.confidence:.2f}")
        return "\n".join(lines)

    def drift(self, trajectories: ArrayLike | Sequence[ArrayLike]) -> np.ndarray:
        """How far each quantity moves from its first value, along trajectories.

        Args:
            trajectories: Array `(trajectories, times, 2n)`, or `(times, 2n)` for one.

        Returns:
            Array `(trajectories, times, quantities)`: `(G(t) - G(0)) / rms G`, relative to
            the root mean square of the quantity over all points. `(times, quantities)` for
            one trajectory. Points with NaN have no drift, and a trajectory starts at the
            first point without NaN.

        Raises:
            ValueError: If the points have another number of coordinates.
        """
        z = real_array("trajectories", trajectories)
        size = None if self.algebra is None else _phase_space_size(self.algebra)
        if size is None:
            size = z.shape[-1]
        if z.ndim not in (2, 3) or z.shape[-1] != size:
            raise ValueError(
                f"`trajectories` must have shape `(trajectories, times, {size})` or "
                f"`(times, {size})`. Received: shape {z.shape}"
            )
        values = np.zeros((*z.shape[:-1], len(self)))
        for number, quantity in enumerate(self.quantities):
            values[..., number] = quantity(z)
        each_point = tuple(range(values.ndim - 1))
        scale = np.sqrt(np.nanmean(values**2, axis=each_point))
        first = np.argmax(~np.isnan(values), axis=-2, keepdims=True)
        start = np.take_along_axis(values, first, axis=-2)
        return (values - start) / np.where(scale > 0, scale, 1.0)

    def plot(self) -> Figure:
        """Draws the spectrum with its gap, and the matrices of the symmetries.

        Returns:
            The figure.
        """
        from keras_lconv.visualization import plot_result

        number = len(self) if self.num_solutions is None else self.num_solutions
        matrices: Any = [] if self.standard is None else self.standard.basis
        return plot_result(self.singular_values, number, matrices)

    def plot_drift(
        self, trajectory: ArrayLike, times: ArrayLike | Sequence[ArrayLike] | None = None
    ) -> Figure:
        """Draws how far each quantity moves along one trajectory, on a logarithmic scale.

        Args:
            trajectory: Array `(times, 2n)`.
            times: The times, `(times,)`; by default their numbers.

        Returns:
            The figure.
        """
        import matplotlib.pyplot as plt

        drift = np.abs(self.drift(trajectory))
        times = np.arange(len(drift)) if times is None else np.asarray(times)
        figure, ax = plt.subplots(layout="constrained")
        for quantity, values in zip(self.quantities, drift.T, strict=True):
            # The first drift is zero by definition and has no logarithm.
            ax.semilogy(times[1:], values[1:] + 1e-17, label=f"${quantity.formula()}$")
        ax.set(xlabel="time", ylabel="relative drift")
        ax.legend()
        return figure


def _phase_space_size(algebra: LieAlgebra) -> int:
    """The `2n` of matrices `(2n, 2n)` or `(2n + 1, 2n + 1)`."""
    return algebra.matrix_size // 2 * 2
