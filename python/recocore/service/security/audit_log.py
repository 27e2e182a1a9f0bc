"""Writes one chain of the audit log: a thread takes lines, appends them, and says when they are on the disk.

What has to be on the disk before a call goes on waits for fsync, with all that came meanwhile; the other lines are synced
within a second. After a crash the chain goes on behind its last whole line: of a torn one nobody was told that it is kept.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import queue
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recocore.errors import InUseError, InvalidArgumentError, RecocoreError
from recocore.service.logs import log
from recocore.service.security.audit_chain import HEAD_SUFFIX, End, chains_in, end_of, number_of, sealed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recocore.service.security.config import AuditConfig

_SYNC_SECONDS = 1.0
# Lines that may wait for the disk; a line takes about 300 bytes.
_MOST_WAITING = 10_000


class AuditFailedError(RecocoreError):
    """A call that has to be written down cannot be."""

    code = "audit_failed"
    grpc_status = "UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("the audit log cannot be written, and this call is not carried out without; retry later")


@dataclass(frozen=True, slots=True)
class _Entry:
    fields: Mapping[str, Any]
    done: Future[None] | None


class AuditLog:
    """One chain, which one process writes at any moment.

    A folder that cannot be written when this is made is tried again with every line, as one that fills up later: who has to
    rely on it from the start calls `check` first.

    Args:
        config: where, and how large files become.
        chain: its name, such as worker-0.
    """

    def __init__(self, config: AuditConfig, chain: str) -> None:
        self._config = config
        self._chain = chain
        self._file: ChainFile | None = None
        self._synced = self._anchored = time.monotonic()
        self._is_dirty = self._is_failing = False
        self._lost = 0
        self._waiting: queue.Queue[_Entry | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name="recocore-audit", daemon=True)
        self._thread.start()
        self.write({"event": "opened"})

    @staticmethod
    def check(config: AuditConfig, chain: str) -> str:
        """Whether a chain can be written on: where it ends.

        Raises:
            InvalidArgumentError: the folder cannot be written.
            InUseError: another process writes the chain.
            CorruptError: its last line is damaged.
        """
        try:
            file = ChainFile(config, chain)
        except OSError as error:
            raise InvalidArgumentError(
                f"audit.folder: expected a folder that can be written, got {config.folder}: {error.strerror}; make it, or name "
                "another",
                field="audit.folder",
            ) from error
        file.close()
        return f"{config.folder}: {chain} ends at line {file.end.number}"

    def write(self, fields: Mapping[str, Any]) -> None:
        """Have a line written soon. Safe from any thread, and never blocks: where too many wait, a later line says so."""
        try:
            self._waiting.put_nowait(_Entry({"time": _now(), **fields}, None))
        except queue.Full:
            self._lost += 1

    def keep(self, fields: Mapping[str, Any]) -> Future[None]:
        """Have a line written and synced: the future is done when it is, and fails with AuditFailedError where it cannot be."""
        done: Future[None] = Future()
        try:
            self._waiting.put_nowait(_Entry({"time": _now(), **fields}, done))
        except queue.Full:
            done.set_exception(AuditFailedError())
        return done

    def close(self) -> None:
        """Write and sync what waits, and let the chain go."""
        self._waiting.put(_Entry({"time": _now(), "event": "closed"}, None))
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        ended = False
        while not ended:
            entries: list[_Entry] = []
            with contextlib.suppress(queue.Empty):
                taken = self._waiting.get(timeout=_SYNC_SECONDS)
                while True:
                    if taken is None:
                        ended = True
                    else:
                        entries.append(taken)
                    taken = self._waiting.get_nowait()
            self._append(entries)
            self._anchor(ended)
        if self._file is not None:
            self._file.close()

    def _append(self, entries: list[_Entry]) -> None:
        futures = [entry.done for entry in entries if entry.done is not None]
        written, error = 0, None
        try:
            if entries:
                file = self._opened()
                if self._lost:
                    file.append({"time": _now(), "event": "lines lost", "count": self._lost})
                    self._lost = 0
                for entry in entries:
                    file.append(entry.fields)
                    written += 1
                self._is_dirty = True
            if futures or (self._is_dirty and time.monotonic() - self._synced >= _SYNC_SECONDS):
                self._sync()
        except (OSError, RecocoreError) as problem:
            error = problem
            self._lost += len(entries) - written
            if not self._is_failing:
                why = problem.strerror if isinstance(problem, OSError) else str(problem)
                log(logging.ERROR, "the audit log cannot be written", chain=self._chain, error=why)
        self._is_failing = error is not None
        for future in futures:
            # Who gave up waiting has cancelled it.
            if future.set_running_or_notify_cancel():
                if error is None:
                    future.set_result(None)
                else:
                    future.set_exception(AuditFailedError())

    def _opened(self) -> ChainFile:
        if self._file is None:
            self._file = ChainFile(self._config, self._chain)
        return self._file

    def _sync(self) -> None:
        if self._file is not None:
            self._file.sync()
        self._synced, self._is_dirty = time.monotonic(), False

    def _anchor(self, ended: bool) -> None:
        file, now = self._file, time.monotonic()
        if file is None or not (ended or now - self._anchored >= self._config.anchor_seconds):
            return
        with contextlib.suppress(OSError):  # it was said already that the disk does not take it
            self._sync()
            self._anchored = now
            file.tell()


class ChainFile:
    """The files of one chain, open to be appended to; used by one thread at a time.

    Args:
        config: where, and how large files become.
        chain: its name.

    Attributes:
        end: where the chain ends.

    Raises:
        InUseError: another process writes the chain.
        CorruptError: its last line is damaged.
        OSError: the folder cannot be written.
    """

    def __init__(self, config: AuditConfig, chain: str) -> None:
        self._config = config
        self._chain = chain
        self._folder = Path(config.folder)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.ExitStack() as opened:
            self._head = os.open(self._folder / f"{chain}{HEAD_SUFFIX}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            opened.callback(os.close, self._head)
            try:
                fcntl.flock(self._head, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise InUseError(
                    f"{self._folder}: another process writes the chain {chain}; give each service a folder of its own"
                ) from None
            files = chains_in(self._folder).get(chain, [])
            self.end, self._size = end_of(files)
            self._segment = number_of(files[-1]) if files else 1
            self._descriptor = self._open()
            opened.callback(os.close, self._descriptor)
            # What a crash tore nobody was told to be kept.
            os.ftruncate(self._descriptor, self._size)
            self._told = self.end
            self._closing = opened.pop_all()

    def append(self, fields: Mapping[str, Any]) -> None:
        """Write a line; it is there whole or not at all.

        Raises:
            OSError: it cannot be.
        """
        if self._size >= self._config.segment_mb * 1e6:
            self._next_segment()
        line, digest = sealed(self.end.number + 1, fields, self.end.hash, self._config.key)
        try:
            if os.write(self._descriptor, line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            with contextlib.suppress(OSError):  # where that fails too, the next start does it
                os.ftruncate(self._descriptor, self._size)
            raise
        self._size += len(line)
        self.end = End(self.end.number + 1, digest)

    def sync(self) -> None:
        """Return when all lines are on the disk, and the head that says how many there are.

        Raises:
            OSError: they are not.
        """
        os.fdatasync(self._descriptor)
        # Of one length for 10^15 lines, so that no end of a longer one stays behind it.
        os.pwrite(self._head, f"{self.end.number:015} {self.end.hash}\n".encode(), 0)
        os.fdatasync(self._head)

    def tell(self) -> None:
        """Tell the service's log where the chain ends, unless it was told that last."""
        if self.end != self._told:
            log(logging.INFO, "audit anchor", chain=self._chain, number=self.end.number, hash=self.end.hash)
            self._told = self.end

    def close(self) -> None:
        """Let the chain go."""
        self._closing.close()

    def _next_segment(self) -> None:
        self.sync()
        self.tell()
        self._segment += 1
        following = self._open()
        os.dup2(following, self._descriptor, inheritable=False)
        os.close(following)
        self._size = 0
        keep = self._config.keep_segments
        for old in chains_in(self._folder).get(self._chain, [])[:-keep] if keep else ():
            old.unlink()

    def _open(self) -> int:
        path = self._folder / f"{self._chain}.{self._segment:06}.jsonl"
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        return descriptor


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
