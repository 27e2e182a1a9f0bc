"""Calls that arrive together go through the server together, from their bytes to the bytes of their answers.

The work of all the calls of a batch is done step by step: first all are let in, then all are looked up among the answers that
were given before, then all are decoded, ranked, encoded and told of. So the code of a step is in the processor's caches for all
calls but the first.

What does not fit that way goes on alone: large requests, rankings that take long (both on threads, see `batching`), calls that
wait for a commit.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from recocore.errors import RecocoreError
from recocore.service.batching import Batcher
from recocore.service.gathered import Gathered, open_ones
from recocore.service.limits import BATCH_SECONDS, QUICK_SECONDS
from recocore.service.response_cache import ResponseCache

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from recocore.service.arrival import Arrival, Ended
    from recocore.service.config import ServerConfig
    from recocore.service.contexts import Contexts
    from recocore.service.endings import Endings
    from recocore.service.observe.observer import CallObserver
    from recocore.service.recommending import Answer, Asked, Recommending
    from recocore.service.running import Running

# Bytes of a request that the loop decodes, in about 10 us; what is larger has lists of ids.
_SMALL_REQUEST = 512


class Together(Gathered):
    """Answers the calls of one method; used on one event loop.

    Args:
        name: of the method.
        method: what answers.
        config: how many make a batch, and what is kept of answers.
        running: who is let in.
        contexts: makes calls.
        endings: tells of them.
        observer: is told of calls.
    """

    def __init__(
        self,
        name: str,
        method: Recommending,
        config: ServerConfig,
        running: Running,
        contexts: Contexts,
        endings: Endings,
        observer: CallObserver,
    ) -> None:
        super().__init__(name, config.max_batch, running, contexts, endings, observer)
        self._method = method
        self._batcher: Batcher[bytes | Asked, Answer] = Batcher(
            method.answer_all,
            running.threads,
            # Two lanes wait for each other at the interpreter: 64 callers got 1,500 answers a second from two, 2,140 from one.
            lanes=max(1, config.thread_count // 2),
            most=config.max_batch,
            delay_seconds=config.batch_delay_ms / 1e3,
            observe=observer.batched,
        )
        self._most_waiting = config.max_calls
        self._waiting = 0
        self._keeps = config.cache_mb > 0
        self._cache: ResponseCache[Answer] = ResponseCache(round(config.cache_mb * 1e6))

    async def _later(self, arrival: Arrival) -> Ended:
        if not arrival.min_commit:
            return None
        running = self._running
        # Who waits takes no slot of those who could be answered meanwhile, but there is a bound for them as well.
        if self._waiting >= self._most_waiting:
            return self._failed(arrival, running.too_many())
        self._waiting += 1
        try:
            coming = asyncio.ensure_future(self._method.wait(arrival.min_commit, arrival.call))
            await running.result(coming, arrival.call)
        except Exception as error:
            return self._failed(arrival, error)
        finally:
            self._waiting -= 1
        arrival.min_commit = ""
        return await self._again(arrival)

    async def _answer_alone(self, arrival: Arrival) -> bytes:
        answer = await self._on_a_thread(arrival)
        self._method.given(arrival.request, arrival.call)
        return answer.to(arrival.call, self._method.key)

    async def _on_a_thread(self, arrival: Arrival) -> Answer:
        self._running.take_slot()
        try:
            coming = self._batcher.submit(arrival.asked or arrival.request, arrival.call)
            self._observer.queued(+1)
            try:
                answer = await self._running.result(coming, arrival.call)
            finally:
                self._observer.queued(-1)
        finally:
            self._running.give_slot()
        self._keep(arrival, answer)
        return answer

    def _answer_batch(self, arrivals: list[Arrival]) -> Sequence[Arrival]:
        late = [arrival for arrival in arrivals if arrival.asked is not None]
        new = [arrival for arrival in arrivals if arrival.asked is None]
        self._let_in([arrival for arrival in new if not arrival.is_let_in])
        if self._method.reads_records:
            self._read(open_ones(new))
        self._give_again(open_ones(new))
        self._ask(open_ones(late + new))
        return self._rank(open_ones(late + new))

    def _read(self, arrivals: Iterable[Arrival]) -> None:
        for arrival in arrivals:
            try:
                user_id, min_commit = self._method.user_of(arrival.request)
                if min_commit and arrival.min_commit is None:
                    arrival.min_commit = min_commit
                    arrival.ended.set_result(None)
                else:
                    arrival.key = self._method.read(arrival.request, user_id, arrival.call)
            except Exception as error:
                self._fail(arrival, error)

    def _give_again(self, arrivals: Sequence[Arrival]) -> None:
        """Answer those who ask what was asked before."""
        generation = self._method.generation
        given: list[tuple[Arrival, Answer]] = []
        for arrival in arrivals:
            arrival.generation = generation
            if self._keeps and (answer := self._cache.get(generation, arrival.key)) is not None:
                given.append((arrival, answer))
        if self._keeps:
            self._observer.looked_up(hits=len(given), misses=len(arrivals) - len(given))
        self._give([(arrival, answer) for arrival, answer in given if self._is_in_time(arrival)])

    def _ask(self, arrivals: Sequence[Arrival]) -> None:
        """Decode what is asked, as far as there are slots, and let go on alone what belongs on a thread."""
        slots = self._running.free_slots
        for place, arrival in enumerate(arrivals):
            try:
                if place >= slots:
                    raise self._running.too_many()
                if arrival.asked is not None:
                    continue
                if len(arrival.request) > _SMALL_REQUEST:
                    arrival.ended.set_result(None)
                    continue
                arrival.asked = self._method.ask(arrival.request, arrival.call)
                arrival.seconds = arrival.asked.quick_seconds
                if arrival.seconds > QUICK_SECONDS:
                    arrival.ended.set_result(None)
            except Exception as error:
                self._fail(arrival, error)

    def _rank(self, arrivals: Sequence[Arrival]) -> Sequence[Arrival]:
        seconds = 0.0
        all_asked: list[Asked] = []
        templates: set[int] = set()
        for arrival in arrivals:
            if seconds >= BATCH_SECONDS:
                break
            asked = arrival.asked
            assert asked is not None
            seconds += arrival.seconds
            if id(asked.template) not in templates:
                templates.add(id(asked.template))
                seconds += asked.first_seconds
            all_asked.append(asked)
        count = len(all_asked)
        now, later = arrivals[:count], arrivals[count:]
        if not now:
            return later
        self._observer.batched(count)
        self._observer.queued(+count)
        try:
            answers = self._method.answer_asked(all_asked, [arrival.call for arrival in now])
        finally:
            self._observer.queued(-count)
        given: list[tuple[Arrival, Answer]] = []
        for arrival, answer in zip(now, answers, strict=True):
            if isinstance(answer, Exception):
                self._fail(arrival, answer)
            else:
                self._keep(arrival, answer)
                given.append((arrival, answer))
        self._give(given)
        return later

    def _is_in_time(self, arrival: Arrival) -> bool:
        try:
            arrival.call.checkpoint()
        except RecocoreError as error:
            self._fail(arrival, error)
            return False
        return True

    def _keep(self, arrival: Arrival, answer: Answer) -> None:
        if self._keeps and not answer.is_whole:
            self._cache.put(arrival.generation, arrival.key, answer)

    def _give(self, given: Sequence[tuple[Arrival, Answer]]) -> None:
        key, has_shadows = self._method.key, self._method.has_shadows
        told: list[Arrival] = []
        responses: list[bytes] = []
        for arrival, answer in given:
            try:
                if has_shadows:
                    self._method.given(arrival.request, arrival.call)
                responses.append(answer.to(arrival.call, key))
                told.append(arrival)
            except Exception as error:
                self._fail(arrival, error)
        self._answered(told, responses)
