"""All settings of a service: one TOML file, a section a subject, with overrides from the environment and the command line.

    [server]
    port = 50051            environment: RECOCORE_SERVER_PORT=50051

The later wins: defaults, file, environment, options of the command line. A text in the environment stands for itself where a
text is expected, else for a value as TOML writes it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, get_type_hints

from recocore.errors import InvalidArgumentError, NotFoundError
from recocore.service.config import ServerConfig
from recocore.service.door.config import HttpConfig
from recocore.service.events.config import StateConfig
from recocore.service.fraud.config import FraudConfig
from recocore.service.hosting.config import ExperimentConfig, ModelsConfig, ShadowConfig
from recocore.service.observe.config import LogsConfig, MetricsConfig, TracingConfig
from recocore.service.profiles.config import ProfilesConfig
from recocore.service.rate_limits import LimitsConfig
from recocore.service.sections import Given, keys_of, read_section, refuse_name, shown
from recocore.service.security.config import AuditConfig, AuthConfig, TlsConfig

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

_PREFIX = "RECOCORE_"


@dataclass(frozen=True, slots=True)
class Settings:
    """One object a section. To add a section, add a field: its type is a frozen dataclass with defaults and checks.

    Attributes:
        server: the gRPC server.
        limits: how often one caller may call.
        tls: encryption of every port.
        auth: who may call which method.
        audit: what is written down of denials and of calls that change or reveal much.
        models: where the models come from.
        experiment: users split between aliases.
        shadow: a model that ranks along.
        state: what keeps events.
        fraud: what decides on fraud.
        profiles: what is kept of them for profiles, and what those are made by.
        http: the HTTP/JSON door.
        metrics: the port for metrics and the page.
        logs: what is logged beside errors.
        tracing: OpenTelemetry.
        sources: where each value that is not a default comes from, by `section.key`.
    """

    server: ServerConfig = field(default_factory=ServerConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    tls: TlsConfig = field(default_factory=TlsConfig)
    auth: AuthConfig = field(default_factory=AuthConfig)
    audit: AuditConfig = field(default_factory=AuditConfig)
    models: ModelsConfig = field(default_factory=ModelsConfig)
    experiment: ExperimentConfig = field(default_factory=ExperimentConfig)
    shadow: ShadowConfig = field(default_factory=ShadowConfig)
    state: StateConfig = field(default_factory=StateConfig)
    fraud: FraudConfig = field(default_factory=FraudConfig)
    profiles: ProfilesConfig = field(default_factory=ProfilesConfig)
    http: HttpConfig = field(default_factory=HttpConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    logs: LogsConfig = field(default_factory=LogsConfig)
    tracing: TracingConfig = field(default_factory=TracingConfig)
    sources: dict[str, str] = field(default_factory=dict, compare=False)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str] | None = None,
        environ: Mapping[str, str] | None = None,
        options: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Self:
        """Read the settings.

        Args:
            path: a TOML file; None for none.
            environ: RECOCORE_<SECTION>_<KEY> overrides the file; names of no section are left alone.
            options: values by section and key that override both; None stands for an option that was not given.

        Raises:
            NotFoundError: there is no such file.
            InvalidArgumentError: the file is not TOML, or a setting is unknown, of another type or out of range; the
                message names the file, the setting, what was expected and what came, and `field` is `section.key`.
        """
        sections = _sections()
        given: dict[str, dict[str, Given]] = {name: {} for name in sections}
        for layer in (
            _from_file(path, sections),
            _from_environment(environ or {}, sections),
            _from_options(options or {}),
        ):
            for name, values in layer.items():
                given[name].update(values)
        return cls(
            **{name: read_section(kind, name, given[name]) for name, kind in sections.items()},
            sources={f"{name}.{key}": what.source for name in sections for key, what in given[name].items()},
        )

    def shown(self) -> dict[str, dict[str, Any]]:
        """The values in effect by section and key, as JSON can hold them, secrets redacted."""
        return {name: shown(getattr(self, name)) for name in _sections()}


def _sections() -> dict[str, Any]:
    hints = get_type_hints(Settings)
    return {entry.name: hints[entry.name] for entry in fields(Settings) if entry.name != "sources"}


def _from_file(path: str | os.PathLike[str] | None, sections: Mapping[str, Any]) -> dict[str, dict[str, Given]]:
    if path is None:
        return {}
    try:
        text = Path(path).read_bytes().decode()
        tables = tomllib.loads(text)
    except FileNotFoundError:
        raise NotFoundError(f"{path}: there is no such file; name a TOML file of settings") from None
    except OSError as error:
        raise InvalidArgumentError(f"{path}: cannot be read: {error.strerror}", field="config") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InvalidArgumentError(f"{path}: expected TOML: {error}", field="config") from error
    for name, table in tables.items():
        if name not in sections:
            raise refuse_name(name, str(path), "section", name, sections)
        if not isinstance(table, dict):
            raise InvalidArgumentError(f"{path}: {name}: expected a section [{name}], got {table!r}", field=name)
    return {name: {key: Given(value, str(path)) for key, value in table.items()} for name, table in tables.items()}


def _from_environment(environ: Mapping[str, str], sections: Mapping[str, Any]) -> dict[str, dict[str, Given]]:
    found: dict[str, dict[str, Given]] = {}
    for variable, text in sorted(environ.items()):
        for name, kind in sections.items():
            prefix = f"{_PREFIX}{name.upper()}_"
            if variable.startswith(prefix):
                key = variable.removeprefix(prefix).lower()
                if key not in keys_of(kind):
                    known = (f"{prefix}{known.upper()}" for known in keys_of(kind))
                    raise refuse_name(variable, "environment", "setting", variable, known)
                found.setdefault(name, {})[key] = Given(text, f"environment {variable}", is_text=True)
    return found


def _from_options(options: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Given]]:
    return {
        name: {key: Given(value, "command line") for key, value in values.items() if value is not None}
        for name, values in options.items()
    }
