"""What answers calls: who is let in, on which threads they run, and how they end when the server does."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from recocore.service.batching import Batcher
from recocore.service.call import Call
from recocore.service.gate import Gate
from recocore.service.problems import StoppingError, TooManyCallsError
from recocore.service.quick_lane import MOST_SECONDS, QuickLane
from recocore.service.response_cache import ResponseCache
from recocore.service.turns import Turns, TurnTakers

if TYPE_CHECKING:
    from concurrent.futures import Future

    from recocore.service.config import ServerConfig
    from recocore.service.observe.observer import CallObserver
    from recocore.service.rate_limits import RateLimiter
    from recocore.service.recommending import Answer, Asked, Recommending

# Answers one request of a call; runs on a thread.
Method: TypeAlias = Callable[[bytes, Call], bytes]
# The same, awaited on the event loop; there it must be quick, or wait for others.
Awaited: TypeAlias = Callable[[bytes, Call], Awaitable[bytes]]
# What a call goes through from its arrival to its response.
Run: TypeAlias = Callable[[bytes, Call], Awaitable[bytes]]

_T = TypeVar("_T")

# Bytes of a request that the loop decodes, in about 10 us; what is larger has lists of ids.
_SMALL_REQUEST = 512


class Running:
    """Runs at most `max_calls` at once, on `threads` threads; used on one event loop.

    Args:
        config: how many at once, on how many threads, and how they are batched.
        limiter: how often one caller may call.
        observer: is told who waits.
        turns: of this process; None where nothing else works beside the event loop.
    """

    def __init__(
        self, config: ServerConfig, limiter: RateLimiter, observer: CallObserver, turns: Turns | None = None
    ) -> None:
        self._config = config
        self._limiter = limiter
        self._observer = observer
        # One for each call that may run: taken and put back by one atomic step, which a semaphore takes 5 us for.
        self._slots = deque(range(config.max_calls))
        self._threads = TurnTakers(turns or Turns(), config.thread_count, "recocore-rank")
        self._gate = Gate()
        self._answers: set[asyncio.Future[Any]] = set()
        self.stopping = asyncio.Event()
        self._given_up = asyncio.Event()

    def threaded(self, method: Method) -> Run:
        """Answers each request on a thread of its own."""

        async def run(request: bytes, call: Call) -> bytes:
            def work() -> bytes:
                self._observer.queued(-1)
                call.checkpoint()
                return method(request, call)

            await self._enter(call)
            self._take_slot()
            self._observer.queued(+1)
            try:
                future = self._threads.submit(work)
            except BaseException:
                self._slots.append(0)
                self._observer.queued(-1)
                raise
            # A cancelled call gives its slot back only when its thread is done: the thread is what the slot stands for.
            future.add_done_callback(self._leave)
            return await self._result(asyncio.wrap_future(future), call)

        return run

    def awaited(self, method: Awaited) -> Run:
        """Answers each request on the event loop."""

        async def run(request: bytes, call: Call) -> bytes:
            await self._enter(call)
            self._take_slot()
            # The transport's own task of this call: a task within it takes 20 us more.
            task = asyncio.current_task()
            assert task is not None
            self._answers.add(task)
            try:
                return await method(request, call)
            except asyncio.CancelledError:
                if not self._given_up.is_set():
                    raise
                task.uncancel()
                call.cancel()
                raise StoppingError from None
            finally:
                self._answers.discard(task)
                self._slots.append(0)

        return run

    def batched(self, method: Recommending) -> Run:
        """Answers requests that arrive together on one thread, and those that were answered before at once."""
        config, observer = self._config, self._observer
        batcher: Batcher[bytes | Asked, Answer] = Batcher(
            method.answer_all,
            self._threads,
            # Two lanes wait for each other at the interpreter: 64 callers got 1,500 answers a second from two, 2,140 from one.
            lanes=max(1, config.thread_count // 2),
            most=config.max_batch,
            delay_seconds=config.batch_delay_ms / 1e3,
            observe=observer.batched,
        )
        quick = QuickLane(method.answer_asked, most=config.max_batch, observe=observer.batched)
        cache: ResponseCache[Answer] = ResponseCache(round(config.cache_mb * 1e6))

        async def run(request: bytes, call: Call) -> bytes:
            await self._enter(call)
            key = await method.read(request, call) if method.reads_records else request
            generation = method.generation
            answer = cache.get(generation, key) if config.cache_mb else None
            if config.cache_mb:
                observer.looked_up(hit=answer is not None)
            if answer is None:
                self._take_slot()
                try:
                    if len(request) > _SMALL_REQUEST:
                        coming = batcher.submit(request, call)
                    elif (seconds := (asked := method.ask(request, call)).quick_seconds) <= MOST_SECONDS:
                        coming = quick.submit(asked, call, seconds)
                    else:
                        coming = batcher.submit(asked, call)
                    self._observer.queued(+1)
                    try:
                        answer = await self._result(coming, call)
                    finally:
                        self._observer.queued(-1)
                finally:
                    self._slots.append(0)
                if config.cache_mb and not answer.is_whole:
                    cache.put(generation, key, answer)
            else:
                call.checkpoint()
            method.given(request, call)
            return answer.to(call, method.key)

        return run

    async def hold(self, at_most: float) -> None:
        """Keep newcomers waiting and end streams; return when nobody comes any more, or after `at_most` seconds."""
        self.stopping.set()
        await self._gate.hold(at_most)

    def resume(self) -> None:
        """Let those go on who were held."""
        self._gate.release()

    def give_up(self) -> None:
        """End the calls that still run with UNAVAILABLE."""
        self._given_up.set()
        for answer in tuple(self._answers):
            answer.cancel()

    def close(self) -> None:
        """Wait for the running methods and let the threads go; what waits for a thread is dropped."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def _enter(self, call: Call) -> None:
        if not self._gate.arrive():
            await self._gate.opened()
        self._limiter.admit(call.caller)
        if self._given_up.is_set():
            raise StoppingError

    def _take_slot(self) -> None:
        try:
            self._slots.pop()
        except IndexError:
            raise TooManyCallsError(f"the server admits {self._config.max_calls} calls at once; retry later") from None

    async def _result(self, answer: asyncio.Future[_T], call: Call) -> _T:
        """The answer to come, unless the server gives up on it."""
        self._answers.add(answer)
        try:
            return await answer
        except asyncio.CancelledError:
            if not self._given_up.is_set():
                raise
            call.cancel()
            raise StoppingError from None
        finally:
            self._answers.discard(answer)

    def _leave(self, future: Future[bytes]) -> None:
        self._slots.append(0)
        if future.cancelled():
            # It never got a thread.
            self._observer.queued(-1)
