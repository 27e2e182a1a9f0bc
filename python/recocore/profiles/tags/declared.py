"""Declared attributes: what users say of themselves, kept with who said it, and never inferred."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from recocore.errors import InvalidArgumentError
from recocore.profiles.tags.tag import Tag

if TYPE_CHECKING:
    from collections.abc import Iterable

DECLARABLE: Final = ("age", "gender", "region", "occupation")

# Who may say so: the user, in an account, a survey or to an employee, or a register that the user has agreed to.
SOURCES: Final = ("account", "survey", "support", "import")

_OLDEST = 130
_LONGEST = 128

SCHEMA: Final = pa.schema(
    [
        ("user_id", pa.string()),
        ("name", pa.string()),
        ("value", pa.string()),
        ("source", pa.string()),
        ("updated", pa.timestamp("us", "UTC")),
    ]
)


@dataclass(frozen=True, slots=True)
class Declaration:
    """One statement of a user about themselves.

    Attributes:
        user_id: who.
        name: one of `DECLARABLE`.
        value: text; None takes the statement back.
        source: one of `SOURCES`.
        updated: when it was said.
    """

    user_id: str
    name: str
    value: str | None
    source: str
    updated: datetime

    def __post_init__(self) -> None:
        if self.name not in DECLARABLE:
            raise _refused("name", f"one of {', '.join(DECLARABLE)}", self.name)
        if self.source not in SOURCES:
            raise _refused("source", f"one of {', '.join(SOURCES)}: what is inferred is no declaration", self.source)
        updated: object = self.updated
        if not isinstance(updated, datetime) or updated.tzinfo is None:
            raise _refused("updated", "a datetime with a zone", updated)
        if self.value is not None:
            object.__setattr__(self, "value", _checked(self.name, self.value))


class DeclaredAttributes:
    """Statements of users, every one kept; the latest of each attribute holds.

    Example:
        >>> from datetime import UTC, datetime
        >>> said = DeclaredAttributes()
        >>> said.declare(Declaration("ann", "region", "Taipei", "account", datetime(2026, 3, 1, tzinfo=UTC)))
        >>> [(tag.name, tag.value, tag.source) for tag in said.tags("ann")]
        [('region', 'Taipei', 'declared:account')]
    """

    def __init__(self, declarations: Iterable[Declaration] = ()) -> None:
        self._said: dict[str, list[Declaration]] = {}
        for declaration in declarations:
            self.declare(declaration)

    def declare(self, declaration: Declaration) -> None:
        """Add a statement; one that comes late does not replace a later one."""
        self._said.setdefault(declaration.user_id, []).append(declaration)

    def current(self, user_id: str, as_of: datetime | None = None) -> dict[str, Declaration]:
        """What holds of a user: attribute → the latest statement before `as_of`, without those taken back."""
        latest: dict[str, Declaration] = {}
        for said in self._said.get(user_id, ()):
            known = as_of is None or said.updated < as_of
            if known and (said.name not in latest or said.updated >= latest[said.name].updated):
                latest[said.name] = said
        return {name: said for name, said in sorted(latest.items()) if said.value is not None}

    def history(self, user_id: str) -> tuple[Declaration, ...]:
        """Every statement about a user, in the order in which they came."""
        return tuple(self._said.get(user_id, ()))

    def tags(self, user_id: str, as_of: datetime | None = None) -> list[Tag]:
        """What holds of a user, as tags of weight 1 whose source is `declared:` and who said it."""
        return [
            Tag(name, said.value or "", 1.0, f"declared:{said.source}", said.updated, "")
            for name, said in self.current(user_id, as_of).items()
        ]

    def forget(self, user_id: str) -> None:
        """Remove every statement about a user."""
        self._said.pop(user_id, None)

    def to_table(self) -> pa.Table:
        """Every statement, in the columns of `SCHEMA`."""
        rows = [said for user in sorted(self._said) for said in self._said[user]]
        return pa.Table.from_pylist([{name: getattr(said, name) for name in SCHEMA.names} for said in rows], SCHEMA)

    @classmethod
    def from_table(cls, table: pa.Table) -> DeclaredAttributes:
        """Read what `to_table` made.

        Raises:
            InvalidArgumentError: a row that is no declaration.
        """
        return cls(Declaration(**_row(row)) for row in table.select(SCHEMA.names).to_pylist())


def _row(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "updated": row["updated"].astimezone(UTC)}


def _checked(name: str, value: object) -> str:
    if name == "age":
        text = str(value)
        if isinstance(value, bool) or not text.isdecimal() or int(text) > _OLDEST:
            raise _refused("value", f"an age in whole years up to {_OLDEST}", value)
        return str(int(text))
    if not isinstance(value, str) or not value.strip() or len(value) > _LONGEST:
        raise _refused("value", f"text of at most {_LONGEST} characters", value)
    return value.strip()


def _refused(argument: str, expected: str, got: object) -> InvalidArgumentError:
    return InvalidArgumentError(f"{argument}: expected {expected}, got {got!r}", field=argument)
