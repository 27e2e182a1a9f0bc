"""Whether a service could start: what `recocore serve --check` asks before anybody depends on the answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recocore.errors import RecocoreError
from recocore.index import Index
from recocore.service.config import address
from recocore.service.ports import reserve

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

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


def check_service(settings: Settings, index_path: str | os.PathLike[str]) -> list[Check]:
    """Look at everything that a start needs, and go on after what is wrong. Nothing is kept or changed."""
    checks = [
        _check("address", lambda: _free(settings.server.host, settings.server.port, "server.port")),
        _check("index", lambda: _sound(index_path)),
    ]
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


def _traceable(settings: Settings) -> str:
    from recocore.service.observe.tracing import Tracing  # noqa: PLC0415  (OpenTelemetry is for those who trace)

    Tracing(settings.tracing).close()
    return f"OpenTelemetry is installed; spans go to {settings.tracing.endpoint}"
