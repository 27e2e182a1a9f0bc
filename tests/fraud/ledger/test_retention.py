"""Old events go and nothing else: windows, undecided reviews and reports have what they need, whatever is killed in between."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import shutil
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from tests.fraud.ledger.desks import decided, killed, rows
from tests.fraud.logs import batch, orders
from tests.state.test_faults import FailingDisk

from recocore.data import EventBatch
from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError, StorageError
from recocore.fraud import FraudModel, OutcomeReport, RuleSet, VelocitySpec, fit_model, rule_columns
from recocore.fraud.ledger import FraudDesk, FraudLedger, check_keep, export_ledger
from recocore.fraud.ledger.notes import CUT as CUT_NOTE
from recocore.fraud.ledger.notes import read_note
from recocore.service.fraud import owner as owner_module
from recocore.service.fraud.owner import FraudOwner
from recocore.state import restore

if TYPE_CHECKING:
    from pathlib import Path

KILLS = int(os.environ.get("RECOCORE_KILLS", "2"))
SPECS = ["count by user_id over 1d", "distinct user_id by device over 2d", "sum value by user_id over 2d"]
RULES = """
[[rules]]
name = "shared_device"
when = "distinct_user_id_by_device_2d >= 4"
outcome = "review"
score = 500
"""
DAY = 86_400
# The log is 30 days long; this leaves its last ten.
NOW = datetime(1970, 1, 31, tzinfo=UTC)
KEEP = timedelta(days=10)
CUT = 20 * DAY * 1_000_000


@cache
def made() -> tuple[FraudModel, list[dict[str, Any]]]:
    """A model with short windows, and a log of a month."""
    events, labels = orders(1500, seed=4)
    columns = rule_columns([VelocitySpec.parse(text) for text in SPECS])
    model, _ = fit_model(batch(events), SPECS, RuleSet.from_toml(RULES, columns), labels=labels, decide=("buy",))
    return model, events


def opened(path: Path, disk: FailingDisk | None = None) -> FraudDesk:
    return FraudDesk(FraudLedger.open(path / "log", disk=disk, segment_rows=300), made()[0], remembered=5)


def filled(path: Path) -> tuple[FraudDesk, list[Any]]:
    desk = opened(path)
    told: list[Any] = []
    given = rows(made()[1])
    for begin in range(0, len(given), 50):
        told += decided(desk.score(given[begin : begin + 50], durable=False))
    return desk, told


def later() -> list[bytes]:
    """Events after the log's end, by those who are in it."""
    last = made()[1][-60:]
    return rows({**event, "event_id": f"later-{event['event_id']}", "event_time": event["event_time"] + 3_600_000_000,
                 "type": "buy"} for event in last)  # fmt: skip


def is_there(desk: FraudDesk, decision: Any) -> bool:
    return desk._ledger.knows(bytes.fromhex(decision.decision_id))


def test_old_events_go_and_the_next_decisions_are_those_of_a_whole_log(tmp_path: Path) -> None:
    desk, told = filled(tmp_path)
    shutil.copytree(tmp_path / "log", tmp_path / "whole" / "log")
    shutil.copy(tmp_path / "log.key", tmp_path / "whole" / "log.key")
    size = desk._ledger._log.total_bytes
    gone = desk.retain(KEEP, now=NOW)
    assert gone > len(told)
    assert desk._ledger._log.total_bytes < size * 0.6
    assert read_note(tmp_path / "log", CUT_NOTE) == CUT
    for one in told:
        assert is_there(desk, one) == (one.feature_time >= CUT or one.decision == "review")
    for one in (told[-1], next(one for one in told if one.decision == "review")):
        assert desk.recall(one.decision_id).decision == one
    assert desk.retain(KEEP, now=NOW) == 0
    [old] = desk.score(rows([{**made()[1][0], "event_id": "old"}]))
    assert old.error is not None
    assert old.error.field == "event_time"
    killed(desk)
    # By the checkpoint, by the log alone, and by a log that nothing was taken from.
    shutil.copytree(tmp_path / "log", tmp_path / "bare" / "log")
    shutil.copy(tmp_path / "log.key", tmp_path / "bare" / "log.key")
    shutil.rmtree(tmp_path / "bare" / "log" / "counters")
    found = []
    for folder in (tmp_path, tmp_path / "bare", tmp_path / "whole"):
        with opened(folder) as again:
            found.append(decided(again.score(later())))
    assert found[0] == found[1] == found[2]
    assert len(found[0]) == 60


