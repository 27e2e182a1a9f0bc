"""The case's log, and the moment of the profiles."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks.harness.scenario import UnavailableError
from recocore.data import synthetic_shop

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

TYPES = ("view", "cart", "buy", "refund", "search")
WEIGHTS = {"view": 1.0, "cart": 3.0, "buy": 5.0, "refund": -5.0}
HALF_LIFE_DAYS = 30
TOP = 5
SESSION_MINUTES = 30
_COLUMNS = ["event_time", "user_id", "item_id", "type", "value", "session_id", "category", "brand", "currency"]


def synthetic(events: int) -> pa.Table:
    """A seeded log of the synthetic shop, 50 events a user."""
    shop = synthetic_shop(n_users=max(1, events // 50), n_items=5000, n_events=events, seed=11)
    return shop.events.table.select(_COLUMNS).combine_chunks()


def online_retail(data: Path) -> pa.Table:
    """Lines with a customer; returns are refunds; the letters of a stock code stand for a brand, the country for a category."""
    path = data / "online-retail" / "lines.parquet"
    if not path.is_file():
        raise UnavailableError(
            "online-retail/lines.parquet is not in the data folder; name one with --data or RECOCORE_DATA"
        )
    lines = pq.read_table(path)
    lines = lines.filter(pc.is_valid(lines.column("CustomerID")))
    value = np.round(lines.column("Quantity").to_numpy() * lines.column("UnitPrice").to_numpy(), 2)
    return pa.table(
        {
            "event_time": pc.assume_timezone(lines.column("InvoiceDate").cast(pa.timestamp("us")), "UTC"),
            "user_id": pc.cast(lines.column("CustomerID"), pa.string()),
            "item_id": lines.column("StockCode"),
            "type": pc.if_else(pa.array(value < 0), "refund", "buy"),
            "value": pa.array(np.abs(value)),
            "session_id": lines.column("InvoiceNo"),
            "category": lines.column("Country"),
            "brand": pc.utf8_slice_codeunits(lines.column("StockCode"), 0, 2),
            "currency": pa.repeat("GBP", lines.num_rows),
        }
    ).combine_chunks()


def coded(log: pa.Table) -> pa.Table:
    """The log with every text as the code of a dictionary."""
    texts = [field.name for field in log.schema if pa.types.is_string(field.type)]
    for name in texts:
        log = log.set_column(log.column_names.index(name), name, log.column(name).dictionary_encode())
    return log.combine_chunks()


def load(inputs: Mapping[str, Path]) -> pa.Table:
    """The log in memory, texts as the case has them: strings or dictionaries."""
    return pq.read_table(inputs["log"]).combine_chunks()


def moment(log: Any) -> datetime:
    """A microsecond after the last event: all count."""
    last = pc.max(log.column("event_time")).cast(pa.int64()).as_py()
    return datetime.fromtimestamp((last + 1) // 1_000_000, UTC).replace(microsecond=(last + 1) % 1_000_000)
