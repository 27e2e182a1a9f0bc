"""Stands before every service of a worker: who has no leave is turned away before the request is read.

gRPC asks a generic handler for the handler of a method as soon as the headers of a call are there. Here that is the moment of
decision, so that a flood of strangers costs neither the memory of their requests nor a place among the calls that are admitted.
"""

from __future__ import annotations

import asyncio
import inspect
import math
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc

from recocore.service.call import request_id
from recocore.service.endings import abort
from recocore.service.problems import problem_of
from recocore.service.rate_limits import host_of
from recocore.service.security.audit_log import AuditFailedError
from recocore.service.security.authenticator import credential_of, names_of
from recocore.service.security.caller import ADMITTED, Admitted, Caller, NotAllowedError, UnauthenticatedError
from recocore.service.security.roles import AUDITED, BUILT_IN, HEALTH_CHECK

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence
    from contextlib import AbstractAsyncContextManager
    from typing import NoReturn, TypeAlias

    from recocore.errors import RecocoreError
    from recocore.service.logs import Pseudonyms
    from recocore.service.observe.observer import CallObserver
    from recocore.service.security.auditing import Auditing
    from recocore.service.security.authenticator import Authenticator
    from recocore.service.security.config import AuthConfig

    _Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]

_REQUEST_ID_KEY = "x-request-id"
# What others may make up as a method's name is not repeated.
_UNKNOWN = "unknown"
# So late at most the denials of a flood have their common line.
_SUM_UP_SECONDS = 1.0
_NOBODY = Caller("", "", frozenset(), math.inf)


