"""What workers read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator
    from datetime import datetime
    from types import TracebackType

    from recocore.data import EventBatch
    from recocore.state.keys import KeyFile
    from recocore.state.values import UserRecord


class StateReader:
    """Reads users' records while the owner writes: a snapshot a call, no lock, not across a fork."""

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, keys: KeyFile | None = None) -> Self:
        """Open a store for reading; the owner must have made it.

        Raises:
            NotFoundError: there is none.
            CorruptError: it is damaged.
        """
        raise NotImplementedError

    @property
    def commit(self) -> int:
        """The last commit that is seen; one call to the table, 2 us."""
        raise NotImplementedError

    def user(self, user_id: str | int, *, visitor: bool = False) -> UserRecord | None:
        """What is known of a user, None where nothing is. `visitor`: the id is a visitor_id."""
        raise NotImplementedError

    def pseudonym(self, user_id: str | int, *, visitor: bool = False) -> str:
        """The keyed hash of an id, 32 hexadecimal digits: what logs and metrics may name."""
        raise NotImplementedError

    def offsets(self) -> dict[str, int]:
        """Source → position, as the last calls of `record` that named the source said."""
        raise NotImplementedError

    def events(self, start: datetime | None = None, end: datetime | None = None) -> Iterator[EventBatch]:
        """The log in the order of its commits, events of `start <= event_time < end`; forgotten users' are left out."""
        raise NotImplementedError

    def export_parquet(
        self, dest: str | os.PathLike[str], start: datetime | None = None, end: datetime | None = None
    ) -> int:
        """Write `events` as a Parquet file that appears whole or not at all: the number of rows."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the files."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
