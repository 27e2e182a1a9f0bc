"""Profiles by the book: plain Python over lists of dicts, one formula after another, nothing shared with the package."""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Event = dict[str, Any]

WEIGHTS = {"interaction": 1.0, "view": 1.0, "click": 1.0, "wishlist": 2.0, "cart": 3.0, "buy": 5.0, "refund": -5.0}
HALF_LIFE = 30 * DAY


def quantile(values: list[float], q: float) -> float:
    ordered = sorted(values)
    place = q * (len(ordered) - 1)
    low = math.floor(place)
    return ordered[low] + (place - low) * (ordered[min(low + 1, len(ordered) - 1)] - ordered[low])


def visible(events: list[Event], as_of: datetime) -> list[Event]:
    """What counts: known by then, each id once (as it was known first), and before as_of; in time order."""
    known = [event for event in events if (event.get("known_time") or event["event_time"]) <= as_of]
    first: dict[Any, Event] = {}
    nameless = []
    for event in known:
        if event.get("event_id") is None:
            nameless.append(event)
            continue
        key = (event["user_id"], event["event_id"])
        held = first.get(key)
        if held is None or (event.get("known_time") or event["event_time"]) < (
            held.get("known_time") or held["event_time"]
        ):
            first[key] = event
    counted = [event for event in [*first.values(), *nameless] if event["event_time"] < as_of]
    return sorted(counted, key=lambda event: event["event_time"])


def minor(amount: Any) -> Any:
    """Cents; None stays None."""
    return None if amount is None else round(amount * 100)


def is_refund(event: Event) -> bool:
    return event["type"] == "refund" or (event["type"] == "buy" and (event.get("value") or 0) < 0)


def is_purchase(event: Event) -> bool:
    return event["type"] == "buy" and not is_refund(event)


def decay(event: Event, as_of: datetime) -> float:
    return float(2.0 ** -((as_of - event["event_time"]) / HALF_LIFE))


def offers(counted: list[Event]) -> dict[str, list[int]]:
    """Each (category, item, price) once: the prices by category."""
    seen = {
        (event["category"], event["item_id"], minor(event["price"]))
        for event in counted
        if event.get("category") is not None and event.get("price") is not None
    }
    prices = defaultdict(list)
    for category, _, price in seen:
        prices[category].append(price)
    return prices


def place(price: int, among: list[int]) -> float:
    return (sum(p < price for p in among) + sum(p == price for p in among) / 2) / len(among)


def interest(sums: dict[str, float], top: int = 5) -> tuple[list[tuple[str, float]], float, float]:
    liked = sorted(((name, weight) for name, weight in sums.items() if weight > 0), key=lambda e: (-e[1], e[0]))
    return liked[:top], sum(weight for _, weight in liked), sum(weight for _, weight in liked[top:])


def sessions_of(events: list[Event]) -> list[list[Event]]:
    named: dict[str, list[Event]] = defaultdict(list)
    silent: list[list[Event]] = []
    for event in events:
        if event.get("session_id") is not None:
            named[event["session_id"]].append(event)
        elif silent and event["event_time"] - silent[-1][-1]["event_time"] <= timedelta(minutes=30):
            silent[-1].append(event)
        else:
            silent.append([event])
    return [*named.values(), *silent]


def lifecycle(events: list[Event], as_of: datetime, gaps: list[timedelta], last_order: datetime | None) -> str | None:
    active = [event["event_time"] for event in events if event["type"] != "impression"]
    if not active:
        return None
    idle = as_of - active[-1]
    for limit, name in ((365 * DAY, "lost"), (90 * DAY, "dormant"), (30 * DAY, "at_risk")):
        if idle > limit:
            return name
    before = [time for time in active if time < as_of - 30 * DAY]
    if not before:
        return "new"
    if min(time for time in active if time >= as_of - 30 * DAY) - before[-1] > 90 * DAY:
        return "resurrected"
    if len(gaps) >= 3 and last_order is not None:
        q90 = quantile([gap / timedelta(microseconds=1) for gap in gaps], 0.9)
        if (as_of - last_order) / timedelta(microseconds=1) > q90:
            return "at_risk"
    return "active" if before[-1] >= as_of - 60 * DAY else "returning"