class Guard(grpc.GenericRpcHandler):
    """The one handler of a server, which has all others; made and used on one event loop.

    Args:
        config: how often files are looked at, and whether health is open.
        authenticator: knows callers; None to let everybody in.
        has_certificates: whether callers may be known by the certificates of their connections.
        auditing: what is written down.
        observer: is told of denials.
        pseudonyms: names peers for the audit log.
    """

    def __init__(
        self,
        config: AuthConfig,
        authenticator: Authenticator | None,
        has_certificates: bool,
        auditing: Auditing,
        observer: CallObserver,
        pseudonyms: Pseudonyms,
    ) -> None:
        self._config = config
        self._authenticator = authenticator
        self._has_certificates = has_certificates
        self._auditing = auditing
        self._observer = observer
        self._pseudonyms = pseudonyms
        self._handlers: list[grpc.GenericRpcHandler] = []
        self._known = frozenset(f"/{method}" for methods in BUILT_IN.values() for method in methods)
        self._audited = frozenset(f"/{method}" for method in AUDITED)
        self._open = frozenset({f"/{HEALTH_CHECK}"} if config.open_health else ())
        self._following: list[asyncio.Task[None]] = []

    def add_generic_rpc_handlers(self, handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """Stand before these handlers; named as the method of a server that takes them."""
        self._handlers.extend(handlers)

    def add_registered_method_handlers(self, service: str, handlers: Any) -> None:
        """Nothing: generated code gives its handlers twice, and a server of asyncio looks at the generic ones alone."""

    def start(self) -> None:
        """Begin to follow the files."""
        self._following.append(asyncio.ensure_future(self._sum_up()))
        if self._authenticator is not None:
            self._following.append(asyncio.ensure_future(self._follow(self._authenticator)))

    async def close(self) -> None:
        """Follow no longer, and write what is left into the audit log."""
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)
        await asyncio.to_thread(self._auditing.close)

    def service(self, details: grpc.HandlerCallDetails) -> Any:
        """The handler of a method for whoever calls it now: what was asked for, or one that says no."""
        method = str(details.method)
        if self._authenticator is None or method in self._open:
            return self._answering(method, self._find(details))
        try:
            credential = _credential_of(details)
            if credential is None and self._has_certificates:
                # Whom the certificate of a connection names only the call's context has.
                handler = self._answering(method, self._find(details))
                return handler and _around(handler, partial(self._by_certificate, method))
            caller = self._allowed(method, credential)
        except _DenialError as denial:
            return grpc.stream_stream_rpc_method_handler(partial(self._refuse, method, denial))
        ADMITTED.set(Admitted(caller, partial(self._again, method, partial(self._allowed, method, credential))))
        return self._answering(method, self._find(details))

    def _find(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        for each in self._handlers:
            if (handler := each.service(details)) is not None:
                return handler
        return None

    def _answering(
        self, method: str, handler: grpc.RpcMethodHandler[Any, Any] | None
    ) -> grpc.RpcMethodHandler[Any, Any] | None:
        if handler is None or method not in self._audited:
            return handler
        return _around(handler, partial(self._written_down, method))

    def _allowed(self, method: str, credential: str | None) -> Caller:
        assert self._authenticator is not None
        if credential is None:
            raise _DenialError("no_credential", UnauthenticatedError())
        try:
            caller = self._authenticator.by_credential(credential)
        except UnauthenticatedError as error:
            raise _DenialError("bad_credential", error) from None
        if method not in caller.methods:
            raise _DenialError("no_role", NotAllowedError(), caller)
        return caller

    def _allowed_by_certificate(self, method: str, names: Sequence[str]) -> Caller:
        assert self._authenticator is not None
        try:
            caller = self._authenticator.by_certificate(names)
        except UnauthenticatedError as error:
            raise _DenialError("no_credential", error) from None
        if method not in caller.methods:
            raise _DenialError("no_role", NotAllowedError(), caller)
        return caller

    def _again(self, method: str, allowed: Callable[[], Caller]) -> Caller:
        """Whether a caller still may: `allowed` decided it when the call came."""
        try:
            return allowed()
        except _DenialError as denial:
            self._tell(method, denial)
            raise denial.error from None

    @asynccontextmanager
    async def _by_certificate(self, method: str, context: _Context) -> AsyncIterator[None]:
        allowed = partial(self._allowed_by_certificate, method, names_of(context.auth_context()))
        try:
            caller = allowed()
        except _DenialError as denial:
            await self._refuse(method, denial, None, context)
        ADMITTED.set(Admitted(caller, partial(self._again, method, allowed)))
        yield

    @asynccontextmanager
    async def _written_down(self, method: str, context: _Context) -> AsyncIterator[None]:
        """Write down that a call begins before it does, and how it ended."""
        admitted = ADMITTED.get()
        if admitted is None:
            admitted = Admitted(_NOBODY, lambda: _NOBODY)
            ADMITTED.set(admitted)
        admitted.request_id = _request_id_of(context)
        about = {
            "method": method,
            "caller": admitted.caller.pseudonym,
            "peer": self._peer(context),
            "request_id": admitted.request_id,
        }
        if (kept := self._auditing.begins(**about)) is not None:
            try:
                await asyncio.wrap_future(kept)
            except AuditFailedError as error:
                await abort(context, problem_of(error), admitted.request_id)
        status = "UNKNOWN"
        try:
            yield
            status = "OK"
        except asyncio.CancelledError:
            status = "CANCELLED"
            raise
        except Exception:
            status = _status_of(context)
            raise
        finally:
            self._auditing.ended(**about, status=status)

    async def _refuse(self, method: str, denial: _DenialError, _: object, context: _Context) -> NoReturn:
        id_ = _request_id_of(context)
        self._tell(method, denial, peer=self._peer(context), request_id=id_)
        await abort(context, problem_of(denial.error), id_)

    def _tell(self, method: str, denial: _DenialError, **about: str) -> None:
        self._observer.denied(denial.reason)
        if denial.caller is not None:
            about["caller"] = denial.caller.pseudonym
        self._auditing.denied(method if method in self._known else _UNKNOWN, denial.reason, **about)

    def _peer(self, context: _Context) -> str:
        return self._pseudonyms.of(host_of(context.peer()))

    async def _sum_up(self) -> None:
        while True:
            await asyncio.sleep(_SUM_UP_SECONDS)
            self._auditing.look()

    async def _follow(self, authenticator: Authenticator) -> None:
        while True:
            await asyncio.sleep(self._config.reload_seconds)
            await authenticator.look()


class _DenialError(Exception):
    """Why a call is denied: what the caller is told, and what it is not."""

    def __init__(self, reason: str, error: RecocoreError, caller: Caller | None = None) -> None:
        super().__init__(reason)
        self.reason, self.error, self.caller = reason, error, caller


def _credential_of(details: grpc.HandlerCallDetails) -> str | None:
    try:
        return credential_of(details.invocation_metadata or ())
    except UnauthenticatedError as error:
        raise _DenialError("bad_credential", error) from None


def _around(
    handler: grpc.RpcMethodHandler[Any, Any], watch: Callable[[_Context], AbstractAsyncContextManager[None]]
) -> grpc.RpcMethodHandler[Any, Any]:
    """A handler that does what another does inside a context manager of each call."""
    streams = bool(handler.request_streaming), bool(handler.response_streaming)
    kind, make = _KINDS[streams]
    behaviour = getattr(handler, kind)

    async def answer(request: Any, context: _Context) -> Any:
        async with watch(context):
            return await behaviour(request, context)

    async def answers(request: Any, context: _Context) -> AsyncIterator[Any]:
        async with watch(context):
            async for response in behaviour(request, context):
                yield response

    around = answers if inspect.isasyncgenfunction(behaviour) else answer
    return make(around, handler.request_deserializer, handler.response_serializer)


_KINDS: dict[tuple[bool, bool], tuple[str, Callable[..., grpc.RpcMethodHandler[Any, Any]]]] = {
    (False, False): ("unary_unary", grpc.unary_unary_rpc_method_handler),
    (False, True): ("unary_stream", grpc.unary_stream_rpc_method_handler),
    (True, False): ("stream_unary", grpc.stream_unary_rpc_method_handler),
    (True, True): ("stream_stream", grpc.stream_stream_rpc_method_handler),
}


def _request_id_of(context: _Context) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == _REQUEST_ID_KEY and isinstance(value, str):
            return request_id(value)
    return request_id()


def _status_of(context: _Context) -> str:
    """The status that a behaviour that raised has set; UNKNOWN is what gRPC makes of none."""
    code: Any = context.code()
    for status in grpc.StatusCode:
        if code in (status, status.value[0]) and status is not grpc.StatusCode.OK:
            return status.name
    return "UNKNOWN"
