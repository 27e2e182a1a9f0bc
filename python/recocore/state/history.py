"""The log, decrypted: events as batches, one person's events, and Parquet files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from recocore.data import EventBatch
from recocore.data.files import check_target, write_parquet
from recocore.errors import CorruptError
from recocore.state.changes import Change
from recocore.state.log_files import read_frames
from recocore.state.rows import batch_of, microseconds, unpack
from recocore.state.segment import CONSENT, CUTOFF, DECLARED, EVENT, FORGET, LINKED, OFFSETS
from recocore.state.values import Declared, Link

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from recocore.state.ciphers import Cipher
    from recocore.state.keys import KeyFile
    from recocore.state.segment import Row
    from recocore.state.user_keys import UserKeys

_BATCH = 65_536
_ALWAYS = 2**62
# Ciphers of users that are kept while a log is read.
_CIPHERS = 50_000

_ENCODE = msgspec.msgpack.Encoder().encode
_CONSENT = msgspec.msgpack.Decoder(tuple[str, bool]).decode
_DECLARED = msgspec.msgpack.Decoder(tuple[Declared, ...]).decode
_LINK = msgspec.msgpack.Decoder(Link).decode
_OFFSETS = msgspec.msgpack.Decoder(dict[str, int]).decode


def pack_consent(purpose: str, granted: bool) -> bytes:
    """The plain payload of a row CONSENT."""
    return _ENCODE((purpose, granted))


def pack_declared(said: Sequence[Declared]) -> bytes:
    """The plain payload of a row DECLARED."""
    return _ENCODE(said)


def pack_link(link: Link) -> bytes:
    """The plain payload of a row LINKED."""
    return _ENCODE(link)


def pack_offsets(offsets: dict[str, int]) -> bytes:
    """The plain payload of a row OFFSETS."""
    return _ENCODE(offsets)


class History:
    """Reads a log with the keys of its users.

    Args:
        folder: of the log.
        state_id: 16 bytes.
        user_keys: of users.
        keys: the master keys.
    """

    def __init__(self, folder: Path, state_id: bytes, user_keys: UserKeys, keys: KeyFile) -> None:
        self._folder, self._state_id, self._user_keys, self._keys = folder, state_id, user_keys, keys

    def rows(
        self, *, after: int = 0, until: int, start: int = 0, end: int = _ALWAYS
    ) -> Iterator[tuple[Row, Change, bytes]]:
        """Rows with what they change and their plain payload; those whose key is destroyed are left out.

        Raises:
            CorruptError: a file or a row is damaged.
        """
        ciphers: dict[int, Cipher | None] = {}
        for frame in read_frames(self._folder, self._state_id, after=after, until=until, start=start, end=end):
            for row in frame.rows:
                plain = b""
                if row.kind in (FORGET, OFFSETS, CUTOFF):
                    plain = row.open_plain(frame.commit, self._keys)
                else:
                    try:
                        cipher = ciphers[row.slot]
                    except KeyError:
                        if len(ciphers) >= _CIPHERS:
                            ciphers.clear()
                        cipher = ciphers[row.slot] = self._user_keys.cipher(row.slot)
                    if cipher is None:
                        continue
                    plain = row.open(frame.commit, cipher)
                yield row, _change(frame.commit, row, plain), plain

    def events(self, until: int, cutoff: int, start: datetime | None, end: datetime | None) -> Iterator[EventBatch]:
        """Events of `start <= event_time < end`, in the order of their commits, in batches of 65,536."""
        first = max(cutoff, 0 if start is None else microseconds(start, "start"))
        last = _ALWAYS if end is None else microseconds(end, "end")
        waiting: list[list[Any]] = []
        for row, _, plain in self.rows(until=until, start=first, end=last):
            if row.kind == EVENT and first <= row.time < last:
                waiting.append(unpack(plain))
                if len(waiting) == _BATCH:
                    yield batch_of(waiting)
                    waiting = []
        if waiting:
            yield batch_of(waiting)

    def of(self, subject: bytes, until: int, cutoff: int) -> Iterator[tuple[Row, bytes]]:
        """One person's rows and their plain payloads."""
        for frame in read_frames(self._folder, self._state_id, until=until, subject=subject):
            for row in frame.rows:
                if (
                    row.subject != subject
                    or row.kind not in (EVENT, CONSENT, DECLARED, LINKED)
                    or (row.kind == EVENT and row.time < cutoff)
                ):
                    continue
                cipher = self._user_keys.cipher(row.slot)
                if cipher is not None:
                    yield row, row.open(frame.commit, cipher)

    def export_parquet(self, dest: str | os.PathLike[str], batches: Callable[[], Iterator[EventBatch]]) -> int:
        """Write batches as one Parquet file that appears whole or not at all: the number of rows."""
        check_target(dest)
        events = EventBatch.concat([batch_of(()), *batches()])
        write_parquet(events.table, dest)
        return len(events)


def purpose_and_answer(plain: bytes) -> tuple[str, bool]:
    """What a row CONSENT says."""
    try:
        return _CONSENT(plain)
    except msgspec.DecodeError as error:
        raise CorruptError(f"not an answer for a purpose: {error}") from None


def declared_in(plain: bytes) -> tuple[Declared, ...]:
    """What a row DECLARED says."""
    try:
        return _DECLARED(plain)
    except msgspec.DecodeError as error:
        raise CorruptError(f"not what somebody declared: {error}") from None


def link_in(plain: bytes) -> Link:
    """What a row LINKED says."""
    try:
        return _LINK(plain)
    except msgspec.DecodeError as error:
        raise CorruptError(f"not a link of two ids: {error}") from None


def _change(commit: int, row: Row, plain: bytes) -> Change:
    if row.kind == EVENT:
        return Change(EVENT, commit, row.subject, row.slot, row.time, plain)
    if row.kind == CONSENT:
        return Change(CONSENT, commit, row.subject, row.slot, row.time, facts=purpose_and_answer(plain))
    if row.kind == DECLARED:
        return Change(DECLARED, commit, row.subject, row.slot, row.time, facts=declared_in(plain))
    if row.kind == LINKED:
        return Change(LINKED, commit, row.subject, row.slot, row.time, facts=link_in(plain))
    offsets = _OFFSETS(plain) if row.kind == OFFSETS else None
    return Change(row.kind, commit, row.subject, row.slot, row.time, offsets=offsets)
