"""Whether a service could start: what `recocore serve --check` asks before anybody depends on the answer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recocore.errors import InvalidArgumentError, NotFoundError, RecocoreError
from recocore.fraud import FraudModel, KnownRings
from recocore.fraud.ledger import check_keep
from recocore.index import Index
from recocore.service.config import address
from recocore.service.fraud.following import check_follow
from recocore.service.hosting.sources import RegistrySource
from recocore.service.observe.observing import Observing
from recocore.service.processes.ports import reserve
from recocore.service.security.audit_log import AuditLog
from recocore.service.security.authenticator import check_callers
from recocore.service.security.config import Security
from recocore.service.security.tls import check_files
from recocore.service.security.transport import check_transport
from recocore.state import KeyFile, StateReader

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from recocore.service.door.config import HttpConfig
    from recocore.service.events.config import StateConfig
    from recocore.service.fraud.config import FraudConfig
    from recocore.service.settings import Settings


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: what.
        ok: whether it is as it has to be.
        said: what was found, or what is wrong and what to do.
    """

    name: str
    ok: bool
    said: str


def check_service(settings: Settings, index_path: str | os.PathLike[str] | None) -> list[Check]:
    """Look at everything that a start needs, and go on after what is wrong. Nothing is kept or changed.

    Args:
        settings: of the service.
        index_path: the folder of an index; None where `settings.models` names a registry.
    """
    checks = [_check("address", lambda: _free(settings.server.host, settings.server.port, "server.port"))]
    checks.append(_check("ports", lambda: _different(settings)))
    checks.append(_check("transport", lambda: _encrypted(settings)))
    if settings.tls.is_on:
        checks.append(_check("certificates", lambda: check_files(settings.tls)))
    if settings.auth.enabled:
        checks.append(_check("callers", lambda: check_callers(settings.auth)))
    if settings.audit.folder:
        checks.append(_check("audit log", lambda: AuditLog.check(settings.audit, "worker-0")))
    if index_path is None:
        checks.append(_check("registry", lambda: _led_to(settings)))
    else:
        checks.append(_check("index", lambda: _sound(index_path)))
    if settings.state.path:
        checks.append(_check("state", lambda: _state(settings.state)))
    if settings.fraud.path:
        checks.append(_check("fraud", lambda: _fraud(settings.fraud, settings.state)))
    if settings.http.port:
        checks.append(_check("http address", lambda: _door(settings.http)))
    if settings.metrics.enabled:
        checks.append(
            _check("metrics address", lambda: _free(settings.metrics.host, settings.metrics.port, "metrics.port"))
        )
    if settings.tracing.endpoint:
        checks.append(_check("tracing", lambda: _traceable(settings)))
    return checks


def _check(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, True, look())
    except RecocoreError as error:
        return Check(name, False, str(error))


def _free(host: str, port: int, field: str) -> str:
    reserve(host, port, field).close()
    return f"{address(host, port)} is free" if port else f"any free port of {host}"


def _sound(index_path: str | os.PathLike[str]) -> str:
    index = Index.load(index_path)
    return f"{index_path} holds version {index.version}, read through"


def _led_to(settings: Settings) -> str:
    models = settings.models
    source = RegistrySource(models.registry)
    aliases = source.snapshot().aliases
    named = {"models.alias": models.alias, "shadow.alias": settings.shadow.alias}
    named |= {f"experiment.variants.{name}.alias": arm.alias for name, arm in settings.experiment.variants.items()}
    for setting, alias in named.items():
        if alias and alias not in aliases:
            known = ", ".join(sorted(aliases)) or "none yet"
            raise NotFoundError(f"{setting}: expected an alias of the registry ({known}), got {alias}; set it first")
    version = aliases[models.alias].version
    source.verify(version)
    return f"{models.alias} of {models.registry} leads to version {version}, read through"


def _state(config: StateConfig) -> str:
    folder = Path(config.path)
    if not folder.exists():
        return f"{folder} is made by the first start"
    keys = KeyFile.open(config.keys) if config.keys else None
    with StateReader.open(folder, keys=keys) as reader:
        return f"{folder} is at commit {reader.commit}"


def _fraud(config: FraudConfig, state: StateConfig) -> str:
    model = FraudModel.load(config.model)
    if config.keep is not None:
        check_keep(model, config.keep)
    if config.follow_events:
        check_follow(model, state.path)
    rings = f" and rings {KnownRings.load(config.rings).version}" if config.rings else ""
    if config.keys and Path(config.keys).exists():
        KeyFile.open(config.keys)
    log = "is there" if Path(config.path).exists() else "is made by the first start"
    return f"{config.model} holds model {model.version} with rules {model.rules.version}{rings}; {config.path} {log}"


def _different(settings: Settings) -> str:
    """The ports of the service, which are each free, must not be one."""
    ports = {"server.port": settings.server.port, "http.port": settings.http.port}
    if settings.metrics.enabled:
        ports["metrics.port"] = settings.metrics.port
    taken: dict[int, str] = {}
    for name, port in ports.items():
        if port and port in taken:
            raise InvalidArgumentError(
                f"{name}: expected another port than {taken[port]}, got {port} for both; choose another", field=name
            )
        taken[port] = name
    return "the ports differ"


def _encrypted(settings: Settings) -> str:
    security = Security(settings.tls, settings.auth, settings.audit)
    open_ports = check_transport(
        security, settings.server, settings.http, settings.metrics, control=settings.models.control
    )
    if open_ports:
        return f"NOT ENCRYPTED beyond this machine, as tls.allow_plaintext says: {', '.join(open_ports)}"
    return "TLS 1.3" if settings.tls.is_on else "plain text, on this machine only"


def _door(http: HttpConfig) -> str:
    from recocore.service.door.process import open_port  # noqa: PLC0415  (its libraries are for those who open it)

    open_port(http).close()
    return f"{address(http.host, http.port)} is free, and the libraries are installed"


def _traceable(settings: Settings) -> str:
    Observing(tracing=settings.tracing).check()
    return f"OpenTelemetry is installed; spans go to {settings.tracing.endpoint}"
