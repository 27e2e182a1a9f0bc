"""Between gRPC and what answers: contexts become calls, and errors statuses, log lines and figures.

Requests and responses stay bytes. What answers runs on threads (`running`), so that the event loop never waits for a ranking.
"""

from __future__ import annotations

import asyncio
import logging
import time
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import grpc

from recocore.service import convert
from recocore.service.call import Call, request_id
from recocore.service.logs import LOGGER, Pseudonyms, log, places
from recocore.service.problems import problem_of
from recocore.service.rate_limits import RateLimiter
from recocore.service.running import Awaited, Method, Run, Running
from recocore.service.security.caller import ADMITTED
from recocore.service.streams import OpenStream, answer_each, when_there_is_room

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from recocore.service.config import ServerConfig
    from recocore.service.observe.observer import CallObserver
    from recocore.service.problems import Problem
    from recocore.service.rate_limits import LimitsConfig
    from recocore.service.recommending import Recommending
    from recocore.service.turns import Turns

_T = TypeVar("_T")

_REQUEST_ID_KEY = "x-request-id"
_TRACE_KEY = "traceparent"
_KEYS = frozenset({_REQUEST_ID_KEY, _TRACE_KEY})
_DETAILS_KEY = "grpc-status-details-bin"
_NONE: Mapping[str, Any] = MappingProxyType({})


class Dispatcher:
    """Between gRPC and what answers: makes calls of contexts, observes and logs them, and tells callers of errors.

    Args:
        config: of the server.
        limits: how often one caller may call.
        observer: is told of calls.
        turns: of this process; None where nothing else works beside the event loop.
    """

    def __init__(
        self, config: ServerConfig, limits: LimitsConfig, observer: CallObserver, turns: Turns | None = None
    ) -> None:
        self._observer = observer
        self._limiter = RateLimiter(limits)
        self._is_limited = limits.rate > 0
        self.running = Running(config, self._limiter, observer, turns)
        self._pseudonyms = Pseudonyms(config.pseudonym_key)

    def handler(
        self,
        service: str,
        methods: Mapping[str, Method] = _NONE,
        batches: Mapping[str, Recommending] = _NONE,
        streams: Mapping[str, OpenStream] = _NONE,
        awaited: Mapping[str, Awaited] = _NONE,
    ) -> grpc.GenericRpcHandler:
        """A gRPC handler of methods by name; requests and responses stay bytes.

        Args:
            service: its full name.
            methods: each answers one request.
            batches: each answers requests that arrive together, and stands for the method of its name.
            streams: each opens a stream of requests that are answered one by one.
            awaited: each answers one request on the event loop.
        """
        runs = {name: self.running.threaded(method) for name, method in methods.items()}
        runs |= {name: self.running.batched(method) for name, method in batches.items()}
        runs |= {name: self.running.awaited(method) for name, method in awaited.items()}
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            name: grpc.unary_unary_rpc_method_handler(self._behaviour(name, run)) for name, run in runs.items()
        }
        for name, open_stream in streams.items():
            handlers[name] = grpc.stream_stream_rpc_method_handler(self._stream_behaviour(name, open_stream))
        return grpc.method_handlers_generic_handler(service, handlers)

    def _behaviour(self, name: str, run: Run) -> Callable[[bytes, Any], Awaitable[bytes]]:
        observer = self._observer

        # `_observe` within `_tell`, in one piece: each coroutine between gRPC and the answer takes 2 us of every call.
        async def behave(request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            call = self._call(context)
            started = time.perf_counter()
            status = "OK"
            observer.started()
            try:
                answer = await run(request, call)
            except asyncio.CancelledError:
                status = call.give_up()
                self._log(logging.DEBUG, name, call, started, status=status)
                raise
            except Exception as error:
                problem = self._seen(error)
                status = problem.status
                self._log_problem(name, call, started, problem, error)
            else:
                self._log(logging.DEBUG, name, call, started, status=status)
                return answer
            finally:
                observer.finished(name, status, time.perf_counter() - started, call.hosted, call)
            await _abort(context, problem, call)

        return behave

    def _stream_behaviour(self, name: str, open_stream: OpenStream) -> Callable[[Any, Any], Awaitable[None]]:
        async def behave(_: object, context: grpc.aio.ServicerContext[bytes, bytes]) -> None:
            call = self._call(context)
            run = self.running.threaded(open_stream())

            admitted = ADMITTED.get()

            async def answer(request: bytes) -> bytes:
                if admitted is not None:
                    # A stream may outlive the credentials that opened it.
                    admitted.again()
                # Each message counts as a call: how long a stream stays open says nothing about the service.
                return await self._observe(name, call, when_there_is_room(lambda: run(request, call)))

            await self._tell(name, call, context, answer_each(context, answer, self.running.stopping))

        return behave

    def _call(self, context: grpc.aio.ServicerContext[bytes, bytes]) -> Call:
        metadata = context.invocation_metadata() or ()
        given: dict[str, str] = {}
        for key, value in metadata:
            if key in _KEYS and isinstance(value, str):
                given.setdefault(key, value)
        admitted = ADMITTED.get()
        if admitted is not None and admitted.caller.name:
            caller, who = admitted.caller.name, admitted.caller.pseudonym
        else:
            caller, who = self._limiter.caller(context.peer(), metadata) if self._is_limited else "", ""
        return Call(
            request_id(given.get(_REQUEST_ID_KEY)), context.time_remaining(), given.get(_TRACE_KEY), caller, who
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
            status = self._seen(error).status
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
            self._log_problem(name, call, started, problem, error)
            await _abort(context, problem, call)
        self._log(logging.DEBUG, name, call, started, status="OK")
        return done

    def _seen(self, error: Exception) -> Problem:
        """What to tell of an error; the observer hears of calls that are turned away."""
        problem = problem_of(error)
        if problem.retry_after is not None:
            self._observer.shed(problem.reason)
        return problem

    def _log_problem(self, name: str, call: Call, started: float, problem: Problem, error: Exception) -> None:
        about = {"status": problem.status, "reason": problem.reason}
        if problem.is_server_fault:
            self._log(logging.ERROR, name, call, started, **about, error=places(error))
        else:
            self._log(logging.INFO, name, call, started, **about)

    def _log(self, level: int, method: str, call: Call, started: float, **fields: Any) -> None:
        if LOGGER.isEnabledFor(level):
            log(
                level,
                "call",
                method=method,
                request_id=call.request_id,
                caller=call.who or None,
                user=self._pseudonyms.of(call.user_id) if call.user_id else None,
                placement=call.placement or None,
                milliseconds=round((time.perf_counter() - started) * 1e3, 3),
                **fields,
            )


async def _abort(context: grpc.aio.ServicerContext[bytes, bytes], problem: Problem, call: Call) -> NoReturn:
    details = convert.encode_problem(problem, call.request_id)
    await context.abort(grpc.StatusCode[problem.status], problem.message, ((_DETAILS_KEY, details),))
