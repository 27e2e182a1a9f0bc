"""What answers calls: who is let in, on which threads they run, and how they end when the server does."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from recocore.service.call import Call
from recocore.service.gate import Gate
from recocore.service.problems import StoppingError, TooManyCallsError
from recocore.service.turns import Turns, TurnTakers

if TYPE_CHECKING:
    from concurrent.futures import Future

    from recocore.service.config import ServerConfig
    from recocore.service.observe.observer import CallObserver
    from recocore.service.rate_limits import RateLimiter

# Answers one request of a call; runs on a thread.
Method: TypeAlias = Callable[[bytes, Call], bytes]
# The same, awaited on the event loop; there it must be quick, or wait for others.
Awaited: TypeAlias = Callable[[bytes, Call], Awaitable[bytes]]
# What a call goes through from its arrival to its response.
Run: TypeAlias = Callable[[bytes, Call], Awaitable[bytes]]

_T = TypeVar("_T")


class Running:
    """Runs at most `max_calls` at once, on `threads` threads; used on one event loop.

    Args:
        config: how many at once, on how many threads.
        limiter: how often one caller may call.
        observer: is told who waits.
        turns: of this process; None where nothing else works beside the event loop.

    Attributes:
        limiter: see above.
        threads: what runs beside the event loop.
        stopping: set when the server takes no new work.
    """

    def __init__(
        self, config: ServerConfig, limiter: RateLimiter, observer: CallObserver, turns: Turns | None = None
    ) -> None:
        self._config = config
        self.limiter = limiter
        self._observer = observer
        # One for each call that may run: taken and put back by one atomic step, which a semaphore takes 5 us for.
        self._slots = deque(range(config.max_calls))
        self.threads = TurnTakers(turns or Turns(), config.thread_count, "recocore-rank")
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
            self.take_slot()
            self._observer.queued(+1)
            try:
                future = self.threads.submit(work)
            except BaseException:
                self.give_slot()
                self._observer.queued(-1)
                raise
            # A cancelled call gives its slot back only when its thread is done: the thread is what the slot stands for.
            future.add_done_callback(self._leave)
            return await self.result(asyncio.wrap_future(future), call)

        return run

    def awaited(self, method: Awaited, *, enters: bool = True) -> Run:
        """Answers each request on the event loop; its call enters here, unless it was let in before."""

        async def run(request: bytes, call: Call) -> bytes:
            if enters:
                await self._enter(call)
            self.take_slot()
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
                self.give_slot()

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
        self.threads.shutdown(wait=True, cancel_futures=True)

    def arrive(self) -> bool:
        """A newcomer: whether it may go on; else wait for `opened`."""
        return self._gate.arrive()

    async def opened(self) -> None:
        """Return when those who are held at the gate may go on."""
        await self._gate.opened()

    @property
    def is_given_up(self) -> bool:
        """Whether the server no longer waits for answers."""
        return self._given_up.is_set()

    @property
    def free_slots(self) -> int:
        """How many calls more may run."""
        return len(self._slots)

    def too_many(self) -> TooManyCallsError:
        """What to say where no slot is free."""
        return TooManyCallsError(f"the server admits {self._config.max_calls} calls at once; retry later")

    def take_slot(self) -> None:
        """Take one of the slots of calls that run.

        Raises:
            TooManyCallsError: none is free.
        """
        try:
            self._slots.pop()
        except IndexError:
            raise self.too_many() from None

    def give_slot(self) -> None:
        """Put a slot back. Safe from any thread."""
        self._slots.append(0)

    async def result(self, answer: asyncio.Future[_T], call: Call) -> _T:
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

    async def _enter(self, call: Call) -> None:
        if not self._gate.arrive():
            await self._gate.opened()
        self.limiter.admit(call.caller)
        if self._given_up.is_set():
            raise StoppingError

    def _leave(self, future: Future[bytes]) -> None:
        self.give_slot()
        if future.cancelled():
            # It never got a thread.
            self._observer.queued(-1)
