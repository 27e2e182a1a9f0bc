"""Bits that flip and files that are cut: refused by name, or recovered, never served, and never a crash.

Each mutation is tried in a child, which a crash would end. RECOCORE_FLIPS sets how many.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.state.made import rows

from recocore.errors import CorruptError, NotFoundError
from recocore.state import KeyFile, Receipt, StateConfig, StateReader, StateStore
from recocore.state.draft import Call
from recocore.state.table_check import check_table
from recocore.storage.document import parse, seal

if TYPE_CHECKING:
    from collections.abc import Iterator

FLIPS = int(os.environ.get("RECOCORE_FLIPS", "80"))
CONFIG = StateConfig(segment_events=150)
MEMORY = Path("/dev/shm")
ROOT = Path(__file__).parents[2]

# Prints what came of each mutation of the folder argv[1], which is mutated as a copy at argv[2].
_CHILD = """
import logging, os, random, shutil, sys
from pathlib import Path
from tests.state.made import ids
from recocore.errors import CorruptError, NotFoundError
from recocore.state import KeyFile, StateConfig, StateReader, StateStore
from recocore.state.table_check import check_table

logging.disable()
pristine, copy, first, count, digest, events = Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:5]), *sys.argv[5:7]
config = StateConfig(segment_events=150)
keys = KeyFile.open(pristine.parent / "keys")
files = [path for path in sorted(pristine.rglob("*")) if path.is_file() and path.name not in ("owner.lock", "lock.mdb")]

def opened(kind):
    with kind.open(copy, keys=keys) if kind is StateReader else kind.open(copy, config, keys=keys) as state:
        users = [state.user(f"customer-{number}") for number in range(20)]
        if kind is StateReader:
            return repr(users), ids(state.events())
        assert state.digest() == digest, "another digest"
        return repr(users), ids(state.events())

whole = None
for number in range(first, first + count):
    rng = random.Random(number)
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(pristine, copy)
    if whole is None:
        whole = opened(StateReader)
    file = copy / rng.choice(files).relative_to(pristine)
    data = bytearray(file.read_bytes())
    what = rng.choice(["flip", "flip", "flip", "flips", "cut", "end", "zeros", "gone"])
    if what == "flip":
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif what == "flips":
        for _ in range(rng.randrange(2, 30)):
            data[rng.randrange(len(data))] = rng.randrange(256)
    elif what == "cut":
        del data[rng.randrange(len(data)):]
    elif what == "end":
        del data[len(data) - min(len(data), rng.randrange(1, 200)):]
    elif what == "zeros":
        at = rng.randrange(len(data))
        data[at : at + 512] = bytes(len(data[at : at + 512]))
    file.write_bytes(data)
    if what == "gone":
        file.unlink()
    for kind in (StateReader, StateStore):
        try:
            # A reader without an owner may also know too little to refuse what an owner refuses; it must not tell it wrong.
            assert opened(kind) == whole, "another answer"
            outcome = "recovered"
        except CorruptError as error:
            named = any(word in str(error) for word in (str(copy), "commit ", "damaged"))
            outcome = "refused" if named else f"unnamed {error}"
        except Exception as error:
            outcome = f"wrong {type(error).__name__} {error}"
            if isinstance(error, NotFoundError) and ("start the owner" in str(error) or what == "gone"):
                outcome = "refused"
        print(number, kind.__name__, file.name, what, outcome, flush=True)
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: nothing here is about the disk."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as made:
        yield Path(made)


