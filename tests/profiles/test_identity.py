"""Who is whom: merges, chains, cycles, as-of look-ups, and undoing without a trace."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recocore.data import EventBatch
from recocore.errors import CorruptError, InvalidArgumentError, NotFoundError
from recocore.profiles.identity import Identities

if TYPE_CHECKING:
    from pathlib import Path

START = datetime(2026, 1, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return START + timedelta(days=number)


def test_chains_end_at_the_last_target() -> None:
    known = Identities()
    known.merge_visitor("cookie", "a", at=day(0))
    known.merge_users("a", "b", at=day(1))
    known.merge_users("b", "c", at=day(2))
    known.add_alias("crm-7", "a", at=day(3))
    assert known.resolve("a") == known.resolve("b") == known.resolve("c") == "c"
    assert known.user_of_visitor("cookie") == known.user_of_alias("crm-7") == "c"
    assert [known.user_of_visitor("cookie", as_of=day(at)) for at in range(4)] == [None, "a", "b", "c"]
    assert known.members("a", as_of=day(2)) == [("user", "b"), ("user", "a"), ("visitor", "cookie")]


def test_a_cycle_is_one_person() -> None:
    known = Identities()
    known.merge_users("a", "b", at=day(0))
    known.merge_users("b", "c", at=day(1))
    closing = known.merge_users("c", "a", at=day(2))
    assert {known.resolve(name) for name in "abc"} == {"c"}
    known.unmerge(closing, at=day(3))
    assert {known.resolve(name) for name in "abc"} == {"c"}


def test_a_link_that_was_superfluous_counts_when_the_other_goes() -> None:
    known = Identities()
    first = known.merge_visitor("cookie", "ann", at=day(0), why="login")
    known.merge_visitor("cookie", "ann", at=day(1), why="login again")
    known.unmerge(first, at=day(2))
    assert known.user_of_visitor("cookie") == "ann"
    assert [link.unmade for link in known.history] == [day(2), None]


def test_a_user_names_a_group_of_visitors() -> None:
    known = Identities()
    known.merge_visitor("v", "ann", at=day(0))
    assert known.members("ann") == [("user", "ann"), ("visitor", "v")]
    # The same text as a visitor and as a user are two ids.
    assert known.resolve("v") == "v"


links = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)).filter(lambda pair: pair[0] != pair[1]), max_size=9)


@settings(max_examples=80, deadline=None)
@given(links, st.data())
def test_unmerge_leaves_no_trace(pairs: list[tuple[int, int]], data: Any) -> None:
    """Whoever is whom is as if the link had never been made; before it was taken back, as if nothing had been."""
    known, kept_all = Identities(), Identities()
    gone = data.draw(st.integers(0, len(pairs) - 1)) if pairs else None
    without = Identities()
    for number, (source, target) in enumerate(pairs):
        for each in (known, kept_all):
            each.merge_users(source, target, at=day(number))
        if number != gone:
            without.merge_users(source, target, at=day(number))
    if gone is not None:
        known.unmerge(gone, at=day(50))
    for user in range(6):
        assert known.resolve(user) == without.resolve(user)
        assert known.resolve(user, as_of=day(50)) == kept_all.resolve(user)
        assert known.resolve(user, as_of=day(len(pairs) - 1)) == kept_all.resolve(user, as_of=day(len(pairs) - 1))


@settings(max_examples=60, deadline=None)
@given(links)
def test_groups_are_the_connected_components(pairs: list[tuple[int, int]]) -> None:
    known = Identities()
    groups = [{user} for user in range(6)]
    for number, (source, target) in enumerate(pairs):
        known.merge_users(source, target, at=day(number))
        one, other = (next(group for group in groups if user in group) for user in (source, target))
        if one is not other:
            groups.remove(other)
            one |= other
    for group in groups:
        assert {known.resolve(user) for user in group} == {known.resolve(min(group))}
        assert known.resolve(min(group)) in group
        assert {node[1] for node in known.members(min(group))} == group


def test_events_go_to_whom_they_belong_to() -> None:
    table = pa.table(
        {
            "user_id": ["ann", None, None, "old", None],
            "visitor_id": ["v1", "v1", "v2", None, None],
            "item_id": ["a", "b", "c", "d", "e"],
            "event_time": [START] * 5,
        }
    )
    events = EventBatch.from_arrow(table)
    known = Identities()
    known.merge_visitor("v1", "ann", at=day(1))
    number = known.merge_users("old", "ann", at=day(5))
    assert known.apply(events).column("user_id").to_pylist() == ["ann", "ann", None, "ann", None]
    assert known.apply(events, as_of=day(3)).column("user_id").to_pylist() == ["ann", "ann", None, "old", None]
    assert known.apply(events, as_of=START).table.equals(events.table)
    known.unmerge(number, at=day(6))
    assert known.apply(events).column("user_id").to_pylist() == ["ann", "ann", None, "old", None]


def test_whole_number_ids_stay_numbers() -> None:
    table = pa.table({"user_id": pa.array([1, 2, None]), "visitor_id": ["x", "y", "y"], "item_id": [1, 2, 3]})
    known = Identities()
    known.merge_users(2, 3_000_000_000_000, at=day(0))
    known.merge_visitor("y", 2, at=day(1))
    told = known.apply(EventBatch.from_arrow(table)).column("user_id")
    assert told.type == pa.int64()
    assert told.to_pylist() == [1, 3_000_000_000_000, 3_000_000_000_000]


def test_a_saved_history_is_the_same(tmp_path: Path) -> None:
    known = Identities()
    known.merge_visitor("v", 7, at=day(0), why="login")
    number = known.merge_users(7, 8, at=day(1))
    known.unmerge(number, at=day(2))
    path = tmp_path / "identities.json"
    known.save(path)
    read = Identities.load(path)
    assert read.history == known.history
    path.write_text(path.read_text(encoding="utf-8").replace("login", "logon"), encoding="utf-8")
    with pytest.raises(CorruptError, match="digest"):
        Identities.load(path)


def test_refusals() -> None:
    known = Identities()
    known.merge_users("a", "b", at=day(5))
    with pytest.raises(InvalidArgumentError, match="another id than the target"):
        known.merge_users("a", "a", at=day(6))
    with pytest.raises(InvalidArgumentError, match="in the order of time"):
        known.merge_users("c", "b", at=day(4))
    with pytest.raises(InvalidArgumentError, match="visitor: expected an id, got ''"):
        known.merge_visitor("", "b", at=day(6))
    with pytest.raises(InvalidArgumentError, match="a datetime with a zone"):
        known.merge_users("c", "b", at=datetime(2027, 1, 1))
    with pytest.raises(InvalidArgumentError, match="when the link was made"):
        known.unmerge(0, at=day(1))
    known.unmerge(0, at=day(6))
    with pytest.raises(NotFoundError, match="a link that holds, got 0"):
        known.unmerge(0, at=day(7))
