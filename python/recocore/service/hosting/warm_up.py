"""The first calls of a version, which nobody waits for: they map its pages and load what native code needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recocore.errors import RecocoreError
from recocore.service import convert
from recocore.service.call import Call
from recocore.service.hosting.host import Hosted
from recocore.service.problems import problem_of
from recocore.service.servicer import RecommendationServicer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from recocore.index import Index
    from recocore.service.engine import Engine
    from recocore.service.hosting.choice import ModelChoice

Request = tuple[str, bytes]


def sample_requests(index: Index, count: int) -> list[Request]:
    """Requests of every method for the `count` most active users and most popular items of an index. O(users)."""
    entries = np.diff(index.scorer.interactions.indptr)
    users = index.users.ids_of(_largest(entries, count))
    items = index.items.ids_of(index.popular.order[:count])
    return convert.sample_requests([str(user) for user in users], [str(item) for item in items])


def replay(engine: Engine, version: str, requests: Iterable[Request]) -> None:
    """Answer requests, from bytes to bytes, as calls do; what a caller could be blamed for is no matter.

    Raises:
        Exception: whatever a call would report as the server's fault.
    """
    methods = RecommendationServicer(_One(Hosted(engine, version))).methods()
    for method, request in requests:
        try:
            methods[method](request, Call("warm-up"))
        except RecocoreError as error:
            if problem_of(error).is_server_fault:
                raise


class _One:
    """Answers every choice from the version that is being warmed up: recorded requests may name models of their time."""

    def __init__(self, hosted: Hosted) -> None:
        self._hosted = hosted

    generation = 0
    shadows = False

    def pick(self, choice: ModelChoice, user_id: str | None) -> Hosted:
        return self._hosted

    def shadow(self, hosted: Hosted, query: Any) -> None:
        pass


def _largest(
    values: np.ndarray[tuple[int], np.dtype[np.int64]], count: int
) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    count = min(count, len(values))
    return np.argpartition(values, len(values) - count)[len(values) - count :] if count else np.empty(0, np.intp)
