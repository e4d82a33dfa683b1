"""The conserved quantities of a motion, from trajectories alone."""

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike

from keras_lconv._streams import is_stream
from keras_lconv._typing import Stream
from keras_lconv.physics.conservation.functions import SearchQuantities
from keras_lconv.physics.conservation.motion_sums import MotionSums, streamed_quantities
from keras_lconv.physics.conservation.quantities import ConservationReport


def fit_conserved_quantities(
    trajectories: Stream | Sequence[ArrayLike],
    *,
    times: ArrayLike | Sequence[ArrayLike] | None = None,
    search: SearchQuantities = None,
    degree: int | None = None,
    action: str = "affine",
    dimension: int | None = None,
) -> ConservationReport:
    """Finds the conserved quantities of a motion, from trajectories alone.

    A quantity `G = z^T S z / 2 + c . z` is conserved if it varies between trajectories and
    not along them. The covariances of all monomials over all points and along trajectories
    give one null space. Units, offsets and linear coordinates do not matter. This function
    is `find_conserved_quantities` without a Hamiltonian, for polynomials of degree at most
    2, or for those that `search` adds. With such a search coordinates need not be
    canonical.

    A quantity that changes slowly and steadily is not conserved. If a straight line in time
    explains most of its variation along trajectories, it is listed under `report.drifting`
    with its rate of decay. If there is no such quantity, and steps are even, quantities
    that change by the same factor in each step are listed there. The noise of the
    coordinates is estimated from differences of neighbouring times, so these should be
    close compared with the motion. If the noise is large, the confidence is low, and the
    summary states this.

    Args:
        trajectories: Array `(trajectories, times, 2n)` in canonical coordinates, all
            positions before all momenta (or any `(trajectories, times, n)`, with a `search`
            that is not affine), or a list of arrays `(times, 2n)` of different lengths.
            Points with NaN are left out, and their times may be NaN too. Many trajectories
            are needed, with different values of the conserved quantities; repeated
            trajectories count once. Or batches of these, which need not fit into memory: an
            iterable, a generator function, a `tf.data.Dataset`, a `DataLoader`, or a
            `PyDataset`. A batch `(trajectories, times)` has its own times. The first
            trajectories determine the units.
        times: Times of the points, `(times,)`, or one array for each trajectory; by default
            0, 1, 2 and so on. They determine rates, and whether steps are even. For batches
            they are the times of each trajectory in a batch without times.
        search: As for `find_conserved_quantities`.
        degree: As for `find_conserved_quantities`.
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
    asked: dict[str, Any] = {
        "search": search,
        "degree": degree,
        "action": action,
        "dimension": dimension,
    }
    if is_stream(trajectories):
        return streamed_quantities(trajectories, times, **asked)
    given: Any = trajectories
    sums = MotionSums(given, times=times, **asked)
    sums.add_first()
    return sums.result()
