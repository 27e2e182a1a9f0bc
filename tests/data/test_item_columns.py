"""The last that a log says of its items, compared with a loop over its rows."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from recocore.data import EventBatch, latest_item_columns


@pytest.mark.parametrize("timed", [True, False])
def test_the_last_word_counts(timed: bool) -> None:
    rng = np.random.default_rng(2)
    rows = [
        {
            "user_id": 1,
            "item_id": None if rng.random() < 0.05 else int(rng.integers(0, 30)),
            "event_time": None if rng.random() < 0.1 else int(rng.integers(0, 50)),
            "type": "view",
            "brand": [None, "a", "b", "c"][rng.integers(0, 4)],
            "price": None if rng.random() < 0.5 else float(rng.integers(1, 100)),
        }
        for _ in range(600)
    ]
    table = pa.Table.from_pylist(rows)
    events = EventBatch.from_arrow(table if timed else table.drop_columns("event_time"), time_unit="s")
    wanted: dict[object, dict[str, object]] = {}
    early = -1
    ordered = sorted(rows, key=lambda row: early if row["event_time"] is None else row["event_time"]) if timed else rows
    for row in ordered:
        if row["item_id"] is not None:
            known = wanted.setdefault(row["item_id"], {"brand": None, "price": None})
            known.update({name: row[name] for name in known if row[name] is not None})
    found = latest_item_columns(events)
    assert found is not None
    assert found.column_names == ["item_id", "brand", "price"]
    assert {row.pop("item_id"): row for row in found.to_pylist()} == wanted


def test_a_log_that_says_nothing_of_items() -> None:
    assert latest_item_columns(EventBatch.from_arrow({"user_id": [1], "item_id": [2]})) is None
