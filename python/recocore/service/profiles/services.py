"""The methods of ProfileService: decode, read records or ask the owner of the state, encode.

They run on the event loop: a profile of the 50 events of a full record takes a fraction of a millisecond to make, and one
that was made before a look at the record's version.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from recocore.errors import NotFoundError
from recocore.service.events.problems import NoStateError
from recocore.service.limits import BATCH_SECONDS
from recocore.service.profiles import convert
from recocore.service.profiles.kept_answers import KeptAnswers
from recocore.v1 import profile_service_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.service.call import Call
    from recocore.service.events.served_state import ServedState
    from recocore.service.observe.observer import CallObserver
    from recocore.service.profiles.making import ProfileMaker
    from recocore.service.running import Awaited
    from recocore.state import StateReader
    from recocore.state.owner_client import OwnerClient

PROFILE_SERVICE_NAME = "recocore.v1.ProfileService"

# Of a batch, others get their turn at the event loop after so many profiles.
_IN_A_ROW = 8


class ProfileServicer:
    """ProfileService; on one event loop.

    Args:
        state: its records, its owner, and what makes profiles.
        observer: is told of profiles.
    """

    def __init__(self, state: ServedState, observer: CallObserver) -> None:
        self._maker, self._people, self._reader, self._owner = state.maker, state.people, state.reader, state.owner
        self._answers = KeptAnswers(round(state.profiles.keep_seconds * 1_000_000))
        self._observer = observer

    def awaited(self) -> dict[str, Awaited]:
        """The methods but GetProfile by the names that the proto gives them."""
        return {
            "BatchGetProfiles": self.batch_get_profiles,
            "UpdateProfile": self.update_profile,
            "MergeProfiles": self.merge_profiles,
            "UnmergeProfiles": self.unmerge_profiles,
            "ListTagDefinitions": self.list_tag_definitions,
            "ListSegments": self.list_segments,
        }

    async def answer(self, request: bytes, call: Call) -> bytes:
        """Somebody's profile: GetProfile."""
        asked = convert.decode_get(request)
        call.user_id = asked.id
        if self._maker is not None and asked.min_commit:
            await self._people.wait(asked.min_commit, call)
        return self._answer(asked, call)

    def answer_now(self, requests: Sequence[bytes], calls: Sequence[Call]) -> list[bytes | Exception | None]:
        """GetProfile of those who need not wait; stops early where making profiles takes the batch too long."""
        until = time.perf_counter() + BATCH_SECONDS
        answers: list[bytes | Exception | None] = []
        for request, call in zip(requests, calls, strict=True):
            try:
                asked = convert.decode_get(request)
                call.user_id = asked.id
                answers.append(None if asked.min_commit else self._answer(asked, call))
            except Exception as error:
                answers.append(error)
            if time.perf_counter() > until:
                break
        return answers

    def _answer(self, asked: convert.Get, call: Call) -> bytes:
        maker = self._making
        call.checkpoint()
        profile = self._profile(maker, asked.id, asked.visitor, asked.mask)
        if profile is None:
            field = "visitor_id" if asked.visitor else "user_id"
            raise NotFoundError(f"{field}: there is no profile of {asked.id!r:.80}")
        return convert.encode_get(profile, call.request_id)

    async def batch_get_profiles(self, request: bytes, call: Call) -> bytes:
        """The profiles of many."""
        ids, mask, token = convert.decode_batch(request)
        maker = self._making
        if token:
            await self._people.wait(token, call)
        profiles, missing = [], []
        for place, id_ in enumerate(ids):
            if place % _IN_A_ROW == 0:
                await asyncio.sleep(0)
                call.checkpoint()
            profile = self._profile(maker, id_, False, mask)
            if profile is None:
                missing.append(id_)
            else:
                profiles.append(profile)
        return convert.encode_batch(profiles, missing, call.request_id)

    async def update_profile(self, request: bytes, call: Call) -> bytes:
        """Keep what somebody said of themselves."""
        update = convert.decode_update(request)
        call.user_id = update.user_id
        owner = self._writing
        commit = await owner.declare(update.user_id, update.attributes, update.source, version=update.version)
        record = self._reading.user(update.user_id)
        declared, version = ((), 0) if record is None else (record.declared, record.declared_version)
        return convert.encode_update(declared, version, commit, call.request_id)

    async def merge_profiles(self, request: bytes, call: Call) -> bytes:
        """State that two ids are one person."""
        source, visitor, target, why = convert.decode_merge(request)
        call.user_id = target
        number = await self._writing.link(source, target, visitor=visitor, why=why)
        record = self._reading.user(target)
        return convert.encode_merge(number, () if record is None else record.links, call.request_id)

    async def unmerge_profiles(self, request: bytes, call: Call) -> bytes:
        """Take that back."""
        user_id, number = convert.decode_unmerge(request)
        call.user_id = user_id
        commit = await self._writing.unlink(user_id, number)
        record = self._reading.user(user_id)
        return convert.encode_unmerge(() if record is None else record.links, commit, call.request_id)

    async def list_tag_definitions(self, request: bytes, call: Call) -> bytes:
        """The rules of tags."""
        convert.decode_nothing(v1.ListTagDefinitionsRequest, request)
        return convert.encode_tags(self._making.definitions, call.request_id)

    async def list_segments(self, request: bytes, call: Call) -> bytes:
        """Segments."""
        convert.decode_nothing(v1.ListSegmentsRequest, request)
        return convert.encode_segments(self._making.definitions, call.request_id)

    def _profile(self, maker: ProfileMaker, id_: str, visitor: bool, mask: convert.Mask) -> bytes | None:
        person = maker.person(id_, visitor=visitor)
        if person is None:
            return None
        now = time.time_ns() // 1_000
        key = (person.id, person.visitor, mask)
        kept = self._answers.get(key, person.versions, now)
        if kept is not None:
            self._observer.profiled(made=False)
            return kept
        made = maker.make(person, now, needs_features=mask.needs_features)
        if made is None:
            return None
        self._observer.profiled(made=True)
        profile = convert.encode_profile(made, mask)
        self._answers.put(key, person.versions, now, profile)
        return profile

    @property
    def _making(self) -> ProfileMaker:
        if self._maker is None:
            raise NoStateError
        return self._maker

    @property
    def _writing(self) -> OwnerClient:
        if self._owner is None or self._maker is None:
            raise NoStateError
        return self._owner

    @property
    def _reading(self) -> StateReader:
        if self._reader is None:
            raise NoStateError
        return self._reader
