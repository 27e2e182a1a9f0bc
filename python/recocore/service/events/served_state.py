"""The state as a worker has it: its records to read, and its owner to ask."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recocore.service.events.config import StateConfig, socket_path
from recocore.service.events.personal import NOBODY, StatePeople

if TYPE_CHECKING:
    from recocore.service.events.personal import People
    from recocore.state import StateReader
    from recocore.state.owner_client import OwnerClient


@dataclass(frozen=True, slots=True, eq=False)
class ServedState:
    """What calls use of a state.

    Attributes:
        config: of the state.
        people: what is known of users.
        owner: asks the process that writes; None without a state.
        reader: what `people` reads; None without a state.
    """

    config: StateConfig = field(default_factory=StateConfig)
    people: People = NOBODY
    owner: OwnerClient | None = None
    reader: StateReader | None = None

    @classmethod
    def open(cls, config: StateConfig) -> ServedState:
        """That of a folder whose owner serves.

        Raises:
            NotFoundError: there is no state.
            CorruptError: it is damaged.
        """
        # Encryption and its database take 0.1 s of a start; a worker without a state needs neither.
        from recocore.state import KeyFile, StateReader  # noqa: PLC0415
        from recocore.state.owner_client import OwnerClient  # noqa: PLC0415

        keys = KeyFile.open(config.keys) if config.keys else None
        reader = StateReader.open(config.path, keys=keys)
        people = StatePeople(reader, config.recent_events)
        return cls(config, people, OwnerClient(socket_path(config.path)), reader)

    async def close(self) -> None:
        """Let go of both."""
        if self.owner is not None:
            await self.owner.close()
        if self.reader is not None:
            await asyncio.to_thread(self.reader.close)


NO_STATE = ServedState()
