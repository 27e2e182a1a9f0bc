"""The state of a service: where it is, and how calls use it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from recocore.errors import InvalidArgumentError
from recocore.service.limits import MAX_SESSION_EVENTS

_MOST_SOCKET_BYTES = 107
# A key of fewer bytes could be guessed.
_LEAST_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class StateConfig:
    """The section [state].

    Attributes:
        path: folder of the state; empty for none, and then the service takes no events. Its owner listens on a Unix socket in
            it, whose path the system limits to 107 bytes.
        keys: file of the master keys, made where there is none; empty for the one that the state keeps beside itself.
        durability: what a call that does not say is answered after: "fsync" when its events are on the disk, "buffered" when
            the process that writes has them in memory.
        recent_events: the latest events of a user that a record keeps, and that count as session events in Recommend; 0 for
            none.
        join_visitors: whether an event with a `visitor_id` states that its user is that visitor, so that the user's
            recommendations and profile know what the visitor did before, and whoever forgets the user forgets the visitor.
            Leave it where several people share a device.
        attribution_key: signs attribution tokens, so that an event with a forged one is refused; None leaves tokens
            unsigned, and then damage alone is found.

    Raises:
        InvalidArgumentError: a setting is out of range; `field` names it.
    """

    path: str = ""
    keys: str = ""
    durability: Literal["fsync", "buffered"] = "fsync"
    recent_events: int = 20
    join_visitors: bool = False
    attribution_key: bytes | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if len(str(socket_path(self.path)).encode()) > _MOST_SOCKET_BYTES:
            raise InvalidArgumentError(
                f"path: expected at most {_MOST_SOCKET_BYTES} bytes with the name of the owner's socket, got "
                f"{len(str(socket_path(self.path)).encode())}; move the state to a shorter path",
                field="state.path",
            )
        if self.durability not in {"fsync", "buffered"}:
            raise InvalidArgumentError(
                f"durability: expected fsync or buffered, got {self.durability!r}", field="state.durability"
            )
        if not 0 <= self.recent_events <= MAX_SESSION_EVENTS:
            raise InvalidArgumentError(
                f"recent_events must be from 0 to {MAX_SESSION_EVENTS}, got {self.recent_events}",
                field="state.recent_events",
            )
        if self.attribution_key is not None and len(self.attribution_key) < _LEAST_KEY_BYTES:
            raise InvalidArgumentError(
                f"attribution_key: expected at least {_LEAST_KEY_BYTES} bytes, got {len(self.attribution_key)}; "
                "make one with `openssl rand -hex 32`",
                field="state.attribution_key_file",
            )


def socket_path(state: str) -> Path:
    """Where the owner of a state listens."""
    return Path(state) / "owner.sock"
