"""Profiles of items: what sells, what is new, what is promoted."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recocore.data.events import EventBatch, as_events
from recocore.data.times import to_us
from recocore.errors import InvalidArgumentError
from recocore.ops.arguments import real
from recocore.profiles.columns import native_events
from recocore.profiles.config import ProfileConfig
from recocore.profiles.cuts import place_in_groups

if TYPE_CHECKING:
    from recocore.data.times import Instant
    from recocore.types import AnyArray, BoolArray, Float64Array

LABELS: Final = ("hot", "star", "new", "promoted", "premium", "regular")
_US = timedelta(microseconds=1)
_NONE = np.iinfo(np.int64).min


def build_items(
    events: Any,
    as_of: Instant,
    config: ProfileConfig | None = None,
    *,
    hot_share: float = 0.1,
    star_share: float = 0.8,
    promoted_share: float = 0.3,
    premium_from: float = 0.8,
    new_within: timedelta = timedelta(days=30),
) -> pa.Table:
    """Profile every item that was met before `as_of`; which events count, and how money reads, is as for `build`.

    Labels: **hot**, the score `Σ w·2^(-age/h)` (the configuration's weights and half-life) is above 0 and among the best
    `hot_share` of all scores, ties included; **star**, among the items that together bring `star_share` of all net revenue,
    best first (the A class of an ABC analysis), ties included; **new**, first met within `new_within`; **promoted**, at
    least `promoted_share` of its purchases were discounted; **premium**, its last price is at or above the percentile
    `premium_from` of the last prices in its category; **regular**, none of these.

    Returns:
        Ascending by item_id: item_id, category, n_events, n_users, n_buyers, n_purchases, n_refunds, quantity, revenue (net,
        minor units), score, price (the last, minor units), price_percentile (within the category), discounted_share,
        refund_rate, conversion (buyers / users), first_event, last_event, and labels (list of the names above).

    Raises:
        InvalidArgumentError: as `build`; a share outside of [0, 1].

    O(events log events).

    Example:
        >>> from datetime import UTC, datetime
        >>> day = datetime(2026, 3, 1, tzinfo=UTC)
        >>> events = pa.table({"user_id": ["ann", "bob"], "item_id": ["mug", "pen"], "type": ["buy", "view"],
        ...                    "value": [7.5, None], "event_time": [day, day]})
        >>> build_items(events, datetime(2026, 6, 1, tzinfo=UTC)).select(["item_id", "revenue", "labels"]).to_pylist()[0]
        {'item_id': 'mug', 'revenue': 750, 'labels': ['hot', 'star']}
    """
    config = config or ProfileConfig()
    for name, share in (("hot_share", hot_share), ("star_share", star_share), ("promoted_share", promoted_share),
                        ("premium_from", premium_from)):  # fmt: skip
        if not 0 <= real(share, name) <= 1:
            raise InvalidArgumentError(f"{name}: expected a share from 0 to 1, got {share}", field=name)
    moment = to_us(as_of, "as_of")
    batch = as_events(events)
    seen = _Seen.of(batch, moment, config)
    columns = seen.columns()
    labels = {
        "hot": _best(columns["score"], hot_share) & (columns["score"] > 0),
        "star": _abc(columns["revenue"], star_share),
        "new": columns["first_event"] >= moment - new_within // _US,
        "promoted": np.nan_to_num(columns["discounted_share"]) >= max(promoted_share, np.finfo(np.float64).tiny),
        "premium": np.nan_to_num(columns["price_percentile"], nan=-1.0) >= premium_from,
    }
    labels["regular"] = ~np.logical_or.reduce(list(labels.values()))
    return seen.table(columns, labels)


class _Seen:
    """The events that count, each once, by item."""

    def __init__(self, native: Any, rows: AnyArray, items: AnyArray, item_ids: pa.Array, moment: int,
                 config: ProfileConfig) -> None:  # fmt: skip
        self._columns = native.columns
        self._native = native
        self._rows, self._items, self._item_ids = rows, items, item_ids
        self._moment, self._config = moment, config

    @classmethod
    def of(cls, batch: EventBatch, moment: int, config: ProfileConfig) -> _Seen:
        native = native_events(batch, config)
        columns = native.columns
        known = columns.get("known", columns["times"])
        known = np.where(known == _NONE, columns["times"], known)
        rows = np.flatnonzero(known <= moment)
        rows = _first_known(rows, columns, known)
        counts = columns["times"][rows] < moment
        if config.window is not None:
            counts &= columns["times"][rows] >= moment - config.window // _US
        rows = rows[counts]
        ids = batch.column("item_id").combine_chunks().take(pa.array(rows))
        rows, ids = rows[np.asarray(ids.is_valid())], ids.drop_null()
        encoded = ids.dictionary_encode()
        order = np.asarray(pc.sort_indices(encoded.dictionary)).astype(np.int64)
        rank = np.empty(len(order), np.int64)
        rank[order] = np.arange(len(order))
        items = rank[encoded.indices.to_numpy()] if len(rows) else np.empty(0, np.int64)
        # In the order of time, then of content as far as it is looked at: sums do not depend on the order of the log.
        times = columns["times"][rows]
        by_time = np.lexsort((columns["types"][rows], times))
        return cls(native, rows[by_time], items[by_time], encoded.dictionary.take(pa.array(order)), moment, config)

    def columns(self) -> dict[str, Any]:
        """The features by item, as arrays."""
        config, items = self._config, self._items
        n = len(self._item_ids)
        types = self._columns["types"][self._rows]
        money = self._taken("money", _NONE)
        paid = np.where(money == _NONE, 0, money)
        roles = config.all_types
        refund = np.isin(types, [roles.index(name) for name in config.refund_types])
        bought = np.isin(types, [roles.index(name) for name in config.purchase_types])
        refund |= bought & (paid < 0)
        bought &= ~refund
        times = self._columns["times"][self._rows]
        weights = np.array([*(float(config.weights.get(name, 0.0)) for name in roles), 0.0])[types]
        age = (self._moment - times) / (config.half_life // _US)
        pieces = self._taken("quantities", _NONE)
        pieces = np.where(pieces == _NONE, 1, pieces)
        price = self._taken("prices", _NONE)
        full = np.where((price != _NONE) & (money != _NONE), price * pieces, 0)
        discounted = bought & ((self._taken("coupons", -1) >= 0) | (full > paid))
        last_price = _last(items, price, price != _NONE, n, _NONE)
        category = _last(items, self._category(), self._category() >= 0, n, -1)
        buyers = self._distinct(bought, n)
        users = self._distinct(np.ones(len(items), np.bool_), n)
        purchases = _count(items[bought], n)
        return {
            "category": category,
            "n_events": _count(items, n),
            "n_users": users,
            "n_buyers": buyers,
            "n_purchases": purchases,
            "n_refunds": _count(items[refund], n),
            "quantity": _sum(items, np.where(bought, pieces, 0), n),
            "revenue": _sum(items, np.where(bought, paid, np.where(refund, -np.abs(paid), 0)), n),
            "score": np.bincount(items, weights=weights * np.exp2(-age), minlength=n),
            "price": last_price,
            "price_percentile": _percentiles(category, last_price),
            "discounted_share": _ratio(_count(items[discounted], n), purchases),
            "refund_rate": _ratio(_count(items[refund], n), purchases),
            "conversion": _ratio(buyers, users),
            "first_event": _extreme(np.minimum, items, times, n),
            "last_event": _extreme(np.maximum, items, times, n),
        }

    def table(self, columns: dict[str, Any], labels: dict[str, BoolArray]) -> pa.Table:
        """Arrow, with labels as lists."""
        names = self._native.dimension_names[self._place()] if self._place() is not None else pa.array([], pa.string())
        category = columns.pop("category")
        taken = np.column_stack([labels[name] for name in LABELS]) if len(category) else np.empty((0, 6), np.bool_)
        offsets = np.concatenate([[0], np.cumsum(taken.sum(axis=1))]).astype(np.int32)
        listed = pa.array(LABELS, pa.string()).take(pa.array(np.nonzero(taken)[1]))
        arrays: dict[str, Any] = {
            "item_id": self._item_ids,
            "category": names.take(pa.array(np.maximum(category, 0), mask=category < 0))
            if len(names)
            else pa.nulls(len(category), pa.string()),
        }
        for name, values in columns.items():
            if values.dtype.kind == "f":
                arrays[name] = pa.array(values, mask=np.isnan(values))
            else:
                arrays[name] = pa.array(values.astype(np.int64), mask=values == _NONE)
            if name.endswith("_event"):
                arrays[name] = arrays[name].cast(pa.timestamp("us", "UTC"))
        arrays["labels"] = pa.ListArray.from_arrays(pa.array(offsets), listed)
        return pa.table(arrays)

    def _place(self) -> int | None:
        return self._config.dimensions.index("category") if "category" in self._config.dimensions else None

    def _taken(self, name: str, absent: int) -> AnyArray:
        column = self._columns.get(name)
        return np.full(len(self._rows), absent, np.int64) if column is None else column[self._rows]

    def _category(self) -> AnyArray:
        return self._taken(f"dimension_{self._place()}", -1)

    def _distinct(self, rows: BoolArray, n: int) -> AnyArray:
        users = self._columns["users"][self._rows].astype(np.int64)
        pairs = np.unique(self._items[rows] * np.int64(len(self._native.user_ids)) + users[rows])
        return _count(pairs // max(1, len(self._native.user_ids)), n)


def _first_known(rows: AnyArray, columns: dict[str, Any], known: AnyArray) -> AnyArray:
    """Of rows of one user with one id the first known, then the earliest."""
    ids = columns.get("ids")
    if ids is None:
        return rows
    named, nameless = rows[ids[rows] != 0], rows[ids[rows] == 0]
    order = np.lexsort((columns["times"][named], known[named], ids[named], columns["users"][named]))
    ordered = named[order]
    first = np.ones(len(ordered), np.bool_)
    first[1:] = (ids[ordered[1:]] != ids[ordered[:-1]]) | (
        columns["users"][ordered[1:]] != columns["users"][ordered[:-1]]
    )
    return np.sort(np.concatenate([ordered[first], nameless]))


def _count(items: AnyArray, n: int) -> AnyArray:
    return np.bincount(items, minlength=n)


def _sum(items: AnyArray, values: AnyArray, n: int) -> AnyArray:
    total = np.zeros(n, np.int64)
    np.add.at(total, items, values)
    return total


def _last(items: AnyArray, values: AnyArray, present: BoolArray, n: int, absent: int) -> AnyArray:
    """The last value in the order of rows."""
    last = np.full(n, absent, np.int64)
    last[items[present]] = values[present]  # later assignments win
    return last


def _extreme(choose: Any, items: AnyArray, values: AnyArray, n: int) -> AnyArray:
    found = np.full(n, np.iinfo(np.int64).max if choose is np.minimum else _NONE, np.int64)
    choose.at(found, items, values)
    return found


def _ratio(above: AnyArray, below: AnyArray) -> Float64Array:
    return np.where(below > 0, above / np.maximum(below, 1), np.nan)


def _percentiles(category: AnyArray, price: AnyArray) -> Float64Array:
    places = np.full(len(price), np.nan)
    priced = (category >= 0) & (price != _NONE)
    places[priced] = place_in_groups(category[priced], price[priced])
    return places


def _best(values: Float64Array, share: float) -> BoolArray:
    """The best `share` of the values, ties of the last of them included."""
    count = int(np.ceil(share * len(values)))
    if count == 0:
        return np.zeros(len(values), np.bool_)
    return np.asarray(values >= np.partition(values, len(values) - count)[len(values) - count])


def _abc(revenue: AnyArray, share: float) -> BoolArray:
    """Those that bring `share` of what all positive ones bring, best first, ties included."""
    earning = np.maximum(revenue, 0)
    if share == 0 or not earning.any():
        return np.zeros(len(revenue), np.bool_)
    best = np.sort(earning)[::-1]
    enough = int(np.searchsorted(np.cumsum(best), share * best.sum(), side="left"))
    return np.asarray((earning >= best[min(enough, len(best) - 1)]) & (earning > 0))
