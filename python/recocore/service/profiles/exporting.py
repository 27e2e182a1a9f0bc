"""The profile of somebody in the export of everything that is kept of them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from recocore.service.profiles.convert import plain_profile

if TYPE_CHECKING:
    from recocore.service.profiles.making import ProfileMaker


def exported_profile(maker: ProfileMaker, user_id: str) -> dict[str, Any] | None:
    """The profile as it is now, as JSON holds it; None where there is none."""
    person = maker.person(user_id)
    made = None if person is None else maker.make(person, time.time_ns() // 1_000)
    return None if made is None else plain_profile(made)
