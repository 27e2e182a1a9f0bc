"""`serve`: from the path of an index, or a registry of them, to a running service."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from recocore.errors import InvalidArgumentError
from recocore.service.announcing import announce_json
from recocore.service.config import ServerConfig
from recocore.service.door.keeper import DoorKeeper
from recocore.service.events.config import StateConfig
from recocore.service.events.owner_keeper import OwnerKeeper
from recocore.service.fraud.config import FraudConfig
from recocore.service.fraud.owner_keeper import FraudKeeper
from recocore.service.hosting.config import ExperimentConfig, ModelsConfig, ShadowConfig
from recocore.service.logs import configure
from recocore.service.observe.observing import Observing
from recocore.service.observe.port import MetricsPort
from recocore.service.processes.settings import WorkerSettings
from recocore.service.processes.supervisor import Supervisor
from recocore.service.profiles.config import ProfilesConfig
from recocore.service.rate_limits import LimitsConfig
from recocore.service.security.audit_log import AuditLog
from recocore.service.security.config import Security
from recocore.service.security.transport import check_transport, warn_of_plaintext

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from recocore.service.door import HttpConfig
    from recocore.service.hosting.sources import Source


def serve(
    index_path: str | os.PathLike[str] | None = None,
    host: str = "127.0.0.1",
    port: int = 50051,
    workers: int = 1,
    *,
    config: ServerConfig | None = None,
    limits: LimitsConfig | None = None,
    models: ModelsConfig | None = None,
    experiment: ExperimentConfig | None = None,
    shadow: ShadowConfig | None = None,
    state: StateConfig | None = None,
    fraud: FraudConfig | None = None,
    profiles: ProfilesConfig | None = None,
    http: HttpConfig | None = None,
    observing: Observing | None = None,
    security: Security | None = None,
    announce: Callable[[str], object] = announce_json,
) -> None:
    """Serve an index or a registry until SIGTERM or SIGINT, finish the calls in flight, and return.

    Call it from the main thread. This process becomes the supervisor of `workers` others, which take the calls, and of one more
    that stands by: where a worker dies, that one takes its place at once. SIGHUP has it look at the registry again.

    Args:
        index_path: the folder of a saved index; None where `models` names a registry.
        host: address to listen on.
        port: port to listen on; 0 lets the system choose one.
        workers: processes that share the port and the memory of the models, each with one event loop. The kernel spreads
            connections, not calls, over them.
        config: everything else about a server; its own host, port and workers are not read.
        limits: how often one caller may call; by default there is no limit.
        models: the registry to follow, and how.
        experiment: users split between aliases.
        shadow: a model that ranks along.
        state: what keeps events; by default nothing does. Its owner is one more process.
        fraud: the model that decides on fraud, and its log; by default there is none. It decides in one more process.
        profiles: what is kept of events for profiles, and what those are made by.
        http: settings of the HTTP/JSON door, one more process; None or port 0 for no door.
        observing: metrics, slow calls in the log, traces.
        security: who may call, over what, and what is written down of it; by default everybody on this machine, in plain text.
        announce: called once with the bound address when every worker serves; the default prints a line of JSON.

    Raises:
        NotFoundError: there is no index at the path, or no registry, or no such alias in it.
        CorruptError: the index, the version that the alias points to, or the state is damaged; the message names the file.
        InUseError: another process owns the state, or the log of fraud.
        InvalidArgumentError: a setting is out of range, or an address cannot be bound.
        UnsupportedError: a setting needs a package that is not installed.
        InternalError: workers ended again and again before they served; the others were stopped.
    """
    if workers < 1:
        raise InvalidArgumentError(f"workers must be at least 1, got {workers}", field="workers")
    models, observing, security = models or ModelsConfig(), observing or Observing(), security or Security()
    if (index_path is None) == (not models.registry):
        raise InvalidArgumentError(
            "index_path: expected either the folder of an index or a registry to follow, "
            f"got {'neither' if index_path is None else 'both'}",
            field="index_path",
        )
    server = replace(config or ServerConfig(), host=host, port=port, workers=workers)
    open_ports = check_transport(security, server, http, observing.metrics, control=models.control)
    if security.tls.is_on:
        from recocore.service.security.tls import check_files  # noqa: PLC0415  # its library is for those who have TLS

        check_files(security.tls)
    if security.auth.enabled:
        from recocore.service.security.authenticator import check_callers  # noqa: PLC0415  # likewise

        check_callers(security.auth)
    if security.audit.folder:
        AuditLog.check(security.audit, "worker-0")
    observing.check()
    settings = WorkerSettings(
        server=server,
        limits=limits or LimitsConfig(),
        models=models,
        experiment=experiment or ExperimentConfig(),
        shadow=shadow or ShadowConfig(),
        observing=observing,
        state=state or StateConfig(),
        fraud=fraud or FraudConfig(),
        profiles=profiles or ProfilesConfig(),
        security=security,
    )
    if settings.state.path and settings.profiles.names_files:
        from recocore.service.profiles.definitions import Definitions  # noqa: PLC0415  # workers need it, this process not

        Definitions.load(settings.profiles)
    # A program with its own logging keeps it.
    if not logging.getLogger().handlers:
        configure(settings.server.log_level, sys.stderr)
    warn_of_plaintext(open_ports)
    doors = [DoorKeeper(http, server, security.tls)] if http and http.port else []

    def open_source() -> Source:
        from recocore.service.hosting.sources import FixedSource, RegistrySource  # noqa: PLC0415  # see Supervisor

        return RegistrySource(models.registry) if index_path is None else FixedSource(Path(index_path), models.alias)

    async def run() -> None:
        port = MetricsPort(observing.metrics, server.log_level, security.tls) if observing.metrics.enabled else None
        with port or contextlib.nullcontext():
            owner = OwnerKeeper(settings.state, settings.profiles, server.log_level) if settings.state.path else None
            board = None if port is None else port.board("fraud")
            decider = None
            if settings.fraud.path:
                decider = FraudKeeper(settings.fraud, settings.state, server.log_level, board)
            await Supervisor(open_source, settings, announce, doors, port, owner, decider).run()

    asyncio.run(run())
