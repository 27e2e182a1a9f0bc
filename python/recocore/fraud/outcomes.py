"""How a decision turned out, as somebody reports it; apart from what decides, so that who only passes it on loads no model."""

from __future__ import annotations

from dataclasses import dataclass

from recocore.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True)
class OutcomeReport:
    """One report of how a decision turned out.

    Attributes:
        decision_id: which.
        y: 1 for fraud, 0 for good.
        source: who says so, such as chargeback, review, customer.
        ts: when it became known, microseconds since 1970.
        confidence: 0 to 1.
    """

    decision_id: str
    y: int
    source: str
    ts: int
    confidence: float = 1.0

    def __post_init__(self) -> None:
        for field, fits, expected in (
            ("decision_id", 0 < len(str(self.decision_id)) <= 256, "an id"),
            ("y", type(self.y) is int and self.y in (0, 1), "0 or 1"),
            ("source", 0 < len(str(self.source)) <= 64, "1 to 64 characters"),
            ("ts", type(self.ts) is int and abs(self.ts) < 2**63, "microseconds since 1970 in 64 bits"),
            ("confidence", _share(self.confidence), "from 0 to 1"),
        ):
            if not fits:
                raise InvalidArgumentError(f"{field}: expected {expected}, got {getattr(self, field)!r}", field=field)


def _share(value: object) -> bool:
    return isinstance(value, (int, float)) and 0 <= value <= 1
