"""Rule: a condition and what follows from it."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from recocore.expressions import Compiled, Expression

Outcome: TypeAlias = Literal["approve", "challenge", "review", "decline"]
Penalty: TypeAlias = Literal["limit", "freeze", "ban"]

# From the mildest to the strictest.
OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)
PENALTIES: Final[tuple[Penalty, ...]] = get_args(Penalty)


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes:
        name: letters, digits, _ and -; the code of the reason that a hit gives.
        when: an `Expression` or a function from `compiled`, over the features of an event; it gives a flag.
        outcome: what a hit asks for; None where it only adds to the score.
        score: what a hit adds, 0 to 1000: hits combine as 1 - product of (1 - score / 1000).
        priority: of an approving rule; it approves where no other hit has as high a priority.
        penalty: what is to befall the account on a hit, for the caller to enforce.
        shadow: evaluated and reported, without any effect.
        snoozed_until: until this event time the rule is not evaluated.
        description: for people.
    """

    name: str
    when: Expression | Compiled
    outcome: Outcome | None = None
    score: int = 0
    priority: int = 0
    penalty: Penalty | None = None
    shadow: bool = False
    snoozed_until: datetime | None = None
    description: str = ""

    def __post_init__(self) -> None:
        for field, fits, expected in (
            ("name", bool(re.fullmatch(r"[\w-]{1,64}", self.name)), "1 to 64 letters, digits, _ or -"),
            ("when", self.when.kind == "flag", "a condition that is true or false"),
            ("outcome", self.outcome in (None, *OUTCOMES), f"one of {', '.join(OUTCOMES)}"),
            ("score", _whole(self.score) and 0 <= self.score <= 1000, "a whole number from 0 to 1000"),
            ("priority", _whole(self.priority) and abs(self.priority) <= 10**6, "a whole number up to a million"),
            ("penalty", self.penalty in (None, *PENALTIES), f"one of {', '.join(PENALTIES)}"),
            ("shadow", isinstance(self.shadow, bool), "true or false"),
            ("snoozed_until", _zoned(self.snoozed_until), "a time with a zone"),
            ("description", len(self.description) <= 1000, "at most 1000 characters"),
        ):
            if not fits:
                came = self.when.text if field == "when" else getattr(self, field)
                raise InvalidArgumentError(f"{field}: expected {expected}, got {came!r:.200}", field=field)

    @cached_property
    def version(self) -> str:
        """16 hexadecimal digits of the SHA-256 of everything that decides, the description apart."""
        decides = [
            *(self.name, self.when.version, self.outcome, self.score, self.priority, self.penalty, self.shadow),
            self.snoozed_until and self.snoozed_until.isoformat(),
        ]
        return hashlib.sha256(json.dumps(decides).encode()).hexdigest()[:16]


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _zoned(value: object) -> bool:
    return value is None or (isinstance(value, datetime) and value.tzinfo is not None)
