"""Real logs from file to profile, in batch and as a stream; skipped where the data is absent."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tests.real_data import data_set

from recocore.data import EventBatch, clean
from recocore.profiles import ProfileConfig, Updater, build, build_items, rfm


def streamed(events: EventBatch, config: ProfileConfig, parts: int) -> Updater:
    updater = Updater(config)
    order = np.random.default_rng(7).permutation(len(events))
    for rows in np.array_split(order, parts):
        updater.update(EventBatch(events.table.take(pa.array(rows))))
    return updater


def test_online_retail_whole() -> None:
    lines = pq.read_table(data_set("online-retail") / "lines.parquet")
    frame = lines.filter(pc.is_valid(lines.column("CustomerID")))
    value = pc.multiply(frame.column("Quantity").cast(pa.float64()), frame.column("UnitPrice"))
    table = pa.table(
        {
            "user_id": frame.column("CustomerID"),
            "item_id": frame.column("StockCode"),
            "type": pa.repeat("buy", frame.num_rows),
            "order_id": frame.column("InvoiceNo"),
            "event_time": frame.column("InvoiceDate"),
            "value": value,
            "price": frame.column("UnitPrice"),
            "quantity": frame.column("Quantity"),
            "country": frame.column("Country"),
        }
    )
    events = EventBatch.from_arrow(table, timezone="Europe/London")
    assert len(events) == 406_829
    config = ProfileConfig(currency="GBP", money_digits=3, timezone="Europe/London")  # some lines cost 0.001
    as_of = pc.max(events.column("event_time")).as_py() + timedelta(days=1)
    profiles = build(events, as_of, config)
    assert len(profiles) == 4_372
    pandas = frame.to_pandas().assign(value=np.rint(value.to_numpy() * 1000).astype(np.int64))
    # A negative line is a return.
    gross = pandas[pandas.value >= 0].groupby("CustomerID").value.sum()
    net = pandas.groupby("CustomerID").value.sum()
    orders = pandas[pandas.value >= 0].groupby("CustomerID").InvoiceNo.nunique()
    for name, expected in (("spend_gross", gross), ("n_orders", orders), ("spend_net", net)):
        users = profiles.column("user_id").to_numpy()
        found = profiles.column(name).to_numpy()
        assert (found == expected.reindex(users, fill_value=0).to_numpy()).all(), name
    scored = rfm(profiles)
    assert scored.num_rows == len(orders)
    counts = np.bincount(scored.column("m").to_numpy(), minlength=6)[1:]
    assert abs(counts - len(orders) / 5).max() <= 1  # nearly no ties in money
    stream = streamed(events, config, parts=11)
    again = stream.table(as_of)
    assert again.table.equals(profiles.table)
    assert again.cuts == profiles.cuts
    items = build_items(events, as_of, config)
    assert items.num_rows == len(pc.unique(events.column("item_id")))
    assert pc.sum(items.column("revenue")).as_py() == int(pandas.value.sum())


def test_retailrocket_whole() -> None:
    columns = {"user_id": "user", "item_id": "item", "type": "event", "event_time": "timestamp"}
    path = data_set("retailrocket") / "events.parquet"
    events = clean(EventBatch.from_parquet(path, columns, time_unit="s")).events
    as_of = pc.max(events.column("event_time")).as_py() - timedelta(days=20)
    profiles = build(events, as_of, ProfileConfig())
    frame = pq.read_table(path).to_pandas()
    frame = frame[frame.timestamp < as_of.timestamp()]
    counts = frame.groupby(["user", "event"]).size().unstack(fill_value=0)
    users = profiles.column("user_id").to_numpy()
    assert (users == counts.index.to_numpy()).all()
    for name in counts.columns:
        assert (profiles.column(f"count_{name}").to_numpy() == counts[name].to_numpy()).all()
    frozen = ProfileConfig(cuts=profiles.cuts)
    stream = streamed(events, frozen, parts=5)
    assert stream.table(as_of).table.equals(profiles.table)
    for user in users[::200]:
        assert stream.row(int(user), as_of) == profiles.row(int(user))
