"""The audit log: what is written is found whole, and every change to it is found."""

from __future__ import annotations

import errno
import hashlib
import hmac
import json
import os
import random
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recocore.errors import CorruptError, InUseError, InvalidArgumentError, NotFoundError
from recocore.service.security.audit_chain import FIRST_PREVIOUS, Verdict, sealed, verify
from recocore.service.security.audit_log import AuditFailedError, AuditLog
from recocore.service.security.auditing import Auditing
from recocore.service.security.config import AuditConfig

if TYPE_CHECKING:
    from pathlib import Path

KEY = b"audit"


def config(folder: Path, **more: Any) -> AuditConfig:
    return AuditConfig(folder=str(folder), **more)


def written(folder: Path, count: int, **more: Any) -> list[Path]:
    """The files of a chain of `count` events, with those of its opening and closing."""
    log = AuditLog(config(folder, **more), "worker-0")
    for number in range(count):
        log.write({"event": "denied", "place": number})
    log.close()
    return sorted(folder.glob("worker-0.*.jsonl"))


def records(*files: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for path in files for line in path.read_text(encoding="ascii").splitlines()]


@pytest.mark.parametrize("key", [None, KEY])
def test_each_line_has_the_hash_of_the_one_before(tmp_path: Path, key: bytes | None) -> None:
    """Against the formula, written out: of the line up to `,"hash"`."""
    files = written(tmp_path, 5, key=key)
    previous = FIRST_PREVIOUS
    for number, line in enumerate(files[0].read_bytes().splitlines(), 1):
        body, digest = line[:-1].rsplit(b',"hash":', 1)
        expected = hashlib.sha256(body).hexdigest() if key is None else hmac.new(key, body, "sha256").hexdigest()
        assert json.loads(digest) == expected
        fields = json.loads(line)
        assert (fields["number"], fields["previous"]) == (number, previous)
        previous = expected
    assert [record["event"] for record in records(*files)] == ["opened", *["denied"] * 5, "closed"]
    [verdict] = verify(tmp_path, key)
    assert (verdict.chain, verdict.first, verdict.end.number, verdict.end.hash) == ("worker-0", 1, 7, previous)
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600


def test_a_chain_goes_on_over_starts_and_files(tmp_path: Path) -> None:
    written(tmp_path, 30, segment_mb=0.001)
    files = written(tmp_path, 30, segment_mb=0.001)
    assert len(files) > 5
    assert all(path.stat().st_size < 1_500 for path in files)
    assert verify(tmp_path)[0].end.number == 64
    assert [record["number"] for record in records(*files)] == list(range(1, 65))
    kept = written(tmp_path, 1, segment_mb=0.001, keep_segments=3)
    # What is kept is whole, and says where it begins.
    assert len(kept) in {3, len(files) + 1}
    kept = written(tmp_path, 30, segment_mb=0.001, keep_segments=3)
    assert len(kept) == 3
    verdict = verify(tmp_path)[0]
    assert verdict.first > 60
    assert verdict.end.number == 64 + 3 + 32


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32), st.sampled_from(["flip", "remove", "double", "swap", "insert"]))
def test_every_change_is_found_and_the_first_broken_line_is_named(tmp_path: Path, seed: int, way: str) -> None:
    rng = random.Random(seed)
    lines, previous = [], FIRST_PREVIOUS
    for number in range(1, 9):
        line, previous = sealed(number, {"event": "x", "place": number}, previous, KEY)
        lines.append(line)
    path = tmp_path / "worker-0.000001.jsonl"
    place = rng.randrange(7)
    changed = list(lines)
    expected = place + 1
    match way:
        case "flip":
            byte = rng.randrange(len(lines[place]) - 1)
            bit = bytes([lines[place][byte] ^ (1 << rng.randrange(7))])
            changed[place] = lines[place][:byte] + bit + lines[place][byte + 1 :]
        case "remove":
            del changed[place]
        case "double":
            changed.insert(place, lines[place])
            expected = place + 2
        case "swap":
            changed[place], changed[place + 1] = lines[place + 1], lines[place]
        case _:
            forged, _ = sealed(place + 1, {"event": "forged"}, FIRST_PREVIOUS, b"other")
            changed.insert(place, forged)
    path.write_bytes(b"".join(changed))
    with pytest.raises(CorruptError, match=rf"worker-0\.000001\.jsonl: line {expected}:"):
        verify(tmp_path, KEY)