def test_what_is_reported_lives_as_long_as_its_report(tmp_path: Path) -> None:
    desk, told = filled(tmp_path)
    reviews = [one for one in told if one.decision == "review" and one.feature_time < CUT]
    others = [one for one in told if one.decision != "review" and one.feature_time < CUT]
    young = next(one for one in told if one.feature_time >= CUT)
    early, late = CUT - 1, CUT
    given = [(reviews[0], early), (reviews[1], late), (others[0], early), (others[1], late), (young, early)]
    assert all(desk.report([OutcomeReport(one.decision_id, 1, "bank", ts) for one, ts in given]))
    desk.retain(KEEP, now=NOW)
    assert [is_there(desk, one) for one, _ in given] == [False, True, False, True, True]
    assert len(desk.recall(young.decision_id).reports) == 1
    assert isinstance(desk.report([OutcomeReport(others[0].decision_id, 1, "bank", late)])[0], NotFoundError)
    # What is left over of the old is for being recalled; a fit on it would count too little.
    killed(desk)
    events, reports = export_ledger(tmp_path / "log", tmp_path / "scored.parquet", tmp_path / "labels.csv")
    scored = EventBatch.from_parquet(tmp_path / "scored.parquet")
    assert events == len(scored) == sum(event["event_time"] >= CUT for event in made()[1])
    assert reports == 1
    # The next cut takes what was reported once.
    desk = opened(tmp_path)
    desk.score(later())
    desk.retain(KEEP, now=NOW + timedelta(hours=1))
    assert [is_there(desk, one) for one, _ in given[:4]] == [False, False, False, False]
    desk.close()


def test_a_report_that_is_taken_meanwhile_keeps_its_decision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, told = filled(tmp_path)
    one = next(one for one in told if one.decision != "review")
    prepare = desk._ledger.prepare
    asked: list[object] = []

    def slow(first: int, stays: Any) -> Any:
        rewritten = prepare(first, stays)
        if not asked:
            asked.extend(desk.report([OutcomeReport(one.decision_id, 1, "bank", CUT + 5)]))
        return rewritten

    monkeypatch.setattr(desk._ledger, "prepare", slow)
    desk.retain(KEEP, now=NOW)
    assert asked == [True]
    assert desk.recall(one.decision_id).decision == one
    desk.close()


def test_windows_need_what_they_need() -> None:
    model = made()[0]
    check_keep(model, timedelta(days=4))
    with pytest.raises(InvalidArgumentError, match=r"expected at least 4, .* got 3; keep more, or 0"):
        check_keep(model, timedelta(days=3))


def test_a_log_of_long_ago_keeps_its_windows(tmp_path: Path) -> None:
    """History that is fed in is old by the clock, and still what the next event counts on."""
    desk, told = filled(tmp_path)
    desk.retain(timedelta(days=4), now=datetime(2026, 1, 1, tzinfo=UTC))
    last = made()[1][-1]["event_time"]
    kept = [one for one in told if is_there(desk, one)]
    assert min(one.feature_time for one in kept if one.decision != "review") <= last - 3 * DAY * 1_000_000
    killed(desk)
    shutil.rmtree(tmp_path / "log" / "counters")
    with opened(tmp_path) as again:
        assert [one.event_id for one in decided(again.score(later()))][:1] == [
            msgspec.msgpack.decode(later()[0])["event_id"]
        ]


@pytest.mark.parametrize("at", ["pwrite", "sync"])
def test_a_disk_that_refuses_leaves_the_old_segments(tmp_path: Path, at: str) -> None:
    desk, told = filled(tmp_path)
    desk.close()
    disk = FailingDisk()
    desk = opened(tmp_path, disk)
    disk.error, disk.at = errno.ENOSPC, at
    with pytest.raises(StorageError):
        desk.retain(KEEP, now=NOW)
    disk.error = 0
    assert all(is_there(desk, one) for one in told[::9])
    assert desk.retain(KEEP, now=NOW) > 0
    desk.close()


CHILD = """
import sys
from pathlib import Path
from tests.fraud.ledger.test_retention import KEEP, NOW, opened
desk = opened(Path(sys.argv[1]))
print("open", flush=True)
desk.retain(KEEP, now=NOW)
print("done", flush=True)
"""


