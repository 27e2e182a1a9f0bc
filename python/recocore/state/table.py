"""The table of records: LMDB, one entry a user under the user's pseudonym, and one that says how far the table is.

    key                value
    subject (16)       slot of the user's key (u32), nonce (12), record encrypted under the key, tag (16)
    subject (16)       2**32 - 1 (u32), commit (u64), time (i64, microseconds), mac (8): the user was forgotten
    "meta"             mac (8), MessagePack of `Progress`

The table follows from the log, so it is written without fsync, which would cost a random write a user: a process that is killed
leaves a table whose last transaction is whole, since the system has its pages. Only a machine that stops can tear it. Therefore
`records.json` says on which boot of the machine the table was opened: on another one, or where a check finds damage, it is made
again from the log. An orderly close syncs it.
"""

from __future__ import annotations

import logging
import shutil
import struct
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import lmdb
import msgspec

from recocore._native import entry_sum
from recocore.errors import CorruptError, StorageError
from recocore.state.environments import SharedEnvironment, acquire, release
from recocore.state.segment import NO_SLOT
from recocore.state.table_check import check_table
from recocore.storage.document import digest, parse, seal
from recocore.storage.plain_file import read_plain, replace_plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from recocore.state.keys import KeyFile

_LOGGER = logging.getLogger("recocore.state")
FOLDER = "records"
_MARK = "records.json"
# Of the records: those of another version are made again from the log. 2: with what profiles need.
_FORMAT_VERSION = 2
_META = b"meta"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_SLOT = struct.Struct("<I")
_TOMBSTONE = struct.Struct("<IQq")


class Progress(msgspec.Struct, frozen=True):
    """How far the table is.

    Attributes:
        commit: the last of the log that is in it.
        first_free: the slot that the next new user takes.
        users: records.
        forgotten: tombstones.
        cutoff: event time in microseconds before which nothing is kept.
        total: sum of `_native.entry_sum` over the records and tombstones, modulo 2**64.
        offsets: source → position.
    """

    commit: int = 0
    first_free: int = 0
    users: int = 0
    forgotten: int = 0
    cutoff: int = 0
    total: int = 0
    offsets: dict[str, int] = {}


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(Progress).decode


def pack_tombstone(keys: KeyFile, subject: bytes, commit: int, time: int) -> bytes:
    """The value of a user who was forgotten."""
    said = _TOMBSTONE.pack(NO_SLOT, commit, time)
    return said + keys.mac(subject + said)


def unpack_tombstone(keys: KeyFile, subject: bytes, value: bytes) -> tuple[int, int] | None:
    """Commit and time of a tombstone, None where the value is a record.

    Raises:
        CorruptError: it was changed.
    """
    if _SLOT.unpack_from(value)[0] != NO_SLOT:
        return None
    said = value[: _TOMBSTONE.size]
    if keys.mac(subject + said) != value[_TOMBSTONE.size :]:
        raise CorruptError("a tombstone is damaged; rebuild the records with `recocore state verify --rebuild`")
    _, commit, time = _TOMBSTONE.unpack(said)
    return commit, time


def pack_slot(slot: int, nonce: bytes, sealed: bytes) -> bytes:
    """The value of a user."""
    return _SLOT.pack(slot) + nonce + sealed


def slot_of(value: bytes) -> int:
    """The slot of a user's key, NO_SLOT for one who was forgotten."""
    slot: int = _SLOT.unpack_from(value)[0]
    return slot


def read_progress(keys: KeyFile, value: bytes | None) -> Progress:
    """How far a table is.

    Raises:
        CorruptError: the entry was changed.
    """
    if value is None:
        return Progress()
    if keys.mac(value[8:]) != value[:8]:
        raise CorruptError("the entry that says how far the records are is damaged")
    return _DECODE(value[8:])


