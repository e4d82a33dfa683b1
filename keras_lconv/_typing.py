"""Types of arguments and results in signatures, for readers and for mypy."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, Union

from numpy.typing import ArrayLike

if TYPE_CHECKING:
    import keras
    import matplotlib.axes
    import matplotlib.figure

    from keras_lconv.algebra import LieAlgebra
    from keras_lconv.generators import Generators


class Tensor(Protocol):
    """A tensor of the backend that runs, or a symbolic one of Keras."""

    @property
    def shape(self) -> Any:
        """The sizes of its axes, `None` if unknown."""

    @property
    def dtype(self) -> Any:
        """The type of its entries."""

    def __getitem__(self, key: Any) -> Any: ...

    def __add__(self, other: Any) -> Any: ...

    def __radd__(self, other: Any) -> Any: ...

    def __sub__(self, other: Any) -> Any: ...

    def __rsub__(self, other: Any) -> Any: ...

    def __mul__(self, other: Any) -> Any: ...

    def __rmul__(self, other: Any) -> Any: ...

    def __truediv__(self, other: Any) -> Any: ...

    def __rtruediv__(self, other: Any) -> Any: ...

    def __pow__(self, other: Any) -> Any: ...

    def __neg__(self) -> Any: ...

    def __lt__(self, other: Any) -> Any: ...

    def __le__(self, other: Any) -> Any: ...

    def __gt__(self, other: Any) -> Any: ...

    def __ge__(self, other: Any) -> Any: ...


# Types of data: an array, nested lists of numbers, or a tensor.
Data: TypeAlias = ArrayLike | Tensor
# Data, or batches of them: an iterable, a generator function, a `PyDataset`.
Stream: TypeAlias = Data | Iterable[Any] | Callable[[], Iterable[Any]]
# The function under examination: a model, a layer or a function of a batch.
Function: TypeAlias = Callable[[Any], Any]
# Columns of a table by name or number: one list, or one for each vector.
Columns: TypeAlias = Sequence[Any] | None
# A shape whose batch may be unknown. Other sizes of inputs may be unknown as well.
Shape: TypeAlias = tuple[int | None, ...]
# The argument of `keras_lconv.generators.get`. `|` does not accept names of later classes.
GeneratorsLike: TypeAlias = Union[
    int, str, ArrayLike, "LieAlgebra", dict[str, Any], "Generators"
]
# The argument `search` for tables and images: as above, or functions, with or without
# names.
Search: TypeAlias = (
    GeneratorsLike
    | Sequence[Callable[[Any], Any]]
    | Mapping[str, Callable[[Any], Any]]
    | None
)
# Matrices `(k, d, d)`, an algebra of these (which is an array, too), or fixed generators.
MatricesLike: TypeAlias = Union[ArrayLike, "Generators"]
# The argument of Keras' `get` functions: a name, a configuration, an instance, or `None`.
Activation: TypeAlias = str | dict[str, Any] | Callable[[Any], Any] | None
Initializer: TypeAlias = str | dict[str, Any] | Callable[..., Any] | None
Regularizer: TypeAlias = str | dict[str, Any] | Callable[[Any], Any] | None
Constraint: TypeAlias = str | dict[str, Any] | Callable[[Any], Any] | None
# A quadratic form on the components: its name or its matrix. `None` is the default of a
# layer.
FormLike: TypeAlias = str | ArrayLike | None
# The argument `dtype` of Keras' layers and losses.
DTypeLike: TypeAlias = Union[str, "keras.DTypePolicy", None]
# Figures and axes of plots. Matplotlib is imported only when something is drawn.
Figure: TypeAlias = Union["matplotlib.figure.Figure", "matplotlib.figure.SubFigure"]
Axes: TypeAlias = "matplotlib.axes.Axes"
