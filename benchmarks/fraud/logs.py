"""The two simulated card logs, in the event schema, with reports of fraud that come later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recocore.data import EventBatch

if TYPE_CHECKING:
    from pathlib import Path

    from recocore.types import Float64Array, Int64Array

DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True, eq=False)
class CardLog:
    """Payments, and reports of fraud as events of their own.

    Attributes:
        name: of the data set.
        events: payments (type buy) and reports (type fraud, `delay_days` after the payment), by time.
        labels: 1 or 0 for payments, NaN for reports.
        delay_days: how long a fraud stays unknown.
    """

    name: str
    events: EventBatch
    labels: Float64Array
    delay_days: int

    @property
    def times(self) -> Int64Array:
        """Event times, microseconds."""
        times: Int64Array = self.events.column("event_time").cast(pa.int64()).to_numpy()
        return times


def handbook(folder: Path, days: int) -> CardLog:
    """Simulated: the Fraud Detection Handbook's generator; three scenarios; the first `days` of 183 days."""
    read = pq.read_table(folder / "fraud-handbook" / "transactions.parquet")
    times = read.column("TX_DATETIME").cast(pa.timestamp("us")).cast(pa.int64()).to_numpy()
    kept = times < times.min() + days * DAY_US
    read, times = read.filter(pa.array(kept)), times[kept]
    return _log(
        "fraud-handbook",
        times,
        read.column("CUSTOMER_ID"),
        read.column("TERMINAL_ID"),
        read.column("TX_AMOUNT").to_numpy(),
        read.column("TX_FRAUD").to_numpy(),
        delay_days=7,
    )


def card_demo(folder: Path) -> CardLog:
    """Synthetic: a vendor's demonstration data, 15 % fraud, three payments a card."""
    read = pq.read_table(folder / "card-demo" / "transactions.parquet")
    texts = read.column("datetime")
    times = pc.strptime(texts, "%Y-%m-%d %H:%M:%S", "us").cast(pa.int64()).to_numpy()
    return _log(
        "card-demo",
        times,
        read.column("card_id"),
        read.column("store_id"),
        read.column("amount").to_numpy().astype(np.float64) / 100,
        read.column("fraud").to_numpy().astype(np.int64),
        delay_days=7,
    )


def _log(
    name: str,
    times: Int64Array,
    users: pa.ChunkedArray,
    places: pa.ChunkedArray,
    values: Float64Array,
    frauds: Int64Array,
    delay_days: int,
) -> CardLog:
    count = len(times)
    fraud = np.flatnonzero(frauds == 1)
    row = np.concatenate([np.arange(count), fraud])
    when = np.concatenate([times, times[fraud] + delay_days * DAY_US])
    report = np.arange(len(row)) >= count
    order = np.lexsort((report, when))
    row, when, report = row[order], when[order], report[order]
    taken = pa.array(row)
    table = pa.table(
        {
            "event_id": pc.binary_join_element_wise(
                pa.array(np.where(report, "report-", "payment-")), pa.array(row).cast(pa.string()), ""
            ),
            "event_time": when,
            "user_id": users.take(taken).cast(pa.string()),
            "item_id": places.take(taken).cast(pa.string()),
            "device": places.take(taken).cast(pa.string()),
            "type": np.where(report, "fraud", "buy"),
            "value": values[row],
        }
    )
    labels = np.where(report, np.nan, frauds[row].astype(np.float64))
    return CardLog(name, EventBatch.from_arrow(table, time_unit="us"), labels, delay_days)
