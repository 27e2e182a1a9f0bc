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
from typing import TYPE_CHECKING, Any

import grpc

from recocore.service import convert
from recocore.service.call import Call, request_id
from recocore.service.gate import Gate
from recocore.service.logs import LOGGER, Pseudonyms, log, places
from recocore.service.problems import StoppingError, TooManyCallsError, problem_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from recocore.service.config import ServerConfig
    from recocore.service.observe.observer import CallObserver
    from recocore.service.problems import Problem

Method = Callable[[bytes, Call], bytes]

_REQUEST_ID_KEY = "x-request-id"
_TRACE_KEY = "traceparent"
_DETAILS_KEY = "grpc-status-details-bin"


class Dispatcher:
    """Runs the methods of a server's calls, at most `max_calls` at once, on `threads` threads."""

    def __init__(self, config: ServerConfig, observer: CallObserver) -> None:
        self._observer = observer
        self._max_calls = config.max_calls
        self._slots = threading.BoundedSemaphore(config.max_calls)
        self._threads = ThreadPoolExecutor(config.thread_count, thread_name_prefix="recocore-rank")
        self._pseudonyms = Pseudonyms(config.pseudonym_key)
        self._gate = Gate()
        self._answers: set[asyncio.Future[bytes]] = set()
        self._given_up = asyncio.Event()

    def handler(self, service: str, methods: Mapping[str, Method]) -> grpc.GenericRpcHandler:
        """A gRPC handler of unary methods by name; requests and responses stay bytes."""
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            name: grpc.unary_unary_rpc_method_handler(self._behaviour(name, method)) for name, method in methods.items()
        }
        return grpc.method_handlers_generic_handler(service, handlers)

    async def hold(self, at_most: float) -> None:
        """Keep newcomers waiting; return when there are no more of them, or after `at_most` seconds."""
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
            given = _given(context)
            call = Call(request_id(given.get(_REQUEST_ID_KEY)), context.time_remaining(), given.get(_TRACE_KEY))
            started = time.perf_counter()
            status = "OK"
            self._observer.started()
            try:
                response = await self._run(method, request, call)
            except asyncio.CancelledError:
                call.cancel()
                status = "DEADLINE_EXCEEDED" if call.expired else "CANCELLED"
                self._log(logging.DEBUG, name, call, started, status=status)
                raise
            except Exception as error:
                problem = problem_of(error)
                status = problem.status
                if problem.retry_after is not None:
                    self._observer.shed(problem.reason)
                about = {"status": problem.status, "reason": problem.reason}
                if problem.is_server_fault:
                    self._log(logging.ERROR, name, call, started, **about, error=places(error))
                else:
                    self._log(logging.INFO, name, call, started, **about)
                await _abort(context, problem, call)
            finally:
                self._observer.finished(name, status, time.perf_counter() - started, call.hosted, call)
            self._log(logging.DEBUG, name, call, started, status="OK")
            return response

        return behave

    async def _run(self, method: Method, request: bytes, call: Call) -> bytes:
        def work() -> bytes:
            self._observer.queued(-1)
            call.checkpoint()
            return method(request, call)

        await self._gate.enter()
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
                milliseconds=round((time.perf_counter() - started) * 1e3, 3),
                **fields,
            )


def _given(context: grpc.aio.ServicerContext[bytes, bytes]) -> dict[str, str]:
    """What a caller says beside its request, by key; the first of each."""
    given: dict[str, str] = {}
    for key, value in context.invocation_metadata() or ():
        if isinstance(value, str):
            given.setdefault(key, value)
    return given


async def _abort(context: grpc.aio.ServicerContext[bytes, bytes], problem: Problem, call: Call) -> None:
    details = convert.encode_problem(problem, call.request_id)
    await context.abort(grpc.StatusCode[problem.status], problem.message, ((_DETAILS_KEY, details),))
