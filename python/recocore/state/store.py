"""The store of the owner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from recocore.state.values import Durability, StateConfig

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta
    from types import TracebackType

    from recocore.data import EventBatch
    from recocore.state.keys import KeyFile
    from recocore.state.values import ForgetReceipt, Receipt, StateStats


class StateStore:
    """The one writer of a state folder."""

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], config: StateConfig | None = None, *, keys: KeyFile | None = None
    ) -> Self:
        """Open a store, or make one where there is none.

        Raises:
            InUseError: another process owns it.
            CorruptError: it is damaged.
        """
        raise NotImplementedError

    @property
    def commit(self) -> int:
        """The last commit."""
        raise NotImplementedError

    def record(
        self,
        events: EventBatch | Sequence[Mapping[str, Any]],
        *,
        durability: Durability = Durability.FSYNC,
        offsets: Mapping[str, int] | None = None,
    ) -> Receipt:
        """Record up to 1,000 events, each once for its event_id.

        Args:
            events: rows of `recocore.data.schema.EVENT_SCHEMA`; times as datetime or microseconds since 1970.
            durability: when the call returns.
            offsets: source → position, kept in the same commit: `offsets()` gives them back, so a consumer that begins there
                hears of every event once.

        Raises:
            InvalidArgumentError: too many events, or not events.
            StorageError: the disk refuses; nothing of the call is acknowledged, and it may be sent again.
        """
        raise NotImplementedError

    def offsets(self) -> dict[str, int]:
        """Source → position, as the last calls of `record` that named the source said."""
        raise NotImplementedError

    def set_consent(self, user_id: str | int, purpose: str, granted: bool) -> int:
        """Keep a user's answer for a purpose (a-z, 0-9, _ and -): the commit."""
        raise NotImplementedError

    def consents(self, user_id: str | int) -> dict[str, bool]:
        """A user's answers."""
        raise NotImplementedError

    def forget(self, user_id: str | int, *, visitor: bool = False) -> ForgetReceipt:
        """Destroy the user's key and record, and take no event of the user from now on."""
        raise NotImplementedError

    def export_user(self, user_id: str | int, *, visitor: bool = False) -> dict[str, Any]:
        """Everything held of a user, as JSON holds it."""
        raise NotImplementedError

    def events(self, start: datetime | None = None, end: datetime | None = None) -> Iterator[EventBatch]:
        """The log in the order of its commits, events of `start <= event_time < end`; forgotten users' are left out."""
        raise NotImplementedError

    def export_parquet(
        self, dest: str | os.PathLike[str], start: datetime | None = None, end: datetime | None = None
    ) -> int:
        """Write `events` as a Parquet file that appears whole or not at all: the number of rows."""
        raise NotImplementedError

    def retain(self, max_age: timedelta, *, now: datetime | None = None) -> int:
        """Drop events older than `max_age` from log and records: how many."""
        raise NotImplementedError

    def compact(self) -> int:
        """Rewrite segments that hold forgotten users' events: bytes freed."""
        raise NotImplementedError

    def replay(self, source: StateStore | Iterable[EventBatch]) -> int:
        """Record a log again: the number of events that were new."""
        raise NotImplementedError

    def backup(self, dest: str | os.PathLike[str]) -> None:
        """Copy the store to a folder while it is open; what the folder has of an earlier backup is not copied again."""
        raise NotImplementedError

    def rotate_master_key(self, *, drop_old: bool = False) -> int:
        """Make a new master key and wrap every user's key with it: the key's number."""
        raise NotImplementedError

    def stats(self) -> StateStats:
        """Sizes."""
        raise NotImplementedError

    def close(self) -> None:
        """Write what is buffered, seal what can be sealed and give up the lock."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
