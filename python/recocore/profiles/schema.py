"""The documented columns of a profile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pyarrow as pa

if TYPE_CHECKING:
    from recocore.profiles.config import ProfileConfig

LIFECYCLE: Final = ("new", "active", "returning", "resurrected", "at_risk", "dormant", "lost")

TIME: Final = pa.timestamp("us", "UTC")
INTEREST: Final = pa.list_(pa.struct([pa.field("name", pa.string()), pa.field("weight", pa.float64())]))
HOURS: Final = pa.list_(pa.struct([pa.field("hour", pa.int32()), pa.field("count", pa.int64())]))
PATHS: Final = pa.list_(
    pa.struct([pa.field("from", pa.string()), pa.field("to", pa.string()), pa.field("count", pa.int64())])
)
TERMS: Final = pa.list_(pa.struct([pa.field("term", pa.string()), pa.field("count", pa.int64())]))


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, Arrow type and meaning, unit included."""

    name: str
    type: pa.DataType
    about: str


_INT = pa.int64()
_REAL = pa.float64()

_ACTIVITY = (
    Column("n_items", _INT, "distinct items met"),
    Column("active_days", _INT, "distinct local days with an event"),
    Column("first_event", TIME, "time of the first event"),
    Column("last_event", TIME, "time of the last event"),
)
_MONEY = (
    Column("n_purchases", _INT, "purchase events (lines of orders)"),
    Column("n_orders", _INT, "distinct order_id of purchases; where it is absent, distinct times"),
    Column("n_refunds", _INT, "refund events, negative purchases included"),
    Column("quantity", _INT, "pieces bought; a purchase without quantity is one"),
    Column("first_purchase", TIME, "time of the first purchase"),
    Column("last_purchase", TIME, "time of the last purchase"),
    Column("spend_gross", _INT, "money of purchases, minor units"),
    Column("spend_refunded", _INT, "money given back, minor units, at least 0"),
    Column("spend_net", _INT, "gross less refunded, minor units"),
    Column("spend_min", _INT, "the smallest purchase, minor units"),
    Column("spend_max", _INT, "the largest purchase, minor units"),
    Column("spend_decayed", _REAL, "purchases less refunds, halved with age, minor units"),
    Column("rfm_recency", _REAL, "days from the last purchase to as_of"),
    Column("rfm_frequency", _INT, "n_orders; null without a purchase"),
    Column("rfm_monetary", _INT, "spend_net; null without a purchase"),
    Column("rfm_r", _INT, "score of recency, the latest best; null without a purchase"),
    Column("rfm_f", _INT, "score of frequency"),
    Column("rfm_m", _INT, "score of money"),
    Column("level", _INT, "consumption level 1 to 100: percentile of decayed spend; null without a purchase"),
    Column("price_percentile", _REAL, "mean percentile 0 to 1 of bought prices within their categories"),
)
_HABITS = (
    Column("active_hours", HOURS, "events by local hour of the week, 0 is Monday 0:00, hours without any left out"),
    Column("send_hour", _INT, "local hour of the week at which the best send window begins"),
    Column("send_share", _REAL, "smoothed share of the user's week in that window"),
    Column("gap_median", _REAL, "days between orders, median"),
    Column("gap_iqr", _REAL, "days between orders, interquartile range"),
    Column("gap_q90", _REAL, "days between orders, 90 % quantile"),
    Column("regularity", _REAL, "1 - (Q3 - Q1) / (Q3 + Q1) of the gaps, from two gaps on; 1 is clockwork"),
    Column("lifecycle", pa.string(), f"one of {', '.join(LIFECYCLE)}"),
)
_VISITS = (
    Column("n_sessions", _INT, "distinct session_id; events without one are split at silences"),
    Column("session_seconds", _REAL, "mean seconds from a session's first to last event"),
    Column("session_events", _REAL, "mean events of a session"),
    Column("bounce_rate", _REAL, "share of sessions with one event"),
    Column("dwell_ms", _INT, "milliseconds dwelt, in all"),
    Column("dwell_mean_ms", _REAL, "milliseconds dwelt, mean over events that say so"),
    Column("n_transitions", _INT, "steps from one event to the next of its session"),
    Column("paths", PATHS, "the most frequent steps, by count, then by name"),
    Column("n_searches", _INT, "search events with a term"),
    Column("search_terms", TERMS, "the most frequent terms, trimmed and in lower case, by count, then by name"),
    Column("n_discounted", _INT, "purchases with a coupon or below price times quantity"),
    Column("discount_saved", _INT, "price times quantity less what was paid, minor units"),
    Column("discount_affinity", _REAL, "n_discounted / n_purchases"),
    Column("refund_rate", _REAL, "n_refunds / n_purchases"),
    Column("refund_share", _REAL, "spend_refunded / spend_gross"),
)
_BTYD = (
    Column("btyd_frequency", _INT, "days with a purchase, the first left out; null without a purchase"),
    Column("btyd_recency", _REAL, "days from the first to the last day with a purchase"),
    Column("btyd_t", _REAL, "days from the first day with a purchase to the last observed day"),
    Column("btyd_mean_spend", _REAL, "mean gross spend of the repeat days, minor units; null without one"),
)


def columns(config: ProfileConfig) -> tuple[Column, ...]:
    """The columns that come after `user_id` (string or int64, ascending, never null), in their order."""
    counts = (
        Column("n_events", _INT, "all events"),
        *(Column(f"count_{name}", _INT, f"events of type {name}") for name in config.types),
        Column("count_other", _INT, "events of other types"),
    )
    interests = tuple(
        column
        for name in config.interests
        for column in (
            Column(f"interest_{name}", INTEREST, f"strongest interests by {name}, best first, ties by name; above 0"),
            Column(f"interest_{name}_total", _REAL, f"sum of all interests by {name} that are above 0"),
            Column(f"interest_{name}_truncated", _REAL, "the part of that sum beyond those listed"),
        )
    )
    return (*counts, *_ACTIVITY, *_MONEY, *interests, *_HABITS, *_VISITS, *_BTYD)


def profile_schema(config: ProfileConfig, user_type: pa.DataType | None = None) -> pa.Schema:
    """The Arrow schema of a profile table, each field's meaning in its metadata under `about`."""
    fields = [pa.field("user_id", user_type or pa.string(), nullable=False)]
    fields += [pa.field(c.name, c.type, metadata={"about": c.about}) for c in columns(config)]
    return pa.schema(fields)
