"""A disk that is full for real: a small file system, which only the process that fills it sees, and which goes with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from tests.state.made import rows, told

from recocore.errors import StorageError
from recocore.state import StateConfig, StateReader, StateStore

ROOT = Path(__file__).parents[2]
UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")

_FULL = """
import errno, os, subprocess, sys
from pathlib import Path
from tests.state.made import rows, ids
from recocore.errors import StorageError
from recocore.state import StateConfig, StateReader, StateStore
state, what = Path(sys.argv[1]), sys.argv[2]
config = StateConfig(segment_events=500)
if what == "records":  # the log has room, the records have not
    StateStore.open(state, config).close()
disk = state if what == "everything" else state / "records"
disk.mkdir(exist_ok=True)
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "tmpfs", str(disk)], check=True)


def fill():
    with open(disk / "ballast", "wb", buffering=0) as ballast:
        for size in (65_536, 4_096, 1):
            try:
                while True:
                    ballast.write(bytes(size))
            except OSError as error:
                assert error.errno == errno.ENOSPC


inside = disk / "state" if what == "everything" else state
acknowledged, refusals, told = [], 0, set()
with StateStore.open(inside, config) as store, StateReader.open(inside) as reader:
    for number in range(60):
        made = rows(50, seed=number, users=400)
        if number in (15, 35):
            fill()
        if number in (25, 45):
            (disk / "ballast").unlink()
        try:
            store.record(made)
        except StorageError as error:
            assert 15 <= number < 25 or 35 <= number < 45, (number, error)
            refusals += 1
            told.add(str(error))
            assert reader.user(acknowledged[0]["user_id"]).recent
            assert len(ids(reader.events())) >= len(acknowledged)
        else:
            acknowledged += made
    assert refusals > 5, refusals
    assert all("free some space" in message for message in told), told
    assert any("records" in message for message in told) == (what == "records"), told
    found = ids(store.events())
    assert set(event["event_id"] for event in acknowledged) <= set(found)
    assert len(set(found)) == len(found)
    digest = store.digest()
    store.rebuild()
    assert store.digest() == digest
with StateStore.open(inside, config) as store:
    assert store.digest() == digest
print("recovered", refusals)
"""


@pytest.mark.parametrize("what", ["everything", "records"])
def test_a_file_system_without_room(path: Path, what: str) -> None:
    probe = ["mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        allowed = subprocess.run([*UNSHARE, *probe], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("this machine lets nobody mount a file system in a namespace of their own")
    if what == "everything":
        path.mkdir()
    done = subprocess.run(
        [*UNSHARE, sys.executable, "-c", _FULL, str(path), what], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("recovered")


_READER = """
import sys
from recocore.state import StateReader
with StateReader.open(sys.argv[1]) as reader:
    for line in sys.stdin:
        record = reader.user(line.strip())
        print(-1 if record is None else len(record.recent), flush=True)
"""


def test_records_that_outgrow_their_bound_and_get_a_larger_one(path: Path) -> None:
    """A reader in another process, as a worker is, reads on before, meanwhile and after."""
    with StateStore.open(path, StateConfig(map_bytes=1 << 20)) as store:
        store.record(rows(50, users=5))
        user = next(iter(rows(1, users=5)))["user_id"]
        held = told(store.user(user))
        with subprocess.Popen(
            [sys.executable, "-c", _READER, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        ) as reading:
            assert reading.stdin is not None
            assert reading.stdout is not None

            def seen(who: str) -> int:
                assert reading.stdin is not None
                assert reading.stdout is not None
                print(who, file=reading.stdin, flush=True)
                return int(reading.stdout.readline())

            before = seen(user)
            assert before > 0

            def outgrow() -> None:
                for number in range(100):
                    store.record(rows(100, seed=1 + number, users=10_000))

            with pytest.raises(StorageError, match="more than map_bytes = 1048576; open with more"):
                outgrow()
            assert seen(user) == before
            assert told(store.user(user)) == held
            with pytest.raises(StorageError, match="open with more"):
                store.close()
            with StateStore.open(path, StateConfig(map_bytes=1 << 26)) as larger:
                made = rows(1_000, seed=500, users=20_000)
                larger.record(made)
                assert seen(str(made[-1]["user_id"])) > 0
                assert seen(user) >= before
                digest = larger.digest()
                larger.rebuild()
                assert larger.digest() == digest
                with StateReader.open(path) as reader:
                    assert reader.user(str(made[-1]["user_id"])) is not None
            reading.stdin.close()
            assert reading.wait(10) == 0
