"""The log as the owner writes it: append, fsync, seal, compact; and what to do when the disk refuses.

What is durable ends at `_durable` bytes of the growing file. What was acknowledged before its fsync (BUFFERED) is kept in
memory until then. After any failure the file's end is not trusted: before the next write the file is opened anew, given
again from `_durable` on what memory holds, cut behind that, and synced. Linux drops pages whose fsync failed, and says so once;
written again they are new pages.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from recocore.errors import CorruptError
from recocore.state.disk import refused
from recocore.state.event_ids import EventIds, map_ids, sorted_ids
from recocore.state.log_files import Sealed, growing_name, ids_name, sealed_segments, segment_name, strangers
from recocore.state.segment import (
    EVENT,
    HEADER_BYTES,
    check_header,
    frame,
    frame_head,
    frames,
    segment_header,
    sound_frame_behind,
)
from recocore.storage.folder import sync
from recocore.storage.plain_file import read_plain, replace_plain

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from recocore.state.disk import Disk
    from recocore.state.segment import Frame, FrameHead, Row

# So much may be acknowledged before it is synced; then the next call syncs, whatever it asked for.
_MOST_UNSYNCED = 4 << 20
_NO_ID = bytes(16)


@dataclass(slots=True)
class Tally:
    """What frames hold: counted as they are made, or read."""

    last: int = 0
    events: int = 0
    oldest: int = 0
    newest: int = 0
    ids: list[bytes] = field(default_factory=list)

    def see(self, time: int, event: bytes) -> None:
        """Count an event."""
        self.oldest = min(self.oldest, time) if self.events else time
        self.newest = max(self.newest, time)
        self.events += 1
        if event != _NO_ID:
            self.ids.append(event)

    def see_all(self, times: list[int], events: list[bytes]) -> None:
        """Count events, of which there is at least one."""
        self.oldest = min(self.oldest, *times) if self.events else min(times)
        self.newest = max(self.newest, *times)
        self.events += len(times)
        self.ids += events if _NO_ID not in events else [event for event in events if event != _NO_ID]

    def see_head(self, head: FrameHead) -> None:
        """Count a frame's events by what stands in the clear."""
        if head.events:
            self.oldest = min(self.oldest, head.oldest) if self.events else head.oldest
            self.newest = max(self.newest, head.newest)
            self.events += head.events
            self.ids += [head.ids[at : at + 16] for at in range(0, len(head.ids), 16)]
        self.last = head.commit

    def see_frame(self, frame: Frame) -> None:
        """Count a frame's events."""
        for row in frame.rows:
            if row.kind == EVENT:
                self.see(row.time, row.event)
        self.last = frame.commit


class Syncing(NamedTuple):
    """What a sync beside the writing is of: the first `waiting` of those that wait, which end at `size` bytes of the file."""

    descriptor: int
    path: Path
    size: int
    waiting: int