@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("killed", [False, True], ids=["closed", "killed"])
def test_damage_is_refused_or_recovered(folder: Path, killed: bool) -> None:
    keys = folder / "keys"
    with StateStore.open(folder / "live", CONFIG, keys=KeyFile.open(keys, create=True)) as store:
        store.record(rows(400))
        store.set_consent("customer-1", "marketing", True)
        store.forget("customer-2")
        store.record(rows(60, seed=1))
        digest = store.digest()
        store.flush()
        if killed:
            shutil.copytree(folder / "live", folder / "pristine")
    if not killed:
        shutil.copytree(folder / "live", folder / "pristine")
    child = subprocess.run(
        [
            sys.executable,
            "-c",
            _CHILD,
            folder / "pristine",
            folder / "copy",
            str(1_000_000 * killed),
            str(FLIPS // 2),
            digest,
            "-",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = child.stdout.splitlines()
    assert child.returncode == 0, (child.returncode, lines[-1:], child.stderr[-2_000:])
    assert len(lines) == 2 * (FLIPS // 2)
    bad = [line for line in lines if not line.endswith((" refused", " recovered"))]
    assert not bad, "\n".join(bad)
    outcomes = [line.rsplit(" ", 1)[1] for line in lines]
    print(f"{len(lines)} openings: {outcomes.count('refused')} refused, {outcomes.count('recovered')} recovered")
    assert min(outcomes.count("refused"), outcomes.count("recovered")) > 0


def test_an_acknowledged_frame_that_is_damaged_at_the_end_is_not_taken_for_a_torn_one(folder: Path) -> None:
    path = folder / "state"
    with StateStore.open(path) as store:
        store.record(rows(10))
    [segment] = (path / "log").glob("*.seg")
    segment.write_bytes(segment.read_bytes()[:-1])
    for _ in range(2):
        with pytest.raises(CorruptError, match=f"{segment.name}: the frame at byte 40 is damaged or cut"):
            StateStore.open(path)


def test_a_torn_frame_of_a_killed_owner_is_cut_off(folder: Path) -> None:
    path = folder / "state"
    with StateStore.open(path) as store:
        store.record(rows(10))
        digest = store.digest()
    [segment] = (path / "log").glob("*.seg")
    whole = segment.read_bytes()
    segment.write_bytes(whole + whole[40:90])
    with StateStore.open(path) as store:
        assert store.digest() == digest
    assert segment.read_bytes() == whole


def test_a_damaged_record_is_refused_and_others_are_read_on(folder: Path) -> None:
    path = folder / "state"
    with StateStore.open(path) as store, StateReader.open(path) as reader:
        store.record(rows(50, users=2))
        subject = bytes.fromhex(store.keys.pseudonym("customer-0"))
        value = store._commits.table.get(subject)
        assert value is not None
        store._commits.table.write({subject: value[:-1] + bytes([value[-1] ^ 1])}, store._commits.table.progress)
        with pytest.raises(CorruptError, match="a record is damaged; rebuild"):
            reader.user("customer-0")
        assert reader.user("customer-1") is not None
        store._commits.people.cached.clear()
        with pytest.raises(CorruptError, match="a record is damaged; rebuild"):
            store.verify()
        # Those who share an fsync with a call that meets it are not refused with it.
        calls = [Call([{"user_id": f"customer-{number}", "item_id": "tea"}]) for number in (1, 0, 7)]
        assert [type(outcome) for outcome in store.record_many(calls)] == [Receipt, CorruptError, Receipt]
        store.rebuild()
        assert reader.user("customer-0") is not None


def test_the_walk_counts_what_lmdb_counts(folder: Path) -> None:
    """Long values, deep trees and pages that were freed: the strict reader agrees with what was written."""
    path = folder / "state"
    with StateStore.open(path, StateConfig(max_recent=400)) as store:
        for seed in range(4):
            store.record(rows(1_000, seed=seed, users=700))
        store.record(rows(1_000, seed=9, users=2))
        for number in range(100):
            store.forget(f"customer-{number}")
        progress = store._commits.table.progress
    tree = check_table(path / "records" / "data.mdb")
    assert (tree.entries, tree.total) == (progress.users + progress.forgotten, progress.total)
    assert progress.forgotten == 100


def test_a_table_of_another_boot_or_half_made_is_made_again_and_read_by_nobody_before(folder: Path) -> None:
    path = folder / "state"
    with StateStore.open(path) as store:
        store.record(rows(50))
        digest = store.digest()
    mark = parse((path / "records.json").read_bytes())
    del mark["digest"]
    for change in ({"state": "open", "boot": "another"}, {"state": "building"}, {"state": "open", "boot": ""}):
        (path / "records.json").write_bytes(seal({**mark, **change}))
        with pytest.raises(NotFoundError, match="start the owner, which makes them"):
            StateReader.open(path)
        with StateStore.open(path) as store, StateReader.open(path) as reader:
            assert store.digest() == digest
            assert reader.user("customer-1") == store.user("customer-1")


def test_a_reader_in_another_process_follows_a_table_that_is_made_again(folder: Path) -> None:
    """The child reads, hears that the table was replaced, and reads on: never from one that is half made."""
    code = """
import sys, time
from recocore.state import StateReader
with StateReader.open(sys.argv[1]) as reader:
    print(reader.user("customer-1").version, flush=True)
    for line in sys.stdin:
        reader._next_look = 0.0
        print(reader.user("customer-1").version, flush=True)
"""
    path = folder / "state"
    with StateStore.open(path) as store:
        store.record(rows(200, users=3))
        child = subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stdout.readline() == "1\n"
        store.rebuild()
        store.record(rows(200, seed=1, users=3))
        child.stdin.write("again\n")
        child.stdin.flush()
        assert child.stdout.readline() == "2\n"
        store._commits.table.open_empty()  # begins to make it again
        child.stdin.write("again\n")
        child.stdin.flush()
        assert child.stdout.readline() == "2\n"
        child.communicate()
        assert child.returncode == 0
        store.rebuild()
