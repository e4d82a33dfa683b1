"""What a Hamiltonian or trajectories conserve, by Noether's theorem."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_lconv._ops import to_numpy
from keras_lconv._typing import Data, Tensor
from keras_lconv._validation import count, finite_array, one_of, optional
from keras_lconv.algebra import LieAlgebra
from keras_lconv.algebra.sparse_basis import sparse_basis
from keras_lconv.discovery import find_symmetries
from keras_lconv.discovery.null_space import NormalMatrices, NullSpace
from keras_lconv.discovery.standard import Standard, standard_coordinates
from keras_lconv.physics.quantities import (
    ConservationReport,
    ConservedQuantity,
    Drift,
    symplectic_form,
)

ACTIONS = ("affine", "linear")

# Entries up to this multiple of their error bar are taken to be zero in a sparse basis,
# from a least to a largest part of the largest entry.
CLEAR, EXACT, LARGEST_TOLERANCE = 3.0, 1e-4, 0.1
# A quantity drifts if a straight line explains this share of how it varies along
# trajectories, and is not conserved if it does so by this part of its spread.
LINEAR_SHARE = 0.5
SMALLEST_DRIFT = 1e-4
# Trajectories with fewer points say nothing about noise; and what is taken for it must be
# a smaller part of how quantities vary along trajectories.
SMOOTH_POINTS = 10
LARGEST_NOISE = 0.05
# The estimate errs: so much of it is taken off.
SURE_NOISE = 0.9
# Coordinates whose mean is so many times their spread are far from the origin.
FAR = 3.0
TINY = float(np.finfo("float64").tiny)


def find_conserved_quantities(
    hamiltonian: Callable[[Tensor], Tensor],
    x: Data,
    *,
    search: Any = None,
    action: str = "affine",
    dimension: int | None = None,
) -> ConservationReport:
    """Finds what a Hamiltonian conserves, with the symmetry behind each quantity.

    On phase space, `z = (q, p)`, a quantity `G` is conserved by a Hamiltonian `H` if and
    only if `H` is invariant under the flow of `G`: `{G, H} = -<grad H, J grad G> = 0`.
    Affine flows `dz/dt = L z + b` that keep the symplectic form, `J L` symmetric, belong to
    `G = z^T S z / 2 + c . z` with `L = J S` and `b = J c`: momenta, angular momenta,
    energies of oscillators. Those among them that leave `H` as it is are an algebra, which
    `find_symmetries` finds. Units and offsets do not matter.

    It sees quantities that are polynomials of degree 2 at most: not the energy of a
    pendulum, and not the Runge-Lenz vector. Where there are trajectories and no
    Hamiltonian, see `fit_conserved_quantities`.

    Args:
        hamiltonian: `H`, a Keras model or a function of `keras.ops` from `(batch, 2n)` to
            `(batch,)` or `(batch, 1)`, in canonical coordinates, all positions before all
            momenta.
        x: Points `(batch, 2n)` of phase space.
        search: Where to search. By default all affine maps that keep the symplectic form.
            Matrices `(k, n, n)` or a `LieAlgebra` of these act on positions, and on momenta
            by the dual. Matrices `(k, 2n, 2n)` act on phase space.
        action: `"affine"` or `"linear"`: without or with the condition `b = 0`.
        dimension: The number of quantities, where it is known; by default it is found.

    Returns:
        A `ConservationReport`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If a shape does not fit, or `search` does not keep the symplectic form.

    Example:
    ```python
    import numpy as np
    from keras import ops
    from keras_lconv.physics import find_conserved_quantities

    def kepler(z):
        q, p = z[:, :2], z[:, 2:]
        return ops.sum(p**2, axis=1) / 2 - 1 / ops.sqrt(ops.sum(q**2, axis=1))

    z = np.random.default_rng(0).normal(size=(500, 4))
    report = find_conserved_quantities(kepler, z)
    assert [quantity.formula() for quantity in report.quantities] == ["q1 p2 - q2 p1"]
    ```

    Reference:
        V. I. Arnold, "Mathematical Methods of Classical Mechanics", chapter 8 (Noether's
        theorem for Hamiltonian systems).
    """
    one_of("action", action, ACTIONS)
    if not callable(hamiltonian):
        raise TypeError(
            "`hamiltonian` must be a model or a function; trajectories belong to "
            "`fit_conserved_quantities`. "
            f"Received: an object of type {type(hamiltonian).__name__}"
        )
    points = _phase_space("x", x, 2)
    candidates = _candidates(search, points.shape[-1], action)
    if isinstance(hamiltonian, keras.layers.Layer):
        hamiltonian = functools.partial(hamiltonian, training=False)
    report = find_symmetries(
        hamiltonian,
        points,
        search=candidates if action == "affine" else candidates[..., :-1],
        dimension=dimension,
    )
    size = points.shape[1]
    maps = np.zeros((report.dimension, size, size + 1))
    maps[..., : report.basis.shape[2]] = report.basis[:, :size]
    quantities = [_quantity(each) for each in maps]
    return _report(
        quantities,
        points,
        action,
        {
            "singular_values": report.singular_values,
            "gap": report.gap,
            "confidence": report.confidence,
            "errors": report.errors,
            "is_determined": report.is_determined,
        },
    )


def fit_conserved_quantities(
    trajectories: Any,
    *,
    times: Any = None,
    search: Any = None,
    action: str = "affine",
    dimension: int | None = None,
) -> ConservationReport:
    """Finds what motion conserves, from trajectories alone.

    A quantity `G = z^T S z / 2 + c . z` is conserved if it varies between trajectories and
    not along them: with the covariances of all monomials over all points and along
    trajectories it is one null space. Units, offsets and linear coordinates do not matter.
    It is the other way to ask what `find_conserved_quantities` finds from a Hamiltonian,
    and sees polynomials of degree 2 at most.

    What changes slowly and steadily is no conserved quantity: where a straight line in time
    explains most of how a quantity varies along trajectories, it is listed under
    `report.drifting` with its rate of decay. Noise of the coordinates is estimated from
    differences of neighbouring times, which should be closer than the motion is fast.

    Args:
        trajectories: Array `(trajectories, times, 2n)` in canonical coordinates, all
            positions before all momenta, or a list of arrays `(times, 2n)` of different
            lengths. Points with NaN are left out. It takes many trajectories, which differ
            in what they conserve; one that is given twice counts once.
        times: Times of the points, `(times,)`, or one array for each trajectory; by default
            0, 1, 2 and so on. They only say what a rate is.
        search: As for `find_conserved_quantities`.
        action: As for `find_conserved_quantities`.
        dimension: As for `find_conserved_quantities`.

    Returns:
        A `ConservationReport`.

    Raises:
        TypeError: If an argument has a wrong type.
        ValueError: If a shape does not fit, `search` does not keep the symplectic form, or
            there are fewer than two different trajectories.

    Example:
    ```python
    import numpy as np
    from keras_lconv.physics import fit_conserved_quantities

    rng, t = np.random.default_rng(0), np.linspace(0, 6, 50)
    size, phase = rng.uniform(1, 2, (40, 1)), rng.uniform(0, 6, (40, 1))
    paths = [size * np.cos(t + phase), -size * np.sin(t + phase)]
    report = fit_conserved_quantities(np.stack(paths, axis=2))
    assert report.quantities[0].formula() == "0.5 q1^2 + 0.5 p1^2"
    ```

    Reference:
        V. I. Arnold, "Mathematical Methods of Classical Mechanics", chapter 8.
    """
    one_of("action", action, ACTIONS)
    dimension = optional(count, "dimension", dimension)
    paths, clocks = _paths(trajectories, times)
    points = np.concatenate(paths)
    motion = _Motion(paths, clocks, search, action)
    space = motion.solve(dimension)
    basis: np.ndarray = space.basis
    drifting: list[Drift] = []
    if dimension is None:
        basis, drifting = motion.without_drift(space.basis)
    mixed = [motion.combined(column) for column in basis.T]
    tolerance = CLEAR * float(np.max(space.errors, initial=0.0))
    return _report(
        mixed,
        points,
        action,
        {
            "singular_values": space.singular_values,
            "gap": space.gap,
            "confidence": space.confidence,
            "errors": space.errors[: len(mixed)],
            "is_determined": space.is_determined,
            "drifting": tuple(
                dataclasses.replace(
                    drift, quantity=_readable([drift.quantity], points, tolerance)[0]
                )
                for drift in drifting
            ),
        },
    )


def _phase_space(name: str, value: Any, ndim: int) -> np.ndarray:
    points = finite_array(name, to_numpy(value))
    if points.ndim != ndim or 0 in points.shape or points.shape[-1] % 2:
        shape = "(batch, 2n)" if name == "x" else "(times, 2n)"
        raise ValueError(
            f"`{name}` must have shape `{shape}`: n positions, then n momenta. "
            f"Received: shape {points.shape}"
        )
    return points


def _paths(trajectories: Any, times: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Trajectories that differ, without points that are not known, and their times."""
    trajectories = to_numpy(trajectories)
    is_listed = isinstance(trajectories, (list, tuple, np.ndarray))
    if not is_listed or not getattr(trajectories, "ndim", 1):
        raise TypeError(
            "`trajectories` must be an array `(trajectories, times, 2n)`, or a list of "
            "arrays; a Hamiltonian belongs to `find_conserved_quantities`. "
            f"Received: an object of type {type(trajectories).__name__}"
        )
    paths, clocks, seen = [], [], set()
    for number, given in enumerate(trajectories):
        path = _numbers("trajectories", given)
        clock = _clock(times, number, len(path)) if path.ndim else np.zeros(0)
        known = np.all(np.isfinite(path), axis=-1) if path.ndim == 2 else slice(None)
        path = _phase_space("trajectories", path[known] if path.ndim else path, 2)
        if path.tobytes() not in seen:
            seen.add(path.tobytes())
            paths.append(path)
            clocks.append(clock[known])
    if len(paths) < 2:
        raise ValueError(
            "`trajectories` must hold at least 2 trajectories that differ: along a single "
            "one, what is conserved by the motion cannot be told from what is constant "
            f"anyway. Received: {len(paths)}"
        )
    if len({path.shape[1] for path in paths}) > 1:
        raise ValueError(
            "`trajectories` must all have the same coordinates. Received: numbers of "
            f"coordinates {sorted({path.shape[1] for path in paths})}"
        )
    return paths, clocks


