"""Labels are matched by id, and only those known by the cut."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recocore.data import EventBatch
from recocore.errors import InvalidArgumentError, NotFoundError
from recocore.fraud import synthetic_orders
from recocore.fraud.labels import read_labels

if TYPE_CHECKING:
    from pathlib import Path

NAN = float("nan")


def events() -> EventBatch:
    ids = ["a", "b", None, "c"]
    return EventBatch.from_arrow(pa.table({"event_id": ids, "user_id": ["u"] * 4, "item_id": [1] * 4}))


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("event_id,y,ts\na,1,100\nb,0,200\nb,1,300\nzz,1,1\n")
    times = [datetime.fromtimestamp(t / 1e6, UTC) for t in (100, 200, 300)]
    pq.write_table(pa.table({"event_id": ["a", "b", "b"], "y": [1, 0, 1], "ts": times}), tmp_path / "labels.parquet")
    for name in ("labels.csv", "labels.parquet"):
        for by, expected in ((None, [1, 1, NAN, NAN]), (250, [1, 0, NAN, NAN]), (100, [1, NAN, NAN, NAN])):
            np.testing.assert_array_equal(read_labels(tmp_path / name, events(), by), expected)


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("event_id,y\na,1\n")
    with pytest.raises(InvalidArgumentError, match="ts"):
        read_labels(path, events(), 5)
    path.write_text("event_id,y,ts\na,2,1\n")
    with pytest.raises(InvalidArgumentError, match="0 or 1"):
        read_labels(path, events())
    path.write_text("event_id,y,ts\na,1,soon\n")
    with pytest.raises(InvalidArgumentError, match="microseconds"):
        read_labels(path, events(), 5)
    with pytest.raises(NotFoundError):
        read_labels(tmp_path / "none.csv", events())


def test_simulated_orders_are_in_order_and_repeat() -> None:
    first, again, other = synthetic_orders(1500, seed=1), synthetic_orders(1500, seed=1), synthetic_orders(1500, seed=2)
    assert first.events.table == again.events.table
    assert first.events.table != other.events.table
    times = first.events.column("event_time").cast("int64").to_numpy()
    assert (np.diff(times) >= 0).all()
    assert first.labels.sum() == 45
    assert ((first.known_times - times) == 5 * 86_400_000_000).all()
    with pytest.raises(InvalidArgumentError, match="fraud_share"):
        synthetic_orders(1500, fraud_share=0.9)