def test_an_end_that_was_cut_off_is_found_by_the_head_and_by_anchors(tmp_path: Path) -> None:
    [path] = written(tmp_path, 6)
    [whole] = verify(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-2]))
    with pytest.raises(
        CorruptError, match=r"line 7: the chain ends at 6, and its head tells of line 8: it was cut off"
    ):
        verify(tmp_path)
    # Who cuts may remove the head too, but not what the log has told elsewhere.
    (tmp_path / "worker-0.head").unlink()
    assert verify(tmp_path)[0].end.number == 6
    with pytest.raises(CorruptError, match=r"line 7: the chain ends at 6, and the log tells of line 8: it was cut off"):
        verify(tmp_path, None, [("worker-0", 8, whole.end.hash)])
    with pytest.raises(
        CorruptError, match=r"line 3: differs from what the log told of line 3: the chain was written anew"
    ):
        verify(tmp_path, None, [("worker-0", 3, "0" * 64)])
    with pytest.raises(CorruptError, match="the log tells of the chain worker-7, whose files are gone"):
        verify(tmp_path, None, [("worker-7", 3, "0" * 64)])
    anchor = ("worker-0", 4, json.loads(lines[3])["hash"])
    assert verify(tmp_path, None, [anchor])[0].anchored == 4


def test_without_the_key_nobody_writes_a_chain_anew(tmp_path: Path) -> None:
    [path] = written(tmp_path, 2, key=KEY)
    line, _ = sealed(1, {"event": "opened"}, FIRST_PREVIOUS, None)
    path.write_bytes(line)
    with pytest.raises(CorruptError, match="line 1: its hash is not that of what it says"):
        verify(tmp_path, KEY)


def test_a_file_in_the_middle_cannot_go(tmp_path: Path) -> None:
    files = written(tmp_path, 30, segment_mb=0.001)
    files[2].unlink()
    with pytest.raises(CorruptError, match=r"000004\.jsonl: line 1: the file before this one is gone"):
        verify(tmp_path)


def test_what_a_crash_tore_is_taken_back(tmp_path: Path) -> None:
    [path] = written(tmp_path, 2)
    with path.open("ab") as file:
        file.write(b'{"number":5,"event":"den')
    with pytest.raises(CorruptError, match="line 5: expected a whole line, got the beginning of one"):
        verify(tmp_path)
    written(tmp_path, 1)
    assert verify(tmp_path)[0].end.number == 7
    with path.open("ab") as file:
        file.write(b"something else\n")
    with pytest.raises(CorruptError, match="expected its last line to be one of the audit log"):
        AuditLog.check(config(tmp_path), "worker-0")