class Log:
    """The log of a state.

    Args:
        folder: with the files, see `log_files`.
        state_id: 16 bytes.
        disk: the calls that write.
        known: a commit that is known to have been written whole: a broken frame up to it is damage, not a killed owner's.

    Raises:
        CorruptError: a file is damaged or missing.
        OSError: the file system refuses.
    """

    def __init__(self, folder: Path, state_id: bytes, disk: Disk, known: int) -> None:
        self._folder, self._state_id, self._disk = folder, state_id, disk
        self.sealed = sealed_segments(folder)
        self.ids = EventIds()
        self.cut = 0
        self._broken = False
        self._unsynced: list[bytes] = []
        self._unsynced_bytes = 0
        self._tally = Tally(last=self._before())
        self._size = self._durable = 0
        self._descriptor = -1
        self._syncer = ThreadPoolExecutor(1, "recocore-state-sync")
        unneeded = strangers(folder, self.sealed)
        for path in unneeded:
            if path.suffix == ".seg" and int(path.name[:20]) > self._before():
                raise CorruptError(
                    f"{path}: its description, or what comes before it, is missing; restore it from a backup"
                )
        for path in unneeded:
            path.unlink()
        self.ids.set_sealed([self._ids_of(each) for each in self.sealed])
        self._open_growing(known)

    @property
    def last(self) -> int:
        """The last commit."""
        return self._tally.last

    @property
    def events(self) -> int:
        """How many events there are."""
        return sum(each.events for each in self.sealed) + self._tally.events

    @property
    def growing_events(self) -> int:
        """How many events the growing segment has."""
        return self._tally.events

    @property
    def growing_oldest(self) -> int:
        """The oldest event time in the growing segment; beyond all times without events."""
        return self._tally.oldest if self._tally.events else 2**63

    @property
    def total_bytes(self) -> int:
        """Of all frames."""
        return sum(each.size for each in self.sealed) + self._size

    @property
    def durable_bytes(self) -> int:
        """How much of the growing segment's file the device holds."""
        return self._durable

    @property
    def growing_path(self) -> Path:
        """The file that grows."""
        return self._folder / growing_name(self._before() + 1)

    @property
    def waits_for_sync(self) -> bool:
        """Whether something was acknowledged that the device may not hold yet."""
        return bool(self._unsynced)

    def write(self, data: bytes, tally: Tally, *, durable: bool, meanwhile: Callable[[], None] | None = None) -> None:
        """Add frames; `durable` waits for the device.

        Args:
            data: the frames.
            tally: what they hold.
            durable: wait for the device.
            meanwhile: is done while the device is waited for; raises nothing.

        Raises:
            StorageError: the disk refuses; the frames are not in the log.
        """
        durable = durable or self._unsynced_bytes + len(data) > _MOST_UNSYNCED
        try:
            self._repair()
            self._disk.write_all(self._descriptor, data, self._size)
            if durable:
                self._sync(meanwhile)
        except OSError as error:
            self._broken = True
            raise refused(self.growing_path, error) from error
        self._size += len(data)
        if durable:
            self._is_durable()
        else:
            self._unsynced.append(data)
            self._unsynced_bytes += len(data)
        self.ids.growing.update(tally.ids)
        mine = self._tally
        if tally.events:
            mine.oldest = min(mine.oldest, tally.oldest) if mine.events else tally.oldest
            mine.newest = max(mine.newest, tally.newest)
        mine.events += tally.events
        mine.last = tally.last

    def _sync(self, meanwhile: Callable[[], None] | None) -> None:
        if meanwhile is None:
            self._disk.sync(self._descriptor)
            return
        syncing = self._syncer.submit(self._disk.sync, self._descriptor)
        try:
            meanwhile()
        finally:
            syncing.result()

    def flush(self) -> None:
        """Wait until the device holds everything.

        Raises:
            StorageError: the disk refuses; what was acknowledged is kept in memory and written again by the next call.
        """
        if not self._unsynced and not self._broken:
            return
        try:
            self._repair()
            if self._unsynced:
                self._disk.sync(self._descriptor)
        except OSError as error:
            self._broken = True
            raise refused(self.growing_path, error) from error
        self._is_durable()

    def flush_beside(self, lock: AbstractContextManager[object]) -> None:
        """`flush`, with the lock given up while the device is waited for: others write meanwhile.

        Args:
            lock: what whoever uses the log holds; not held by the caller.

        Raises:
            As `flush`.
        """
        with lock:
            syncing = self.begin_sync()
            if syncing is None:
                self.flush()
                return
        error = None
        try:
            self.sync_beside(syncing)
        except OSError as refusal:
            error = refusal
        with lock:
            self.end_sync(syncing, error)

    def begin_sync(self) -> Syncing | None:
        """What was acknowledged and waits for the device, to be synced while the log grows; None where `flush` is the way."""
        if not self._unsynced or self._broken:
            return None
        return Syncing(os.dup(self._descriptor), self.growing_path, self._size, len(self._unsynced))

    def sync_beside(self, syncing: Syncing) -> None:
        """Wait until the device holds it; others may write meanwhile. `end_sync` follows, whatever this raises."""
        self._disk.sync(syncing.descriptor)

    def end_sync(self, syncing: Syncing, error: OSError | None) -> None:
        """Note that the device holds it, or that it refused.

        Raises:
            StorageError: it refused; what was acknowledged is kept in memory and written again by the next call.
        """
        os.close(syncing.descriptor)
        if error is not None:
            self._broken = True
            raise refused(syncing.path, error) from error
        # Sealed, repaired or synced by another call meanwhile, all of it is durable already.
        if not self._broken and self.growing_path == syncing.path and self._durable < syncing.size:
            self._unsynced_bytes -= sum(map(len, self._unsynced[: syncing.waiting]))
            del self._unsynced[: syncing.waiting]
            self._durable = syncing.size

    def seal(self) -> None:
        """End the growing segment, if it has a frame, and begin another.

        Raises:
            StorageError: the disk refuses; the segment grows on.
        """
        self.flush()
        if self._size <= HEADER_BYTES:
            return
        first, tally = self._before() + 1, self._tally
        ids = sorted_ids(self.ids.growing)
        try:
            sealed = Sealed(
                first,
                tally.last,
                0,
                self._size,
                _digest(self.growing_path),
                tally.events,
                tally.oldest,
                tally.newest,
                ids.shape[1],
                self._write_new(ids_name(first, 0), ids.astype("<u8").tobytes()),
            )
            replace_plain(self._folder / sealed.document_name, sealed.spell(), mode=0o600)
        except OSError as error:
            raise refused(self._folder, error) from error
        self.sealed.append(sealed)
        self.ids.seal(map_ids(self._folder / sealed.ids_name, sealed.ids))
        self._tally = Tally(last=tally.last)
        self._size = self._durable = 0
        self._close_growing()
        try:
            self._repair()
        except OSError as error:
            raise refused(self.growing_path, error) from error

    def rewrite(self, sealed: Sealed, keep: Callable[[Row], bool]) -> tuple[Sealed, int] | None:
        """Write a sealed segment anew without some of its rows: what to put in its place, and how many events it lost.

        None where all rows stay. Nothing changes until `put_in_place`, so this may run while the log grows.

        Raises:
            CorruptError: the segment is damaged.
            StorageError: the disk refuses.
        """
        data = read_plain(self._folder / sealed.name)
        if hashlib.sha256(data).hexdigest() != sealed.sha256:
            raise CorruptError(f"{self._folder / sealed.name}: its SHA-256 differs; restore it from a backup")
        generation, tally, dropped = sealed.generation + 1, Tally(), 0
        pieces = [segment_header(self._state_id, sealed.first, generation)]
        for each in frames(data):
            rows = tuple(row for row in each.rows if keep(row))
            dropped += len(each.rows) - len(rows)
            if rows:
                whole = len(rows) == len(each.rows)
                pieces.append(
                    data[each.start : each.end] if whole else frame(each.commit, [row.spell() for row in rows])
                )
                tally.see_frame(each._replace(rows=rows))
        if not dropped:
            return None
        ids, content = sorted_ids(tally.ids), b"".join(pieces)
        try:
            new = replace(
                sealed,
                generation=generation,
                size=len(content),
                sha256=self._write_new(segment_name(sealed.first, generation), content),
                events=tally.events,
                oldest=tally.oldest,
                newest=tally.newest,
                ids=ids.shape[1],
                ids_sha256=self._write_new(ids_name(sealed.first, generation), ids.astype("<u8").tobytes()),
            )
        except OSError as error:
            raise refused(self._folder, error) from error
        return new, sealed.events - tally.events

    def put_in_place(self, old: Sealed, new: Sealed) -> None:
        """Have a rewritten segment in place of the old one, and delete the old one's files.

        Raises:
            StorageError: the disk refuses; the old one stays.
        """
        try:
            replace_plain(self._folder / new.document_name, new.spell(), mode=0o600)
        except OSError as error:
            raise refused(self._folder, error) from error
        self.sealed[self.sealed.index(old)] = new
        self.ids.set_sealed([map_ids(self._folder / each.ids_name, each.ids) for each in self.sealed])
        for name in (old.name, old.ids_name):
            (self._folder / name).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file."""
        self._syncer.shutdown()
        self._close_growing()

    def _before(self) -> int:
        return self.sealed[-1].last if self.sealed else 0

    def _is_durable(self) -> None:
        self._durable = self._size
        self._unsynced.clear()
        self._unsynced_bytes = 0

    def _repair(self) -> None:
        """Have a file whose end can be trusted."""
        if self._descriptor >= 0 and not self._broken:
            return
        self._broken = True
        path = self.growing_path
        descriptor = self._disk.open(path, os.O_RDWR | os.O_CREAT)
        try:
            if self._durable == 0:
                self._disk.truncate(descriptor, 0)
                head = segment_header(self._state_id, self._before() + 1, 0)
                self._disk.write_all(descriptor, head, 0)
                self._disk.sync(descriptor)
                sync(self._folder)
                self._durable = len(head)
            # The same bytes in their place, so that readers find them even where this fails half-way.
            again = b"".join(self._unsynced)
            self._disk.write_all(descriptor, again, self._durable)
            self._disk.truncate(descriptor, self._durable + len(again))
            self._disk.sync(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._close_growing()
        self._descriptor = descriptor
        self._size = self._durable + len(again)
        self._is_durable()
        self._broken = False

    def _close_growing(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open_growing(self, known: int) -> None:
        path = self.growing_path
        try:
            data = read_plain(path)
        except FileNotFoundError:
            if known > self._before():
                raise CorruptError(
                    f"{path}: missing, and commit {known} was written; restore it from a backup"
                ) from None
            self._repair()
            return
        end = self._scan(path, data, known)
        self.cut = len(data) - end
        self._durable = end
        self._broken = True
        self._repair()  # cuts what a killed owner left, and waits for the rest: nobody knows whether it was synced

    def _scan(self, path: Path, data: bytes, known: int) -> int:
        """Take in the frames of the growing file: where they end."""
        tally = self._tally
        if len(data) < HEADER_BYTES and known <= tally.last:
            return 0
        try:
            check_header(data, self._state_id, tally.last + 1, 0)
        except CorruptError as error:
            raise CorruptError(f"{path}: {error}") from None
        offset = HEADER_BYTES
        while (found := frame_head(data, offset)) is not None and found.commit > tally.last:
            tally.see_head(found)
            offset = found.end
        if tally.last < known or sound_frame_behind(data, offset, tally.last):
            raise CorruptError(
                f"{path}: the frame at byte {offset} is damaged or cut, and what follows it was written whole; "
                "restore it from a backup"
            )
        self.ids.growing = set(tally.ids)
        tally.ids = []
        return offset

    def _ids_of(self, sealed: Sealed) -> NDArray[np.uint64]:
        """The ids of a sealed segment, made again from it where the file is damaged; and the segment's size is looked at."""
        path, ids_path = self._folder / sealed.name, self._folder / sealed.ids_name
        try:
            size = path.stat().st_size
        except FileNotFoundError:
            raise CorruptError(f"{path}: missing; restore it from a backup") from None
        if size != sealed.size:
            raise CorruptError(f"{path}: expected {sealed.size} bytes, got {size}; restore it from a backup")
        if not ids_path.is_file() or _digest(ids_path) != sealed.ids_sha256:
            tally = Tally()
            try:
                for each in frames(read_plain(path)):
                    tally.see_frame(each)
            except CorruptError as error:
                raise CorruptError(f"{path}: {error}") from None
            ids_path.unlink(missing_ok=True)
            self._write_new(sealed.ids_name, sorted_ids(tally.ids).astype("<u8").tobytes())
        return map_ids(ids_path, sealed.ids)

    def _write_new(self, name: str, content: bytes) -> str:
        """Write a file durably: its SHA-256."""
        descriptor = self._disk.open(self._folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            self._disk.write_all(descriptor, content, 0)
            self._disk.sync(descriptor)
        finally:
            os.close(descriptor)
        sync(self._folder)
        return hashlib.sha256(content).hexdigest()


def _digest(path: Path) -> str:
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