def money_features(events: list[Event], as_of: datetime) -> dict[str, Any]:
    bought = [event for event in events if is_purchase(event)]
    refunds = [event for event in events if is_refund(event)]
    paid = [minor(event["value"]) for event in bought if event.get("value") is not None]
    back = sum(abs(minor(event["value"]) or 0) for event in refunds if event.get("value") is not None)
    saved, discounted = 0, 0
    for event in bought:
        full = 0
        if event.get("price") is not None and event.get("value") is not None:
            pieces = 1 if event.get("quantity") is None else event["quantity"]
            full = max(0, minor(event["price"]) * pieces - minor(event["value"]))
        saved += full
        discounted += event.get("coupon_id") is not None or full > 0
    orders: dict[Any, datetime] = {}
    for event in bought:
        orders.setdefault(event.get("order_id") or event["event_time"], event["event_time"])
    decayed = sum((minor(event.get("value")) or 0) * decay(event, as_of) for event in bought) - sum(
        abs(minor(event.get("value")) or 0) * decay(event, as_of) for event in refunds
    )
    return {
        "n_purchases": len(bought),
        "n_orders": len(orders),
        "n_refunds": len(refunds),
        "quantity": sum(1 if event.get("quantity") is None else event["quantity"] for event in bought),
        "first_purchase": bought[0]["event_time"] if bought else None,
        "last_purchase": bought[-1]["event_time"] if bought else None,
        "spend_gross": sum(paid),
        "spend_refunded": back,
        "spend_net": sum(paid) - back,
        "spend_min": min(paid, default=None),
        "spend_max": max(paid, default=None),
        "spend_decayed": decayed,
        "rfm_recency": (as_of - bought[-1]["event_time"]) / DAY if bought else None,
        "rfm_frequency": len(orders) if bought else None,
        "rfm_monetary": sum(paid) - back if bought else None,
        "n_discounted": discounted,
        "discount_saved": saved,
        "discount_affinity": discounted / len(bought) if bought else None,
        "refund_rate": len(refunds) / len(bought) if bought else None,
        "refund_share": back / sum(paid) if sum(paid) else None,
        "_order_times": sorted(orders.values()),
    }


def btyd(events: list[Event], as_of: datetime, zone: ZoneInfo) -> dict[str, Any]:
    spent: dict[Any, int] = defaultdict(int)
    for event in events:
        if is_purchase(event):
            spent[event["event_time"].astimezone(zone).date()] += minor(event.get("value")) or 0
    days = sorted(spent)
    if not days:
        return dict.fromkeys(("btyd_frequency", "btyd_recency", "btyd_t", "btyd_mean_spend"))
    last_observed = (as_of - timedelta(microseconds=1)).astimezone(zone).date()
    repeats = [spent[day] for day in days[1:]]
    return {
        "btyd_frequency": len(repeats),
        "btyd_recency": float((days[-1] - days[0]).days),
        "btyd_t": float((last_observed - days[0]).days),
        "btyd_mean_spend": sum(repeats) / len(repeats) if repeats else None,
    }


def send_window(hours: Counter[int], prior: list[float]) -> tuple[int, float]:
    """The best three hours between 8 and 22, by counts smoothed over neighbours, ten pseudo-events added."""
    smooth = [0.5 * hours[h] + 0.25 * hours[(h - 1) % 168] + 0.25 * hours[(h + 1) % 168] for h in range(168)]
    whole = sum(hours.values()) + 10
    shares = [(smooth[h] + 10 * prior[h]) / whole for h in range(168)]
    best: tuple[float, int] | None = None
    for start in range(168):
        window = [(start + i) % 168 for i in range(3)]
        if all(8 <= hour % 24 < 22 for hour in window):
            share = sum(shares[hour] for hour in window)
            if best is None or share > best[0] * (1 + 1e-12):
                best = (share, start)
    assert best is not None
    return best[1], best[0]


