"""A disk that is full, fails or lies: a clear error, reads go on, nothing acknowledged is lost, and it recovers by itself."""

from __future__ import annotations

import errno
import os
import random
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from tests.state.made import expected, ids, rows, told

from recocore.errors import StorageError
from recocore.state import Durability, StateConfig, StateReader, StateStore
from recocore.state.disk import Disk


class FailingDisk(Disk):
    """Fails while `error` is set, in one kind of call.

    Attributes:
        error: errno.
        at: "pwrite", "sync", "truncate", "open"; or "short" for writes of half of the bytes, which then fail.
        rate: of such calls that fail.
    """

    def __init__(self) -> None:
        self.error = 0
        self.at = "pwrite"
        self.rate = 1.0
        self.failed = 0
        self._rng = random.Random(5)

    def _maybe(self, call: str) -> None:
        if self.error and self.at == call and self._rng.random() < self.rate:
            self.failed += 1
            raise OSError(self.error, os.strerror(self.error))

    def open(self, path: Path, flags: int) -> int:
        self._maybe("open")
        return super().open(path, flags)

    def pwrite(self, descriptor: int, data: bytes | memoryview, offset: int) -> int:
        self._maybe("pwrite")
        if self.error and self.at == "short" and len(data) > 1:
            self.at = "pwrite"
            return super().pwrite(descriptor, data[: len(data) // 2], offset)
        return super().pwrite(descriptor, data, offset)

    def sync(self, descriptor: int) -> None:
        self._maybe("sync")
        super().sync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        self._maybe("truncate")
        super().truncate(descriptor, size)


def test_records_that_were_made_while_the_device_refused_are_not_kept(path: Path) -> None:
    """A large call's records are made while its fsync runs: where that fails, neither they nor the table know of it."""
    disk = FailingDisk()
    events = rows(900, users=60)
    with StateStore.open(path, disk=disk) as store, StateReader.open(path) as reader:
        store.record(events[:300])
        disk.at, disk.error = "sync", errno.EIO
        with pytest.raises(StorageError):
            store.record(events[300:600])
        known = expected(events[:300])
        assert {user: told(store.user(user)) for user in known} == known
        assert {user: told(reader.user(user)) for user in known} == known
        disk.error = 0
        assert {result.code for result in store.record(events[600:]).results} == {"ok"}
        assert {result.code for result in store.record(events[300:600]).results} == {"ok"}
        known = expected(events[:300] + events[600:] + events[300:600])
        assert {user: told(store.user(user)) for user in known} == known
        digest = store.digest()
        store.rebuild()
        assert store.digest() == digest


@pytest.mark.parametrize("durability", list(Durability))
@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("pwrite", errno.ENOSPC),
        ("pwrite", errno.EIO),
        ("short", errno.ENOSPC),
        ("sync", errno.EIO),
        ("sync", errno.ENOSPC),
    ],
)
def test_a_refusal_is_clear_and_passes(path: Path, call: str, error: int, durability: Durability) -> None:
    disk = FailingDisk()
    events = rows(400)
    # BUFFERED calls are synced by the flusher alone: late enough that the test decides when.
    config = StateConfig(buffered_ms=100_000, segment_events=10_000)
    with StateStore.open(path, config, disk=disk) as store, StateReader.open(path) as reader:
        store.record(events[:100])
        store.record(events[100:200], durability=durability)
        disk.at, disk.error = call, error
        for _ in range(3):
            with pytest.raises(
                StorageError, match=r"nothing of the call is acknowledged.*(free some space|check the disk)"
            ):
                store.record(events[200:300])
            assert told(reader.user("customer-1")) == expected(events[:200])["customer-1"]
            assert ids(reader.events()) == [event["event_id"] for event in events[:200]]
            disk.at = call
        disk.error = 0
        assert {result.code for result in store.record(events[200:300]).results} == {"ok"}
        assert {result.code for result in store.record(events[:200]).results} == {"duplicate"}
        digest = store.digest()
    with StateStore.open(path) as store:
        assert store.digest() == digest
        assert ids(store.events()) == [event["event_id"] for event in events[:300]]


