"""What is stated of people: declared attributes, links of ids, and events that profiles are made of, as the log says."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from recocore import _native
from recocore.errors import AlreadyExistsError, ConflictError, InvalidArgumentError, NoConsentError, NotFoundError
from recocore.state import KeyFile, StateConfig, StateReader, StateStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime.now(UTC).replace(microsecond=0)


def event(user: str, number: int, **more: Any) -> dict[str, Any]:
    return {
        "event_id": f"{user}-{number}",
        "user_id": user,
        "item_id": f"i{number % 7}",
        "type": ["view", "buy"][number % 2],
        "event_time": NOW - timedelta(days=number),
        "category": f"c{number % 3}",
        **more,
    }


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    with StateStore.open(tmp_path / "state") as made:
        yield made


def times(store: StateStore, user: str) -> list[int]:
    record = store.user(user)
    assert record is not None
    return _native.kept_events_times(record.profile)


def test_a_record_keeps_the_newest_events_of_every_kind(store: StateStore) -> None:
    events = [event("ann", number) for number in range(200)]
    search = {"user_id": "ann", "type": "search", "query": "tea", "event_time": NOW - timedelta(hours=1)}
    store.record([*events[::2], search])
    store.record(events[1::2])
    record = store.user("ann")
    assert record is not None
    assert len(record.profile) <= 1_024
    kept = times(store, "ann")
    newest = sorted(round(each["event_time"].timestamp() * 1e6) for each in [*events, search])
    assert len(kept) > 30
    assert kept == newest[-len(kept) :]
    assert record.seen  # what recommendations read is there as before


def test_what_was_declared_holds_by_version(store: StateStore) -> None:
    first = store.declare("ann", {"region": "Taipei", "age": "31"}, "account")
    record = store.user("ann")
    assert record is not None
    assert {said.name: (said.value, said.source) for said in record.declared} == {
        "region": ("Taipei", "account"),
        "age": ("31", "account"),
    }
    assert record.declared_version == first
    store.record([event("ann", 1)])
    second = store.declare("ann", {"region": None}, "survey", version=first)
    with pytest.raises(ConflictError, match=f"expected {second}, the commit that changed"):
        store.declare("ann", {"age": "32"}, "account", version=first)
    record = store.user("ann")
    assert record is not None
    assert [said.name for said in record.declared] == ["age"]
    history = store.export_user("ann")["declared_history"]
    assert [(said["name"], said["value"]) for said in history] == [("region", "Taipei"), ("age", "31"), ("region", "")]
    for wrong in ({}, {"A": "x"}, {"age": "9" * 2_000}):
        with pytest.raises(InvalidArgumentError):
            store.declare("ann", wrong, "account")


def test_links_have_a_history_and_circles_are_refused(store: StateStore) -> None:
    store.record([event("ann", 1), event("old", 2)])
    number = store.link("old", "ann", why="support")
    visitor = store.link("cookie", "ann", visitor=True)
    assert store.link("old", "ann") == number
    with pytest.raises(AlreadyExistsError, match="merged into ann already"):
        store.link("old", "bob")
    for source, target in (("ann", "ann"), ("ann", "old")):
        with pytest.raises(InvalidArgumentError, match="somebody else than the target"):
            store.link(source, target)
    assert store.user("bob") is None
    store.unlink("ann", number)
    with pytest.raises(NotFoundError, match="a merge into this user that holds"):
        store.unlink("ann", number)
    again = store.link("old", "bob")
    ann, old = store.user("ann"), store.user("old")
    assert ann is not None
    assert old is not None
    assert [(link.number, link.id, link.visitor, link.unmade is None) for link in ann.links] == [
        (number, "old", False, False),
        (visitor, "cookie", True, True),
    ]
    assert [(link.number, link.id, link.into, link.unmade is None) for link in old.links] == [
        (number, "ann", True, False),
        (again, "bob", True, True),
    ]


def test_who_is_forgotten_is_forgotten_under_every_id(store: StateStore) -> None:
    store.record([event("ann", 1), event("old", 2), event("older", 3), event("apart", 4)])
    store.link("older", "old")
    store.link("old", "ann")
    undone = store.link("apart", "ann")
    store.unlink("ann", undone)
    assert [each["user_id"] for each in store.export_user("ann")["merged"]] == ["old", "older"]
    receipt = store.forget("ann")
    assert receipt.events == 3
    for name in ("ann", "old", "older"):
        record = store.user(name)
        assert record is not None
        assert record.forgotten
    apart = store.user("apart")
    assert apart is not None
    assert not apart.forgotten
    with pytest.raises(InvalidArgumentError, match="one who was forgotten"):
        store.declare("ann", {"age": "9"}, "account")
    with pytest.raises(InvalidArgumentError, match="one who was forgotten"):
        store.link("apart", "ann")


def test_without_consent_to_profiling_nothing_is_kept_for_one(store: StateStore) -> None:
    store.record([event("ann", number) for number in range(5)])
    store.declare("ann", {"age": "31"}, "account")
    store.set_consent("ann", "profiling", False)
    store.record([event("ann", 9)])
    record = store.user("ann")
    assert record is not None
    assert (record.profile, record.declared) == (b"", ())
    assert record.recent
    with pytest.raises(NoConsentError, match="wants no profile"):
        store.declare("ann", {"age": "31"}, "account")
    store.set_consent("ann", "profiling", True)
    store.record([event("ann", 11)])
    assert len(times(store, "ann")) == 1


def test_the_log_says_all_of_it(tmp_path: Path, store: StateStore) -> None:
    store.record([event(name, number) for name in ("ann", "bob") for number in range(90)])
    store.declare("ann", {"age": "31"}, "account")
    store.unlink("ann", store.link("bob", "ann"))
    store.link("cookie", "ann", visitor=True)
    store.set_consent("bob", "profiling", False)
    store.record([event("bob", 200)])
    before = store.digest()
    store.rebuild()
    assert store.digest() == before
    with StateStore.open(tmp_path / "again", keys=KeyFile.open(tmp_path / "state.key")) as other:
        other.replay(store)
        assert other.digest() == before
    store.retain(timedelta(days=20))
    kept = store.digest()
    store.rebuild()
    assert store.digest() == kept != before
    with StateReader.open(tmp_path / "state") as reader:
        assert reader.user("ann") == store.user("ann")


def test_records_of_the_version_before_are_made_again(tmp_path: Path) -> None:
    with StateStore.open(tmp_path / "state") as store:
        store.record([event("ann", 1)])
        before = store.digest()
    mark = tmp_path / "state" / "records.json"
    assert json.loads(mark.read_bytes())["format_version"] == 2
    with StateStore.open(tmp_path / "state", StateConfig(max_profile_bytes=0)) as store:
        store.record([event("ann", 3)])
        assert len(times(store, "ann")) == 1
    with StateStore.open(tmp_path / "state") as store:
        store.rebuild()
        assert len(times(store, "ann")) == 2
        assert store.digest() != before
