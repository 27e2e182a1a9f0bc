"""Events of a made-up shop, with fields as a storefront sends them: 330 bytes each as MessagePack."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

_START = 1_700_000_000_000_000
_TYPES = ("view", "view", "view", "view", "click", "cart", "buy")


def batches(events: int, users: int, size: int, *, seed: int = 0) -> Iterator[list[dict[str, Any]]]:
    """Calls of `size` events each, of users drawn evenly: the hardest case, since no call has a user twice."""
    rng = np.random.default_rng(seed)
    for first in range(0, events, size):
        who, what = rng.integers(0, users, size).tolist(), rng.integers(0, 50_000, size).tolist()
        kind, price = rng.integers(0, len(_TYPES), size).tolist(), rng.random(size).round(2).tolist()
        yield [
            {
                "event_id": f"{seed:04x}-{first + at:012x}",
                "event_time": _START + (first + at) * 1_000,
                "user_id": f"user-{who[at]:08d}",
                "session_id": f"session-{who[at] % 1000:06d}",
                "item_id": f"item-{what[at]:06d}",
                "type": _TYPES[kind[at]],
                "device": "mobile",
                "country": "DE",
                "channel": "search",
                "page": f"/p/item-{what[at]:06d}",
                "price": price[at] * 100,
                "currency": "EUR",
            }
            for at in range(size)
        ]
