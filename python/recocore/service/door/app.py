"""The door as an ASGI application: one POST a method, /healthz and /openapi.json."""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
import re
import time
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import grpc
from grpc_health.v1 import health_pb2
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from recocore.service.call import request_id
from recocore.service.door import refusals
from recocore.service.door.openapi import openapi
from recocore.service.door.transcode import has_read_mask, to_json, to_message
from recocore.service.limits import MAX_MESSAGE_BYTES
from recocore.service.logs import log, places
from recocore.service.problems import (
    DeadlineError,
    InvalidRequestError,
    StoppingError,
    TooManyCallsError,
    Violation,
)
from recocore.service.security.tls import OwnCredentials

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from starlette.requests import Request

    from recocore.service.door.config import HttpConfig
    from recocore.service.door.descriptors import Descriptors, Method
    from recocore.service.security.config import TlsConfig

_P = ParamSpec("_P")
_T = TypeVar("_T")

_CREDENTIALS = ("authorization", "x-api-key")
_REQUEST_ID = "x-request-id"
_TIMEOUT = "x-timeout-ms"
_LONGEST_TIMEOUT_MS = 86_400_000
_HEALTH_SECONDS = 1.0
# A caller that has gone reads nothing; this is for the log of a proxy between.
_CALLER_GONE = 499
# Up to this size JSON is converted on the event loop, in about 2 ms; a thread takes what is larger, so that others go on.
_INLINE_BYTES = 4_096

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", -1),  # the service refuses what is too large
    # Channels to one address share a connection otherwise.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    # A service that restarts is found again in a fraction of gRPC's own second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


class Connections:
    """Connections to the service, taken in turn; made and used on one event loop, closed by `async with`.

    Args:
        target: the service.
        count: how many.
        tls: how the service is encrypted; its certificate may change, and then they are made anew.
    """

    def __init__(self, target: str, count: int, tls: TlsConfig | None = None) -> None:
        self._target, self._count = target, count
        self._credentials = OwnCredentials(tls) if tls is not None and tls.is_on else None
        self._closing: set[asyncio.Task[None]] = set()
        self._open()

    def call(
        self, rpc: str, request: bytes, seconds: float, id_: str, credentials: Sequence[tuple[str, str]] = ()
    ) -> grpc.aio.UnaryUnaryCall[bytes, bytes]:
        """Start a call, bytes to bytes, with the caller's credentials."""
        if self._credentials is not None and self._credentials.look():
            for channel in self._channels:
                # Those under way are finished.
                self._closing.add(task := asyncio.ensure_future(channel.close(_LONGEST_TIMEOUT_MS / 1e3)))
                task.add_done_callback(self._closing.discard)
            self._open()
        stub: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = next(self._turn).unary_unary(rpc)
        return stub(request, timeout=seconds, metadata=((_REQUEST_ID, id_), *credentials))

    def _open(self) -> None:
        if self._credentials is None:
            self._channels = [grpc.aio.insecure_channel(self._target, options=_OPTIONS) for _ in range(self._count)]
        else:
            made, names = self._credentials.value
            self._channels = [
                grpc.aio.secure_channel(self._target, made, options=(*_OPTIONS, *names)) for _ in range(self._count)
            ]
        self._turn = itertools.cycle(self._channels)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._closing:
            task.cancel()
        await asyncio.gather(*(channel.close() for channel in self._channels), *self._closing, return_exceptions=True)


