"""A server that decides on fraud, in processes of its own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from tests.service.owned import OwnedServer

from recocore.client import Event

if TYPE_CHECKING:
    from pathlib import Path

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FraudServer(OwnedServer):
    """A server over an index, with a model of fraud and a log."""

    told = "fraud is served"
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


def event_of(row: dict[str, Any]) -> Event:
    """The client's event of a row with `event_time` in microseconds."""
    given = {name: value for name, value in row.items() if value is not None and name != "event_time"}
    return Event(event_time=_EPOCH + timedelta(microseconds=row["event_time"]), **given)
