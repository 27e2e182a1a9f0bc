"""Visitors who become users: linked by the event that names both, once, and by nothing that stands against it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from recocore.service.events.personal import StatePeople
from recocore.state import StateConfig, StateReader, StateStore
from recocore.state.draft import Call

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

JOINING = StateConfig(join_visitors=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StateStore]:
    with StateStore.open(tmp_path / "state", JOINING) as opened:
        yield opened


def event(item: str, user: str | None = None, visitor: str | None = None, kind: str = "view") -> dict[str, Any]:
    named = {"user_id": user, "visitor_id": visitor}
    return {"item_id": item, "type": kind, **{name: value for name, value in named.items() if value is not None}}


def links(store: StateStore, user: str, *, visitor: bool = False) -> list[tuple[str, bool, bool, bool]]:
    """Other id, whether that is a visitor's, whether merged into it, whether it holds."""
    record = store.user(user, visitor=visitor)
    assert record is not None
    return [(link.id, link.visitor, link.into, link.unmade is None) for link in record.links]


@pytest.mark.parametrize("as_visitor", [True, False])
def test_what_a_visitor_did_is_known_of_the_user_from_then_on(store: StateStore, as_visitor: bool) -> None:
    """Whether events before the login name a visitor_id, or the visitor as the user."""
    before = event("tea", visitor="v1") if as_visitor else event("tea", user="v1")
    store.record([before, {**before, "item_id": "pot", "type": "buy"}])
    store.record([event("mug", user="ann")])
    with StateReader.open(store.path) as reader:
        people = StatePeople(reader, 20)
        first = people.record("ann")
        assert first is not None
        assert [each.item_id for each in first.recent] == ["mug"]
        store.record([event("jug", "ann", "v1")])
        second = people.record("ann")
        assert second is not None
        assert people.version(second) != people.version(first)
        assert [each.item_id for each in second.recent] == ["tea", "pot", "mug", "jug"]
        assert second.seen == ("pot",)
        assert links(store, "ann") == [("v1", as_visitor, False, True)]
        assert links(store, "v1", visitor=as_visitor) == [("ann", False, True, True)]
        # Once is enough, and what the visitor does later counts too.
        store.record([event("lid", "ann", "v1")])
        store.record([{**before, "item_id": "cup"}])
        assert len(links(store, "ann")) == 1
        third = people.record("ann")
        assert third is not None
        assert third.recent[-1].item_id == "cup"

        [merged] = store.export_user("ann")["merged"]
        assert {each["item_id"] for each in merged["events"]} == {"tea", "pot", "cup"}
        store.forget("ann")
        gone, visitor = people.record("ann"), store.user("v1", visitor=as_visitor)
        assert gone is not None
        assert visitor is not None
        assert gone.forgotten
        assert visitor.forgotten
        assert list(store.events()) == []


def test_nobody_is_joined_unless_it_is_asked_for(tmp_path: Path) -> None:
    with StateStore.open(tmp_path / "state") as store:
        store.record([event("tea", visitor="v1")])
        store.record([event("mug", "ann", "v1")])
        assert links(store, "ann") == []


def test_of_whom_nothing_is_known_there_is_nothing_to_join(store: StateStore) -> None:
    store.record([event("mug", "ann", "v1"), event("mug", "bob", "bob")])
    assert links(store, "ann") == links(store, "bob") == []
    assert store.user("v1", visitor=True) is store.user("v1") is None
    # Who comes to be known later is joined by the next event that names both.
    store.record([event("tea", visitor="v1")])
    store.record([event("cup", "ann", "v1")])
    assert links(store, "ann") == [("v1", True, False, True)]


def test_a_device_is_of_the_first_who_logs_in(store: StateStore) -> None:
    store.record([event("tea", visitor="v1")])
    store.record([event("mug", "ann", "v1")])
    store.record([event("mug", "bob", "v1")])
    assert links(store, "bob") == []
    assert links(store, "v1", visitor=True) == [("ann", False, True, True)]


def test_what_was_taken_back_is_not_made_again(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with StateStore.open(path, JOINING) as store:
        store.record([event("tea", visitor="v1")])
        number = store.record([event("mug", "ann", "v1")]).commit
        store.unlink("ann", number)
        store.record([event("cup", "ann", "v1")])
        assert links(store, "ann") == [("v1", True, False, False)]
    with StateStore.open(path, JOINING) as store:
        store.record([event("lid", "ann", "v1")])
        assert links(store, "ann") == [("v1", True, False, False)]


@pytest.mark.parametrize("whose", ["ann", "v1"])
def test_who_wants_no_profile_is_not_joined(store: StateStore, whose: str) -> None:
    store.record([event("tea", visitor="v1")])
    store.set_consent(whose, "profiling", False, visitor=whose == "v1")
    store.record([event("mug", "ann", "v1")])
    assert links(store, "ann") == []


def test_who_was_forgotten_is_not_joined(store: StateStore) -> None:
    store.record([event("tea", visitor="v1")])
    store.forget("v1", visitor=True)
    store.record([event("mug", "ann", "v1")])
    assert links(store, "ann") == []


def test_calls_that_are_written_together_make_each_link_once(store: StateStore) -> None:
    store.record([event("tea", visitor=f"v{number}") for number in range(4)])
    rows = [event("mug", f"u{number % 2}", f"v{number}") for number in range(4)]
    # And no circle comes of ids that name each other.
    store.record([event("a", user="x"), event("b", user="y")])
    for _ in range(3):
        store.record_many([Call(rows), Call(rows[::-1]), Call([event("c", "x", "y"), event("c", "y", "x")])])
    assert links(store, "u0") == [("v0", True, False, True), ("v2", True, False, True)]
    assert sorted(links(store, "u1")) == [("v1", True, False, True), ("v3", True, False, True)]
    assert links(store, "x") == [("y", False, False, True)]
    assert links(store, "y") == [("x", False, True, True)]
    digest = store.digest()
    store.rebuild()
    assert store.digest() == digest
