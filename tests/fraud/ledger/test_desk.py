"""The desk: decisions are those of a batch, whatever is killed, full or damaged in between; the log tells strangers nothing."""

from __future__ import annotations

import errno
import random
import shutil
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from tests.fraud.ledger.desks import decided, killed, opened, rows
from tests.fraud.logs import RULES, SPECS, batch, orders
from tests.fraud.test_decision import COLUMNS, fitted
from tests.state.test_faults import FailingDisk

from recocore.data import EventBatch
from recocore.errors import ConflictError, InUseError, InvalidArgumentError, NotFoundError, StorageError
from recocore.fraud import KnownRings, OutcomeReport, Ring, RuleSet, fit_model
from recocore.fraud.labels import read_labels
from recocore.fraud.ledger import FraudDesk, FraudLedger, export_ledger

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = 700


def log() -> list[dict[str, Any]]:
    return fitted()[1][:EVENTS]


def expected() -> list[Any]:
    return list(fitted()[0].decisions(batch(log())))


def test_killed_at_any_moment_it_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    random_ = random.Random(3)
    told: list[Any] = []
    desk = opened(tmp_path, checkpoint_events=60, remembered=5)
    given = rows(log())
    while given:
        count = random_.randrange(1, 90)
        told += decided(desk.score(given[:count], durable=random_.random() < 0.5))
        given = given[count:]
        killed(desk)
        desk = opened(tmp_path, checkpoint_events=60, remembered=5)
    assert told == expected()
    # Sent again, every event has its decision, from memory or from the log, and counts no more.
    before = desk.velocity.update_one({**log()[-1], "event_id": "probe"})
    desk = _reopened(desk, tmp_path)
    again = desk.score(rows(log()), durable=False)
    assert all(one.duplicate for one in again)
    assert decided(again) == told
    assert desk.velocity.update_one({**log()[-1], "event_id": "probe"}) == pytest.approx(before, nan_ok=True)
    killed(desk)


def test_what_is_refused_leaves_no_trace_in_counters(tmp_path: Path) -> None:
    desk = opened(tmp_path)
    bought = next(event for event in log() if event["type"] == "buy")
    [one] = desk.score(rows([{**bought, "value": float("inf")}]))
    assert one.error is not None
    assert one.error.field == "value"
    assert desk.velocity.keys == 0
    assert decided(desk.score(rows(log()))) == expected()
    killed(desk)


def test_reports_on_ids_of_another_form_find_no_decision(tmp_path: Path) -> None:
    desk = opened(tmp_path)
    outcomes = desk.report(
        [OutcomeReport(name, 1, "bank", 1) for name in ("zz", "0" * 32, "\ud800", "A" * 32, "0" * 31)]
    )
    assert [type(outcome) for outcome in outcomes] == [NotFoundError] * 5
    killed(desk)


def _reopened(desk: Any, path: Path) -> Any:
    killed(desk)
    return opened(path, remembered=5)


def test_half_a_frame_at_the_end_is_an_event_that_never_was(tmp_path: Path) -> None:
    given = rows(log())
    desk = opened(tmp_path)
    told = decided(desk.score(given[:200]))
    path = desk._ledger._log.growing_path
    size = path.stat().st_size
    lost = decided(desk.score(given[200:201]))
    killed(desk)
    for cut in (1, 30, 60):
        with path.open("r+b") as file:
            file.truncate(size + cut)
        with opened(tmp_path) as desk:
            pass
    with opened(tmp_path) as desk:
        assert decided(desk.score(given[200:201])) == lost
        assert told + lost + decided(desk.score(given[201:])) == expected()


