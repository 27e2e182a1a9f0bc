"""The path from a real log to interactions; skipped where the data is not beside the repository."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.real_data import data_set

from recocore.data import EventBatch, Interactions, Reason, clean, leave_last_out, split_by_time


def test_online_retail_lines_without_a_customer_are_set_aside() -> None:
    events = EventBatch.from_parquet(
        data_set("online-retail") / "lines.parquet",
        {
            "order_id": "InvoiceNo",
            "item_id": "StockCode",
            "quantity": "Quantity",
            "event_time": "InvoiceDate",
            "price": "UnitPrice",
            "user_id": "CustomerID",
            "country": "Country",
        },
        drop_unmapped=True,
        timezone="Europe/London",
    )
    cleaned = clean(events)
    assert cleaned.report.rows_in == 541_909
    assert cleaned.report.counts[Reason.MISSING_USER_ID] == 135_080
    met = Interactions.from_events(cleaned.events)
    assert (met.users.kind, met.items.kind) == ("integer", "string")
    assert met.n_users <= 4_372
    split = split_by_time(cleaned.events, fraction=0.2)
    assert split.train.users is split.test.users
    assert split.train.timestamps is not None
    assert split.test.timestamps is not None
    assert split.train.timestamps.max() < split.test.timestamps.min()


def test_retailrocket_types_weigh_as_they_should() -> None:
    path = data_set("retailrocket") / "events.parquet"
    columns = {"user_id": "user", "item_id": "item", "type": "event", "event_time": "timestamp"}
    events = EventBatch.from_parquet(path, columns, time_unit="s")
    met = Interactions.from_events(events, {"view": 1.0, "cart": 3.0, "buy": 5.0}, half_life=dt.timedelta(days=30))
    frame = pq.read_table(path).to_pandas()
    weight = frame["event"].map({"view": 1.0, "cart": 3.0, "buy": 5.0})
    age = (frame["timestamp"].max() - frame["timestamp"]) / (30 * 86_400)
    total = float((weight * 2.0**-age).sum())
    assert met.matrix.values.astype(np.float64).sum() == pytest.approx(total, rel=1e-6)
    assert met.nnz == len(frame.drop_duplicates(["user", "item"]))


def test_gowalla_keeps_its_fixed_split_under_one_pair_of_maps() -> None:
    train_rows, test_rows = (pq.read_table(data_set("gowalla") / f"{part}.parquet") for part in ("train", "test"))
    train = Interactions.from_coo(train_rows["user"], train_rows["item"])
    test = train.aligned(test_rows["user"], test_rows["item"])
    assert (train.n_users, train.n_items, train.nnz, test.nnz) == (29_858, 40_981, 810_128, 217_242)
    both = train.matrix.to_scipy().multiply(test.matrix.to_scipy())
    assert both.nnz == 0


def test_movielens_leaves_the_last_rating_out() -> None:
    ratings = pq.read_table(data_set("ml-latest-small") / "ratings.parquet")
    met = Interactions.from_coo(ratings["user"], ratings["item"], ratings["rating"], ratings["timestamp"])
    split = leave_last_out(met)
    assert (met.n_users, met.n_items, met.nnz) == (668, 10_325, 105_339)
    assert split.test.nnz == 668
