"""What layers have in common that measure vectors by an invariant form."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_lconv._precision import working_dtype
from keras_lconv._validation import finite_array, not_negative
from keras_lconv.algebra import LieAlgebra, invariant_forms
from keras_lconv.algebra.forms import casimir_form, nearest_to_identity
from keras_lconv.generators import Generators, MatrixGenerators, VectorFieldGenerators
from keras_lconv.layers.base import GeneratorLayer

NEAREST = "nearest"

# `-tr(L L)` of an elementary rotation or boost: its length in a metric on the algebra is 1.
TRACE_UNIT = 2.0


class FormLayer(GeneratorLayer):
    """Base of layers that use a quadratic form `q = v^T M v` of vectors.

    The vectors are fibres, on which the generators act as matrices, or Lie gradients
    `(L_1 f, ..., L_k f)` of a feature map. `M` is found when the layer is made, in NumPy;
    for fibres whose generators are learned it is a weight.

    Args:
        generators: What `keras_lconv.generators.get` takes.
        rank: Rank of learned generators.
        on_fibres: Whether the generators act on fibres, and not on positions.
        form: `None`, `"nearest"` or a matrix.
        tolerance: What counts as invariant, as for `invariant_forms`.
        defect_weight: Weight of the loss that makes a learned form invariant.
        data_format: `"channels_last"` or `"channels_first"`; `None` is Keras' default.
        **kwargs: `name`, `dtype`, `trainable`.
    """

    def __init__(
        self,
        generators: Any,
        rank: Any,
        *,
        on_fibres: bool,
        form: Any,
        tolerance: float | None,
        defect_weight: float,
        data_format: str | None,
        **kwargs: Any,
    ):
        super().__init__(generators, rank, data_format=data_format, **kwargs)
        self._on_fibres = on_fibres
        self._given_form = checked_form(form)
        self.tolerance = tolerance
        self.defect_weight = not_negative("defect_weight", defect_weight)
        if on_fibres and not self.generators.is_square:
            raise ValueError(
                "`generators` of fibres must be square. Received: "
                f"generators {self.generators.name!r} between different spaces"
            )
        self._form_is_learned = (
            on_fibres
            and self.generators.is_learned
            and not isinstance(self._given_form, np.ndarray)
        )
        if self.defect_weight and not self._form_is_learned:
            raise ValueError(
                "`defect_weight` is for the form of fibres whose generators are learned. "
                f"Received: defect_weight={defect_weight!r} with a form that is not learned"
            )
        self._form = None if self._form_is_learned else self._known_form()

    # ------------------------------------------------------------------ form

    def _known_form(self) -> np.ndarray:
        if self._on_fibres:
            matrices = self._fibre_matrices()
            if isinstance(self._given_form, np.ndarray) or matrices is None:
                return _matching(self._given_form, matrices, self.tolerance)
            return _form_of_fibres(matrices, self._given_form, self.tolerance)
        return form_of_gradients(self.generators, self._given_form, self.tolerance)

    def _fibre_matrices(self) -> np.ndarray | None:
        """The matrices on a fibre; `None` if they are learned."""
        generators = self.generators
        if generators.is_learned:
            return None
        if generators.built:
            # In the type of the weights, whose rounding the tolerance has to allow for.
            return ops.convert_to_numpy(generators.to_dense())
        if isinstance(generators, MatrixGenerators):
            return np.array(generators.get_config()["matrices"])
        raise TypeError(
            "`generators` of fibres must be matrices `(k, n, n)`: an array, a "
            "`LieAlgebra`, `MatrixGenerators`, or learned ones. "
            f"Received: {type(generators).__name__}"
        )

    @property
    def form(self) -> np.ndarray:
        """The matrix `M`, an array. It has to have a value: not while a graph is traced.

        Raises:
            ValueError: If the form is learned and the layer is not built yet.
        """
        if self._form is not None:
            return self._form
        self._require_weight("form")
        return ops.convert_to_numpy(self._form_tensor("float32"))

    def _form_tensor(self, dtype: str) -> Any:
        if self._form is not None:
            return ops.convert_to_tensor(self._form, dtype=dtype)
        weight = ops.cast(self._form_weight, dtype)
        symmetric = (weight + ops.transpose(weight)) / 2
        # Of a fixed norm: a form that shrinks to zero would be invariant as well.
        size = ops.sum(symmetric**2) + keras.config.epsilon()
        return symmetric * ops.sqrt(weight.shape[0] / size)

    @property
    def defect(self) -> float:
        """How far the form is from invariant: 0 if it is, 1 at most.

        It is `|L^T M + M L| / (2 |L| |M|)`, where norms are taken over all generators.

        Raises:
            ValueError: If the layer has no fibres, or is not built yet.
        """
        if not self._on_fibres:
            raise ValueError("`defect` is that of the form of fibres, and there are none")
        self._require_weight("defect")
        return float(ops.convert_to_numpy(ops.sqrt(self._squared_defect())))

    def _squared_defect(self) -> Any:
        matrices = ops.cast(self.generators.to_dense(), "float32")
        form = self._form_tensor("float32")
        right = ops.einsum("ab,kbc->kac", form, matrices)
        change = right + ops.transpose(right, (0, 2, 1))
        scale = 4 * ops.sum(matrices**2) * ops.sum(form**2) + keras.config.epsilon() ** 2
        return ops.sum(change**2) / scale

    def find_form(self, tolerance: float | None = None) -> np.ndarray:
        """Sets a learned form to the invariant form of the generators as they are now.

        Args:
            tolerance: What counts as invariant, as for
                `keras_lconv.algebra.invariant_forms`. By default that of the layer.
                Learned generators have noise, and need more than rounding.

        Returns:
            The form, `(n, n)`.

        Raises:
            ValueError: If the form is not learned, the layer is not built yet, or there is
                no such form, or more than one.
        """
        if not self._form_is_learned:
            raise ValueError("`find_form` is for learned forms. This one is known: `form`")
        self._require_weight("find_form")
        matrices = ops.convert_to_numpy(self.generators.to_dense())
        form = _form_of_fibres(matrices, self._given_form, tolerance or self.tolerance)
        self._form_weight.assign(form)
        return form

    def _require_weight(self, method: str) -> None:
        if not self.built:
            raise ValueError(f"`{method}` needs {self.name!r} to be built")

    # ---------------------------------------------------------------- shapes

    def _generator_shape(self, feature_shape: tuple) -> tuple:
        if self._on_fibres:
            return (feature_shape[0], *feature_shape[-2:])
        return feature_shape

    def _build(self, owner: str, feature_shape: tuple) -> None:
        if not self._on_fibres:
            return
        size = feature_shape[-2]
        if self._form is not None and len(self._form) != size:
            raise ValueError(
                f"The form of {owner} is of vectors with {len(self._form)} components. "
                f"Received: an input with {size} on its fibre axis"
            )
        if self._form_is_learned:
            self._form_weight = self.add_weight(
                name="form", shape=(size, size), initializer="identity"
            )

    # ------------------------------------------------------------------ call

    def _square(self, v: Any) -> Any:
        """`v^T M v` for `v` of shape `(batch, ..., n, channels)`, in float32 at least."""
        dtype = working_dtype(v)
        v = ops.cast(v, dtype)
        form = self._form_tensor(dtype)
        return ops.sum(v * ops.einsum("ij,b...jc->b...ic", form, v), axis=-2)

    def _add_defect(self) -> None:
        if self.defect_weight:
            self.add_loss(self.defect_weight * self._squared_defect())

    def get_config(self) -> dict[str, Any]:
        """The configuration of the layer."""
        form = self._given_form
        return {
            **super().get_config(),
            "form": form.tolist() if isinstance(form, np.ndarray) else form,
            "tolerance": self.tolerance,
            "defect_weight": self.defect_weight,
        }


def checked_form(form: Any, choice: str = NEAREST, name: str = "form") -> Any:
    """Returns `None`, the one choice that has a name, or a symmetric matrix."""
    if form is None or (isinstance(form, str) and form == choice):
        return form
    if isinstance(form, str):
        raise ValueError(
            f"`{name}` must be None, {choice!r} or a matrix. Received: {name}={form!r}"
        )
    matrix = finite_array(name, form)
    square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1]
    if not square or not np.allclose(matrix, matrix.T):
        raise ValueError(
            f"`{name}` must be a symmetric matrix. "
            f"Received: {'one that is not symmetric' if square else matrix.shape}"
        )
    return matrix


def _matching(
    form: np.ndarray,
    representation: np.ndarray | None,
    tolerance: float | None,
    name: str = "form",
) -> np.ndarray:
    """The given form, if it is invariant."""
    if representation is None:
        return form
    if representation.shape[1:] != form.shape:
        size = representation.shape[1]
        raise ValueError(
            f"`{name}` must have shape {(size, size)}. Received: shape {form.shape}"
        )
    forms = invariant_forms(representation, tolerance=tolerance)
    invariant = np.tensordot(np.einsum("mab,ab->m", forms, form), forms, 1)
    size = float(np.linalg.norm(form))
    error = float(np.linalg.norm(form - invariant)) / size if size else 0.0
    if error > max(tolerance or 0.0, 1e-3):
        raise ValueError(
            f"`{name}` must be invariant under the generators. Received: one with the "
            f"relative part {error:.1e} outside of the {len(forms)}-dimensional space of "
            "invariant ones"
        )
    return form


def _form_of_fibres(
    matrices: np.ndarray, choice: str | None, tolerance: float | None
) -> np.ndarray:
    forms = invariant_forms(matrices, tolerance=tolerance)
    if not len(forms):
        raise ValueError(
            "No symmetric bilinear form is invariant under the `generators`, so that they "
            "have no norm. If they are noisy, give a `tolerance` above their noise"
        )
    if choice is None and len(forms) > 1:
        raise ValueError(
            f"The invariant form of the `generators` is not unique: there is a space of "
            f"{len(forms)} dimensions (`keras_lconv.algebra.invariant_forms`). Give one of "
            f"them as `form`, or form={NEAREST!r} for the one nearest to the identity"
        )
    if choice is None:
        # The norm of the identity: Minkowski's form has entries of 1 then.
        return forms[0] * math.sqrt(forms.shape[1])
    form = nearest_to_identity(forms)
    if np.linalg.norm(form) < 1e-6:
        raise ValueError(
            f"form={NEAREST!r} does not choose between the invariant forms of the "
            "`generators`: all are orthogonal to the identity. Give one as `form`"
        )
    return form


def form_of_gradients(
    generators: Generators, given: Any, tolerance: float | None, name: str = "form"
) -> np.ndarray:
    """`B^ij`, the metric that makes `B^ij (L_i f) (L_j f)` a scalar."""
    k = generators.num_generators
    algebra = _known_algebra(generators) if k > 1 else None
    if isinstance(given, np.ndarray):
        coadjoint = np.zeros((1, k, k)) if algebra is None else _coadjoint(algebra)
        return _matching(given, coadjoint, tolerance, name)
    if algebra is None or algebra.is_abelian:
        return np.eye(k)
    try:
        return casimir_form(algebra.basis, TRACE_UNIT, tolerance or algebra.tolerance)
    except ValueError as error:
        raise ValueError(
            "The Lie gradient of the `generators` has no length: no metric on the algebra "
            f"{algebra.identify().name} is invariant. Take fewer generators, or give a "
            f"metric as `{name}`"
        ) from error


def _known_algebra(generators: Generators) -> LieAlgebra | None:
    """The algebra of given generators, where it is known without a grid."""
    if generators.is_learned:
        return None
    if isinstance(generators, MatrixGenerators):
        return generators.algebra() if generators.is_square else None
    if isinstance(generators, VectorFieldGenerators) and generators.field in (
        "linear",
        "affine",
    ):
        return generators.algebra()
    return None


def _coadjoint(algebra: LieAlgebra) -> np.ndarray:
    """`ad^T`: a metric `B^ij` is invariant if `ad B + B ad^T = 0`."""
    return np.swapaxes(algebra.adjoint(), 1, 2)