@pytest.mark.parametrize("kills", [int(os.environ.get("RECOCORE_KILLS", "3"))])
def test_what_was_kept_survives_a_kill(tmp_path: Path, kills: int) -> None:
    program = (
        "import sys\nfrom recocore.service.security.audit_log import AuditLog\n"
        "from recocore.service.security.config import AuditConfig\n"
        f"log = AuditLog(AuditConfig(folder={str(tmp_path)!r}, segment_mb=0.01), 'worker-0')\n"
        "number = int(sys.argv[1])\n"
        "while True:\n"
        "    log.keep({'event': 'begins', 'place': number}).result()\n"
        "    print(number, flush=True)\n"
        "    number += 1\n"
    )
    rng, told = random.Random(7), 0
    for _ in range(kills):
        process = subprocess.Popen([sys.executable, "-c", program, str(told + 1)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(rng.randint(1, 60)):
            told = int(process.stdout.readline())
        process.kill()
        # What it still said before it died was kept too.
        told = max(told, *map(int, process.stdout.read().split()), 0)
        process.wait()
        process.stdout.close()
        AuditLog.check(config(tmp_path), "worker-0")
        places = [record["place"] for record in records(*sorted(tmp_path.glob("*.jsonl"))) if "place" in record]
        assert set(places) >= set(range(1, told + 1))
        told = max(places)
        verify(tmp_path)


def test_one_process_writes_a_chain(tmp_path: Path) -> None:
    log = AuditLog(config(tmp_path), "worker-0")
    log.keep({"event": "x"}).result(10)
    with pytest.raises(InUseError, match="another process writes the chain worker-0"):
        AuditLog.check(config(tmp_path), "worker-0")
    AuditLog.check(config(tmp_path), "worker-1")
    log.close()
    assert AuditLog.check(config(tmp_path), "worker-0") == f"{tmp_path}: worker-0 ends at line 3"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidArgumentError, match="expected a folder that can be written"):
        AuditLog.check(config(tmp_path / "file"), "worker-0")
    with pytest.raises(NotFoundError, match="expected files such as"):
        verify(tmp_path / "none")


def test_a_full_disk_fails_what_must_be_kept_and_is_owned_up_to_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = AuditLog(config(tmp_path), "worker-0")
    log.keep({"event": "begins", "place": 0}).result(10)
    write, room = os.write, [0]

    def full(descriptor: int, data: bytes) -> int:
        if not data.startswith(b'{"number"'):
            return write(descriptor, data)
        if room[0]:
            return write(descriptor, data[: room[0]])  # a short write, as the last one before the disk is full
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    for room[0] in (0, 20):
        with pytest.raises(AuditFailedError, match="this call is not carried out without"):
            log.keep({"event": "begins", "place": 1}).result(10)
    log.write({"event": "denied"})
    with pytest.raises(AuditFailedError):
        log.keep({"event": "begins", "place": 2}).result(10)
    monkeypatch.setattr(os, "write", write)
    log.keep({"event": "begins", "place": 3}).result(10)
    log.close()
    verify(tmp_path)
    found = records(*tmp_path.glob("*.jsonl"))
    assert [record["event"] for record in found] == ["opened", "begins", "lines lost", "begins", "closed"]
    assert found[2]["count"] == 4


def test_a_sync_that_fails_fails_what_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AuditLog(config(tmp_path), "worker-0")
    log.keep({"event": "begins"}).result(10)

    def broken(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(AuditFailedError):
        log.keep({"event": "begins"}).result(10)
    monkeypatch.undo()
    log.keep({"event": "begins"}).result(10)
    log.close()
    verify(tmp_path)


def test_who_gives_up_waiting_ends_nothing(tmp_path: Path) -> None:
    """A caller that cancels while its line is synced: setting a cancelled future raises, and would have ended the thread."""
    log = AuditLog(config(tmp_path), "worker-0")
    given_up = 0
    while given_up < 3:
        given_up += log.keep({"event": "begins"}).cancel()
    log.keep({"event": "begins"}).result(10)
    log.close()
    verify(tmp_path)


class Chain:
    """Takes lines as AuditLog does."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def write(self, fields: dict[str, Any]) -> None:
        self.lines.append(dict(fields))

    def close(self) -> None:
        pass


def test_a_flood_of_denials_shares_lines_and_every_one_is_counted() -> None:
    now, chain = [0.0], Chain()
    auditing = Auditing(chain, 10, lambda: now[0])  # type: ignore[arg-type]
    for number in range(1_000):
        now[0] = number / 250
        auditing.denied("/a.B/C", "no_credential" if number % 2 else "no_role", peer="p")
    auditing.close()
    own = [line for line in chain.lines if line["event"] == "denied"]
    shared = [line for line in chain.lines if line["event"] == "more denied"]
    assert len(own) == 40
    assert len(shared) == 8
    assert len(own) + sum(line["count"] for line in shared) == 1_000
    assert {line["reason"] for line in shared} == {"no_credential", "no_role"}


def test_without_a_log_nothing_is_written() -> None:
    auditing = Auditing(None, 10)
    auditing.denied("/a.B/C", "no_role")
    assert auditing.begins(method="/a.B/C") is None
    auditing.ended(method="/a.B/C", status="OK")
    auditing.look()
    auditing.close()


def test_a_verdict_is_a_value(tmp_path: Path) -> None:
    written(tmp_path, 1)
    assert verify(tmp_path) == [Verdict("worker-0", 1, verify(tmp_path)[0].end)]