class Door:
    """Answers HTTP by asking the service.

    Attributes:
        app: the ASGI application.
    """

    def __init__(self, api: Descriptors, connections: Connections, config: HttpConfig) -> None:
        self._connections = connections
        self._config = config
        self._under_way = 0
        self._draining = False
        self._given_up = asyncio.Event()
        self._openapi = JSONResponse(openapi(api)).body
        self.app = Starlette(
            routes=[
                *(
                    Route(method.path, functools.partial(self._answer, method), methods=["POST"])
                    for method in _with_paths(api.methods)
                ),
                Route("/openapi.json", self._describe, methods=["GET"]),
                Route("/healthz", self._health, methods=["GET"]),
            ],
            exception_handlers={HTTPException: _refuse_path},
        )
        self.app.router.redirect_slashes = False

    def drain(self) -> None:
        """Say at /healthz that this door is about to close."""
        self._draining = True

    def give_up(self) -> None:
        """Answer the calls that still run with 503."""
        self._given_up.set()

    async def _answer(self, method: Method, request: Request) -> Response:
        started = time.perf_counter()
        id_ = request_id(request.headers.get(_REQUEST_ID))
        self._under_way += 1
        try:
            response = await self._ask(method, request, id_)
        except ClientDisconnect:
            response = Response(status_code=_CALLER_GONE)
        except grpc.aio.AioRpcError as error:
            response = refusals.pass_on(error, id_)
        except Exception as error:
            response = refusals.refuse(error, id_)
            if response.status_code == 500:
                log(logging.ERROR, "http call failed", method=method.name, request_id=id_, error=places(error))
        finally:
            self._under_way -= 1
        milliseconds = round((time.perf_counter() - started) * 1e3, 3)
        status = response.status_code
        if self._draining:
            # Who asks again finds another door, or nobody, at once.
            response.headers["connection"] = "close"
        log(logging.DEBUG, "http call", method=method.name, request_id=id_, status=status, milliseconds=milliseconds)
        return response

    async def _ask(self, method: Method, request: Request, id_: str) -> Response:
        ends = asyncio.get_running_loop().time() + self._timeout(request)
        if self._under_way > self._config.max_calls:
            raise TooManyCallsError(f"the door admits {self._config.max_calls} calls at once; retry later")
        _check_media_type(request)
        try:
            async with asyncio.timeout_at(ends):
                body = await _body(request)
                message = await _convert(to_message, len(body), method.request, body)
        except TimeoutError:
            raise DeadlineError(
                "the deadline passed before the body had come; send faster or allow more time"
            ) from None
        left = max(ends - asyncio.get_running_loop().time(), 0.0)
        call = self._connections.call(method.rpc, message.SerializeToString(), left, id_, _credentials_of(request))
        answer = await self._wait_for(call, request)
        # Empty fields are written, so that a caller finds them; not among those that it did not ask for.
        write = functools.partial(to_json, with_empty=not has_read_mask(message))
        content = await _convert(write, len(answer), method.response.FromString(answer))
        return Response(content, headers={_REQUEST_ID: id_}, media_type="application/json")

    async def _wait_for(self, call: grpc.aio.UnaryUnaryCall[bytes, bytes], request: Request) -> bytes:
        """The answer, unless the caller goes or the door closes first; then the call is cancelled."""
        answer = asyncio.ensure_future(_answer_of(call))
        gone = asyncio.ensure_future(request.receive())
        given_up = asyncio.ensure_future(self._given_up.wait())
        try:
            await asyncio.wait((answer, gone, given_up), return_when=asyncio.FIRST_COMPLETED)
            if answer.done():
                return answer.result()
            raise StoppingError if given_up.done() else ClientDisconnect
        finally:
            call.cancel()
            for task in (answer, gone, given_up):
                task.cancel()
            await asyncio.gather(answer, gone, given_up, return_exceptions=True)

    def _timeout(self, request: Request) -> float:
        given = request.headers.get(_TIMEOUT)
        if given is None:
            return self._config.timeout_seconds
        if not re.fullmatch("[0-9]{1,8}", given) or not 1 <= int(given) <= _LONGEST_TIMEOUT_MS:
            expected = f"expected a whole number of milliseconds from 1 to {_LONGEST_TIMEOUT_MS}"
            raise InvalidRequestError((Violation(_TIMEOUT, f"{expected}, got {given!r}"),))
        return int(given) / 1e3

    async def _describe(self, _request: Request) -> Response:
        return Response(self._openapi, media_type="application/json")

    async def _health(self, _request: Request) -> Response:
        status = "NOT_SERVING"
        if not self._draining:
            asked = health_pb2.HealthCheckRequest().SerializeToString()
            try:
                answer = await self._connections.call("/grpc.health.v1.Health/Check", asked, _HEALTH_SECONDS, "healthz")
            except grpc.aio.AioRpcError:
                status = "UNREACHABLE"
            else:
                known = health_pb2.HealthCheckResponse.FromString(answer).status
                status = health_pb2.HealthCheckResponse.ServingStatus.Name(known)
        return JSONResponse({"status": status}, status_code=200 if status == "SERVING" else 503)


def _credentials_of(request: Request) -> list[tuple[str, str]]:
    """What the caller sends to be known by; the service decides. Text that no metadata can hold is nobody's."""
    sent = [(name, value) for name in _CREDENTIALS for value in request.headers.getlist(name)]
    return [(name, value) for name, value in sent if value.isascii() and value.isprintable()]


def _with_paths(methods: Sequence[Method]) -> list[Method]:
    return [method for method in methods if method.path]


def _check_media_type(request: Request) -> None:
    # A browser asks first before it sends JSON to another site: pages cannot use the door behind their reader's back.
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise refusals.MediaTypeError(f"content-type must be application/json, got {kind!r}", field="content-type")
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding != "identity":
        raise refusals.MediaTypeError(f"content-encoding must be identity, got {encoding!r}", field="content-encoding")


async def _body(request: Request) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isdecimal() and int(length) > MAX_MESSAGE_BYTES:
        raise refusals.BodyTooLargeError
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_MESSAGE_BYTES:
            raise refusals.BodyTooLargeError
    return bytes(body)


async def _convert(function: Callable[_P, _T], size: int, *arguments: _P.args, **keywords: _P.kwargs) -> _T:
    if size <= _INLINE_BYTES:
        return function(*arguments, **keywords)
    return await asyncio.to_thread(function, *arguments, **keywords)


async def _answer_of(call: grpc.aio.UnaryUnaryCall[bytes, bytes]) -> bytes:
    return await call


async def _refuse_path(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    id_ = request_id(request.headers.get(_REQUEST_ID))
    if error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        response = refusals.refuse(refusals.HttpMethodError(f"this URL takes {allowed}, got {request.method}"), id_)
        response.headers["allow"] = allowed
        return response
    return refusals.refuse(refusals.NoSuchPathError("no method has this URL; /openapi.json lists those there are"), id_)
