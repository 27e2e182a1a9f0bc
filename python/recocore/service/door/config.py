"""How the HTTP/JSON door runs."""

from __future__ import annotations

from dataclasses import dataclass

from recocore.errors import InvalidArgumentError


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """The settings of the door, which is one process whatever the number of workers.

    Attributes:
        host: address to listen on; anything but loopback takes TLS, or `tls.allow_plaintext`.
        port: port to listen on; 0 means no door.
        connections: gRPC connections to the service. The kernel spreads connections over workers, not calls: have some
            times as many as there are workers.
        max_calls: calls that may be under way at once; more are turned away with 429. Each holds its body, at most 4 MiB.
        timeout_seconds: the deadline of a call that sends no `x-timeout-ms`.

    Raises:
        InvalidArgumentError: a setting is out of range; `field` names it.
    """

    host: str = "127.0.0.1"
    port: int = 0
    connections: int = 8
    max_calls: int = 256
    timeout_seconds: float = 10.0

    def __post_init__(self) -> None:
        if not self.host:
            raise InvalidArgumentError(
                "http.host must name an address such as 127.0.0.1, got an empty string", field="http.host"
            )
        for name, low, high in (
            ("port", 0, 65_535),
            ("connections", 1, 1_024),
            ("max_calls", 1, 1_000_000),
            ("timeout_seconds", 0.001, 86_400),
        ):
            value = getattr(self, name)
            if not low <= value <= high:
                raise InvalidArgumentError(
                    f"http.{name} must be from {low} to {high}, got {value}", field=f"http.{name}"
                )
