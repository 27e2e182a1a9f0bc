"""From settings to the observer of one worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from recocore.service.observe.board import Board
from recocore.service.observe.config import LogsConfig, MetricsConfig, TracingConfig
from recocore.service.observe.counting import CountingObserver
from recocore.service.observe.observer import CallObserver, Observers
from recocore.service.observe.slow import SlowCalls
from recocore.service.observe.tracing import Tracing


@dataclass(frozen=True, slots=True)
class Observing:
    """What is seen of a service from outside: three sections of the settings."""

    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    logs: LogsConfig = field(default_factory=LogsConfig)
    tracing: TracingConfig = field(default_factory=TracingConfig)

    def check(self) -> None:
        """Say now what each worker's `observer` would raise.

        Raises:
            UnsupportedError: traces are asked for and OpenTelemetry is not installed.
        """
        if self.tracing.endpoint:
            Tracing(self.tracing).close()

    def observer(self, board: str | None) -> CallObserver:
        """The observer of a worker; made in its own process.

        Args:
            board: where it counts, as `MetricsPort.board` gives it; None where nobody reads it.

        Raises:
            UnsupportedError: traces are asked for and OpenTelemetry is not installed.
        """
        observers: list[CallObserver] = []
        if board is not None:
            observers.append(CountingObserver(Board(Path(board))))
        if self.logs.slow_milliseconds:
            observers.append(SlowCalls(self.logs))
        if self.tracing.endpoint:
            observers.append(Tracing(self.tracing))
        return observers[0] if len(observers) == 1 else Observers(observers)
