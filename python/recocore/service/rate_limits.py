"""How often a caller may call: a token bucket each."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from recocore.errors import InvalidArgumentError
from recocore.service.problems import RateLimitedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_METADATA_NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")
# A longer name of a caller is cut, so that what is remembered of callers stays small.
_MAX_CALLER_CHARS = 128


@dataclass(frozen=True, slots=True)
class LimitsConfig:
    """How often one caller may call one worker.

    Connections are spread over the workers and each worker counts for itself, so a caller with many connections reaches the
    sum of them.

    Attributes:
        rate: calls a second that a caller may go on making; 0 for no limit.
        burst: calls that a caller who was quiet may make at once, at least 1; 0 means one second's worth.
        caller_metadata: the metadata that names the caller, such as x-api-key, in lower case; empty, or where a call has
            none, the caller is the address of its peer. Nothing checks that the name is true.
        callers: callers that are remembered; who has been quiet for longest is forgotten first, and begins anew.

    Raises:
        InvalidArgumentError: a setting is out of range; `field` names it.
    """

    rate: float = 0.0
    burst: int = 0
    caller_metadata: str = ""
    callers: int = 10_000

    def __post_init__(self) -> None:
        for name, value, low, high in (
            ("rate", self.rate, 0, 1_000_000),
            ("burst", self.burst, 0, 1_000_000),
            ("callers", self.callers, 1, 10_000_000),
        ):
            if not low <= value <= high:
                raise InvalidArgumentError(
                    f"limits.{name} must be from {low} to {high:,}, got {value}", field=f"limits.{name}"
                )
        if not _METADATA_NAME.issuperset(self.caller_metadata) or self.caller_metadata.endswith("-bin"):
            raise InvalidArgumentError(
                "limits.caller_metadata must be a name of text metadata in lower case such as x-api-key, got "
                f"{self.caller_metadata!r}",
                field="limits.caller_metadata",
            )


class RateLimiter:
    """Admits each caller's calls at a steady rate, with room for a burst; used on one event loop.

    Args:
        config: how often.
        clock: seconds that only grow.
    """

    def __init__(self, config: LimitsConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = config.rate
        self._burst = float(config.burst or max(1, math.ceil(config.rate)))
        self._metadata = config.caller_metadata
        self._most = config.callers
        self._clock = clock
        # Calls left and when that was so, of each caller; who called last stands last.
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    @property
    def is_limiting(self) -> bool:
        """Whether there is a limit."""
        return self._rate > 0

    def caller(self, peer: str, metadata: Iterable[tuple[str, str | bytes]]) -> str:
        """Who calls: what the configured metadata says, else the host of a gRPC peer such as `ipv4:127.0.0.1:5000`."""
        if self._metadata:
            for key, value in metadata:
                if key == self._metadata and isinstance(value, str) and value:
                    return value[:_MAX_CALLER_CHARS]
        return host_of(peer)

    def admit(self, caller: str) -> None:
        """Let one call of a caller in. O(1).

        Raises:
            RateLimitedError: it comes too soon; it says after how many seconds it would not.
        """
        if not self._rate:
            return
        now = self._clock()
        left, since = self._buckets.pop(caller, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._rate)
        admitted = left >= 1.0
        self._buckets[caller] = (left - 1.0 if admitted else left, now)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        if not admitted:
            raise RateLimitedError(caller, self._rate, (1.0 - left) / self._rate)


def host_of(peer: str) -> str:
    """The host of a gRPC peer, without the port that differs from connection to connection.

    >>> host_of("ipv4:127.0.0.1:5000")
    'ipv4:127.0.0.1'
    """
    host = unquote(peer)
    return host.rpartition(":")[0] if host.startswith(("ipv4:", "ipv6:")) else host
