"""Numbers as people read them."""

from __future__ import annotations

import math
from typing import Final

_NAMES: Final = {
    "n_orders": "orders",
    "spend_net": "net spend",
    "rfm_recency": "days since the last order",
    "rfm_frequency": "orders of buyers",
    "rfm_monetary": "net spend of buyers",
    "gap_median": "days between orders, median",
    "session_events": "events a session",
    "n_sessions": "sessions",
    "n_events": "events",
    "discount_affinity": "share of purchases at a discount",
    "price_percentile": "price percentile in its category",
    "days_since_last_event": "days since the last event",
    "btyd_frequency": "days with a repeat purchase",
    "btyd_recency": "days from first to last purchase",
    "btyd_t": "days observed since the first purchase",
    "btyd_mean_spend": "mean spend of repeat days",
    "p_alive_mbg": "P(still a customer), MBG/NBD",
    "expected_purchases_mbg": "purchases expected in 90 days",
    "expected_spend": "expected spend a purchase",
    "clv": "lifetime value, 12 months",
}


def short(value: float) -> str:
    """A number in few characters.

    >>> short(7.0), short(0.25), short(1234.0), short(1_250_000.0), short(float("nan"))
    ('7', '0.25', '1,234', '1.25M', '–')
    """  # noqa: RUF002  (a dash, not a minus sign)
    if not math.isfinite(value):
        return "–"  # noqa: RUF001  (a dash, not a minus sign)
    size = abs(value)
    for unit, letter in ((1e9, "B"), (1e6, "M"), (1e4, "k")):
        if size >= unit:
            scale = 1e3 if letter == "k" else unit
            return f"{value / scale:.3g}{letter}" if size < 1_000 * scale else f"{value / scale:,.0f}{letter}"
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.0f}" if size >= 100 else f"{value:.3g}" if size >= 1 else f"{value:.2f}"


def percent(part: float) -> str:
    """A share of 1 as a percentage.

    >>> percent(0.5), percent(0.034), percent(float("nan"))
    ('50 %', '3.4 %', '–')
    """  # noqa: RUF002  (a dash, not a minus sign)
    if not math.isfinite(part):
        return "–"  # noqa: RUF001  (a dash, not a minus sign)
    return f"{100 * part:.0f} %" if part >= 0.1 or part == 0 else f"{100 * part:.1f} %"


def label(name: str) -> str:
    """A feature's name as words.

    >>> label("n_orders"), label("days_since_first_event"), label("rfm_r")
    ('orders', 'days since first event', 'RFM r')
    """
    words = name.removeprefix("n_").replace("_", " ")
    return _NAMES.get(name, words.replace("rfm", "RFM").replace("btyd", "BTYD"))
