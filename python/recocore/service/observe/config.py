"""What of the service is seen from outside, and where."""

from __future__ import annotations

from dataclasses import dataclass

from recocore.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True)
class MetricsConfig:
    """The port for metrics and the page for people.

    Attributes:
        enabled: whether there is such a port; it costs a process.
        host: address to listen on. Whoever reaches it reads counts, versions and, with `try_it`, anybody's recommendations.
        port: port to listen on; 0 lets the system choose one, which the log tells.
        allowed_hosts: names under which browsers may ask, beside localhost and addresses; a page of any other name is
            refused, so that no foreign page reads this one by pointing its name here.
        try_it: whether the page asks the service for the recommendations of any user.

    Raises:
        InvalidArgumentError: a setting is out of range; `field` names it.
    """

    enabled: bool = False
    host: str = "127.0.0.1"
    port: int = 9464
    allowed_hosts: tuple[str, ...] = ()
    try_it: bool = True

    def __post_init__(self) -> None:
        if not self.host:
            raise InvalidArgumentError("host: expected an address such as 127.0.0.1, got ''", field="metrics.host")
        if not 0 <= self.port <= 65_535:
            raise InvalidArgumentError(f"port must be from 0 to 65535, got {self.port}", field="metrics.port")
        if any(not host or host != host.strip().lower() or ":" in host for host in self.allowed_hosts):
            raise InvalidArgumentError(
                f"allowed_hosts: expected names in lower case without a port, got {list(self.allowed_hosts)}",
                field="metrics.allowed_hosts",
            )


@dataclass(frozen=True, slots=True)
class LogsConfig:
    """What is logged beside errors. Lines go to standard error; keeping and rotating them is the platform's.

    Attributes:
        slow_milliseconds: calls that take longer are logged; 0 for none.
        slow_per_second: slow calls logged in a second by a worker at most; the next line says how many were left out.

    Raises:
        InvalidArgumentError: a setting is out of range; `field` names it.
    """

    slow_milliseconds: float = 250.0
    slow_per_second: float = 5.0

    def __post_init__(self) -> None:
        if not 0 <= self.slow_milliseconds <= 3_600_000:
            raise InvalidArgumentError(
                f"slow_milliseconds must be from 0 to 3600000, got {self.slow_milliseconds}",
                field="logs.slow_milliseconds",
            )
        if not 0 < self.slow_per_second <= 10_000:
            raise InvalidArgumentError(
                f"slow_per_second must be above 0 and at most 10000, got {self.slow_per_second}",
                field="logs.slow_per_second",
            )


@dataclass(frozen=True, slots=True)
class TracingConfig:
    """OpenTelemetry traces: one span a call, a child of the caller's where `traceparent` names one. Needs `recocore[otel]`.

    Attributes:
        endpoint: URL of a collector that takes OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces; empty for no
            traces.
        service_name: what the spans call this service.
        sample: share of the calls without a traced caller that are traced, from 0 to 1; a traced caller decides itself.

    Raises:
        InvalidArgumentError: a setting is out of range; `field` names it.
    """

    endpoint: str = ""
    service_name: str = "recocore"
    sample: float = 0.01

    def __post_init__(self) -> None:
        if self.endpoint and not self.endpoint.startswith(("http://", "https://")):
            raise InvalidArgumentError(
                f"endpoint: expected a URL with http:// or https://, got {self.endpoint!r}", field="tracing.endpoint"
            )
        if not self.service_name:
            raise InvalidArgumentError("service_name: expected a name, got ''", field="tracing.service_name")
        if not 0 <= self.sample <= 1:
            raise InvalidArgumentError(f"sample must be from 0 to 1, got {self.sample}", field="tracing.sample")