class Table:
    """The owner's hand on the table.

    Args:
        path: the state's folder.
        keys: for macs.
        map_bytes: how large the file may become.
    """

    def __init__(self, path: Path, keys: KeyFile, map_bytes: int) -> None:
        self._path, self._keys, self._map_bytes = path, keys, map_bytes
        self._shared: SharedEnvironment | None = None
        self.progress = Progress()

    def open_checked(self) -> bool:
        """Open the table as an earlier owner left it; False where it cannot be trusted, and nothing is open then."""
        if not self._is_sound():
            return False
        self._mark("open")
        self._open()
        return True

    def open_empty(self) -> None:
        """Begin an empty one, which counts as damaged until `is_built`."""
        self.close(synced=False)
        self._mark("building")
        shutil.rmtree(self._path / FOLDER, ignore_errors=True)
        self.progress = Progress()
        self._open()

    def is_built(self) -> None:
        """The table is as far as the log."""
        self._mark("open")

    def reopen(self) -> None:
        """Open the table anew after it failed; the last transaction that was committed stands."""
        with suppress(StorageError):
            self._open()

    def get(self, subject: bytes) -> bytes | None:
        """A value."""
        with self._failing(), self._opened().begin() as transaction:
            value: bytes | None = transaction.get(subject)
            return value

    def get_many(self, subjects: Iterable[bytes]) -> list[tuple[bytes, bytes]]:
        """The entries that there are of these."""
        with self._failing(), self._opened().begin() as transaction:
            get = transaction.get
            return [(subject, value) for subject in subjects if (value := get(subject)) is not None]

    def write(self, values: Mapping[bytes, bytes], progress: Progress) -> None:
        """Put values, and say how far the table is, in one step.

        Raises:
            StorageError: the disk refuses, or the table may not grow; nothing has changed.
        """
        meta = _ENCODE(progress)
        with self._failing(), self._opened().begin(write=True) as transaction:
            # In the order of keys, so that a page which several users share is copied once, and next to where it is read.
            with transaction.cursor() as cursor:
                cursor.putmulti(sorted(values.items()))
            transaction.put(_META, self._keys.mac(meta) + meta)
        self.progress = progress

    def skip_to(self, commit: int) -> None:
        """Commits up to this one change nothing."""
        self.write({}, msgspec.structs.replace(self.progress, commit=commit))

    def after(self, subject: bytes | None, count: int) -> list[tuple[bytes, bytes]]:
        """The next `count` entries behind a key, in the order of keys."""
        with self._failing(), self._opened().begin() as transaction, transaction.cursor() as cursor:
            found = cursor.first() if subject is None else cursor.set_range(subject + b"\0")
            entries: list[tuple[bytes, bytes]] = []
            while found and len(entries) < count:
                key, value = cursor.item()
                if key != _META:
                    entries.append((key, value))
                found = cursor.next()
            return entries

    def file_bytes(self) -> int:
        """Of the file."""
        return (self._path / FOLDER / "data.mdb").stat().st_size

    def forget_dead_readers(self) -> None:
        """Free the places of readers that were killed, which would keep old pages from being used again."""
        with suppress(lmdb.Error):
            self._opened().reader_check()

    def close(self, *, synced: bool = True) -> None:
        """Close the table; `synced` waits for the device first, so that the next owner trusts it on any boot."""
        if self._shared is None:
            return
        if synced:
            with self._failing():
                self._opened().sync(True)
        self._shared.shut()
        release(self._shared)
        self._shared = None
        if synced:
            self._mark("closed")

    def _opened(self) -> Any:
        if self._shared is None:
            self._open()
        assert self._shared is not None
        return self._shared.get()

    def _open(self) -> None:
        with self._failing():
            if self._shared is None:
                self._shared = acquire(self._path / FOLDER)
            self._shared.write(self._map_bytes)
            with self._shared.get().begin() as transaction:
                value = transaction.get(_META)
        self.forget_dead_readers()
        self.progress = read_progress(self._keys, value)

    def _is_sound(self) -> bool:
        try:
            if is_trusted(self._path):
                check_file(self._path, self._keys)
                return True
        except (CorruptError, OSError) as error:
            _LOGGER.warning("%s: %s", self._path / FOLDER, error)
        return False

    def _mark(self, state: Literal["open", "closed", "building"]) -> None:
        body = {"format": "recocore-records", "format_version": _FORMAT_VERSION, "state": state, "boot": _boot()}
        replace_plain(self._path / _MARK, seal(body), mode=0o600)

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except lmdb.MapFullError:
            raise StorageError(
                f"{self._path / FOLDER}: the records need more than map_bytes = {self._map_bytes}; open with more"
            ) from None
        except (lmdb.InvalidError, lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.VersionMismatchError) as error:
            raise CorruptError(
                f"{self._path / FOLDER}: {error}; rebuild with `recocore state verify --rebuild`"
            ) from error
        except (lmdb.Error, OSError) as error:
            raise StorageError(
                f"{self._path / FOLDER}: {error}; free some space or check the disk, and send it again"
            ) from error


def is_trusted(path: Path) -> bool:
    """Whether a table is as an owner left it: made to the end, and closed, or of an owner that was killed on this boot."""
    try:
        mark = parse(read_plain(path / _MARK))
    except (CorruptError, FileNotFoundError):
        return False
    if digest({key: value for key, value in mark.items() if key != "digest"}) != mark.get("digest"):
        return False
    if mark.get("format_version") != _FORMAT_VERSION:
        return False
    return mark.get("state") == "closed" or (mark.get("state") == "open" and mark.get("boot") == _boot() != "")


def check_file(path: Path, keys: KeyFile) -> None:
    """Check the table in a state's folder, which nobody writes. O(records).

    Raises:
        CorruptError: it is damaged.
        OSError: it cannot be read.
    """
    file = path / FOLDER / "data.mdb"
    tree = check_table(file)
    shared = acquire(path / FOLDER)
    try:
        with shared.get().begin() as transaction:
            progress = read_progress(keys, transaction.get(_META))
    except lmdb.Error as error:
        raise CorruptError(f"{file}: {error}") from error
    finally:
        release(shared)
    if (tree.entries, tree.total) != (progress.users + progress.forgotten, progress.total):
        raise CorruptError(f"{file}: what it holds is not what was written")


def replaced_sum(total: int, subject: bytes, old: int, new: bytes) -> int:
    """A table's sum once an entry, which added `old`, has another value."""
    return (total - old + entry_sum(subject, new)) % 2**64


def _boot() -> str:
    """The machine's boot; empty, which matches nothing, where the system does not tell."""
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""
