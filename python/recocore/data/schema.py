"""The one event schema: an allow-list of what a storefront log may hold."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

_TIME: Final = pa.timestamp("us", "UTC")

# user_id and item_id keep integers as int64; every other id is text.
EVENT_SCHEMA: Final = pa.schema(
    [
        # what happened, to whom, when
        ("event_id", pa.string()),  # names the event; a repeat of it is the same event sent again
        ("event_time", _TIME),  # when it happened
        ("known_time", _TIME),  # when the platform learnt of it, for features "as known at"
        ("user_id", pa.string()),
        ("visitor_id", pa.string()),  # the device's cookie, before and without login
        ("item_id", pa.string()),
        ("type", pa.string()),  # view, cart, buy, ...: see EVENT_TYPES
        ("value", pa.float64()),  # money of the event, in `currency`
        ("quantity", pa.int64()),
        # the visit
        ("session_id", pa.string()),
        ("device", pa.string()),
        ("ip", pa.string()),
        ("country", pa.string()),
        ("channel", pa.string()),
        ("referrer", pa.string()),
        ("page", pa.string()),
        ("query", pa.string()),  # what was searched for
        ("position", pa.int64()),  # the slot in which the item was shown, from 0
        ("dwell_ms", pa.int64()),
        ("rating", pa.float64()),
        # the item, as it was at that moment
        ("category", pa.string()),
        ("brand", pa.string()),
        ("tags", pa.list_(pa.string())),  # as many as it has, each a text that is not empty
        ("price", pa.float64()),
        ("currency", pa.string()),
        # the order and what brought it about
        ("order_id", pa.string()),
        ("payment_id", pa.string()),
        ("address_id", pa.string()),
        ("coupon_id", pa.string()),
        ("campaign_id", pa.string()),
        ("experiment", pa.string()),  # the arm of a running experiment
        ("attribution_token", pa.string()),  # returned with a recommendation, sent back with what it led to
        ("served_model", pa.string()),  # the version of the model that the token names
        ("served_request", pa.string()),  # the request id of the answer that the token names
    ]
)

# Texts as codes: what a column of texts may be for a reader that asks for codes.
CODED_TEXT: Final = pa.dictionary(pa.int32(), pa.string())

ID_COLUMNS: Final = ("user_id", "item_id")

# The type of events whose log names none.
DEFAULT_TYPE: Final = "interaction"

# What the types of this vocabulary say about a taste; a log may have others, which count only where weights name them.
DEFAULT_WEIGHTS: Final[dict[str, float]] = {
    DEFAULT_TYPE: 1.0,
    "view": 1.0,
    "click": 1.0,
    "wishlist": 2.0,
    "cart": 3.0,
    "buy": 5.0,
    "refund": -5.0,
}

# Types that say nothing about one item's attraction and may have no item at all.
ITEMLESS_TYPES: Final = frozenset({"search", "login", "logout", "signup", "visit"})

EVENT_TYPES: Final = frozenset(DEFAULT_WEIGHTS) | ITEMLESS_TYPES | {"impression", "remove_from_cart", "rate"}
