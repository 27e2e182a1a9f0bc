"""A made-up shop's orders with attacks among them: to try everything without anybody's data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from recocore.data import EventBatch
from recocore.errors import InvalidArgumentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recocore.types import Float64Array

_START_US: Final = 1_767_225_600_000_000  # 2026-01-01
_DAY_US: Final = 86_400_000_000
_DAYS: Final = 60
# Card issuers take days to say that a payment was not its owner's.
_DELAY_US: Final = 5 * _DAY_US

_ACCOUNTS_OF_A_FARM: Final = 12
_CARDS_OF_A_TEST: Final = 15


@dataclass(frozen=True, slots=True, eq=False)
class SyntheticOrders:
    """Simulated orders.

    Attributes:
        events: by time.
        labels: 1 for fraud, 0 for good, `[events]`.
        known_times: when each label is known, int64 microseconds `[events]`: five days after the order.
        attack: the kind of each, `[events]`: none, farm, card_test or takeover.
    """

    events: EventBatch
    labels: Float64Array
    known_times: np.ndarray[Any, np.dtype[np.int64]]
    attack: tuple[str, ...]


def synthetic_orders(n_events: int = 20_000, *, seed: int = 0, fraud_share: float = 0.03) -> SyntheticOrders:
    """Draw orders of 60 days: simulated, so what is measured on them says nothing about real fraud.

    Good customers have habits of money and hour, their own device and card, sometimes a second one, and families and
    offices share addresses and IPs. Attacks: farms of accounts that share a few devices and redeem one coupon, tests
    of stolen cards in small payments within minutes, and takeovers of good accounts from a new device with much money.

    Raises:
        InvalidArgumentError: fewer than 1,000 events, or a share outside of 0.005 to 0.3.

    Example:
        >>> orders = synthetic_orders(2_000)
        >>> len(orders.events), sorted(set(orders.attack))
        (2000, ['card_test', 'farm', 'none', 'takeover'])
    """
    if n_events < 1000 or not 0.005 <= fraud_share <= 0.3:
        raise InvalidArgumentError(
            f"n_events, fraud_share: expected at least 1000 and 0.005 to 0.3, got {n_events} and {fraud_share}"
        )
    rng = np.random.default_rng(seed)
    wanted = round(n_events * fraud_share)
    bad: list[dict[str, Any]] = []
    makers = (_farm, _card_test, _takeover)
    attacks = 0
    while len(bad) < wanted:
        bad.extend(makers[attacks % 3](rng, attacks, max(20, n_events // 15)))
        attacks += 1
    rows = [*bad[:wanted], *_good(rng, n_events - wanted)]
    rows.sort(key=lambda row: (row["event_time"], row["user_id"]))
    attack = tuple(row.pop("attack") for row in rows)
    for place, row in enumerate(rows):
        row["event_id"] = f"order-{place}"
    events = EventBatch.from_arrow(pa.Table.from_pylist(rows), time_unit="us")
    known = np.array([row["event_time"] for row in rows], np.int64) + _DELAY_US
    return SyntheticOrders(events, np.array([float(kind != "none") for kind in attack]), known, attack)


def _moment(rng: np.random.Generator, hour: float) -> int:
    seconds = (rng.normal(hour, 2.5) % 24) * 3600
    return _START_US + int(rng.integers(_DAYS)) * _DAY_US + int(seconds * 1e6)


def _order(time: int, user: str, device: str, ip: str, card: str, address: str, value: float) -> dict[str, Any]:
    return {
        "event_time": time,
        "user_id": user,
        "item_id": f"item-{_small_hash(card, 200)}",
        "type": "buy",
        "value": round(value, 2),
        "device": device,
        "ip": ip,
        "payment_id": card,
        "address_id": address,
        "coupon_id": None,
        "attack": "none",
    }


def _small_hash(text: str, most: int) -> int:
    """A number below `most` that belongs to a text, the same in every process."""
    return sum((place + 1) * ord(letter) for place, letter in enumerate(text)) % most


def _good(rng: np.random.Generator, count: int) -> Iterator[dict[str, Any]]:
    people = max(20, count // 15)
    means = rng.normal(3.2, 0.6, people)
    hours = rng.normal(15, 4, people)
    for _ in range(count):
        user = int(min(rng.zipf(1.6), people) - 1) if rng.random() < 0.3 else int(rng.integers(people))
        second = rng.random() < 0.08
        order = _order(
            _moment(rng, hours[user]),
            f"user-{user}",
            f"device-{user}{'b' if second else ''}",
            f"10.0.{user // 3 % 256}.{user // 768}" if rng.random() < 0.8 else f"10.9.{rng.integers(256)}.1",
            f"card-{user}{'b' if rng.random() < 0.05 else ''}",
            f"street-{user // 2}",
            float(np.exp(rng.normal(means[user], 0.5))),
        )
        if rng.random() < 0.06:
            order["coupon_id"] = f"coupon-{rng.integers(5)}"
        yield order


def _farm(rng: np.random.Generator, number: int, people: int) -> Iterator[dict[str, Any]]:
    begin = _moment(rng, 12)
    for account in range(_ACCOUNTS_OF_A_FARM):
        order = _order(
            begin + int(rng.integers(2 * 3600)) * 1_000_000,
            f"farm-{number}-{account}",
            f"farm-device-{number}-{rng.integers(3)}",
            f"10.66.{number % 256}.{rng.integers(2)}",
            f"farm-card-{number}-{rng.integers(4)}",
            f"farm-street-{number}",
            float(np.exp(rng.normal(2.8, 0.3))),
        )
        yield {**order, "coupon_id": f"coupon-{number % 5}", "attack": "farm"}


def _card_test(rng: np.random.Generator, number: int, people: int) -> Iterator[dict[str, Any]]:
    begin = _moment(rng, 4)
    for card in range(_CARDS_OF_A_TEST):
        order = _order(
            begin + card * int(rng.integers(20, 90)) * 1_000_000,
            f"tester-{number}",
            f"tester-device-{number}",
            f"10.77.{number % 256}.{card % 4}",
            f"stolen-{number}-{card}",
            f"street-{rng.integers(people)}",
            float(np.exp(rng.normal(0.7, 0.3))),
        )
        yield {**order, "attack": "card_test"}


def _takeover(rng: np.random.Generator, number: int, people: int) -> Iterator[dict[str, Any]]:
    begin, user = _moment(rng, 3), int(rng.integers(people))
    for step in range(int(rng.integers(2, 5))):
        order = _order(
            begin + step * 600_000_000,
            f"user-{user}",
            f"new-device-{number}",
            f"10.88.{number % 256}.7",
            f"card-{user}",
            f"drop-street-{number % 7}",
            float(np.exp(rng.normal(5.2, 0.4))),
        )
        yield {**order, "attack": "takeover"}
