"""An index with known answers, and users that make it slow or break it; run as a script it is a server over that.

Items i00 .. i39 have popularity 40 .. 1. For user "even" item n scores 100 - n if n is even, else 50 - n; for "odd" the
other way round. "slow-<ms>" is like "even", after that time; the users in ERRORS raise.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from recocore.errors import CorruptError, NotFoundError, OutOfMemoryError, UnsupportedError
from recocore.index import ItemScores, RankedItem, RankedList, Reason
from recocore.service.announcing import announce_json
from recocore.service.config import ServerConfig
from recocore.service.server import run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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

    def indices_of(self, ids: Sequence[str]) -> Any:
        return np.array([self._index.get(id_, -1) for id_ in ids], np.int32)

    def __contains__(self, id_: str) -> bool:
        return id_ in self._index


class StubIndex:
    version = "stub-1"

    def __init__(self, items: Sequence[str] = ITEMS) -> None:
        self._names = list(items)
        self.items = Ids(items)
        self.users = Ids(["even", "odd", *ERRORS, *(f"slow-{ms}" for ms in (50, 300, 1000, 3000))])

    def recommend(
        self,
        user_ids: Sequence[str],
        k: int = 10,
        *,
        exclude_seen: bool = True,
        allow: Sequence[str] | None = None,
        block: Sequence[str] | None = None,
        fallback: str = "popular",
        explain: int = 0,
        num_threads: int = 0,
    ) -> list[RankedList]:
        lists = []
        for user_id in user_ids:
            self._misbehave(user_id)
            hidden = {*(block or ()), *(SEEN.get(user_id, ()) if exclude_seen else ())}
            pool = [item for item in self._names if item not in hidden and (allow is None or item in allow)]
            ranked = []
            if user_id in self.users:
                scores = {item: self._score(user_id, item) for item in pool}
                best = sorted(pool, key=lambda item: -scores[item])[:k]
                reasons = tuple(Reason(item, 0.5) for item in SEEN.get(user_id, ())[:explain])
                ranked = [RankedItem(item, scores[item], "model", reasons) for item in best]
            elif fallback == "popular":
                counts = {item: len(self._names) - place for place, item in enumerate(self._names)}
                ranked = [RankedItem(item, float(counts[item]), "popular") for item in pool[:k]]
            popular = any(item.source == "popular" for item in ranked)
            lists.append(RankedList(tuple(ranked), "popular" if popular else "none"))
        return lists

    def similar_items(self, item_ids: Sequence[str], k: int = 10, *, num_threads: int = 0) -> list[RankedList]:
        """Similarity 1 / (1 + distance between the items' numbers)."""
        lists = []
        for seed in item_ids:
            if seed not in self.items:
                lists.append(RankedList((), missing_ids=(seed,)))
                continue
            near = {
                item: 1 / (1 + abs(int(seed.lstrip("i")) - int(item.lstrip("i"))))
                for item in self._names
                if item != seed
            }
            best = sorted(near, key=lambda item: (-near[item], item))[:k]
            lists.append(RankedList(tuple(RankedItem(item, near[item]) for item in best)))
        return lists

    def score(self, user_id: str, item_ids: Sequence[str]) -> ItemScores:
        self._misbehave(user_id)
        if user_id not in self.users:
            raise NotFoundError(f"user_id: {user_id!r} is not in this index")
        known = tuple(item for item in item_ids if item in self.items)
        missing = tuple(dict.fromkeys(item for item in item_ids if item not in self.items))
        return ItemScores(known, np.array([self._score(user_id, item) for item in known], np.float32), missing)

    @staticmethod
    def _score(user_id: str, item: str) -> float:
        number = int(item.lstrip("i"))
        own = number % 2 == (1 if user_id == "odd" else 0)
        return (100.0 if own else 50.0) - number

    @staticmethod
    def _misbehave(user_id: str) -> None:
        if user_id in ERRORS:
            raise ERRORS[user_id]()
        if user_id.startswith("slow-"):
            time.sleep(int(user_id.removeprefix("slow-")) / 1000)


if __name__ == "__main__":
    from recocore.service.logs import configure

    settings: dict[str, Any] = json.loads(sys.argv[1])
    long_ids = settings.pop("long_ids", False)
    config = ServerConfig(**{"port": 0, "threads": 4, "log_level": "debug", "pseudonym_key": b"key", **settings})
    configure(config.log_level, sys.stderr)
    names = [f"{number:03}".rjust(200, "0") for number in range(600)] if long_ids else ITEMS
    asyncio.run(run(StubIndex(names), config, announce_json))
