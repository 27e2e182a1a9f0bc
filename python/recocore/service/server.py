"""One server process: gRPC on one event loop, health, reflection, and a graceful end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from recocore.errors import InvalidArgumentError
from recocore.service.config import address
from recocore.service.dispatch import Dispatcher
from recocore.service.events.served_state import NO_STATE, ServedState
from recocore.service.events.services import EVENT_SERVICE_NAME, PRIVACY_SERVICE_NAME, EventServicer, PrivacyServicer
from recocore.service.fraud.services import FRAUD_SERVICE_NAME, FraudServicer
from recocore.service.hosting.host import SingleModel
from recocore.service.hosting.model_service import SERVICE_NAME as MODEL_SERVICE_NAME
from recocore.service.hosting.model_service import ModelServicer
from recocore.service.limits import MAX_MESSAGE_BYTES
from recocore.service.logs import log
from recocore.service.observe.observer import CallObserver
from recocore.service.processes.ports import reserve
from recocore.service.profiles.services import PROFILE_SERVICE_NAME, ProfileServicer
from recocore.service.rate_limits import LimitsConfig
from recocore.service.security.config import TlsConfig
from recocore.service.servicer import SERVICE_NAME, RecommendationServicer
from recocore.v1 import event_service_pb2 as _events  # noqa: F401  (reflection serves what is imported)
from recocore.v1 import fraud_service_pb2 as _fraud  # noqa: F401
from recocore.v1 import model_service_pb2 as _models  # noqa: F401
from recocore.v1 import privacy_service_pb2 as _privacy  # noqa: F401
from recocore.v1 import profile_service_pb2 as _profiles  # noqa: F401
from recocore.v1 import recommendation_service_pb2 as _descriptors  # noqa: F401

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from recocore.service.config import ServerConfig
    from recocore.service.engine import RankingIndex
    from recocore.service.fraud.asking import FraudClient
    from recocore.service.hosting.host import Models
    from recocore.service.hosting.states import ModelControl
    from recocore.service.security.guard import Guard
    from recocore.service.turns import Turns

_SERVING = health_pb2.HealthCheckResponse.SERVING
# What is written last takes this long at most to leave, after the grace.
_GOODBYE_SECONDS = 0.2
# As many calls of one caller at once are common: with 32, 64 callers in a closed loop were turned away now and then.
_WAITING_AT_LEAST = 128

_OPTIONS = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # Who says nothing after connecting, or half of a handshake, is let go: gRPC itself waits for 120 s.
    ("grpc.server_handshake_timeout_ms", 10_000),
    # Credentials have a few hundred bytes, a long chain of proxies some more; what is larger is refused unread.
    ("grpc.max_metadata_size", 8_192),
    ("grpc.absolute_max_metadata_size", 16_384),
    # A connection whose calls nobody has read yet holds 64 KiB of them. With windows that grow as the line allows, 60 strangers
    # with 2.5 MB each made a busy worker 120 MB larger before they were refused.
    ("grpc.http2.bdp_probe", 0),
    # Pings more often than this, on a connection that has calls or none, end it with GOAWAY.
    ("grpc.http2.min_ping_interval_without_data_ms", 60_000),
    ("grpc.http2.max_ping_strikes", 2),
    # A connection whose other end is gone is found out, also where no packet says so.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)
# Who is known by the certificate of a connection shows it again this often, which takes one that has not expired. Calls and
# streams that are under way are finished.
_CERTIFIED = (("grpc.max_connection_age_ms", 3_600_000),)


class Server:
    """A gRPC server; made, started and drained on one event loop.

    Args:
        models: what calls are answered from.
        config: settings of this process.
        limits: how often one caller may call; by default there is no limit.
        observer: is told of calls; by default nobody is.
        reuse_port: let other processes listen on the same port.
        control: what ModelService acts on; None to do without that service.
        state: what keeps events, if anything does.
        fraud: asks the process that decides on fraud; None without one.
        tls: certificate and key of the port; by default it speaks plain text.
        guard: lets calls in; None to let everybody in.
        turns: of this process; None where nothing else works beside the event loop.
    """

    def __init__(
        self,
        models: Models,
        config: ServerConfig,
        *,
        limits: LimitsConfig | None = None,
        observer: CallObserver | None = None,
        reuse_port: bool = False,
        control: ModelControl | None = None,
        state: ServedState = NO_STATE,
        fraud: FraudClient | None = None,
        tls: TlsConfig | None = None,
        guard: Guard | None = None,
        turns: Turns | None = None,
    ) -> None:
        self._config = config
        self._tls = tls or TlsConfig()
        self._guard = guard
        self._reuse_port = reuse_port
        observer = observer or CallObserver()
        self._dispatcher = Dispatcher(config, limits or LimitsConfig(), observer, turns)
        self._health = DrainableHealth()
        # Without reuse a second server on the same port is refused, not given half of the connections.
        options = (
            *_OPTIONS,
            *bounded(config.max_calls),
            ("grpc.so_reuseport", int(reuse_port)),
            ("grpc.max_allowed_incoming_connections", config.max_connections),
            ("grpc.max_concurrent_streams", config.max_streams),
            *(_CERTIFIED if self._tls.client_ca_file else ()),
        )
        self._server = grpc.aio.server(options=options)
        if guard is not None:
            self._server.add_generic_rpc_handlers((guard,))
        # What is behind the guard is asked through it alone.
        handlers = guard or self._server
        servicer = RecommendationServicer(models, state.people, state.config.attribution_key)
        handler = self._dispatcher.handler(SERVICE_NAME, servicer.methods(), servicer.batches(), servicer.streams())
        handlers.add_generic_rpc_handlers((handler,))
        profiles = ProfileServicer(state, observer)
        for name, methods in (
            (EVENT_SERVICE_NAME, EventServicer(state.owner, state.config, observer).awaited()),
            (PRIVACY_SERVICE_NAME, PrivacyServicer(state.owner, observer, fraud, state.maker).awaited()),
            (FRAUD_SERVICE_NAME, FraudServicer(fraud, state.config.attribution_key).awaited()),
        ):
            handlers.add_generic_rpc_handlers((self._dispatcher.handler(name, awaited=methods),))
        handler = self._dispatcher.handler(
            PROFILE_SERVICE_NAME, awaited=profiles.awaited(), at_once={"GetProfile": profiles}
        )
        handlers.add_generic_rpc_handlers((handler,))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, handlers)
        names = [
            *(SERVICE_NAME, EVENT_SERVICE_NAME, PRIVACY_SERVICE_NAME, PROFILE_SERVICE_NAME, FRAUD_SERVICE_NAME),
            *(health.SERVICE_NAME, reflection.SERVICE_NAME),
        ]
        if control is not None:
            handlers.add_generic_rpc_handlers((ModelServicer(control).handler(),))
            names.append(MODEL_SERVICE_NAME)
        if config.reflection:
            reflection.enable_server_reflection(names, handlers)

    async def start(self) -> str:
        """Listen, serve, and return the address that was bound.

        Raises:
            InvalidArgumentError: the address cannot be bound, or a file of TLS cannot be used.
            NotFoundError: a file of TLS is not there.
        """
        credentials = None
        if self._tls.is_on:
            # Reading certificates takes 0.1 s to load.
            from recocore.service.security.tls import server_credentials  # noqa: PLC0415

            credentials = server_credentials(self._tls)
        if not self._reuse_port:
            reserve(self._config.host, self._config.port, "port").close()
        try:
            if credentials is None:
                port = self._server.add_insecure_port(self._config.target)
            else:
                port = self._server.add_secure_port(self._config.target, credentials)
        except RuntimeError as error:
            raise InvalidArgumentError(
                f"cannot listen on {self._config.target}: {error}; try another port, or 0 for any",
                field="port",
            ) from error
        await self._server.start()
        if self._guard is not None:
            self._guard.start()
        await self._health.set(SERVICE_NAME, _SERVING)
        return address(self._config.host, port)

    async def drain(self) -> None:
        """Say NOT_SERVING, take no new calls, and give those in flight `grace_seconds` to finish; then end them."""
        await self._health.drain()
        await asyncio.sleep(self._config.drain_delay_seconds)
        grace_ends = time.monotonic() + self._config.grace_seconds
        await self._dispatcher.running.hold(at_most=self._config.grace_seconds)
        left = max(grace_ends - time.monotonic(), 0.0)
        stopping = asyncio.ensure_future(self._server.stop(left + _GOODBYE_SECONDS))
        # Who is answered after the goodbye sends the next call elsewhere.
        await asyncio.wait((stopping,), timeout=min(left, _GOODBYE_SECONDS / 10))
        self._dispatcher.running.resume()
        await asyncio.wait((stopping,), timeout=max(grace_ends - time.monotonic(), 0.0))
        self._dispatcher.running.give_up()
        await stopping
        await asyncio.to_thread(self._dispatcher.running.close)
        if self._guard is not None:
            await self._guard.close()


def bounded(max_calls: int) -> tuple[tuple[str, int], ...]:
    """Options of gRPC: how many calls may wait in the transport until the event loop reads them.

    From the first to the second number ever more are ended with CANCELLED, at random, and beyond it all. Without a bound near
    `max_calls`, calls beyond what the loop can even turn away wait there until nobody wants their answers: at three times
    the capacity 0.15 to 0.67 of the peak was still answered, with it 0.8 to 1.
    """
    waiting = max(_WAITING_AT_LEAST, max_calls)
    return (("grpc.server.max_pending_requests", waiting), ("grpc.server.max_pending_requests_hard_limit", 2 * waiting))


class DrainableHealth(health.aio.HealthServicer):  # type: ignore[misc]  # it has no types
    """Health whose watchers are told NOT_SERVING and then let go: an open watch must not hold up the end."""

    def __init__(self) -> None:
        super().__init__()
        self._draining = asyncio.Event()

    async def drain(self) -> None:
        """Set every service to NOT_SERVING for good."""
        await self.enter_graceful_shutdown()
        self._draining.set()

    async def Watch(  # noqa: N802
        self,
        request: health_pb2.HealthCheckRequest,
        context: grpc.aio.ServicerContext[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse],
    ) -> None:
        """Stream the status of a service until the caller cancels or the server drains."""
        watching = asyncio.ensure_future(super().Watch(request, context))
        draining = asyncio.ensure_future(self._draining.wait())
        try:
            await asyncio.wait((watching, draining), return_when=asyncio.FIRST_COMPLETED)
            if not watching.done():
                # The watcher was notified before the event was set; this lets it write.
                await asyncio.wait((watching,), timeout=0.1)
        finally:
            for task in (watching, draining):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task


async def run(
    index: RankingIndex,
    config: ServerConfig,
    announce: Callable[[str], object],
    *,
    limits: LimitsConfig | None = None,
    observer: CallObserver | None = None,
    tls: TlsConfig | None = None,
    guard: Guard | None = None,
) -> None:
    """Serve one index in this process until SIGTERM or SIGINT, then drain.

    Args:
        index: what answers.
        config: settings of this process.
        announce: called once with the bound address.
        limits: how often one caller may call; by default there is no limit.
        observer: is told of calls; by default nobody is.
        tls: certificate and key of the port; by default it speaks plain text.
        guard: lets calls in; None to let everybody in.
        turns: of this process; None where nothing else works beside the event loop.

    Raises:
        InvalidArgumentError: the address cannot be bound, or a file of TLS cannot be used.
    """
    async with _stop_event() as stop:
        models = SingleModel(index)
        models.warm_up()
        server = Server(models, config, limits=limits, observer=observer, tls=tls, guard=guard)
        bound = await server.start()
        log(logging.INFO, "serving", address=bound, model=index.version)
        announce(bound)
        await stop.wait()
        log(logging.INFO, "draining", address=bound)
        await server.drain()
        log(logging.INFO, "stopped", address=bound)


@contextlib.asynccontextmanager
async def _stop_event() -> AsyncIterator[asyncio.Event]:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    signals = (signal.SIGTERM, signal.SIGINT)
    for number in signals:
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in signals:
            loop.remove_signal_handler(number)
