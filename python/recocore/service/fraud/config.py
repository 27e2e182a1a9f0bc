"""Fraud in a service: the model that decides, and where its log is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from recocore.errors import InvalidArgumentError

_MOST_SOCKET_BYTES = 107


@dataclass(frozen=True, slots=True)
class FraudConfig:
    """The section [fraud].

    Attributes:
        model: folder of a model that `recocore fraud fit` made; empty for none, and then the service has no FraudService.
        path: folder of the log of events, decisions and outcomes. The process that decides listens on a Unix socket in it,
            whose path the system limits to 107 bytes.
        keys: file of the master keys, made where there is none; empty for the one beside the log.
        rings: file of rings that `recocore fraud rings --out` wrote; empty for none.
        durability: what ScoreFraud is answered after: "buffered" when the decision is in the log's file, which the end of any
            process leaves whole, or "fsync" when it is on the disk.
        checkpoint_events: counters are written down each time that so many events have come; a start counts as many again at
            most.
        remembered: events whose decision is kept in memory, to be given again at once.
        keep_days: events older than that are dropped with their decisions, once a day; at least what the longest window of
            the model needs. 0 keeps all.
        follow_events: whether what RecordEvents takes counts too, but for types that are decided on; it needs [state].

    Raises:
        InvalidArgumentError: a setting is out of range; `field` names it.
    """

    model: str = ""
    path: str = ""
    keys: str = ""
    rings: str = ""
    durability: Literal["buffered", "fsync"] = "buffered"
    checkpoint_events: int = 200_000
    remembered: int = 10_000
    keep_days: int = 0
    follow_events: bool = False

    def __post_init__(self) -> None:
        if bool(self.model) != bool(self.path):
            missing = "path" if self.model else "model"
            raise InvalidArgumentError(
                f"{missing}: expected a folder, got none: model and path go together", field=f"fraud.{missing}"
            )
        if len(str(socket_path(self.path)).encode()) > _MOST_SOCKET_BYTES:
            raise InvalidArgumentError(
                f"path: expected at most {_MOST_SOCKET_BYTES} bytes with the name of the socket, got "
                f"{len(str(socket_path(self.path)).encode())}; move the log to a shorter path",
                field="fraud.path",
            )
        if self.durability not in {"buffered", "fsync"}:
            raise InvalidArgumentError(
                f"durability: expected buffered or fsync, got {self.durability!r}", field="fraud.durability"
            )
        for name, least in (("checkpoint_events", 1), ("remembered", 1), ("keep_days", 0)):
            if getattr(self, name) < least:
                raise InvalidArgumentError(
                    f"{name}: expected at least {least}, got {getattr(self, name)}", field=f"fraud.{name}"
                )

    @property
    def keep(self) -> timedelta | None:
        """How long events are kept; None for ever."""
        return timedelta(days=self.keep_days) if self.keep_days else None


def socket_path(path: str) -> Path:
    """Where the process that decides listens."""
    return Path(path) / "fraud.sock"