def _numbers(name: str, value: Any) -> np.ndarray:
    """A float64 array of real numbers, some of which may not be known, as NaN."""
    try:
        return np.asarray(value, dtype="float64")
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"`{name}` must be an array of real numbers. "
            f"Received: an object of type {type(value).__name__}"
        ) from error


def _clock(times: Any, number: int, length: int) -> np.ndarray:
    if times is None:
        return np.arange(length, dtype="float64")
    arrays = (list, tuple, np.ndarray)
    is_listed = isinstance(times, arrays) and getattr(times, "ndim", 1) > 0
    is_nested = is_listed and len(times) > number and isinstance(times[0], arrays)
    own = times[number] if is_nested else times
    clock = finite_array("times", own)
    if clock.shape != (length,):
        raise ValueError(
            f"`times` must be one for each point. Received: shape {clock.shape} for the "
            f"{length} points of trajectory {number}"
        )
    return clock


def _units(points: np.ndarray) -> np.ndarray:
    """The spread of each coordinate, `(2n,)`, 1 where there is none."""
    spread = np.std(points, axis=0)
    return np.where(spread > 0, spread, 1.0)


# ---------------------------------------------------------------------- candidates


def _candidates(search: Any, size: int, action: str) -> np.ndarray:
    """Affine canonical maps `[L | b]` that span the search, `(p, 2n, 2n + 1)`."""
    if search is not None:
        linear = _on_phase_space(search, size)
    else:
        upper = [(a, b) for a in range(size) for b in range(a, size)]
        symmetric = np.zeros((len(upper), size, size))
        for matrix, (a, b) in zip(symmetric, upper, strict=True):
            matrix[a, b] = matrix[b, a] = 1.0
        linear = symplectic_form(size // 2) @ symmetric
    count = len(linear)
    translations = size if action == "affine" and search is None else 0
    candidates = np.zeros((count + translations, size, size + 1))
    candidates[:count, :, :size] = linear
    candidates[count:, :, size] = np.eye(size)[:translations]
    return candidates


def _on_phase_space(search: Any, size: int) -> np.ndarray:
    """Given matrices as maps of phase space that keep its symplectic form."""
    matrices = finite_array("search", search)
    n = size // 2
    if (
        matrices.ndim != 3
        or not len(matrices)
        or matrices.shape[1:] not in ((n, n), (size, size))
    ):
        raise ValueError(
            f"`search` must be matrices of shape `(k, {n}, {n})` on positions, or "
            f"`(k, {size}, {size})` on phase space. Received: shape {matrices.shape}"
        )
    if matrices.shape[1] == n:
        lifted = np.zeros((len(matrices), size, size))
        lifted[:, :n, :n] = matrices
        # Momenta transform by the dual, so that p . dq stays as it is.
        lifted[:, n:, n:] = -np.swapaxes(matrices, 1, 2)
        return lifted
    lowered = symplectic_form(n) @ matrices
    defect = np.linalg.norm(lowered - np.swapaxes(lowered, 1, 2))
    if defect > 1e-6 * np.linalg.norm(lowered):
        raise ValueError(
            "`search` on phase space must keep its symplectic form: `J L` must be "
            f"symmetric. Received: matrices with a relative defect of "
            f"{defect / np.linalg.norm(lowered):.1e}"
        )
    return matrices


# -------------------------------------------------------------------- trajectories


class _Motion:
    """Values of quantities along trajectories, and what varies of them.

    Where all quantities are searched they are monomials of standard coordinates, which have
    mean zero and second moments 1.

    Args:
        paths: Points `(times, 2n)` of each trajectory.
        clocks: Times `(times,)` of each trajectory.
        search: Where to search, or `None`.
        action: `"affine"` or `"linear"`.
    """

    def __init__(
        self, paths: list[np.ndarray], clocks: list[np.ndarray], search: Any, action: str
    ):
        size = paths[0].shape[1]
        self._standard: Standard | None = None
        if search is None:
            points = np.concatenate(paths)
            standard = self._standard = standard_coordinates(points, action == "affine")
            paths = [(path - standard.mean) @ standard.whiten.T for path in paths]
            self._candidates = _monomials(paths[0].shape[1], action == "affine")
        else:
            maps = _candidates(search, size, action)
            self._candidates = [_quantity(each) for each in maps]
        values = [np.stack([g(path) for g in self._candidates], axis=-1) for path in paths]
        total = np.mean(np.concatenate(values), axis=0)
        values = [own - total for own in values]
        sizes = np.sqrt(np.mean(np.concatenate(values) ** 2, axis=0))
        self._scales = np.divide(1.0, sizes, out=np.zeros_like(sizes), where=sizes > 0)
        self._values = [own * self._scales for own in values]
        self._clocks = clocks

    def solve(self, dimension: int | None) -> NullSpace:
        """What varies between trajectories only, as mixtures of the candidates."""
        system = NormalMatrices(len(self._candidates))
        along = [own - own.mean(axis=0) for own in self._values]
        noise = [_noise(own) for own in self._values]
        total, part = (sum(np.sum(each**2) for each in rows) for rows in (along, noise))
        # If it were more, the motion would be too fast to be told from noise.
        is_small = part < LARGEST_NOISE * total
        for own, moved, rough in zip(self._values, along, noise, strict=True):
            # Against the variance over all points, what is constant along trajectories is
            # told from what is nearly constant everywhere.
            spurious = rough[None] if is_small else None
            system.add(moved[None], (own.T @ own)[None], noise=spurious)
        return system.solve(dimension)

    def without_drift(self, basis: np.ndarray) -> tuple[np.ndarray, list[Drift]]:
        """What of a null space `(p, d)` does not drift, and what does."""
        if not basis.shape[1]:
            return basis, []
        kept, drifting = [], []
        # Ordered by how much they drift, so that one that does not is no mixture.
        for column in (basis @ self._drift_directions(basis)).T:
            drift = self._drift(column)
            if drift is None:
                kept.append(column)
            else:
                drifting.append(drift)
        return np.array(kept).reshape(-1, len(basis)).T, drifting

    def _drift_directions(self, basis: np.ndarray) -> np.ndarray:
        lines = np.zeros((basis.shape[1], basis.shape[1]))
        spread = np.zeros_like(lines)
        for own, clock in zip(self._values, self._clocks, strict=True):
            mixed = own @ basis
            line = _line(mixed, clock)
            lines += line.T @ line
            spread += mixed.T @ mixed
        root = np.linalg.cholesky(spread + 1e-12 * np.trace(spread) * np.eye(len(spread)))
        inverse = np.linalg.inv(root)
        return inverse.T @ np.linalg.eigh(inverse @ lines @ inverse.T)[1]

    def _drift(self, column: np.ndarray) -> Drift | None:
        """The drift of one mixture, if it is more than noise."""
        lines = along = spread = products = squares = 0.0
        for own, clock in zip(self._values, self._clocks, strict=True):
            value = own @ column
            line = _line(value[:, None], clock)[:, 0]
            lines += float(np.sum(line**2))
            along += float(np.sum((value - value.mean()) ** 2))
            spread += float(np.sum(value**2))
            duration = max(float(np.ptp(clock)), TINY)
            slope = float(line[-1] - line[0]) / duration
            products += slope * value.mean()
            squares += value.mean() ** 2
        share, size = lines / max(along, TINY), np.sqrt(lines / max(spread, TINY))
        if share < LINEAR_SHARE or size < SMALLEST_DRIFT:
            return None
        return Drift(self.combined(column), -products / max(squares, TINY), float(size))

    def combined(self, column: np.ndarray) -> ConservedQuantity:
        """A mixture `(p,)` of the candidates in units of spread 1, as one quantity."""
        weights = self._scales * column
        quadratic = sum(
            weight * each.quadratic
            for weight, each in zip(weights, self._candidates, strict=True)
        )
        linear = sum(
            weight * each.linear
            for weight, each in zip(weights, self._candidates, strict=True)
        )
        if self._standard is None:
            return ConservedQuantity(np.asarray(quadratic), np.asarray(linear))
        whiten, mean = self._standard.whiten, self._standard.mean
        quadratic = whiten.T @ quadratic @ whiten
        return ConservedQuantity(quadratic, whiten.T @ linear - quadratic @ mean)


def _monomials(size: int, is_affine: bool) -> list[ConservedQuantity]:
    """All monomials of degree 2, and of degree 1 if maps are affine."""
    found = []
    for a in range(size):
        for b in range(a, size):
            quadratic = np.zeros((size, size))
            quadratic[a, b] = quadratic[b, a] = 1.0
            found.append(ConservedQuantity(quadratic, np.zeros(size)))
    if is_affine:
        found += [ConservedQuantity(np.zeros((size, size)), row) for row in np.eye(size)]
    return found


def _noise(values: np.ndarray) -> np.ndarray:
    """Rows whose squares are about those of the noise in values `(times, p)`.

    Differences of fourth order leave little of what is smooth, and 70 times the variance of
    what differs from time to time.
    """
    if len(values) < SMOOTH_POINTS:
        return np.zeros((1, values.shape[1]))
    rough = np.diff(values, n=4, axis=0) / np.sqrt(70)
    return rough * np.sqrt(SURE_NOISE * len(values) / len(rough))


def _line(values: np.ndarray, clock: np.ndarray) -> np.ndarray:
    """The straight lines in time through values `(times, d)`, about their mean."""
    time = clock - clock.mean()
    square = float(time @ time)
    if square == 0:
        return np.zeros_like(values)
    return np.outer(time, time @ values) / square


# -------------------------------------------------------------------------- results


def _report(
    quantities: list[ConservedQuantity],
    points: np.ndarray,
    action: str,
    found: dict[str, Any],
) -> ConservationReport:
    """The result, in a basis that is easy to read."""
    units, size = _units(points), points.shape[1]
    errors = float(np.max(found["errors"], initial=0.0))
    readable = _readable(quantities, points, CLEAR * errors)
    maps = np.array([each.generator[:-1] for each in readable])
    maps = maps.reshape(-1, size, size + 1)
    scaled = maps * np.append(units, 1.0) / units[:, None]
    origin = points.mean(axis=0) / units
    # About the mean of the points, where translations are no larger than the rest.
    scaled[..., -1] += scaled[..., :-1] @ origin
    return ConservationReport(
        algebra=_algebra(maps, action),
        quantities=tuple(readable),
        standard=_algebra(scaled, action),
        **found,
    )


def _algebra(maps: np.ndarray, action: str) -> LieAlgebra:
    if action == "linear":
        return LieAlgebra(maps[..., :-1])
    return LieAlgebra(np.pad(maps, ((0, 0), (0, 1), (0, 0))))


def _readable(
    quantities: list[ConservedQuantity], points: np.ndarray, tolerance: float
) -> list[ConservedQuantity]:
    """A basis with many zeros in units of the spread.

    It is about the origin, or about the mean where that is far away: there quantities have
    large terms that nearly cancel.
    """
    if not quantities:
        return []
    units = _units(points)
    mean = points.mean(axis=0)
    is_far = np.any(np.abs(mean) > FAR * units)
    origin = mean if is_far else np.zeros_like(mean)
    tables = []
    for each in quantities:
        quadratic = each.quadratic * units[:, None] * units
        linear = (each.linear + each.quadratic @ origin) * units
        tables.append(np.concatenate([quadratic, linear[:, None]], axis=1))
    flat = np.array(tables).reshape(len(tables), -1)
    frame = np.linalg.qr(flat.T)[0].T.reshape(np.shape(tables))
    limit = float(np.clip(tolerance, EXACT, LARGEST_TOLERANCE))
    readable = []
    for table in sparse_basis(frame, limit):
        quadratic = (table[:, :-1] + table[:, :-1].T) / 2 / units[:, None] / units
        linear = table[:, -1] / units - quadratic @ origin
        readable.append(_scaled(ConservedQuantity(quadratic, linear, units)))
    return readable


def _quantity(matrix: np.ndarray) -> ConservedQuantity:
    """The quantity whose flow is that of a map `[L | b]`, `(2n, 2n + 1)`."""
    inverse = symplectic_form(len(matrix) // 2).T
    quadratic = inverse @ matrix[:, :-1]
    # Symmetric up to rounding, and then exactly.
    return ConservedQuantity((quadratic + quadratic.T) / 2, inverse @ matrix[:, -1])


def _scaled(quantity: ConservedQuantity) -> ConservedQuantity:
    """With the first coefficient positive and the largest one 1.

    Energies are then positive, and angular momenta start with `q1 p2`.
    """
    quadratic, linear = quantity.quadratic, quantity.linear
    terms = np.concatenate([quadratic[np.triu_indices(len(linear))], linear])
    scale = np.sign(terms[np.flatnonzero(terms)[0]]) * np.max(np.abs(terms))
    return ConservedQuantity(quadratic / scale + 0.0, linear / scale + 0.0, quantity.spread)
