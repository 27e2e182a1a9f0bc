"""What one epoch of a fit did."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Self

from recocore.ops.als import AlsReport

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class EpochReport:
    """One epoch.

    Attributes:
        epoch: its number, from 1.
        seconds: that its two half-epochs took; the objective and the validation are not in it.
        items: how the rows of the items were solved.
        users: how those of the users were, afterwards.
        objective: its value after the epoch, where `fit` was asked to track it.
        validation: the metric on held-out interactions, where `fit` was given some.
    """

    epoch: int
    seconds: float
    items: AlsReport
    users: AlsReport
    objective: float | None = None
    validation: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """What JSON can hold."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        """The report again from what `to_dict` gave."""
        halves = {side: AlsReport(**fields[side]) for side in ("items", "users")}
        return cls(**{**fields, **halves})
