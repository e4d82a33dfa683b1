"""What arguments and results are, in signatures: for readers and for mypy."""

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
        """The sizes of its axes; `None` for those that are not known."""

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


# An array, nested lists of numbers, or a tensor: what may be given as data.
Data: TypeAlias = ArrayLike | Tensor
# Data, or batches of them: an iterable, a generator function, a `PyDataset`.
Stream: TypeAlias = Data | Iterable[Any] | Callable[[], Iterable[Any]]
# What is asked: a model, a layer or a function of a batch.
Function: TypeAlias = Callable[[Any], Any]
# Columns of a table by name or number: one list, or one for each vector.
Columns: TypeAlias = Sequence[Any] | None
# A shape whose batch, and of inputs also other sizes, may not be known yet.
Shape: TypeAlias = tuple[int | None, ...]
# What `keras_lconv.generators.get` takes.
# `|` takes no names of classes to come.
GeneratorsLike: TypeAlias = Union[
    int, str, ArrayLike, "LieAlgebra", dict[str, Any], "Generators"
]
# Where symmetries of tables and images are searched: that, or functions, with names or not.
Search: TypeAlias = (
    GeneratorsLike
    | Sequence[Callable[[Any], Any]]
    | Mapping[str, Callable[[Any], Any]]
    | None
)
# Matrices `(k, d, d)`, an algebra of these (which is an array, too), or fixed generators.
MatricesLike: TypeAlias = Union[ArrayLike, "Generators"]
# What Keras' `get` functions take: a name, a configuration, an instance, or nothing.
Activation: TypeAlias = str | dict[str, Any] | Callable[[Any], Any] | None
Initializer: TypeAlias = str | dict[str, Any] | Callable[..., Any] | None
Regularizer: TypeAlias = str | dict[str, Any] | Callable[[Any], Any] | None
Constraint: TypeAlias = str | dict[str, Any] | Callable[[Any], Any] | None
# A quadratic form on the components: its name, or its matrix; `None` is a layer's default.
FormLike: TypeAlias = str | ArrayLike | None
# What Keras' layers and losses take as `dtype`.
DTypeLike: TypeAlias = Union[str, "keras.DTypePolicy", None]
# What plots return and draw into. Matplotlib is imported only where something is drawn.
Figure: TypeAlias = Union["matplotlib.figure.Figure", "matplotlib.figure.SubFigure"]
Axes: TypeAlias = "matplotlib.axes.Axes"
