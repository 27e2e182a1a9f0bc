"""The online-retail log as events, for tests that need some of its customers; skipped where the data is absent."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from tests.real_data import data_set

from recocore.data import EventBatch

TIMEZONE = "Europe/London"


def retail_events(customers: int | None = None) -> EventBatch:
    """All lines with a customer, or those of the first so many by id, each with an event_id; a negative one is a return."""
    lines = pq.read_table(data_set("online-retail") / "lines.parquet")
    frame = lines.filter(pc.is_valid(lines.column("CustomerID")))
    if customers is not None:
        chosen = pc.unique(frame.column("CustomerID")).sort()[:customers]
        frame = frame.filter(pc.is_in(frame.column("CustomerID"), value_set=chosen))
    rows = frame.num_rows
    table = pa.table(
        {
            "event_id": pa.array([f"line-{row}" for row in range(rows)]),
            "user_id": frame.column("CustomerID").cast(pa.string()),
            "item_id": frame.column("StockCode"),
            "type": pa.repeat("buy", rows),
            "order_id": frame.column("InvoiceNo"),
            "event_time": frame.column("InvoiceDate"),
            "value": pc.multiply(frame.column("Quantity").cast(pa.float64()), frame.column("UnitPrice")),
            "price": frame.column("UnitPrice"),
            "quantity": frame.column("Quantity"),
            "country": frame.column("Country"),
        }
    )
    return EventBatch.from_arrow(table, timezone=TIMEZONE)