def profile(events: list[Event], as_of: datetime, prices: dict[str, list[int]], zone: ZoneInfo) -> dict[str, Any]:
    """One user's profile from the user's visible events."""
    row: dict[str, Any] = {"n_events": len(events)}
    counts = Counter(event["type"] for event in events)
    row |= {f"count_{name}": count for name, count in counts.items()}
    row["n_items"] = len({event["item_id"] for event in events if event.get("item_id") is not None})
    local = [event["event_time"].astimezone(zone) for event in events]
    row["active_days"] = len({time.date() for time in local})
    row["first_event"], row["last_event"] = events[0]["event_time"], events[-1]["event_time"]
    row |= money_features(events, as_of)
    times = row.pop("_order_times")
    gaps = [after - before for before, after in itertools.pairwise(times)]
    days = [gap / DAY for gap in gaps]
    row["gap_median"] = quantile(days, 0.5) if days else None
    row["gap_iqr"] = quantile(days, 0.75) - quantile(days, 0.25) if days else None
    row["gap_q90"] = quantile(days, 0.9) if days else None
    whole = quantile(days, 0.75) + quantile(days, 0.25) if days else 0.0
    row["regularity"] = 1 - row["gap_iqr"] / whole if len(days) > 1 and whole > 0 else None
    row["lifecycle"] = lifecycle(events, as_of, gaps, times[-1] if times else None)
    for name in ("category", "brand", "channel", "tag"):
        sums: dict[str, float] = defaultdict(float)
        for event in events:
            given = event.get(name)
            names = set(event.get("tags") or ()) if name == "tag" else set() if given is None else {given}
            for each in names:
                sums[each] += WEIGHTS.get(event["type"], 0.0) * decay(event, as_of)
        row[f"interest_{name}"], row[f"interest_{name}_total"], row[f"interest_{name}_truncated"] = interest(sums)
    bands: dict[str, float] = defaultdict(float)
    bought_places = []
    for event in events:
        if event.get("category") is None or event.get("price") is None:
            continue
        at = place(minor(event["price"]), prices[event["category"]])
        bands[str(1 + min(4, math.floor(5 * at)))] += WEIGHTS.get(event["type"], 0.0) * decay(event, as_of)
        if is_purchase(event):
            bought_places.append(at)
    row["interest_price_band"], row["interest_price_band_total"], row["interest_price_band_truncated"] = interest(bands)
    row["price_percentile"] = sum(bought_places) / len(bought_places) if bought_places else None
    row["_hours"] = Counter(time.weekday() * 24 + time.hour for time in local)
    sessions = sessions_of(events)
    row["n_sessions"] = len(sessions)
    row["session_seconds"] = sum(
        (visit[-1]["event_time"] - visit[0]["event_time"]).total_seconds() for visit in sessions
    ) / len(sessions)
    row["session_events"] = len(events) / len(sessions)
    row["bounce_rate"] = sum(len(visit) == 1 for visit in sessions) / len(sessions)
    dwells = [event["dwell_ms"] for event in events if event.get("dwell_ms") is not None]
    row["dwell_ms"] = sum(dwells)
    row["dwell_mean_ms"] = sum(dwells) / len(dwells) if dwells else None
    row["n_transitions"] = sum(len(visit) - 1 for visit in sessions)
    terms = Counter(
        event["query"].strip().lower()
        for event in events
        if event["type"] == "search" and (event.get("query") or "").strip()
    )
    row["n_searches"] = sum(terms.values())
    row["search_terms"] = sorted(terms.items(), key=lambda e: (-e[1], e[0]))[:5]
    row |= btyd(events, as_of, zone)
    return row


def profiles(events: list[Event], as_of: datetime, timezone: str = "UTC") -> dict[Any, dict[str, Any]]:
    """Every user's profile by user id."""
    zone = ZoneInfo(timezone)
    counted = visible(events, as_of)
    prices = offers(counted)
    by_user: dict[Any, list[Event]] = defaultdict(list)
    for event in counted:
        by_user[event["user_id"]].append(event)
    rows = {user: profile(theirs, as_of, prices, zone) for user, theirs in by_user.items()}
    week: Counter[int] = Counter()
    for row in rows.values():
        week.update(row["_hours"])
    for row in rows.values():
        hours = row.pop("_hours")
        row["active_hours"] = sorted(hours.items())
        row["send_hour"], row["send_share"] = send_window(hours, [week[h] / sum(week.values()) for h in range(168)])
    score(rows)
    return rows


def quantile_scores(values: list[float], bins: int) -> list[int]:
    return [
        1
        + min(bins - 1, math.floor(bins * (sum(v < x for v in values) + sum(v == x for v in values) / 2) / len(values)))
        for x in values
    ]


def score(rows: dict[Any, dict[str, Any]]) -> None:
    for row in rows.values():
        row.update(dict.fromkeys(("rfm_r", "rfm_f", "rfm_m", "level")))
    buyers = [row for row in rows.values() if row["n_purchases"]]
    for raw, name, bins in (
        ("rfm_recency", "rfm_r", 5),
        ("rfm_frequency", "rfm_f", 5),
        ("rfm_monetary", "rfm_m", 5),
        ("spend_decayed", "level", 100),
    ):
        for row, value in zip(buyers, quantile_scores([row[raw] for row in buyers], bins), strict=True):
            row[name] = 6 - value if name == "rfm_r" else value