def test_after_a_failed_fsync_acknowledged_events_are_written_again(path: Path) -> None:
    """What a real disk does: the pages of a failed fsync are gone, though reads still show them. Here they are overwritten."""

    class Lying(FailingDisk):
        def sync(self, descriptor: int) -> None:
            try:
                super().sync(descriptor)
            except OSError:
                size = os.fstat(descriptor).st_size
                start = store._commits.log.durable_bytes
                os.pwrite(descriptor, b"\xff" * (size - start), start)
                raise

    disk = Lying()
    events = rows(300)
    with StateStore.open(path, StateConfig(buffered_ms=100_000), disk=disk) as store:
        store.record(events[:100])
        store.record(events[100:200], durability=Durability.BUFFERED)
        disk.at, disk.error = "sync", errno.EIO
        with pytest.raises(StorageError):
            store.record(events[200:])
        disk.error = 0
        store.flush()
        assert ids(store.events()) == [event["event_id"] for event in events[:200]]
    with StateStore.open(path) as store:
        assert ids(store.events()) == [event["event_id"] for event in events[:200]]


def test_a_disk_that_fails_at_random_loses_nothing(path: Path) -> None:
    """Every call of the disk fails now and then, while new users need keys, segments are sealed and users forgotten."""
    disk = FailingDisk()
    rng = random.Random(3)
    kept: list[dict[str, object]] = []
    config = StateConfig(segment_events=150)
    with StateStore.open(path, config, disk=disk) as store:
        for step in range(120):
            disk.error = rng.choice([errno.ENOSPC, errno.EIO])
            disk.at, disk.rate = rng.choice(["pwrite", "sync", "truncate", "open", "short"]), rng.choice([0.2, 1.0])
            made = rows(20, seed=step, users=2_000)
            try:
                store.record(made, durability=rng.choice(list(Durability)))
            except StorageError:
                disk.error = 0
                results = store.record(made).results  # as a caller does: the same events again
                assert {result.code for result in results} <= {"ok", "duplicate"}
            kept += made
            if step % 40 == 39:
                disk.rate = 0.3
                for attempt in range(50):
                    try:
                        store.compact()
                        break
                    except StorageError:
                        disk.error = 0 if attempt > 3 else disk.error
        disk.error = 0
        assert disk.failed > 30
        assert ids(store.events()) == [event["event_id"] for event in kept]
        digest = store.digest()
        store.rebuild()
        assert store.digest() == digest
    with StateStore.open(path, config) as store:
        assert store.digest() == digest


# Files may grow to a limit that the child sets: the log, the users' keys and LMDB's file all meet it, as they meet a full disk.
_FULL = """
import resource, signal, sys
from tests.state.made import rows, ids
from recocore.errors import StorageError
from recocore.state import StateConfig, StateReader, StateStore
limit = int(sys.argv[2])
store = StateStore.open(sys.argv[1], StateConfig(segment_events=1_000_000))
reader = StateReader.open(sys.argv[1])
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
acknowledged, refusals = [], 0
for number in range(60):
    made = rows(50, seed=number, users=500)
    if number == 20:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    if number == 40:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    try:
        store.record(made)
    except StorageError:
        assert 20 <= number < 40, number
        refusals += 1
        assert reader.user(acknowledged[0]["user_id"]).recent
    else:
        acknowledged += made
assert refusals > 5, refusals
found = ids(store.events())
assert set(event["event_id"] for event in acknowledged) <= set(found)
assert len(set(found)) == len(found)
digest = store.digest()
store.rebuild()
assert store.digest() == digest
print("recovered", refusals)
"""


@pytest.mark.parametrize("limit", [70_000, 200_000])
def test_files_that_may_not_grow(path: Path, limit: int) -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[1] == resource.RLIM_INFINITY
    done = subprocess.run(
        [sys.executable, "-c", _FULL, str(path), str(limit)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("recovered")
