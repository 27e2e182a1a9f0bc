"""Events of a made-up shop, and plain answers to hold the state's against."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from recocore.data import EventBatch
    from recocore.state import UserRecord

# Microseconds since 1970: some day of 2023.
START = 1_700_000_000_000_000
SECOND = 1_000_000

Row = dict[str, Any]


def rows(count: int, seed: int = 0, *, users: int = 20, first: int = 0) -> list[Row]:
    """Events in no order of time, each with an id of its own."""
    rng = random.Random(seed)
    return [
        {
            "event_id": f"event-{seed}-{number}",
            "user_id": f"customer-{rng.randrange(users)}",
            "item_id": f"article-{rng.randrange(12)}",
            "type": rng.choice(["view", "view", "cart", "buy"]),
            "event_time": START + rng.randrange(10_000) * SECOND,
            "query": f"secret wish {rng.randrange(50)}",
        }
        for number in range(first, first + count)
    ]


def expected(events: Iterable[Row], most_seen: int = 200, most_recent: int = 50) -> dict[str, tuple[Any, ...]]:
    """User → (items bought, recent items), computed plainly from all events in the order in which they arrived."""
    by_user: dict[str, list[Row]] = defaultdict(list)
    for event in events:
        by_user[event["user_id"]].append(event)
    known = {}
    for user, mine in by_user.items():
        ordered = sorted(mine, key=lambda event: event["event_time"])  # stable: equal times stay in order of arrival
        last_bought: dict[str, int] = {}
        for event in ordered:
            if event["type"] == "buy":
                last_bought.pop(event["item_id"], None)
                last_bought[event["item_id"]] = event["event_time"]
        known[user] = (
            tuple(last_bought)[-most_seen:],
            tuple((event["item_id"], event["type"], event["event_time"]) for event in ordered[-most_recent:]),
        )
    return known


def told(record: UserRecord | None) -> tuple[Any, ...]:
    """What a record says, in the form of `expected`."""
    assert record is not None
    return record.seen, tuple((event.item_id, event.type, event.time) for event in record.recent)


def ids(batches: Iterable[EventBatch]) -> list[str]:
    """The event ids of batches, in their order."""
    return [event_id for batch in batches for event_id in batch.column("event_id").to_pylist()]


def contents(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below a folder."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path, path.read_bytes()