def test_killed_while_it_compacts_it_loses_nothing(tmp_path: Path) -> None:
    desk, told = filled(tmp_path)
    desk.close()
    with opened(tmp_path) as whole:
        shutil.copytree(tmp_path / "log", tmp_path / "whole" / "log")
        wanted = {one.decision_id for one in told if one.feature_time >= CUT or one.decision == "review"}
        assert all(is_there(whole, one) for one in told[::50])
    shutil.copy(tmp_path / "log.key", tmp_path / "whole" / "log.key")
    with opened(tmp_path / "whole") as whole:
        expected = decided(whole.score(later()))
    random_ = random.Random(6)
    for kill in range(KILLS):
        path = tmp_path / f"killed-{kill}"
        shutil.copytree(tmp_path / "log", path / "log")
        shutil.copy(tmp_path / "log.key", path / "log.key")
        child = subprocess.Popen([sys.executable, "-c", CHILD, str(path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
        try:
            child.wait(random_.uniform(0, 0.1))  # the moment of the kill is the point
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
            child.wait()
        child.stdout.close()
        with opened(path) as desk:
            assert all(is_there(desk, one) for one in told[::7] if one.decision_id in wanted)
            desk.retain(KEEP, now=NOW)
            found = {one.decision_id for one in told if is_there(desk, one)} if kill == 0 else wanted
            assert found == wanted
            assert decided(desk.score(later())) == expected
        left = [each.name for each in (path / "log" / "log").iterdir()]
        assert len(left) == len({name.split(".")[0] for name in left if name.endswith(".json")}) * 3 + 1


def test_the_owner_drops_what_is_old_soon_after_its_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, _ = filled(tmp_path)
    monkeypatch.setattr(owner_module, "_FIRST_RETAIN_SECONDS", 0.0)

    async def serve() -> None:
        ready, stop = asyncio.Event(), asyncio.Event()
        done = asyncio.Event()
        retain, loop = desk.retain, asyncio.get_running_loop()

        def watched(keep: timedelta) -> int:
            gone = retain(keep)
            loop.call_soon_threadsafe(done.set)
            return gone

        monkeypatch.setattr(desk, "retain", watched)
        serving = asyncio.create_task(FraudOwner(desk, durable=False, keep=KEEP).serve(tmp_path / "s", ready, stop))
        await asyncio.wait_for(done.wait(), 30)
        stop.set()
        await serving

    asyncio.run(serve())
    assert (read_note(tmp_path / "log", CUT_NOTE) or 0) > 0
    desk.close()


def test_a_damaged_cut_is_refused(tmp_path: Path) -> None:
    desk, _ = filled(tmp_path)
    desk.retain(KEEP, now=NOW)
    desk.close()
    file = tmp_path / "log" / "retention.json"
    file.write_bytes(file.read_bytes().replace(b'"value"', b'"valve"'))
    with pytest.raises(CorruptError, match=r"retention\.json"):
        opened(tmp_path)


def test_a_backup_that_is_made_meanwhile_goes_on_as_the_log_did(tmp_path: Path) -> None:
    desk, told = filled(tmp_path)
    desk.retain(KEEP, now=NOW)
    first = desk.backup(tmp_path / "backup")
    assert desk.backup(tmp_path / "backup")["copied"] == 0
    assert first["copied"] == first["files"]
    expected = decided(desk.score(later()))
    user = msgspec.msgpack.decode(later()[0])["user_id"]
    assert desk.forget(user) > 0
    desk.close()
    (tmp_path / "restored").mkdir()
    (tmp_path / "forgotten").mkdir()
    assert restore(tmp_path / "backup", tmp_path / "restored" / "log") == "fraud"
    shutil.copy(tmp_path / "log.key", tmp_path / "restored" / "log.key")
    with opened(tmp_path / "restored") as again:
        assert read_note(tmp_path / "restored" / "log", CUT_NOTE) == CUT
        assert all(is_there(again, one) for one in told if one.feature_time >= CUT)
        assert again.recall(told[-1].decision_id).reproduced == "same"
        assert decided(again.score(later())) == expected
    # The next backup forgets, too.
    with opened(tmp_path) as desk:
        desk.backup(tmp_path / "backup")
    restore(tmp_path / "backup", tmp_path / "forgotten" / "log")
    shutil.copy(tmp_path / "log.key", tmp_path / "forgotten" / "log.key")
    with opened(tmp_path / "forgotten") as again:
        assert again.of_user(user) == []
