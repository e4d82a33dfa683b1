"""A closed span near one that is nearly closed under brackets."""

import numpy as np

MAX_STEPS = 50
# Errors below the first number are rounding. Errors below the second may be: one more step
# is taken, and the search ends if that gains nothing.
PRECISION, ROUNDING = 1e-14, 1e-11


def nearest_closed_frame(frame: np.ndarray, scale: float) -> tuple[np.ndarray, float]:
    """Removes the part of the brackets outside of the span by Newton's method.

    Args:
        frame: Orthonormal matrices `(k, n, n)`.
        scale: The unit of the closure error.

    Returns:
        An orthonormal frame close to the given one, and its closure error.
    """
    best, best_error = frame, np.inf
    for _ in range(MAX_STEPS):
        constants, outside = _brackets(frame)
        error = float(np.linalg.norm(outside)) / scale
        if best_error < ROUNDING and error > best_error / 2:
            break
        if error < best_error:
            best, best_error = frame, error
        if error < PRECISION:
            break
        frame = _moved(frame, frame + _step(frame, constants, outside, error * scale))
    return best, best_error


def _brackets(frame: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Structure constants, and the parts of all brackets outside of the span."""
    products = frame[:, None] @ frame[None]
    brackets = products - products.swapaxes(0, 1)
    constants = np.tensordot(brackets, frame, ((2, 3), (1, 2)))
    return constants, brackets - np.tensordot(constants, frame, 1)


def _step(
    frame: np.ndarray, constants: np.ndarray, outside: np.ndarray, damping: float
) -> np.ndarray:
    """The shortest step, orthogonal to the span, that cancels `outside` to first order.

    Directions along which the algebra can be deformed change the brackets only a little.
    The damping keeps them from making the step long.
    """
    from scipy.sparse.linalg import LinearOperator, lsmr

    transposed = frame.swapaxes(1, 2)

    def normal_part(matrices: np.ndarray) -> np.ndarray:
        inside = np.tensordot(matrices, frame, ((-2, -1), (1, 2)))
        return matrices - np.tensordot(inside, frame, 1)

    def change(step: np.ndarray) -> np.ndarray:
        step = normal_part(step.reshape(frame.shape))
        half = step[:, None] @ frame[None] - frame[None] @ step[:, None]
        moved = half - half.swapaxes(0, 1) - np.tensordot(constants, step, 1)
        return normal_part(moved).ravel()

    def adjoint_of_change(residual: np.ndarray) -> np.ndarray:
        residual = normal_part(residual.reshape(outside.shape))
        odd = residual - residual.swapaxes(0, 1)
        step = np.sum(odd @ transposed[None] - transposed[None] @ odd, axis=1)
        step -= np.tensordot(constants, residual, ((0, 1), (0, 1)))
        return normal_part(step).ravel()

    operator = LinearOperator(
        (outside.size, frame.size), matvec=change, rmatvec=adjoint_of_change
    )
    step = lsmr(operator, -outside.ravel(), damp=damping, atol=1e-10, btol=1e-10)[0]
    return step.reshape(frame.shape)


def _moved(frame: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The orthonormal frame of the span of `target` that is closest to `frame`."""
    rows = target.reshape(len(target), -1)
    left, _, right = np.linalg.svd(rows, full_matrices=False)
    return (left @ right).reshape(frame.shape)
