"""The methods of EventService and PrivacyService: decode, ask the owner of the state, encode.

They run on the event loop: decoding an event takes half a microsecond, and the rest is waiting for the owner, who makes many
calls durable at once.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from recocore.service.events import convert
from recocore.service.events.problems import NoStateError
from recocore.service.events.rows import RowMaker
from recocore.service.profiles.exporting import exported_profile
from recocore.state import Durability, ForgetReceipt

if TYPE_CHECKING:
    from recocore.service.call import Call
    from recocore.service.events.config import StateConfig
    from recocore.service.fraud.asking import FraudClient
    from recocore.service.observe.observer import CallObserver
    from recocore.service.profiles.making import ProfileMaker
    from recocore.service.running import Awaited
    from recocore.state import Receipt
    from recocore.state.owner_client import OwnerClient

EVENT_SERVICE_NAME = "recocore.v1.EventService"
PRIVACY_SERVICE_NAME = "recocore.v1.PrivacyService"

# More bytes are decoded on a thread, so that they do not hold up the calls of others. At 100 bytes an event, so many take
# 0.1 ms, and 1.5 ms where each has an attribution token of its own, which is read in Python.
_INLINE_BYTES = 16_384


class EventServicer:
    """EventService; on one event loop.

    Args:
        owner: asks the process that writes; None without a state.
        config: of the state.
        observer: is told of events.
    """

    def __init__(self, owner: OwnerClient | None, config: StateConfig, observer: CallObserver) -> None:
        self._owner = owner
        self._maker = RowMaker(config.attribution_key)
        self._durability = Durability(config.durability)
        self._observer = observer

    def awaited(self) -> dict[str, Awaited]:
        """The methods by the names that the proto gives them."""
        return {"RecordEvents": self.record_events}

    async def record_events(self, request: bytes, call: Call) -> bytes:
        """Record events, each or not by itself."""
        arguments = (request, self._maker, time.time_ns() // 1_000, self._durability)
        if len(request) > _INLINE_BYTES:
            recording = await asyncio.to_thread(convert.decode_record_events, *arguments)
        else:
            recording = convert.decode_record_events(*arguments)
        if self._owner is None:
            raise NoStateError
        call.checkpoint()
        receipt = await self._record(self._owner, recording) if recording.rows else None
        self._observer.recorded(*convert.counts_of(recording, receipt))
        return convert.encode_record_events(recording, receipt, call.request_id)

    async def _record(self, owner: OwnerClient, recording: convert.Recording) -> Receipt:
        started = time.perf_counter()
        self._observer.recording(len(recording.rows))
        try:
            receipt = await owner.record(recording.rows, durability=recording.durability)
        finally:
            self._observer.recording(-len(recording.rows))
        self._observer.committed(time.perf_counter() - started)
        return receipt


class PrivacyServicer:
    """PrivacyService; on one event loop.

    Args:
        owner: asks the process that writes; None without a state.
        observer: is told that somebody was forgotten, though not who.
        fraud: keeps decisions on people; None without it.
        maker: makes the profile that an export holds; None where there are no profiles.
    """

    def __init__(
        self,
        owner: OwnerClient | None,
        observer: CallObserver,
        fraud: FraudClient | None = None,
        maker: ProfileMaker | None = None,
    ) -> None:
        self._owner = owner
        self._observer = observer
        self._fraud = fraud
        self._maker = maker

    def awaited(self) -> dict[str, Awaited]:
        """The methods by the names that the proto gives them."""
        return {
            "SetConsent": self.set_consent,
            "GetConsent": self.get_consent,
            "ExportUser": self.export_user,
            "ForgetUser": self.forget_user,
        }

    async def set_consent(self, request: bytes, call: Call) -> bytes:
        """Note consent, or its end."""
        user_id, purpose, granted = convert.decode_set_consent(request)
        call.user_id = user_id
        owner = self._state
        commit = await owner.set_consent(user_id, purpose, granted)
        return convert.encode_set_consent(await owner.consents(user_id), commit, call.request_id)

    async def get_consent(self, request: bytes, call: Call) -> bytes:
        """What somebody has said."""
        call.user_id = user_id = convert.decode_get_consent(request)
        return convert.encode_get_consent(await self._state.consents(user_id), call.request_id)

    async def export_user(self, request: bytes, call: Call) -> bytes:
        """A page of everything that is kept of somebody."""
        user_id, first, size = convert.decode_export_user(request)
        call.user_id = user_id
        exported = await self._state.export_user(user_id)
        if self._fraud is not None and not first:
            exported["fraud"] = await self._fraud.of_user(user_id)
        if not first and self._maker is not None:
            exported["profile"] = exported_profile(self._maker, user_id)
        return await asyncio.to_thread(convert.encode_export_user, exported, first, size, call.request_id)

    async def forget_user(self, request: bytes, call: Call) -> bytes:
        """Forget somebody."""
        call.user_id = user_id = convert.decode_forget_user(request)
        # First, so that a call whose answer was lost reaches it again.
        rows = 0 if self._fraud is None else await self._fraud.forget(user_id)
        if self._owner is None and self._fraud is not None:
            receipt = ForgetReceipt(0, "", datetime.now(UTC).isoformat(), key_destroyed=False, events=rows)
        else:
            receipt = await self._state.forget(user_id)
        self._observer.forgot()
        return convert.encode_forget_user(receipt, call.request_id)

    @property
    def _state(self) -> OwnerClient:
        if self._owner is None:
            raise NoStateError
        return self._owner