@pytest.mark.parametrize("at", ["pwrite", "short", "sync"])
def test_a_disk_that_refuses_takes_nothing_and_the_next_call_goes_on(tmp_path: Path, at: str) -> None:
    disk = FailingDisk()
    desk = opened(tmp_path, disk=disk)
    given = rows(log())
    told = decided(desk.score(given[:100]))
    disk.error, disk.at = errno.ENOSPC, at
    for _ in range(2):
        with pytest.raises(StorageError):
            desk.score(given[100:120])
    disk.error = 0
    told += decided(desk.score(given[100:]))
    assert told == expected()
    desk.close()


def test_a_damaged_checkpoint_costs_time_alone(tmp_path: Path) -> None:
    given = rows(log())
    with opened(tmp_path) as desk:
        told = decided(desk.score(given[:300]))
    [checkpoint] = (tmp_path / "log" / "counters").iterdir()
    for file in checkpoint.rglob("*"):
        if file.is_file():
            file.write_bytes(file.read_bytes()[:-1])
    (tmp_path / "log" / "counters" / ".half.tmp-1").mkdir()
    with opened(tmp_path) as desk:
        assert told + decided(desk.score(given[300:])) == expected()


def test_another_model_counts_the_same_log_and_old_decisions_are_made_again(tmp_path: Path) -> None:
    events = log()
    with opened(tmp_path) as desk:
        first = decided(desk.score(rows(events[:300])))
        desk.activate(RULES.replace(">= 4", ">= 3"))
        second = decided(desk.score(rows(events[300:400])))
    history, labels = orders()
    specs = [*SPECS, "count by ip over 1h"]
    other, _ = fit_model(batch(history[:1000]), specs, RuleSet(()), labels=labels[:1000], decide=("buy",))
    with opened(tmp_path, model=other) as desk:
        # The rules that decided last read counters that this model has too.
        stricter = RuleSet.from_toml(RULES.replace(">= 4", ">= 3"), COLUMNS)
        told = decided(desk.score(rows(events[400:])))
        made = list(other.decisions(batch(events), rules=desk.rules))
        assert told == made[len(made) - len(told) :]
        assert desk.rules.version == stricter.version
        for decision in (first[3], second[3], told[3]):
            found = desk.recall(decision.decision_id)
            assert (found.decision, found.reproduced) == (decision, "same")
        shutil.rmtree(tmp_path / "log" / "models" / fitted()[0].version)
        assert desk.recall(first[3].decision_id).reproduced == "unknown"


def test_who_is_forgotten_leaves_counters_and_others_alone(tmp_path: Path) -> None:
    events = log()
    user = events[10]["user_id"]
    desk = opened(tmp_path)
    told = decided(desk.score(rows(events[:400])))
    mine = {event["event_id"] for event in events[:400] if event["user_id"] == user}
    reported = next(one for one in told if one.event_id in mine)
    assert desk.report([OutcomeReport(reported.decision_id, 1, "chargeback", 7)]) == [True]
    gone = desk.forget(user)
    assert gone == sum(1 + (event["type"] == "buy") for event in events[:400] if event["event_id"] in mine) + 1
    assert desk.forget(user) == 0
    for _ in range(2):
        for one in told[:60]:
            if one.event_id in mine:
                with pytest.raises(NotFoundError, match="forgotten"):
                    desk.recall(one.decision_id)
                assert isinstance(desk.report([OutcomeReport(one.decision_id, 0, "x", 1)])[0], NotFoundError)
            else:
                assert desk.recall(one.decision_id).decision == one
        killed(desk)
        desk = opened(tmp_path)
    assert told + decided(desk.score(rows(events[400:]))) == expected()
    desk.close()


