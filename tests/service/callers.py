"""Callers in a loop, each on a connection of its own, that remember how every call ended."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from recocore.client import Client, ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Outcome:
    caller: int
    status: str
    model: str
    seconds: float
    started: float = 0.0  # by time.monotonic


def until(condition: Callable[[], Any], seconds: float = 30) -> None:
    """Wait for a condition that must come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it did not come true within {seconds} s"
        time.sleep(0.01)


class Callers:
    """Calls Recommend from several threads from entering to leaving; who fails goes on calling."""

    def __init__(self, address: str, count: int = 8, user: str = "user-00") -> None:
        self._address = address
        self._user = user
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._call_on, args=(number,)) for number in range(count)]
        self._latest = [Outcome(number, "", "", 0) for number in range(count)]
        self._counts = [0] * count
        self.outcomes: list[Outcome] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        self.wait_for_answers(1)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def wait_for_answers(self, more: int) -> None:
        """Wait until every caller has had so many more answers."""
        before = list(self._counts)
        until(lambda: all(now - then >= more for now, then in zip(self._counts, before, strict=True)))

    def all_see(self, model: str) -> bool:
        """Whether the last call of each was answered by a model."""
        return all(outcome.model == model for outcome in self._latest)

    def counts(self) -> Counter[str]:
        """How many calls ended with each status."""
        return Counter(outcome.status for outcome in self.outcomes)

    def percentile(self, share: float) -> float:
        """Milliseconds within which a share of the calls was answered."""
        times = sorted(outcome.seconds for outcome in self.outcomes if outcome.status == "OK")
        return times[min(int(share * len(times)), len(times) - 1)] * 1e3

    def _call_on(self, number: int) -> None:
        with Client(self._address, timeout=20, retries=0) as client:
            client.wait_until_ready(20)
            while not self._stop.is_set():
                began, started = time.monotonic(), time.perf_counter()
                try:
                    model, status = client.recommend(self._user).served_model, "OK"
                except ServiceError as error:
                    model, status = "", f"{error.status} {error.reason}".strip()
                outcome = Outcome(number, status, model, time.perf_counter() - started, began)
                self.outcomes.append(outcome)
                self._latest[number] = outcome
                self._counts[number] += status == "OK"
