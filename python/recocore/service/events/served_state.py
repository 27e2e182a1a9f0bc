"""The state as a worker has it: its records to read, and its owner to ask."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from recocore.service.events.config import StateConfig, socket_path
from recocore.service.events.personal import NOBODY, StatePeople
from recocore.service.profiles.config import ProfilesConfig

if TYPE_CHECKING:
    from recocore.service.events.personal import People
    from recocore.service.profiles.making import ProfileMaker
    from recocore.state import StateReader, UserRecord
    from recocore.state.owner_client import OwnerClient


@dataclass(frozen=True, slots=True, eq=False)
class ServedState:
    """What calls use of a state.

    Attributes:
        config: of the state.
        people: what is known of users.
        owner: asks the process that writes; None without a state.
        reader: what `people` reads; None without a state.
        profiles: how profiles are made.
        maker: makes them; None without a state, or where nothing is kept for them.
    """

    config: StateConfig = field(default_factory=StateConfig)
    people: People = NOBODY
    owner: OwnerClient | None = None
    reader: StateReader | None = None
    profiles: ProfilesConfig = field(default_factory=ProfilesConfig)
    maker: ProfileMaker | None = None

    @classmethod
    def open(cls, config: StateConfig, profiles: ProfilesConfig | None = None) -> ServedState:
        """That of a folder whose owner serves.

        Raises:
            NotFoundError: there is no state, or a file that profiles are made by is not there.
            CorruptError: one of these is damaged.
            InvalidArgumentError: what profiles are made by is wrong.
        """
        # Encryption and its database take 0.1 s of a start; a worker without a state needs neither.
        from recocore.state import KeyFile, StateReader  # noqa: PLC0415
        from recocore.state.owner_client import OwnerClient  # noqa: PLC0415

        keys = KeyFile.open(config.keys) if config.keys else None
        reader = StateReader.open(config.path, keys=keys)
        profiles = profiles or ProfilesConfig()
        maker = blend = None
        if profiles.bytes_per_user:
            # Their libraries are for services that have profiles.
            from recocore.service.profiles.definitions import Definitions  # noqa: PLC0415
            from recocore.service.profiles.making import ProfileMaker  # noqa: PLC0415

            def look(id_: str, visitor: bool) -> UserRecord | None:
                return reader.user(id_, visitor=visitor)

            definitions = Definitions.load(profiles)
            maker = ProfileMaker(definitions, look)
            if profiles.interest_weight or definitions.popular:
                from recocore.service.profiles.blending import Blend  # noqa: PLC0415

                blend = Blend(maker, profiles.interest_weight, definitions.popular, profiles.keep_seconds)
        people = StatePeople(reader, config.recent_events, blend)
        return cls(config, people, OwnerClient(socket_path(config.path)), reader, profiles, maker)

    async def close(self) -> None:
        """Let go of both."""
        if self.owner is not None:
            await self.owner.close()
        if self.reader is not None:
            await asyncio.to_thread(self.reader.close)


NO_STATE = ServedState()