def test_no_file_names_anybody(tmp_path: Path) -> None:
    told: list[Any] = []
    with opened(tmp_path, rings=KnownRings((Ring(("person-f1",), (("device", "bad-device"),), 0.5),), 0)) as desk:
        events = [
            {**event, "event_id": f"event-{event['event_id']}", "user_id": f"person-{event['user_id']}"}
            for event in log()[:200]
        ]
        told = decided(desk.score(rows(events)))
        desk.report([OutcomeReport(told[0].decision_id, 1, "the-bank", 7)])
    content = b"".join(file.read_bytes() for file in (tmp_path / "log").rglob("*") if file.is_file())
    words = {str(event[name]) for event in events for name in ("event_id", "user_id")}
    assert [word for word in words if word.encode() in content] == []
    assert b"the-bank" not in content
    assert b"person-f1" not in content
    assert b"bad-device" not in content
    modes = {file.stat().st_mode & 0o077 for file in (tmp_path / "log" / "log").iterdir()}
    assert modes == {0}


def test_rules_change_whole_or_not_at_all_and_outlive_a_kill(tmp_path: Path) -> None:
    desk = opened(tmp_path)
    before = desk.rules.version
    with pytest.raises(InvalidArgumentError, match=r"rules\[0\].*got nothing_such"):
        desk.activate('[[rules]]\nname = "a"\nwhen = "nothing_such > 1"')
    with pytest.raises(ConflictError):
        desk.activate(RULES, "0123456789abcdef")
    assert desk.rules.version == before
    version, old = desk.activate('[[rules]]\nname = "large"\nwhen = "value > 10"\nscore = 100', before)
    assert old == before
    [scored] = desk.score(rows(log()[:1]))
    assert decided([scored])[0].ruleset_version == version
    killed(desk)
    desk = opened(tmp_path)
    assert desk.rules.version == version
    assert sum(desk.tally.of(0)) == 0
    desk.close()


def test_decisions_are_made_again_by_the_rings_that_they_name(tmp_path: Path) -> None:
    events = log()[:120]
    users = [event["user_id"] for event in events]
    first = KnownRings((Ring((users[3], users[9]), (("device", "bad0"),), 0.5), Ring(("f3",), (), 0.9)), 7)
    second = KnownRings((Ring((users[70], users[90], users[110]), (("country", "HK"),), 0.1),), 8)
    told: list[Any] = []
    for rings, piece in ((first, events[:60]), (second, events[60:])):
        with opened(tmp_path, rings=rings) as desk:
            told += decided(desk.score(rows(piece)))
        made = {one.event_id: one for one in fitted()[0].decisions(batch(events), rings=rings)}
        ids = {event["event_id"] for event in piece}
        assert all(one == made[one.event_id] for one in told if one.event_id in ids)
        assert sum(reason.code == "RING" for one in told for reason in one.reasons if one.event_id in ids) >= 2
    with opened(tmp_path) as desk:
        assert all(desk.recall(one.decision_id).reproduced == "same" for one in told)


