"""Calls of GetProfile for a load."""

from __future__ import annotations

from typing import TYPE_CHECKING

from google.protobuf.field_mask_pb2 import FieldMask
from recocore.v1 import profile_service_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Sequence

GET_PROFILE = "/recocore.v1.ProfileService/GetProfile"
SOME_FEATURES = ("features.lifecycle", "features.n_events", "features.n_sessions")


def profile_requests(calls: int, users: int, fields: Sequence[str]) -> list[bytes]:
    """Serialised calls, for one user after the other."""
    made = [
        v1.GetProfileRequest(user_id=f"u{number % users}", read_mask=FieldMask(paths=fields)) for number in range(calls)
    ]
    return [request.SerializeToString() for request in made]
