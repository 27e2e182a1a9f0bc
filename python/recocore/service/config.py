"""How a server runs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field

from recocore.errors import InvalidArgumentError

# More processes than any machine's cores help nobody, and starting them all can take a machine down.
MOST_WORKERS = 256


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """The settings of one server process.

    Attributes:
        host: address to listen on; anything but loopback takes TLS, or `tls.allow_plaintext`.
        port: port to listen on; 0 lets the system choose one.
        workers: processes that share the port and the index's memory; the kernel spreads connections over them.
        threads: threads that rank in each worker; 0 means one a CPU that this process may use, shared by the workers.
        max_calls: calls that may run or wait for a thread at once; more are turned away with RESOURCE_EXHAUSTED,
            and those beyond as many again (128 at least) that nobody has read yet with CANCELLED by the transport.
        max_connections: connections that a worker holds at once; more are closed as they come.
        max_streams: calls at once on one connection; a caller that has more waits before it sends them.
        max_batch: Recommend calls that are ranked together at most, when they arrive together; 1 ranks each alone.
        batch_delay_ms: how long the first of a batch may wait for others. 0 makes nobody wait: a batch is who arrived while
            others were ranked. A near deadline ends the wait.
        cache_mb: memory of each worker for encoded answers, given again to the same request until the models change; 0 keeps
            none.
        grace_seconds: how long calls in flight may take to finish after SIGTERM or SIGINT; those that take longer end
            with UNAVAILABLE. The last to come in wait up to half a second of it until nobody follows them.
        drain_delay_seconds: how long to keep taking calls after health says NOT_SERVING, for load balancers to notice.
        reflection: whether tools may ask the server for its protos.
        log_level: debug (every call), info, warning or error.
        pseudonym_key: key of the pseudonyms of users in logs; None draws one at each start, so that pseudonyms of
            different runs cannot be joined.

    Raises:
        InvalidArgumentError: a setting is out of range; `field` names it.
    """

    host: str = "127.0.0.1"
    port: int = 50051
    workers: int = 1
    threads: int = 0
    max_calls: int = 128
    max_connections: int = 4_096
    max_streams: int = 1_024
    max_batch: int = 64
    batch_delay_ms: float = 0.0
    cache_mb: float = 16.0
    grace_seconds: float = 10.0
    drain_delay_seconds: float = 0.0
    reflection: bool = True
    log_level: str = "info"
    pseudonym_key: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not self.host:
            raise InvalidArgumentError("host must name an address such as 127.0.0.1, got an empty string", field="host")
        _in_range("port", self.port, 0, 65_535)
        _in_range("workers", self.workers, 1, MOST_WORKERS)
        _in_range("threads", self.threads, 0, 1_024)
        _in_range("max_calls", self.max_calls, 1, 1_000_000)
        _in_range("max_connections", self.max_connections, 1, 1_000_000)
        _in_range("max_streams", self.max_streams, 1, 1_000_000)
        _in_range("max_batch", self.max_batch, 1, 1_000)
        _in_range("batch_delay_ms", self.batch_delay_ms, 0, 1_000)
        _in_range("cache_mb", self.cache_mb, 0, 65_536)
        _in_range("grace_seconds", self.grace_seconds, 0, 3_600)
        _in_range("drain_delay_seconds", self.drain_delay_seconds, 0, 3_600)
        if self.log_level not in {"debug", "info", "warning", "error"}:
            raise InvalidArgumentError(
                f"log_level must be debug, info, warning or error, got {self.log_level!r}", field="log_level"
            )

    @property
    def thread_count(self) -> int:
        """The number of threads that rank, at least 1."""
        return self.threads or len(os.sched_getaffinity(0))

    @property
    def target(self) -> str:
        """`host:port` as gRPC takes it; an IPv6 host stands in brackets."""
        return address(self.host, self.port)


def address(host: str, port: int) -> str:
    """`host:port`, with brackets around an IPv6 host.

    >>> address("::1", 50051)
    '[::1]:50051'
    """
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _in_range(name: str, value: float, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidArgumentError(f"{name} must be from {low} to {high}, got {value}", field=name)
