"""A made-up storefront and its event log, with tastes for a model to find."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recocore.data.checks import is_finite_number
from recocore.data.events import EventBatch
from recocore.data.synthetic_text import ADJECTIVES, BRAND_STEMS, CATEGORIES, CHANNELS, COUPONS, REGIONS
from recocore.errors import InvalidArgumentError
from recocore.ops.arguments import integer

if TYPE_CHECKING:
    from recocore.types import AnyArray, BoolArray, Float64Array, Int64Array

START: Final = datetime(2025, 1, 1, tzinfo=UTC)
DAYS: Final = 90

_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_BRANDS_PER_CATEGORY = 4
_VIEWS_PER_SESSION = 4
# Shares of all events; the rest are views.
_SHARES = {"search": 0.07, "cart": 0.13, "buy": 0.06, "refund": 0.004}
_HOURS = np.array([2, 1, 1, 1, 1, 2, 3, 5, 6, 7, 8, 8, 9, 8, 7, 7, 8, 9, 11, 13, 14, 13, 9, 5], np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Shop:
    """A log and what the shop knows about its users and items.

    Attributes:
        events: in time order (faults that `dirt` asked for aside).
        users: user_id, signup_time, region, channel.
        items: item_id, title, category, brand, price, currency.
    """

    events: EventBatch
    users: pa.Table
    items: pa.Table


def synthetic_shop(
    n_users: int = 2_000, n_items: int = 1_000, n_events: int = 50_000, seed: int = 0, dirt: float = 0.0
) -> Shop:
    """Make a shop whose log covers `DAYS` days from `START`.

    Every user mixes two of a few dozen personas; a persona likes some brands of a few categories, within its price
    band. Popularity of items and activity of users follow power laws. A session searches, views, puts in the cart,
    buys; some purchases are refunded. The tastes are in no column: a model has to find them. O(n_events), no Python
    loop over rows.

    Args:
        n_users: users "u00000", ...; not all need appear in the log.
        n_items: items "p00000", ...
        n_events: sound events.
        seed: the same arguments give the same shop.
        dirt: this share of the events, in [0, 1), is made faulty, a fifth each: sent twice (which adds rows), without a
            user, without an item, from the future, with a negative value.

    Example:
        >>> shop = synthetic_shop(n_users=50, n_items=40, n_events=300, seed=1)
        >>> len(shop.events), shop.users.num_rows, shop.items.num_rows
        (300, 50, 40)
    """
    for argument, number in (("n_users", n_users), ("n_items", n_items), ("n_events", n_events)):
        integer(number, argument, 1)
    if not is_finite_number(dirt) or not 0 <= dirt < 1:
        raise InvalidArgumentError(f"dirt: expected a share in [0, 1), got {dirt!r}", field="dirt")
    # A stream of its own for each part, so that a change to one leaves the others as they were.
    catalogue_rng, taste_rng, event_rng, dirt_rng = np.random.default_rng(seed).spawn(4)
    catalogue = _Catalogue.draw(n_items, catalogue_rng)
    tastes = _Tastes.draw(n_users, catalogue, taste_rng)
    log = _Log.draw(n_users, n_events, catalogue, tastes, event_rng)
    table = _soil(_event_table(log, catalogue, event_rng), dirt, dirt_rng)
    return Shop(EventBatch.from_arrow(table), _user_table(n_users, taste_rng), catalogue.table())


@dataclass(frozen=True, slots=True, eq=False)
class _Catalogue:
    """Items by index; brand b belongs to category b // _BRANDS_PER_CATEGORY and to one price band."""

    brand: Int64Array
    price: Float64Array
    popularity: Float64Array
    brand_band: Int64Array
    brand_stem: Int64Array
    adjective: Int64Array
    noun: Int64Array

    @classmethod
    def draw(cls, n_items: int, rng: np.random.Generator) -> _Catalogue:
        categories = int(np.clip(n_items // 20, 2, len(CATEGORIES)))
        brands = categories * _BRANDS_PER_CATEGORY
        brand = rng.permutation(np.arange(n_items) % brands)
        brand_band = rng.integers(0, 4, brands)
        base = rng.lognormal(3.0, 0.6, categories)[brand // _BRANDS_PER_CATEGORY]
        price = np.round(base * 1.8 ** brand_band[brand] * rng.lognormal(0.0, 0.15, n_items), 2)
        return cls(
            brand=brand,
            price=np.maximum(price, 0.5),
            popularity=_power_law(n_items, 0.6, rng),
            brand_band=brand_band,
            brand_stem=rng.permutation(brands) % len(BRAND_STEMS),
            adjective=rng.integers(0, len(ADJECTIVES), n_items),
            noun=rng.integers(0, len(next(iter(CATEGORIES.values()))), n_items),
        )

    @property
    def category(self) -> Int64Array:
        return np.asarray(self.brand // _BRANDS_PER_CATEGORY)

    def nouns(self) -> pa.Array:
        flat = [noun for nouns in CATEGORIES.values() for noun in nouns]
        return _choose(flat, self.category * (len(flat) // len(CATEGORIES)) + self.noun)

    def table(self) -> pa.Table:
        brand = _choose(BRAND_STEMS, self.brand_stem[self.brand])
        model = pc.cast(pa.array(100 + np.arange(len(self.brand)) % 900), pa.string())
        columns = {
            "item_id": _ids("p", np.arange(len(self.brand)), 5),
            "title": pc.binary_join_element_wise(brand, _choose(ADJECTIVES, self.adjective), self.nouns(), model, " "),
            "category": _choose(list(CATEGORIES), self.category),
            "brand": brand,
            "price": pa.array(self.price),
            "currency": pa.repeat("EUR", len(self.brand)),
        }
        return pa.table(columns)


@dataclass(frozen=True, slots=True, eq=False)
class _Tastes:
    """Each user's two personas, and each persona's distribution over items."""

    personas: Int64Array
    item_cdf: Float64Array

    @classmethod
    def draw(cls, n_users: int, catalogue: _Catalogue, rng: np.random.Generator) -> _Tastes:
        brands = len(catalogue.brand_band)
        categories = brands // _BRANDS_PER_CATEGORY
        count = int(np.clip(categories * 2, 4, 48))
        liked = np.argsort(rng.random((count, categories)), axis=1) < 2
        category_weight = np.where(liked, 1.0, 0.01)
        band = rng.uniform(0, 3, count)
        band_match = np.exp(-1.5 * np.abs(band[:, None] - catalogue.brand_band[None, :]))
        brand_weight = category_weight.repeat(_BRANDS_PER_CATEGORY, axis=1) * rng.gamma(1.0, 1.0, (count, brands))
        item_weight = (brand_weight * (band_match + 0.05))[:, catalogue.brand] * catalogue.popularity
        item_cdf = np.cumsum(item_weight, axis=1)
        item_cdf /= item_cdf[:, -1:]
        share = _power_law(count, 0.3, rng)
        personas = rng.choice(count, (n_users, 2), p=share / share.sum())
        return cls(personas, item_cdf)

    def draw_items(self, user: Int64Array, session_second: BoolArray, rng: np.random.Generator) -> Int64Array:
        """One item for each view: nearly always of the session's persona, else of all tastes alike."""
        persona = np.where(session_second, self.personas[user, 1], self.personas[user, 0])
        stray = rng.random(len(user)) < 0.08
        persona = np.where(stray, rng.integers(0, len(self.item_cdf), len(user)), persona)
        # Persona p's distribution lies in [p, p + 1), so that one search serves all.
        stacked = (self.item_cdf + np.arange(len(self.item_cdf))[:, None]).ravel()
        at = np.searchsorted(stacked, persona + rng.random(len(user)), side="right")
        n_items = self.item_cdf.shape[1]
        return np.asarray(np.clip(at - persona * n_items, 0, n_items - 1))


@dataclass(frozen=True, slots=True, eq=False)
class _Log:
    """Events by index, in time order. `item` is -1 for searches, whose `query_item` is what they looked for."""

    time: Int64Array
    user: Int64Array
    session: Int64Array
    item: Int64Array
    query_item: Int64Array
    type: AnyArray

    @classmethod
    def draw(
        cls, n_users: int, n_events: int, catalogue: _Catalogue, tastes: _Tastes, rng: np.random.Generator
    ) -> _Log:
        counts = {name: int(n_events * share) for name, share in _SHARES.items()}
        views = n_events - sum(counts.values())
        sessions = -(-views // _VIEWS_PER_SESSION)
        session_user, session_start, session_second = _sessions(n_users, sessions, rng)
        session = np.sort(rng.integers(0, sessions, views))
        user = session_user[session]
        item = tastes.draw_items(user, session_second[session], rng)
        step = np.cumsum(rng.exponential(45 * _SECOND, views)).astype(np.int64)
        first = np.searchsorted(session, session, side="left")
        time = session_start[session] + step - step[first]

        # Each stage takes some rows of the stage before, a little later.
        cart = _some(views, counts["cart"], rng)
        buy = cart[_some(len(cart), counts["buy"], rng)]
        refund = buy[_some(len(buy), counts["refund"], rng)]
        search = _some(views, counts["search"], rng)
        later = rng.exponential
        parts = {
            "view": (np.arange(views), time),
            "search": (search, time[search] - 20 * _SECOND),
            "cart": (cart, time[cart] + (later(60 * _SECOND, len(cart)) + _SECOND).astype(np.int64)),
            "buy": (buy, time[buy] + ((600 + later(300, len(buy))) * _SECOND).astype(np.int64)),
            "refund": (refund, time[refund] + ((2 + later(3, len(refund))) * _DAY).astype(np.int64)),
        }
        source = np.concatenate([rows for rows, _ in parts.values()])
        times = np.concatenate([when for _, when in parts.values()])
        types = np.repeat(list(parts), [len(rows) for rows, _ in parts.values()])
        begin = int(START.timestamp()) * _SECOND
        times = np.clip(times, begin, begin + DAYS * _DAY - 1)
        order = np.argsort(times, kind="stable")
        source, types = source[order], types[order]
        wanted = item[source]
        return cls(times[order], user[source], session[source], np.where(types == "search", -1, wanted), wanted, types)


def _sessions(n_users: int, sessions: int, rng: np.random.Generator) -> tuple[Int64Array, Int64Array, BoolArray]:
    """Each session's user, start, and whether it serves the user's second persona."""
    activity = _power_law(n_users, 0.5, rng)
    user = rng.choice(n_users, sessions, p=activity / activity.sum())
    hour = rng.choice(24, sessions, p=_HOURS / _HOURS.sum())
    start = int(START.timestamp()) * _SECOND + rng.integers(0, DAYS, sessions) * _DAY
    start += ((hour + rng.random(sessions)) * 3600 * _SECOND).astype(np.int64)
    return user, start, rng.random(sessions) < 0.3


def _event_table(log: _Log, catalogue: _Catalogue, rng: np.random.Generator) -> pa.Table:
    n = len(log.time)
    items = catalogue.table()
    has_item = log.item >= 0
    row = pa.array(log.item, mask=~has_item)
    bought = np.isin(log.type, ["buy", "refund"])
    ordered = bought | (log.type == "cart")
    quantity = np.where(rng.random(n) < 0.15, rng.integers(2, 4, n), 1)
    price = catalogue.price[log.query_item]
    coupon = np.where((log.type == "buy") & (rng.random(n) < 0.2), rng.integers(0, len(COUPONS), n), -1)
    value = np.round(price * quantity * np.where(coupon >= 0, 0.9, 1.0), 2)
    device = log.user * 2 + (log.session % 5 == 0)
    channel = _choose(CHANNELS, (log.session * 7 + log.user) % len(CHANNELS))
    # A few households share one address, as rings of accounts do.
    home = np.where(log.user % 29 == 0, log.user // 5, log.user)
    ip = pc.binary_join_element_wise("10", *(pc.cast(pa.array(home >> s & 255), pa.string()) for s in (16, 8, 0)), ".")
    return pa.table(
        {
            "event_id": _ids("e", np.arange(n), 8),
            "event_time": pa.array(log.time, pa.timestamp("us", "UTC")),
            "user_id": _ids("u", log.user, 5),
            "item_id": items.column("item_id").take(row),
            "type": pa.array(log.type.tolist()),
            "value": pa.array(value, mask=~ordered),
            "quantity": pa.array(quantity, mask=~ordered),
            "session_id": _ids("s", log.session, 7),
            "device": _ids("d", device, 6),
            "ip": ip,
            "channel": channel,
            "query": pc.if_else(
                pa.array(has_item), None, pc.utf8_lower(catalogue.nouns().take(pa.array(log.query_item)))
            ),
            "dwell_ms": pa.array(rng.lognormal(9.5, 1.0, n).astype(np.int64), mask=log.type != "view"),
            "category": items.column("category").take(row),
            "brand": items.column("brand").take(row),
            "price": items.column("price").take(row),
            "currency": pa.repeat("EUR", n),
            "coupon_id": _choose([*COUPONS, None], np.where(coupon >= 0, coupon, len(COUPONS))),
        }
    )


def _soil(table: pa.Table, dirt: float, rng: np.random.Generator) -> pa.Table:
    """Spoil a share of the rows, a fifth in each way; repeats follow their originals."""
    n = table.num_rows
    spoilt = rng.choice(n, round(n * dirt), replace=False)
    if len(spoilt) == 0:
        return table
    repeated, *parts = np.array_split(spoilt, 5)
    no_user, no_item, future, negative = (pa.array(np.isin(np.arange(n), part)) for part in parts)
    refund = pc.and_(negative, pc.equal(table.column("type"), "refund"))
    late = pc.add(table.column("event_time"), pa.scalar(timedelta(days=3650)))
    loss = pc.subtract(-1.0, pc.fill_null(table.column("value"), 0.0))
    spoil: dict[str, Any] = {
        "user_id": pc.if_else(no_user, None, table.column("user_id")),
        "item_id": pc.if_else(no_item, None, table.column("item_id")),
        # A search may lack an item, and a refund may be negative.
        "type": pc.if_else(no_item, "view", pc.if_else(refund, "buy", table.column("type"))),
        "event_time": pc.if_else(future, late, table.column("event_time")),
        "value": pc.if_else(negative, loss, table.column("value")),
    }
    for name, column in spoil.items():
        table = table.set_column(table.column_names.index(name), name, column)
    return table.take(pa.array(np.sort(np.concatenate([np.arange(n), repeated]))))


def _user_table(n_users: int, rng: np.random.Generator) -> pa.Table:
    signup = int(START.timestamp()) * _SECOND - rng.integers(0, 700 * _DAY, n_users)
    return pa.table(
        {
            "user_id": _ids("u", np.arange(n_users), 5),
            "signup_time": pa.array(signup, pa.timestamp("us", "UTC")),
            "region": _choose(REGIONS, rng.integers(0, len(REGIONS), n_users)),
            "channel": _choose(CHANNELS, rng.integers(0, len(CHANNELS), n_users)),
        }
    )


def _power_law(n: int, exponent: float, rng: np.random.Generator) -> Float64Array:
    """Weights rank^-exponent in random order."""
    return np.asarray(rng.permutation(np.arange(1, n + 1) ** -exponent))


def _some(n: int, count: int, rng: np.random.Generator) -> Int64Array:
    return np.sort(rng.choice(n, min(count, n), replace=False))


def _choose(names: list[Any] | tuple[str, ...], index: AnyArray) -> pa.Array:
    return pa.array(list(names), pa.string()).take(pa.array(index))


def _ids(prefix: str, numbers: AnyArray, width: int) -> pa.Array:
    digits = pc.utf8_lpad(pc.cast(pa.array(numbers), pa.string()), width, "0")
    return pc.binary_join_element_wise(prefix, digits, "")
