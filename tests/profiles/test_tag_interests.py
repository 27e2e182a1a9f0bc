"""Interests in tags, of which an item has several: the same from the log, the stream and what records keep."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from tests.profiles.logs import as_batch, made_up

from recocore import _native
from recocore.data import EventBatch
from recocore.errors import InvalidArgumentError
from recocore.profiles import Features, KeptProfiles, ProfileConfig, Updater, build
from recocore.profiles.tag_sets import SEPARATOR

AT = datetime(2026, 1, 1, tzinfo=UTC)
CONFIG = ProfileConfig(half_lives={"tag": timedelta(days=1)})


def event(days: float, kind: str, tags: Any, user: str = "ann") -> dict[str, Any]:
    time = AT - timedelta(days=days)
    return {"user_id": user, "item_id": "mug", "type": kind, "event_time": time, "tags": tags}


def test_each_tag_of_an_event_counts_once_by_its_type_and_age() -> None:
    events = [event(1, "buy", ["gift", "cotton", "gift"]), event(2, "view", ("cotton",)), event(1, "view", [])]
    row = build(pa.Table.from_pylist(events), AT, CONFIG).row("ann")
    assert row["interest_tag"] == [{"name": "cotton", "weight": 2.75}, {"name": "gift", "weight": 2.5}]
    assert (row["interest_tag_total"], row["interest_tag_truncated"]) == (5.25, 0.0)
    narrow = build(pa.Table.from_pylist(events), AT, ProfileConfig(half_lives={"tag": timedelta(days=1)}, top=1))
    assert narrow.row("ann")["interest_tag_truncated"] == 2.5
    assert Features(narrow)["top_tag"].tolist() == ["cotton"]


def test_one_at_a_time_is_as_together() -> None:
    events = made_up(6, 500, seed=11)
    batch = as_batch(events)
    whole, single = Updater(CONFIG), Updater(CONFIG)
    whole.update(batch)
    for number, one in enumerate(events):
        # Both ways in: plain values, and what has to be looked at first.
        single.record(one if number % 2 or one["tags"] is None else {**one, "tags": tuple(one["tags"])})
    table = build(batch, AT, CONFIG)
    assert table.table.equals(whole.table(AT).table)
    assert table.table.equals(single.table(AT).table)
    assert any(len(row) > 1 for row in table.column("interest_tag").to_pylist())


def test_a_saved_and_a_merged_stream_know_their_tags(tmp_path: Any) -> None:
    events = made_up(5, 300, seed=12)
    first, second = Updater(CONFIG), Updater(CONFIG)
    first.update(as_batch(events[:150]))
    second.update(as_batch(events[150:]))
    first.save(tmp_path / "first")
    read = Updater.load(tmp_path / "first")
    read.merge(second)
    assert read.table(AT).table.equals(build(as_batch(events), AT, CONFIG).table)


def test_columns_of_any_kind_of_list_are_taken() -> None:
    given = [["gift", "cotton"], None, []]
    expected = build(pa.Table.from_pylist([event(1, "view", tags) for tags in given]), AT, CONFIG).table
    kinds = (pa.large_list(pa.large_string()), pa.list_(pa.dictionary(pa.int32(), pa.string())))
    for kind in kinds:
        plain = pa.Table.from_pylist([event(1, "view", None) for _ in given]).drop_columns(["tags"])
        table = plain.append_column("tags", pa.array(given, pa.list_(pa.string())).cast(kind))
        assert build(table, AT, CONFIG).table.equals(expected)


@pytest.mark.parametrize("tags", [["gift", ""], ["gift", None], [f"a{SEPARATOR}b"]])
def test_a_tag_that_is_none_is_refused_by_name(tags: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^tags: expected tags that are texts|^tags: expected a list"):
        build(pa.Table.from_pylist([event(1, "view", tags)]), AT, CONFIG)
    with pytest.raises(InvalidArgumentError, match=r"^tags: expected"):
        Updater(CONFIG).record(event(1, "view", tags))


def test_a_text_is_no_list() -> None:
    with pytest.raises(InvalidArgumentError, match=r"tags: expected lists of strings, got string"):
        build(pa.Table.from_pylist([event(1, "view", "gift")]), AT, CONFIG)
    with pytest.raises(InvalidArgumentError, match="tags: expected a list of strings, got 'gift'"):
        Updater(CONFIG).record(event(1, "view", "gift"))
    with pytest.raises(InvalidArgumentError, match="dimensions: expected text columns of the event schema, or tag"):
        ProfileConfig(dimensions=("tags",))
    with pytest.raises(InvalidArgumentError, match="path: expected a text column"):
        ProfileConfig(path="tag")


def test_a_csv_file_holds_no_lists(tmp_path: Any) -> None:
    (tmp_path / "log.csv").write_text("user_id,item_id,tags\nann,mug,gift\n")
    with pytest.raises(InvalidArgumentError, match=r"tags: expected lists of strings"):
        EventBatch.from_csv(tmp_path / "log.csv")
    (tmp_path / "plain.csv").write_text("user_id,item_id\nann,mug\n")
    assert len(EventBatch.from_csv(tmp_path / "plain.csv")) == 1


def test_records_without_tags_have_the_bytes_that_they_had() -> None:
    time = 1_700_000_000_000_000
    bare = (time, "view", "mug", *[None] * 12)
    plain = _native.kept_events_add(b"", [(*bare, None)], 1_024, 0)
    assert plain == _native.kept_events_add(b"", [(*bare, [])], 1_024, 0)
    assert plain[0] == 1
    tagged = _native.kept_events_add(plain, [(time + 1, *bare[1:], ["wool", "gift", "wool"])], 1_024, 0)
    assert tagged[0] == 2
    row = KeptProfiles().row([tagged, plain], "ann", time + 2)
    assert row is not None
    assert [entry["name"] for entry in row.row["interest_tag"]] == ["gift", "wool"]
