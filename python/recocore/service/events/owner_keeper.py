"""Keeps the owner of the state at work: one process that writes, started before the workers and ended after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recocore.service.processes.ready_keeper import ReadyKeeper

if TYPE_CHECKING:
    from recocore.service.events.config import StateConfig
    from recocore.service.profiles.config import ProfilesConfig


class OwnerKeeper(ReadyKeeper):
    """The owner of a service's state, from the supervisor's side.

    Args:
        config: of the state.
        profiles: how much of a record is kept for them.
        log_level: of the owner.
    """

    def __init__(self, config: StateConfig, profiles: ProfilesConfig, log_level: str) -> None:
        settings = {
            "path": config.path,
            "keys": config.keys,
            "log_level": log_level,
            # What nobody reads need not be in every record: fifty events take 20 us to decode.
            "max_recent": max(1, config.recent_events),
            "max_profile_bytes": profiles.bytes_per_user,
            "join_visitors": config.join_visitors,
        }
        super().__init__("state owner", "recocore.service.events.owner_process", settings)
