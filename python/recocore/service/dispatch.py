"""Between gRPC and what answers: the handlers of methods.

Requests and responses stay bytes. What answers runs on threads (`running`) or, where that takes microseconds, for all that
arrived together (`together`, `at_once`), so that the event loop never waits for a ranking.
"""

from __future__ import annotations

import logging
import time
from asyncio import CancelledError
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import grpc

from recocore.service.at_once import AtOnce
from recocore.service.contexts import Contexts
from recocore.service.endings import Endings, abort
from recocore.service.logs import Pseudonyms
from recocore.service.problems import problem_of
from recocore.service.rate_limits import RateLimiter
from recocore.service.running import Awaited, Method, Run, Running
from recocore.service.security.caller import ADMITTED
from recocore.service.streams import OpenStream, answer_each, when_there_is_room
from recocore.service.together import Together

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from recocore.service.at_once import AtOnceMethod
    from recocore.service.call import Call
    from recocore.service.config import ServerConfig
    from recocore.service.contexts import Context
    from recocore.service.observe.observer import CallObserver
    from recocore.service.rate_limits import LimitsConfig
    from recocore.service.recommending import Recommending
    from recocore.service.turns import Turns

_T = TypeVar("_T")

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
        self._config = config
        self._observer = observer
        limiter = RateLimiter(limits)
        self.running = Running(config, limiter, observer, turns)
        self._contexts = Contexts(limiter)
        self._endings = Endings(observer, Pseudonyms(config.pseudonym_key))

    def handler(
        self,
        service: str,
        methods: Mapping[str, Method] = _NONE,
        batches: Mapping[str, Recommending] = _NONE,
        streams: Mapping[str, OpenStream] = _NONE,
        awaited: Mapping[str, Awaited] = _NONE,
        at_once: Mapping[str, AtOnceMethod] = _NONE,
    ) -> grpc.GenericRpcHandler:
        """A gRPC handler of methods by name; requests and responses stay bytes.

        Args:
            service: its full name.
            methods: each answers one request.
            batches: each answers requests that arrive together, and stands for the method of its name.
            streams: each opens a stream of requests that are answered one by one.
            awaited: each answers one request on the event loop.
            at_once: each answers requests that arrive together on the event loop, and stands for the method of its name.
        """
        runs = {name: self.running.threaded(method) for name, method in methods.items()}
        runs |= {name: self.running.awaited(method) for name, method in awaited.items()}
        behaviours = {name: self._behaviour(name, run) for name, run in runs.items()}
        behaviours |= {name: self.together(name, method).behave for name, method in batches.items()}
        behaviours |= {name: self.at_once(name, method).behave for name, method in at_once.items()}
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            name: grpc.unary_unary_rpc_method_handler(behaviour) for name, behaviour in behaviours.items()
        }
        for name, open_stream in streams.items():
            handlers[name] = grpc.stream_stream_rpc_method_handler(self._stream_behaviour(name, open_stream))
        return grpc.method_handlers_generic_handler(service, handlers)

    def together(self, name: str, method: Recommending) -> Together:
        """Answers the calls of a method that arrive together."""
        return Together(name, method, self._config, self.running, self._contexts, self._endings, self._observer)

    def at_once(self, name: str, method: AtOnceMethod) -> AtOnce:
        """Answers the calls of a method of microseconds that arrive together."""
        return AtOnce(name, method, self._config, self.running, self._contexts, self._endings, self._observer)

    def _behaviour(self, name: str, run: Run) -> Callable[[bytes, Context], Awaitable[bytes]]:
        contexts, endings, observer = self._contexts, self._endings, self._observer

        # One coroutine: each that stands between gRPC and the answer takes 2 us of every call.
        async def behave(request: bytes, context: Context) -> bytes:
            call = contexts.call(context, ADMITTED.get())
            started = time.perf_counter()
            observer.started()
            with endings.of(name, call, started) as ending:
                return await run(request, call)
            await ending.abort(context)

        return behave

    def _stream_behaviour(self, name: str, open_stream: OpenStream) -> Callable[[Any, Any], Awaitable[None]]:
        async def behave(_: object, context: Context) -> None:
            admitted = ADMITTED.get()
            call = self._contexts.call(context, admitted)
            run = self.running.threaded(open_stream())

            async def answer(request: bytes) -> bytes:
                if admitted is not None:
                    # A stream may outlive the credentials that opened it.
                    admitted.again()
                # Each message counts as a call: how long a stream stays open says nothing about the service.
                return await self._observe(name, call, when_there_is_room(lambda: run(request, call)))

            await self._tell(name, call, context, answer_each(context, answer, self.running.stopping))

        return behave

    async def _observe(self, name: str, call: Call, answer: Awaitable[_T]) -> _T:
        """Await the answer to one request of a stream, and let the observer know how it went."""
        started = time.perf_counter()
        status = "OK"
        self._observer.started()
        try:
            return await answer
        except CancelledError:
            status = call.give_up()
            raise
        except Exception as error:
            status = self._endings.seen(error).status
            raise
        finally:
            self._observer.finished(name, status, time.perf_counter() - started, call.hosted, call)

    async def _tell(self, name: str, call: Call, context: Context, work: Awaitable[None]) -> None:
        """Await all the work of a stream; log how it ended and, where it failed, tell the caller why."""
        started = time.perf_counter()
        try:
            await work
        except CancelledError:
            self._endings.log(logging.DEBUG, name, call, started, status=call.give_up())
            raise
        except Exception as error:
            problem = problem_of(error)
            self._endings.log_problem(name, call, started, problem, error)
            await abort(context, problem, call.request_id)
        self._endings.log(logging.DEBUG, name, call, started, status="OK")
