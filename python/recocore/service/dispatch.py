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
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import grpc

from recocore.service import convert
from recocore.service.batching import Batcher
from recocore.service.call import Call, request_id
from recocore.service.gate import Gate
from recocore.service.logs import LOGGER, Pseudonyms, log, places
from recocore.service.problems import StoppingError, TooManyCallsError, problem_of
from recocore.service.response_cache import ResponseCache
from recocore.service.streams import OpenStream, answer_each

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from recocore.service.config import ServerConfig
    from recocore.service.problems import Problem
    from recocore.service.recommending import Answer, Recommending

Method = Callable[[bytes, Call], bytes]

_REQUEST_ID_KEY = "x-request-id"
_DETAILS_KEY = "grpc-status-details-bin"
_NONE: Mapping[str, Any] = MappingProxyType({})

# Answers one request of a call, somehow.
_Run = Callable[[bytes, Call], "Awaitable[bytes]"]
_A = TypeVar("_A")


class Dispatcher:
    """Runs the methods of a server's calls, at most `max_calls` at once, on `threads` threads."""

    def __init__(self, config: ServerConfig) -> None:
        self._config = config
        self._slots = threading.BoundedSemaphore(config.max_calls)
        self._threads = ThreadPoolExecutor(config.thread_count, thread_name_prefix="recocore-rank")
        self._pseudonyms = Pseudonyms(config.pseudonym_key)
        self._gate = Gate()
        self._answers: set[asyncio.Future[Any]] = set()
        self._stopping = asyncio.Event()
        self._given_up = asyncio.Event()

    def handler(
        self,
        service: str,
        methods: Mapping[str, Method],
        batches: Mapping[str, Recommending] = _NONE,
        streams: Mapping[str, OpenStream] = _NONE,
    ) -> grpc.GenericRpcHandler:
        """A gRPC handler of methods by name; requests and responses stay bytes.

        Args:
            service: its full name.
            methods: each answers one request.
            batches: each answers requests that arrive together.
            streams: each opens a stream of requests that are answered one by one.
        """
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            name: grpc.unary_unary_rpc_method_handler(self._behaviour(name, self._threaded(method)))
            for name, method in methods.items()
        }
        for name, batched in batches.items():
            handlers[name] = grpc.unary_unary_rpc_method_handler(self._behaviour(name, self._batched(batched)))
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

    def _behaviour(self, name: str, run: _Run) -> Callable[[bytes, Any], Awaitable[bytes]]:
        async def behave(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            call = Call(request_id(_given_request_id(context)), context.time_remaining())
            started = time.perf_counter()
            try:
                response = await run(request, call)
            except BaseException as error:
                await self._fail(name, call, started, error, context)
            self._log(logging.DEBUG, name, call, started, status="OK")
            return response

        return behave

    def _stream_behaviour(self, name: str, open_stream: OpenStream) -> Callable[[Any, Any], Awaitable[None]]:
        async def behave(_: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
            call = Call(request_id(_given_request_id(context)), context.time_remaining())
            started = time.perf_counter()
            run = self._threaded(open_stream())
            try:
                await answer_each(context, lambda request: run(request, call), self._stopping)
            except BaseException as error:
                await self._fail(name, call, started, error, context)
            self._log(logging.DEBUG, name, call, started, status="OK")

        return behave

    async def _fail(
        self,
        name: str,
        call: Call,
        started: float,
        error: BaseException,
        context: grpc.aio.ServicerContext[bytes, bytes],
    ) -> NoReturn:
        """End a call that failed: log why, and tell the caller."""
        if isinstance(error, asyncio.CancelledError):
            call.cancel()
            status = "DEADLINE_EXCEEDED" if call.expired else "CANCELLED"
            self._log(logging.DEBUG, name, call, started, status=status)
        if not isinstance(error, Exception):
            raise error
        problem = problem_of(error)
        about = {"status": problem.status, "reason": problem.reason}
        if problem.is_server_fault:
            self._log(logging.ERROR, name, call, started, **about, error=places(error))
        else:
            self._log(logging.INFO, name, call, started, **about)
        await _abort(context, problem, call)

    def _threaded(self, method: Method) -> _Run:
        """Answers each request on a thread."""

        async def run(request: bytes, call: Call) -> bytes:
            def work() -> bytes:
                call.checkpoint()
                return method(request, call)

            await self._enter()
            self._take_slot()
            try:
                future = self._threads.submit(work)
            except BaseException:
                self._slots.release()
                raise
            # A cancelled call gives its slot back only when its thread is done: the thread is what the slot stands for.
            future.add_done_callback(lambda _: self._slots.release())
            return await self._result(asyncio.wrap_future(future), call)

        return run

    def _batched(self, method: Recommending) -> _Run:
        """Answers requests that arrive together on one thread, and those that were answered before at once."""
        config = self._config
        batcher = Batcher(
            method.answer_all,
            self._threads,
            # Two lanes wait for each other at the interpreter: 64 callers got 1,500 answers a second from two, 2,140 from one.
            lanes=max(1, config.thread_count // 2),
            most=config.max_batch,
            delay_seconds=config.batch_delay_ms / 1e3,
        )
        cache: ResponseCache[Answer] = ResponseCache(round(config.cache_mb * 1e6))

        async def run(request: bytes, call: Call) -> bytes:
            await self._enter()
            generation = method.generation
            answer = cache.get(generation, request)
            if answer is None:
                self._take_slot()
                future = batcher.submit(request, call)
                future.add_done_callback(lambda _: self._slots.release())
                answer = await self._result(future, call)
                if not answer.is_whole:
                    cache.put(generation, request, answer)
            else:
                call.checkpoint()
            return answer.to(call)

        return run

    async def _enter(self) -> None:
        await self._gate.enter()
        if self._given_up.is_set():
            raise StoppingError

    def _take_slot(self) -> None:
        if not self._slots.acquire(blocking=False):
            raise TooManyCallsError(f"the server admits {self._config.max_calls} calls at once; retry later")

    async def _result(self, answer: asyncio.Future[_A], call: Call) -> _A:
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

    def _log(self, level: int, method: str, call: Call, started: float, **fields: Any) -> None:
        if LOGGER.isEnabledFor(level):
            log(
                level,
                "call",
                method=method,
                request_id=call.request_id,
                user=self._pseudonyms.of(call.user_id) if call.user_id else None,
                milliseconds=round((time.perf_counter() - started) * 1e3, 3),
                **fields,
            )


def _given_request_id(context: grpc.aio.ServicerContext[bytes, bytes]) -> str | None:
    for key, value in context.invocation_metadata() or ():
        if key == _REQUEST_ID_KEY and isinstance(value, str):
            return value
    return None


async def _abort(context: grpc.aio.ServicerContext[bytes, bytes], problem: Problem, call: Call) -> NoReturn:
    details = convert.encode_problem(problem, call.request_id)
    await context.abort(grpc.StatusCode[problem.status], problem.message, ((_DETAILS_KEY, details),))
