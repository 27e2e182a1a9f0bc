"""Checks that several requests need; what is wrong is collected, so that a caller learns all of it at once.

A check gives back what it was given, or a stand-in of the same type where that is wrong: nothing is made of it but the error.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from recocore.service import limits
from recocore.service.events import commit_tokens
from recocore.service.problems import InvalidRequestError, Violation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeVar

    _T = TypeVar("_T")

# Stands in for a name that is refused, so that decoding can go on and find more.
_ANY_NAME = "?"
_PLACEMENT = re.compile(rf"[A-Za-z0-9._-]{{1,{limits.MAX_PLACEMENT_CHARS}}}")


class Checks:
    """Collects what is wrong with one request."""

    def __init__(self) -> None:
        self._violations: list[Violation] = []

    def refuse(self, field: str, description: str) -> None:
        """Note that a field is wrong."""
        self._violations.append(Violation(field, description))

    def done(self) -> None:
        """Raise InvalidRequestError with what was noted, if there is anything."""
        if self._violations:
            raise InvalidRequestError(tuple(self._violations))

    def id(self, value: str, field: str) -> str:
        """The id, if it is one."""
        problem = id_problem(value)
        if problem:
            self.refuse(field, problem)
        return value

    def ids(self, values: Sequence[str], field: str, most: int, least: int = 0) -> tuple[str, ...]:
        """The ids, if there are as many as there may be."""
        if not values and not least:
            return ()
        if not self.count(values, field, most, "ids", least):
            return ()
        for position, value in enumerate(values):
            self.id(value, f"{field}[{position}]")
        return tuple(values)

    def count(self, values: Sequence[object], field: str, most: int, what: str, least: int = 0) -> bool:
        """Whether there are as many values as there may be; more are not looked at one by one."""
        fits = least <= len(values) <= most
        if not fits:
            self.refuse(field, f"expected {least} to {most} {what}, got {len(values)}")
        return fits

    def name(self, value: str, field: str) -> str:
        """The name of an attribute."""
        size = len(value.encode())
        if not 1 <= size <= limits.MAX_ID_BYTES:
            self.refuse(field, f"expected the name of an attribute, 1 to {limits.MAX_ID_BYTES} bytes, got {size}")
            return _ANY_NAME
        return value

    def page_size(self, value: int, field: str) -> int:
        """The number of items of a page."""
        if value < 0:
            self.refuse(field, f"expected at least 0, got {value}")
        return min(value, limits.MAX_PAGE_SIZE) or limits.DEFAULT_PAGE_SIZE

    def finite(self, value: float, field: str) -> float:
        """A finite number."""
        if not math.isfinite(value):
            self.refuse(field, f"expected a finite number, got {value}")
            return 0.0
        return value

    def weight(self, value: float, field: str) -> float:
        """A weight, above 0 or below."""
        if not 0 < abs(value) <= limits.MAX_WEIGHT:
            self.refuse(
                field, f"expected a number other than 0, at most {limits.MAX_WEIGHT:,.0f} from it, got {value:g}"
            )
            return 1.0
        return value

    def whole(self, value: int, field: str, least: int, most: int) -> int:
        """A number from `least` to `most`."""
        if not least <= value <= most:
            self.refuse(field, f"expected {least} to {most}, got {value}")
            return least
        return value

    def placement(self, value: str, field: str) -> str:
        """A placement, or an empty string."""
        if value and not _PLACEMENT.fullmatch(value):
            self.refuse(field, f"expected 1 to {limits.MAX_PLACEMENT_CHARS} of A-Z a-z 0-9 . _ -, got {value[:80]!r}")
        return value

    def commit_token(self, value: str, field: str) -> str:
        """A commit token, or an empty string."""
        if value:
            try:
                commit_tokens.decode(value)
            except ValueError as error:
                self.refuse(field, str(error))
        return value

    def choice(self, values: Mapping[int, _T], number: int, field: str, enum: str) -> _T:
        """What an enum's value means."""
        if number not in values:
            self.refuse(field, f"expected a value of {enum}, got {number}")
            return next(iter(values.values()))
        return values[number]


def id_problem(value: str) -> str | None:
    """What is wrong with an id; None where nothing is."""
    if not value:
        return "expected an id, got an empty string"
    # No character takes more than 4 bytes: most ids need no encoding to be measured.
    if len(value) * 4 > limits.MAX_ID_BYTES and (size := len(value.encode())) > limits.MAX_ID_BYTES:
        return f"expected an id of at most {limits.MAX_ID_BYTES} bytes, got {size}"
    return None
