"""Events of the state that count for fraud: each once and in the state's order, whatever is killed in between."""

from __future__ import annotations

import os
import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from tests.fraud.ledger.desks import killed, opened, rows
from tests.fraud.logs import SPECS, batch, orders
from tests.fraud.test_decision import fitted
from tests.service.fraud.served import FraudServer, event_of
from tests.service.small_index import small_index
from tests.service.watched import until

from recocore.client import Client
from recocore.data import EventBatch
from recocore.errors import CorruptError, InvalidArgumentError, StorageError
from recocore.fraud import RuleSet, fit_model
from recocore.fraud.ledger import FraudDesk, export_ledger
from recocore.models import Popularity
from recocore.service.events.config import StateConfig
from recocore.service.fraud.following import Follower, check_follow
from recocore.state import StateStore

if TYPE_CHECKING:
    from pathlib import Path


def log(count: int = 300) -> list[dict[str, Any]]:
    """Orders, which are decided on, and what is not: views, with and without an id."""
    events = fitted()[1][:count]
    return [
        {**event, "type": "buy" if place % 5 == 0 else "view", **({"event_id": None} if place % 7 == 1 else {})}
        for place, event in enumerate(events)
    ]


def recorded(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in event.items() if value is not None} for event in events]


def follower(desk: FraudDesk, path: Path) -> Follower:
    return Follower(desk, StateConfig(path=str(path / "state")))


def counted(desk: FraudDesk, event: dict[str, Any]) -> list[float]:
    return desk.velocity.update_one({**event, "event_id": "probe"})


def test_what_is_recorded_counts_as_if_it_were_sent(tmp_path: Path) -> None:
    events = log()
    with StateStore.open(tmp_path / "state") as store, opened(tmp_path) as desk:
        store.record(recorded(events[:10]))
        following = follower(desk, tmp_path)
        # It begins at the end: what was there before is nobody's who follows.
        assert not following.step()
        assert desk.velocity.keys == 0
        store.record(recorded(events[10:150]))
        store.record([{"visitor_id": "v", "type": "view", "item_id": "i1", "device": "d1"}])
        assert following.step()
        store.record(recorded(events[150:]))
        assert following.step()
        assert not following.step()
        views = [event for event in events[10:] if event["type"] == "view"]
        with FraudDesk.open(tmp_path / "other", fitted()[0]) as other:
            other.score(rows({**event, "event_id": f"other-{place}"} for place, event in enumerate(views)))
            assert counted(desk, events[-1]) == pytest.approx(counted(other, events[-1]), nan_ok=True)
            assert desk.velocity.keys == other.velocity.keys
        following.stop()
        following.run()


def refuse(_: int) -> None:
    raise StorageError("the process is gone")


def test_killed_at_any_moment_each_event_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The note of how far it was is lost again and again, and so is the desk's process."""
    events, random_ = log(), random.Random(8)
    desk = opened(tmp_path)
    with StateStore.open(tmp_path / "state") as store:
        following = follower(desk, tmp_path)
        following.step()
        given = recorded(events)
        while given:
            store.record(given[: (piece := random_.randrange(1, 40))])
            given = given[piece:]
            dies = random_.random()
            if dies < 0.4:
                monkeypatch.setattr(desk, "note_followed", refuse)
                with pytest.raises(StorageError):
                    following.step()
                killed(desk)
                desk = opened(tmp_path)
                following = follower(desk, tmp_path)
            elif dies < 0.7:
                following.step()
        following.step()
        following.step()
    views = sum(event["type"] == "view" for event in events)
    killed(desk)
    assert export_ledger(tmp_path / "log", tmp_path / "scored.parquet")[0] == views
    ids = EventBatch.from_parquet(tmp_path / "scored.parquet").column("event_id").to_pylist()
    assert len(set(ids)) == views


