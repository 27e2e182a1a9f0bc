"""What a competitor is: one class in one file, run in a process of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class Competitor(ABC):
    """One library's way through a case. A file `competitor_<name>.py` defines a subclass named `Competitor`.

    Construction prepares: it loads the inputs into the form that the library wants, and is not timed.

    Args:
        inputs: the case's files by name.
        parameters: the case's parameters by name.
        threads: how many the library may use; the process is pinned to as many cores.

    Attributes:
        packages: distributions whose versions are reported, the library's own first.
        amount: work of one `run` in the unit of a roof; only a roof sets it.
    """

    packages: ClassVar[tuple[str, ...]] = ()
    amount: float | None = None

    @abstractmethod
    def __init__(self, inputs: Mapping[str, Path], parameters: Mapping[str, Any], threads: int) -> None: ...

    @abstractmethod
    def run(self) -> Any:
        """Do the whole work once and return its result: this alone is timed."""

    @abstractmethod
    def save(self, result: Any, path: Path) -> None:
        """Write the result to `path` in the form that the scenario checks; not timed."""
