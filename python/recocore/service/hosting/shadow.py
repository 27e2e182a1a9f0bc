"""Shadow scoring: another model ranks some of the calls after they were answered, and the two rankings are compared."""

from __future__ import annotations

import logging
import queue
import random
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from recocore.service.hosting.background import lower_priority
from recocore.service.logs import log, places
from recocore.service.queries import RecommendQuery

if TYPE_CHECKING:
    from recocore.service.hosting.config import ShadowConfig
    from recocore.service.hosting.host import Hosted
    from recocore.service.observe.observer import CallObserver
    from recocore.service.turns import Turns

# What has waited longer found the machine busy: the shadow gives way first.
_STALE_SECONDS = 0.5
_SUMMARY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """How the shadow's ranking differs from the one that was served.

    Attributes:
        served_version: that answered.
        shadow_version: that ranked along.
        overlap: the share of the served items that the shadow has too, from 0 to 1; 1 where both lists are empty.
        score_difference: mean of shadow's less served score over the items of both; 0 where there are none.
        seconds_difference: shadow's less served time to rank, both taken on the shadow's thread, one after the other.
    """

    served_version: str
    shadow_version: str
    overlap: float
    score_difference: float
    seconds_difference: float


class ShadowSink(Protocol):
    """Takes what the shadow finds; called from its thread only."""

    def compared(self, comparison: Comparison) -> None:
        """One call was ranked by both."""
        ...

    def dropped(self, reason: str) -> None:
        """One call was not, since the queue was "full", it had waited too long ("stale"), or the shadow "failed"."""
        ...


class ShadowLog:
    """Logs a summary a minute.

    Args:
        interval: seconds between two summaries.
    """

    def __init__(self, interval: float = _SUMMARY_SECONDS) -> None:
        self._interval = interval
        self._reset()

    def compared(self, comparison: Comparison) -> None:
        """Add a comparison; log when a minute has passed."""
        self._compared.append(comparison)
        self._log_if_due()

    def dropped(self, reason: str) -> None:
        """Count a drop; log when a minute has passed."""
        self._dropped[reason] = self._dropped.get(reason, 0) + 1
        self._log_if_due()

    def _reset(self) -> None:
        self._since = time.monotonic()
        self._compared: list[Comparison] = []
        self._dropped: dict[str, int] = {}

    def _log_if_due(self) -> None:
        if time.monotonic() - self._since < self._interval:
            return
        count = len(self._compared)
        fields: dict[str, Any] = {"compared": count, "dropped": self._dropped}
        if count:
            fields |= {
                "served": self._compared[-1].served_version,
                "shadow": self._compared[-1].shadow_version,
                "overlap": round(sum(one.overlap for one in self._compared) / count, 4),
                "score_difference": round(sum(one.score_difference for one in self._compared) / count, 6),
                "milliseconds_difference": round(
                    sum(one.seconds_difference for one in self._compared) / count * 1e3, 3
                ),
            }
        log(logging.INFO, "shadow", **fields)
        self._reset()


class ShadowCount:
    """Tells an observer what another sink hears too.

    Args:
        observer: counts.
        sink: the other.
    """

    def __init__(self, observer: CallObserver, sink: ShadowSink) -> None:
        self._observer = observer
        self._sink = sink

    def compared(self, comparison: Comparison) -> None:
        """Count a comparison."""
        self._observer.shadowed(comparison.overlap)
        self._sink.compared(comparison)

    def dropped(self, reason: str) -> None:
        """Count a failure; what was merely not ranked again is none."""
        if reason == "failed":
            self._observer.shadowed(None)
        self._sink.dropped(reason)


@dataclass(frozen=True, slots=True)
class _Job:
    served: Hosted
    shadow: Hosted
    query: RecommendQuery
    offered: float


class Shadow:
    """Ranks a share of the Recommend calls once more, on one thread of low priority behind a bounded queue.

    Args:
        config: alias, share and queue.
        sink: takes the comparisons.
        turns: of this process, which serves beside.
    """

    def __init__(self, config: ShadowConfig, sink: ShadowSink, turns: Turns) -> None:
        self.alias = config.alias
        self._share = config.share
        self._sink = sink
        self._turns = turns
        self._random = random.Random()
        self._jobs: queue.Queue[_Job | None] = queue.Queue(config.queue)
        self._full = 0
        self._thread = threading.Thread(target=self._work, name="recocore-shadow", daemon=True)
        self._thread.start()

    def offer(self, served: Hosted, shadow: Hosted, query: Any) -> None:
        """Maybe have a call ranked again; returns at once, whatever happens."""
        if not isinstance(query, RecommendQuery) or self._random.random() >= self._share:
            return
        try:
            self._jobs.put_nowait(_Job(served, shadow, query, time.monotonic()))
        except queue.Full:
            self._full += 1  # told by the thread; a lost count under a race is no matter

    def close(self) -> None:
        """Drop what waits, and end the thread after what it is at."""
        while True:
            try:
                self._jobs.get_nowait()
            except queue.Empty:
                break
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        lower_priority()
        while True:
            job = self._jobs.get()
            if job is None:
                return
            self._take(job)
            # While it waits for the next one, nothing of this one's models is kept.
            del job

    def _take(self, job: _Job) -> None:
        told, self._full = self._full, 0
        for _ in range(told):
            self._sink.dropped("full")
        if time.monotonic() - job.offered > _STALE_SECONDS:
            self._sink.dropped("stale")
            return
        try:
            with self._turns.working():
                comparison = _compare(job)
        except Exception as error:
            log(logging.ERROR, "shadow", model=job.shadow.version, error=places(error))
            self._sink.dropped("failed")
        else:
            self._sink.compared(comparison)


def _compare(job: _Job) -> Comparison:
    # A page belongs to the list of the model that served it; both are asked for the same places of their own lists.
    query = replace(job.query, page=None)
    started = time.perf_counter()
    answer = job.served.engine.recommend(query).ranked
    between = time.perf_counter()
    ranked = job.shadow.engine.recommend(query).ranked
    ended = time.perf_counter()
    served = {item.item_id: item.score for item in answer.items}
    both = [item.score - served[item.item_id] for item in ranked.items if item.item_id in served]
    overlap = len(both) / len(served) if served else float(not ranked.items)
    difference = sum(both) / len(both) if both else 0.0
    return Comparison(
        job.served.version, job.shadow.version, overlap, difference, (ended - between) - (between - started)
    )
