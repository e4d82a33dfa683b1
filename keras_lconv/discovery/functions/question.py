"""The kind of symmetries in question."""

import dataclasses
from collections.abc import Sequence

from numpy.typing import ArrayLike

from keras_lconv._typing import Columns, Data, Search
from keras_lconv.discovery.tables import Table, scalar_names, table_of


@dataclasses.dataclass(frozen=True)
class Question:
    """The arguments that `find_symmetries` and `fit_symmetries` share, as given."""

    kind: str = "invariance"
    blocks: int = 1
    scalars: int | Sequence[str] = 0
    columns: Columns = None
    search: Search = None
    output: ArrayLike = "free"
    dimension: int | None = None
    degree: int | None = None

    def about(self, x: Data) -> tuple[Table, "Question"]:
        """The selected columns of `x`, and the question about these alone."""
        labels = scalar_names(self.scalars)
        table = table_of("x", x, self.columns, labels)
        return table, dataclasses.replace(
            self,
            blocks=table.blocks or self.blocks,
            scalars=len(labels) or self.scalars,
            columns=None,
        )