def test_a_sealed_and_rewritten_state_is_followed(tmp_path: Path) -> None:
    events = log()
    with StateStore.open(tmp_path / "state") as store, opened(tmp_path) as desk:
        following = follower(desk, tmp_path)
        following.step()
        store.record(recorded(events[:100]))
        assert following.step()
        store.record(recorded(events[100:200]))
        store.retain(timedelta(days=30_000))
        store.record(recorded(events[200:]))
        assert following.step()
        views = sum(event["type"] == "view" for event in events)
        assert export_ledger(tmp_path / "log", tmp_path / "scored.parquet")[0] == views
        # Who is forgotten is not counted any longer.
        user = events[250]["user_id"]
        store.record([{"user_id": user, "type": "view", "item_id": "i1", "device": "d1"}])
        store.forget(user)
        following.step()
        assert export_ledger(tmp_path / "log", tmp_path / "scored.parquet")[0] == views


def test_a_state_that_was_restored_to_an_earlier_time_is_followed_from_its_end(tmp_path: Path) -> None:
    events = recorded(log(40))
    with opened(tmp_path) as desk:
        with StateStore.open(tmp_path / "state") as store:
            following = follower(desk, tmp_path)
            following.step()
            for event in events[:20]:
                store.record([event])
            following.step()
            following.stop()
            following.run()
        (tmp_path / "state").rename(tmp_path / "gone")
        (tmp_path / "state.key").rename(tmp_path / "gone.key")
        with StateStore.open(tmp_path / "state") as store:
            store.record(events[20:30])
            following = follower(desk, tmp_path)
            assert not following.step()
            before = export_ledger(tmp_path / "log", tmp_path / "scored.parquet")[0]
            store.record(events[30:])
            assert following.step()
        views = sum(event["type"] == "view" for event in events[30:])
        assert export_ledger(tmp_path / "log", tmp_path / "scored.parquet")[0] == before + views
        note = tmp_path / "log" / "followed.json"
        note.write_bytes(note.read_bytes().replace(b"value", b"volue"))
        with pytest.raises(CorruptError, match=r"followed\.json"), StateStore.open(tmp_path / "state"):
            follower(desk, tmp_path).step()


def test_there_has_to_be_something_to_follow() -> None:
    check_follow(fitted()[0], "state")
    with pytest.raises(InvalidArgumentError, match=r"\[state\] path"):
        check_follow(fitted()[0], "")
    model, _ = fit_model(batch(orders(200)[0]), SPECS, RuleSet(()))
    with pytest.raises(InvalidArgumentError, match="decides on all"):
        check_follow(model, "state")


def test_the_service_counts_what_is_recorded_each_once_kill_or_not(tmp_path: Path) -> None:
    kills = int(os.environ.get("RECOCORE_KILLS", "2"))
    small_index(Popularity()).save(tmp_path / "index")
    fitted()[0].save(tmp_path / "model")
    events = [event for event in log(200) if event["event_id"] is not None]
    with (
        FraudServer.start(
            tmp_path / "index",
            tmp_path / "model",
            tmp_path / "log",
            settings="follow_events=True",
            more=f"state=StateConfig(path={str(tmp_path / 'state')!r})",
        ) as running,
        Client(running.address, timeout=30, retries=200) as client,
    ):
        until((tmp_path / "log" / "followed.json").exists)
        pieces = [events[begin : begin + 20] for begin in range(0, len(events), 20)]
        dies = random.Random(9).sample(range(len(pieces)), min(kills, len(pieces)))
        for number, piece in enumerate(pieces):
            gone = running.kill_owner() if number in dies else None
            client.record_events(map(event_of, piece))
            if gone is not None:
                running.wait_for_another_owner(gone)
        # An order that was recorded has its decision all the same.
        order = next(event for event in events if event["type"] == "buy")
        assert client.score_fraud(event_of(order)).decision is not None
        wanted = {event["event_id"] for event in events if event["type"] == "view"} | {order["event_id"]}

        def found() -> list[str]:
            export_ledger(tmp_path / "log", tmp_path / "scored.parquet")
            return list(EventBatch.from_parquet(tmp_path / "scored.parquet").column("event_id").to_pylist())

        until(lambda: len(found()) >= len(wanted))
        assert sorted(found()) == sorted(wanted)
