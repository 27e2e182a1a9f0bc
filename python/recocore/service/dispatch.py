"""Between gRPC and the methods: admission, threads, deadlines, errors, log lines.

A method takes the bytes of a request and gives the bytes of a response. It runs on a thread, so that the event loop
never waits for a ranking.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import grpc

from recocore.service import convert
from recocore.service.call import Call, request_id
from recocore.service.gate import Gate
from recocore.service.logs import LOGGER, Pseudonyms, log, places
from recocore.service.problems import StoppingError, TooManyCallsError, problem_of
from recocore.service.rate_limits import RateLimiter
from recocore.service.streams import OpenStream, answer_each, when_there_is_room

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from recocore.service.config import ServerConfig
    from recocore.service.observe.observer import CallObserver
    from recocore.service.problems import Problem
    from recocore.service.rate_limits import LimitsConfig

Method = Callable[[bytes, Call], bytes]
_T = TypeVar("_T")

_REQUEST_ID_KEY = "x-request-id"
_TRACE_KEY = "traceparent"
_DETAILS_KEY = "grpc-status-details-bin"
_NO_STREAMS: Mapping[str, OpenStream] = MappingProxyType({})


class Dispatcher:
    """Runs the methods of a server's calls, at most `max_calls` at once, on `threads` threads.

    Args:
        config: how many at once, on how many threads.
        limits: how often one caller may call.
        observer: is told of calls.
    """

    def __init__(self, config: ServerConfig, limits: LimitsConfig, observer: CallObserver) -> None:
        self._limiter = RateLimiter(limits)
        self._observer = observer
        self._max_calls = config.max_calls
        self._slots = threading.BoundedSemaphore(config.max_calls)
        self._threads = ThreadPoolExecutor(config.thread_count, thread_name_prefix="recocore-rank")
        self._pseudonyms = Pseudonyms(config.pseudonym_key)
        self._gate = Gate()
        self._answers: set[asyncio.Future[bytes]] = set()
        self._stopping = asyncio.Event()
        self._given_up = asyncio.Event()

    def handler(
        self, service: str, methods: Mapping[str, Method], streams: Mapping[str, OpenStream] = _NO_STREAMS
    ) -> grpc.GenericRpcHandler:
        """A gRPC handler of methods by name, of single requests and of streams; requests and responses stay bytes."""
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            name: grpc.unary_unary_rpc_method_handler(self._behaviour(name, method)) for name, method in methods.items()
        }
        for name, open_stream in streams.items():
            handlers[name] = grpc.stream_stream_rpc_method_handler(self._stream_behaviour(name, open_stream))
        return grpc.method_handlers_generic_handler(service, handlers)

    async def hold(self, at_most: float) -> None:
        """Keep newcomers waiting and end streams; return when nobody comes any more, or after `at_most` seconds."""
        self._stopping.set()
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

    def _behaviour(self, name: str, method: Method) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def behave(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            call = self._call(context)
            return await self._tell(name, call, context, self._observe(name, call, self._run(method, request, call)))

        return behave

    def _stream_behaviour(self, name: str, open_stream: OpenStream) -> Callable[[Any, Any], Awaitable[None]]:
        async def behave(_: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
            call = self._call(context)
            method = open_stream()

            async def answer(request: bytes) -> bytes:
                # Each message counts as a call: how long a stream stays open says nothing about the service.
                turn = when_there_is_room(lambda: self._run(method, request, call))
                return await self._observe(name, call, turn)

            await self._tell(name, call, context, answer_each(context, answer, self._stopping))

        return behave

    def _call(self, context: grpc.aio.ServicerContext[bytes, bytes]) -> Call:
        metadata = context.invocation_metadata() or ()
        given: dict[str, str] = {}
        for key, value in metadata:
            if isinstance(value, str):
                given.setdefault(key, value)
        return Call(
            request_id(given.get(_REQUEST_ID_KEY)),
            context.time_remaining(),
            given.get(_TRACE_KEY),
            self._limiter.caller(context.peer(), metadata),
        )

    async def _observe(self, name: str, call: Call, answer: Awaitable[_T]) -> _T:
        """Await the answer to one request, and let the observer know how it went."""
        started = time.perf_counter()
        status = "OK"
        self._observer.started()
        try:
            return await answer
        except asyncio.CancelledError:
            status = call.give_up()
            raise
        except Exception as error:
            problem = problem_of(error)
            status = problem.status
            if problem.retry_after is not None:
                self._observer.shed(problem.reason)
            raise
        finally:
            self._observer.finished(name, status, time.perf_counter() - started, call.hosted, call)

    async def _tell(
        self, name: str, call: Call, context: grpc.aio.ServicerContext[bytes, bytes], work: Awaitable[_T]
    ) -> _T:
        """Await all the work of a call; log how it ended and, where it failed, tell the caller why."""
        started = time.perf_counter()
        try:
            done = await work
        except asyncio.CancelledError:
            self._log(logging.DEBUG, name, call, started, status=call.give_up())
            raise
        except Exception as error:
            problem = problem_of(error)
            about = {"status": problem.status, "reason": problem.reason}
            if problem.is_server_fault:
                self._log(logging.ERROR, name, call, started, **about, error=places(error))
            else:
                self._log(logging.INFO, name, call, started, **about)
            await _abort(context, problem, call)
        self._log(logging.DEBUG, name, call, started, status="OK")
        return done

    async def _run(self, method: Method, request: bytes, call: Call) -> bytes:
        def work() -> bytes:
            self._observer.queued(-1)
            call.checkpoint()
            return method(request, call)

        await self._gate.enter()
        self._limiter.admit(call.caller)
        if self._given_up.is_set():
            raise StoppingError
        if not self._slots.acquire(blocking=False):
            raise TooManyCallsError(f"the server admits {self._max_calls} calls at once; retry later")
        self._observer.queued(+1)
        try:
            future = self._threads.submit(work)
        except BaseException:
            self._slots.release()
            self._observer.queued(-1)
            raise
        # A cancelled call gives its slot back only when its thread is done: the thread is what the slot stands for.
        future.add_done_callback(self._leave)
        answer = asyncio.wrap_future(future)
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
        self._slots.release()
        if future.cancelled():
            # It never got a thread.
            self._observer.queued(-1)

    def _log(self, level: int, method: str, call: Call, started: float, **fields: Any) -> None:
        if LOGGER.isEnabledFor(level):
            log(
                level,
                "call",
                method=method,
                request_id=call.request_id,
                user=self._pseudonyms.of(call.user_id) if call.user_id else None,
                placement=call.placement or None,
                milliseconds=round((time.perf_counter() - started) * 1e3, 3),
                **fields,
            )


async def _abort(context: grpc.aio.ServicerContext[bytes, bytes], problem: Problem, call: Call) -> NoReturn:
    details = convert.encode_problem(problem, call.request_id)
    await context.abort(grpc.StatusCode[problem.status], problem.message, ((_DETAILS_KEY, details),))
