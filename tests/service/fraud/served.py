"""A server that decides on fraud, in processes of its own."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from tests.service.server_process import ServerProcess

from recocore.client import Event

if TYPE_CHECKING:
    from pathlib import Path

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FraudServer(ServerProcess):
    """A server over an index, with a model of fraud and a log."""

    log_folder: Path

    @classmethod
    def start(
        cls, index: Path, model: Path, log: Path, *, workers: int = 1, settings: str = "", more: str = ""
    ) -> Self:
        """Settings are those of FraudConfig, and `more` the arguments of `serve`, as source text."""
        made = cls.code(
            "from recocore.service import StateConfig, serve\n"
            "from recocore.service.fraud.config import FraudConfig\n"
            "from recocore.service.door.config import HttpConfig\n"
            "from recocore.service.observe.config import MetricsConfig\n"
            "from recocore.service.observe.observing import Observing\n"
            f"fraud = FraudConfig(model={str(model)!r}, path={str(log)!r}, {settings})\n"
            f"serve({str(index)!r}, port=0, workers={workers}, fraud=fraud, {more})"
        )
        made.log_folder = log
        return made

    def owner(self) -> int:
        """The pid of the process that decides."""
        return int(self.events("fraud is served")[-1]["pid"])

    def kill_owner(self) -> int:
        """End it at once: its pid."""
        pid = self.owner()
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_for_another_owner(self, than: int) -> None:
        deadline = time.monotonic() + 20
        while self.owner() == than:
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.01)


def event_of(row: dict[str, Any]) -> Event:
    """The client's event of a row with `event_time` in microseconds."""
    given = {name: value for name, value in row.items() if value is not None and name != "event_time"}
    return Event(event_time=_EPOCH + timedelta(microseconds=row["event_time"]), **given)
