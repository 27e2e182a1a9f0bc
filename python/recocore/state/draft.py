"""Calls on their way into the log: what they ask, and the commits that are made of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recocore.errors import InvalidArgumentError
from recocore.state.log import Tally
from recocore.state.segment import frame
from recocore.state.values import Durability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recocore.state.changes import Change, Events


@dataclass(frozen=True, slots=True)
class Call:
    """A call of `record`, as those who commit many at once hand it over.

    Attributes:
        rows: mappings, or their MessagePack bytes.
        durability: when it is acknowledged.
        offsets: source → position.

    Raises:
        InvalidArgumentError: an offset is no whole number of at least 0.
    """

    rows: Sequence[Mapping[str, Any] | bytes]
    durability: Durability = Durability.FSYNC
    offsets: Mapping[str, int] | None = None

    def __post_init__(self) -> None:
        given: Any = self.offsets or {}
        for source, position in given.items():
            if not isinstance(source, str) or type(position) is not int or not 0 <= position < 2**63:
                raise InvalidArgumentError(
                    f"offsets: expected names with whole numbers of at least 0, got {source!r:.80}: {position!r:.40}",
                    field="offsets",
                )


class Draft:
    """Commits in the making.

    Attributes:
        commit: the last.
        frames: their bytes.
        changes: what they change.
        tally: what they hold.
    """

    def __init__(self, last: int) -> None:
        self.commit = last
        self.frames: list[bytes] = []
        self.changes: list[Change | Events] = []
        self.tally = Tally()

    def end_frame(self, rows: Sequence[bytes], commit: int | None = None) -> None:
        """Make a commit of rows, if there are any."""
        if rows:
            self.commit = self.commit + 1 if commit is None else commit
            self.frames.append(frame(self.commit, rows))
