"""The name of an algebra."""

from dataclasses import dataclass


class ContradictionError(ValueError):
    """Decisions about zeros that contradict each other for every Lie algebra."""

    def __init__(self) -> None:
        super().__init__("The invariants contradict each other at this tolerance")


@dataclass(frozen=True)
class Name:
    """A name, the other names, whether it stands for one algebra only, and parameters."""

    name: str
    others: tuple[str, ...] = ()
    is_unique: bool = True
    parameter: float | tuple[float, ...] | None = None

    @property
    def all(self) -> tuple[str, ...]:
        """All names."""
        return (self.name, *self.others)