def test_a_folder_has_one_desk(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(InUseError):
        opened(tmp_path)


def test_what_is_no_event_is_refused_and_counts_nothing(tmp_path: Path) -> None:
    with opened(tmp_path) as desk:
        good = log()[0]
        wrong = [
            b"\xc1",
            rows([{**good, "value": "much"}])[0],
            rows([{"event_id": "x"}])[0],
            rows([{**good, "event_time": "now"}])[0],
        ]
        told = desk.score([*wrong, *rows([good])])
        assert [one.error is not None for one in told] == [True, True, True, True, False]
        assert desk.velocity.keys > 0
        assert decided(told) == expected()[:1]


def test_the_log_is_what_the_next_model_learns_from(tmp_path: Path) -> None:
    """While a desk writes it: the events as they came, and of each the surest label that was known by a time."""
    events = log()
    with opened(tmp_path) as desk:
        told = decided(desk.score(rows(events)))
        reports = [
            OutcomeReport(told[0].decision_id, 1, "chargeback", 500, 1.0),
            OutcomeReport(told[0].decision_id, 0, "customer", 900, 0.6),
            OutcomeReport(told[1].decision_id, 1, "review", 700, 0.8),
            OutcomeReport(told[1].decision_id, 0, "review", 800, 0.8),
        ]
        desk.report(reports)
        assert export_ledger(tmp_path / "log", tmp_path / "scored.parquet", tmp_path / "labels.csv") == (EVENTS, 4)
    scored = EventBatch.from_parquet(tmp_path / "scored.parquet")
    assert list(fitted()[0].decisions(scored)) == told
    labels = {by: read_labels(tmp_path / "labels.csv", scored, by) for by in (499, 750, 10_000)}
    places = [scored.column("event_id").to_pylist().index(one.event_id) for one in told[:2]]
    assert [labels[by][places].tolist() for by in (750, 10_000)] == [[1.0, 1.0], [1.0, 0.0]]
    assert np.isnan(labels[499]).all()
    assert np.isnan(labels[10_000]).sum() == EVENTS - 2
    assert (tmp_path / "labels.csv").stat().st_mode & 0o077 == 0


def test_sealed_segments_are_looked_into_and_rewritten(tmp_path: Path) -> None:
    events = log()
    ledger = FraudLedger.open(tmp_path / "log", segment_rows=90)
    desk = FraudDesk(ledger, fitted()[0], checkpoint_events=250, remembered=3)
    told: list[Any] = []
    for begin in range(0, 400, 40):
        told += decided(desk.score(rows(events[begin : begin + 40])))
    assert len(ledger._log.sealed) == 5
    assert all(ledger.knows(bytes.fromhex(one.decision_id)) for one in told)
    assert not any(ledger.knows(bytes([place]) * 16) for place in range(1, 200))
    again = desk.score(rows(events[:400]))
    assert decided(again) == told
    assert all(one.duplicate for one in again)
    user = events[5]["user_id"]
    assert desk.forget(user) > 0
    mine = {event["event_id"] for event in events if event["user_id"] == user}
    for one in told[::7]:
        if one.event_id in mine:
            with pytest.raises(NotFoundError):
                desk.recall(one.decision_id)
        else:
            assert desk.recall(one.decision_id).reproduced == "same"
    killed(desk)
    desk = FraudDesk(FraudLedger.open(tmp_path / "log", segment_rows=90), fitted()[0])
    assert told + decided(desk.score(rows(events[400:]))) == expected()
    held = desk.of_user(user)
    assert [one["event"] for one in held] == [event for event in events[400:] if event["user_id"] == user]
    assert ["decision" in one for one in held] == [one["event"]["type"] == "buy" for one in held]
    desk.close()


def test_decisions_go_on_while_the_disk_is_slow(tmp_path: Path) -> None:
    """A flush that hangs holds nobody up; and one that fails loses nothing."""

    class Slow(FailingDisk):
        def __init__(self) -> None:
            super().__init__()
            self.began, self.goes_on = threading.Event(), threading.Event()
            self.is_slow = False

        def sync(self, descriptor: int) -> None:
            if self.is_slow:
                self.began.set()
                assert self.goes_on.wait(20)
            super().sync(descriptor)

    disk = Slow()
    desk = opened(tmp_path, disk=disk)
    given = rows(log())
    told = decided(desk.score(given[:50], durable=False))
    disk.is_slow = True
    flushing = threading.Thread(target=desk.flush)
    flushing.start()
    assert disk.began.wait(20)
    told += decided(desk.score(given[50:100], durable=False))
    disk.goes_on.set()
    flushing.join()
    disk.is_slow = False
    written = desk._ledger._log
    durable = written.durable_bytes
    assert durable < written.growing_path.stat().st_size
    desk.flush()
    assert written.durable_bytes == written.growing_path.stat().st_size
    told += decided(desk.score(given[100:150], durable=False))
    disk.error, disk.at = errno.EIO, "sync"
    with pytest.raises(StorageError):
        desk.flush()
    disk.error = 0
    told += decided(desk.score(given[150:200], durable=False))
    killed(desk)
    desk = opened(tmp_path)
    assert told + decided(desk.score(given[200:])) == expected()
    desk.close()
