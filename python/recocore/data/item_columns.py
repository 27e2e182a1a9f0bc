"""What an event log says of items beside who had them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recocore.data.events import as_events
from recocore.data.id_column import missing_ids

# The columns of the event schema that describe the item as it was at the moment of the event.
ITEM_COLUMNS: Final = ("category", "brand", "price", "currency")


def latest_item_columns(events: Any) -> pa.Table | None:
    """The last that a log says of each item, column by column; None where it has no column about items.

    The last is that of the latest `event_time`, of the later row where two are equal or the log has no times; an event
    without a time counts as the earliest. One that says nothing in a column leaves what earlier ones said.

    Args:
        events: the log: a batch, or what `EventBatch.from_arrow` takes.

    Returns:
        `item_id`, each once, and those of `ITEM_COLUMNS` that the log has.

    Example:
        >>> from recocore.data import EventBatch
        >>> log = {"user_id": [1, 1, 2], "item_id": ["tea", "pot", "tea"], "price": [3.0, 9.0, 3.5], "brand": ["x", None, None]}
        >>> latest_item_columns(EventBatch.from_arrow(log)).sort_by("item_id").to_pylist()
        [{'item_id': 'pot', 'brand': None, 'price': 9.0}, {'item_id': 'tea', 'brand': 'x', 'price': 3.5}]
    """
    events = as_events(events)
    names = [name for name in ITEM_COLUMNS if events.has(name)]
    if not names:
        return None
    table = events.table.filter(pa.array(~missing_ids(events.column("item_id"))))
    if events.has("event_time"):
        # An event without a time counts as the earliest.
        times = pc.fill_null(table.column("event_time").cast(pa.int64()), np.iinfo(np.int64).min).to_numpy()
        table = table.take(pa.array(np.argsort(times, kind="stable")))
    # On one thread groups see their rows in order.
    grouped = table.select(["item_id", *names]).group_by("item_id", use_threads=False)
    latest = grouped.aggregate([(name, "last") for name in names])
    return latest.select(["item_id", *(f"{name}_last" for name in names)]).rename_columns(["item_id", *names])
