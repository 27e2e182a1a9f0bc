"""An index with known answers, and users that make it slow or break it; run as a script it is a server over that.

Items i00 .. i39 have popularity 40 .. 1. For user "even" item n scores 100 - n if n is even, else 50 - n; for "odd" the
other way round. "slow-<ms>" is like "even", after that time; the users in ERRORS raise. The likeness of two items is 1 / (1 +
the distance of their numbers), and without a user's record items score the sum of likeness to those of the session and the
context. Item n has brand b<n % 4>, tags, a price of n unless that is 35 or more, and is on sale below 10.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from tests.service.brute_force import page

from recocore.errors import CorruptError, NotFoundError, OutOfMemoryError, UnsupportedError
from recocore.index import SOURCES, ItemScores, RankedColumns, RankedList, Reason
from recocore.service.announcing import announce_json
from recocore.service.config import ServerConfig
from recocore.service.server import run

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from recocore.index import Ask, ExternalId, Source

ITEMS = [f"i{number:02}" for number in range(40)]
SEEN = {"even": ["i00", "i02"], "odd": ["i01"]}
SECRET = "/secret/place"
ERRORS: dict[str, Callable[[], Exception]] = {
    "boom": lambda: RuntimeError(f"cannot read {SECRET} of boom"),
    "no-memory": lambda: OutOfMemoryError("k: needs 10 GB, 1 GB is free"),
    "unsupported": lambda: UnsupportedError("this model does not rank users"),
    "corrupt": lambda: CorruptError(f"{SECRET}/factors.npy: wrong checksum"),
}


class Ids:
    def __init__(self, ids: Sequence[str]) -> None:
        self._index = {id_: index for index, id_ in enumerate(ids)}

    def __len__(self) -> int:
        return 0  # nobody to time a list by: how long one takes depends on the user, so threads answer

    def indices_of(self, ids: Sequence[ExternalId]) -> Any:
        return np.array([self._index.get(str(id_), -1) for id_ in ids], np.int32)

    def name(self, index: int) -> str:
        return list(self._index)[index] if index >= 0 else "nobody"

    def __contains__(self, id_: str) -> bool:
        return id_ in self._index


class StubIndex:
    version = "stub-1"

    def __init__(self, items: Sequence[str] = ITEMS) -> None:
        self._names = list(items)
        self.items = Ids(items)
        self.users = Ids(["even", "odd", *ERRORS, *(f"slow-{ms}" for ms in (50, 300, 1000, 3000))])

    @property
    def fields(self) -> dict[str, str]:
        return {"brand": "text", "tags": "text", "price": "number", "sale": "flag"}

    def attributes_of(self, item_ids: Sequence[str], fields: Sequence[str]) -> list[dict[str, Any]]:
        return [{name: value for name, value in _attributes(item).items() if name in fields} for item in item_ids]

    def ask(self, user_ids: Sequence[str], ask: Ask, *, num_threads: int = 1) -> list[RankedList]:
        return [self._ask(user_id, ask) for user_id in user_ids]

    def is_ready(self, ask: Ask) -> bool:
        return True

    def ask_columns(self, user_indices: Any, ask: Ask, *, num_threads: int = 1) -> RankedColumns:
        lists = [self._ask(self.users.name(user), ask) for user in user_indices.tolist()]
        items = [item for ranked in lists for item in ranked.items]
        return RankedColumns(
            [item.item_id for item in items],
            np.array([item.score for item in items], np.float32),
            np.array([SOURCES.index(item.source) for item in items], np.uint8),
            list(accumulate(len(ranked.items) for ranked in lists)),
            [ranked.fallback_used for ranked in lists],
        )

    def _ask(self, user_id: str, ask: Ask) -> RankedList:
        self._misbehave(user_id)
        session = [event.item_id for event in ask.session] if ask.personalization != "none" else []
        at_hand = {str(item) for item in (*session, *ask.context_item_ids) if str(item) in self.items}
        full = ask.personalization == "full"
        likeness = self._likeness(at_hand)
        scores = likeness
        source: Source = "session" if session else "context"
        if full and user_id in self.users:
            scores, source = {item: self._score(user_id, item) for item in self._names}, "model"
        ranked = page(
            ask,
            scores,
            source,
            {
                "popular": {item: float(len(self._names) - place) for place, item in enumerate(self._names)},
                "similar": likeness,
            },
            {item: _attributes(item) for item in self._names},
            {*at_hand, *(SEEN.get(user_id, ()) if full else ())} if ask.exclude_seen else set(),
        )
        reasons = tuple(Reason(item, 0.5) for item in SEEN.get(user_id, ())[: ask.explain])
        explained = (replace(item, reasons=reasons) if item.source == "model" else item for item in ranked.items)
        return replace(ranked, items=tuple(explained))

    def similar(self, seeds: Sequence[str], negatives: Sequence[str], ask: Ask, *, num_threads: int = 1) -> RankedList:
        known = [[seed for seed in given if seed in self.items] for given in (seeds, negatives)]
        like, unlike = ({item: total / max(1, len(of)) for item, total in self._likeness(of).items()} for of in known)
        scores = {item: like.get(item, 0.0) - unlike.get(item, 0.0) for item in self._names}
        every = {item: _attributes(item) for item in self._names}
        return page(ask, scores, "model", {}, every, {*seeds, *negatives})

    def explain(self, user_id: str, item_id: str, limit: int = 5) -> tuple[Reason, ...]:
        return tuple(Reason(item, self._score(user_id, item_id) / 4) for item in SEEN.get(user_id, ())[:limit])

    def _likeness(self, items: Collection[str]) -> dict[str, float]:
        if not items:
            return {}
        return {item: sum(1 / (1 + abs(_number(item) - _number(one))) for one in items) for item in self._names}

    def score(self, user_id: str, item_ids: Sequence[str]) -> ItemScores:
        self._misbehave(user_id)
        if user_id not in self.users:
            raise NotFoundError(f"user_id: {user_id!r} is not in this index")
        known = tuple(item for item in item_ids if item in self.items)
        missing = tuple(dict.fromkeys(item for item in item_ids if item not in self.items))
        return ItemScores(known, np.array([self._score(user_id, item) for item in known], np.float32), missing)

    @staticmethod
    def _score(user_id: str, item: str) -> float:
        number = _number(item)
        own = number % 2 == (1 if user_id == "odd" else 0)
        return (100.0 if own else 50.0) - number

    @staticmethod
    def _misbehave(user_id: str) -> None:
        if user_id in ERRORS:
            raise ERRORS[user_id]()
        if user_id.startswith("slow-"):
            time.sleep(int(user_id.removeprefix("slow-")) / 1000)


def _number(item: str) -> int:
    return int(item.lstrip("i"))


def _attributes(item: str) -> dict[str, Any]:
    number = _number(item)
    tags = ["even" if number % 2 == 0 else "odd", *(["round"] if number % 10 == 0 else [])]
    price = {"price": float(number)} if number < 35 else {}
    return {"brand": f"b{number % 4}", "tags": tags, "sale": number < 10, **price}


if __name__ == "__main__":
    from recocore.service.logs import configure

    settings: dict[str, Any] = json.loads(sys.argv[1])
    count, long_ids = settings.pop("items", len(ITEMS)), settings.pop("long_ids", False)
    config = ServerConfig(
        **{"port": 0, "threads": 4, "max_batch": 1, "log_level": "debug", "pseudonym_key": b"key", **settings}
    )
    configure(config.log_level, sys.stderr)
    names = (
        [f"{number:03}".rjust(200, "0") for number in range(600)] if long_ids else [f"i{n:02}" for n in range(count)]
    )
    asyncio.run(run(StubIndex(names), config, announce_json))
