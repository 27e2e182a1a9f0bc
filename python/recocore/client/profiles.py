"""Profiles as a caller sees them, and the calls of ProfileService."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, TypeVar

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from recocore.client.arguments import ids, message, one_id
from recocore.errors import InvalidArgumentError
from recocore.v1 import profile_pb2 as shared
from recocore.v1 import profile_service_pb2 as v1
from recocore.v1 import profile_service_pb2_grpc as stubs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import grpc
    from google.protobuf.timestamp_pb2 import Timestamp

AttributeSource: TypeAlias = Literal["account", "survey", "support", "import"]

_M = TypeVar("_M", bound=Message)

_SOURCES: dict[str, shared.AttributeSource.ValueType] = {
    "account": shared.ATTRIBUTE_SOURCE_ACCOUNT,
    "survey": shared.ATTRIBUTE_SOURCE_SURVEY,
    "support": shared.ATTRIBUTE_SOURCE_SUPPORT,
    "import": shared.ATTRIBUTE_SOURCE_IMPORT,
}
_SOURCE_NAMES = {number: name for name, number in _SOURCES.items()}


class _Call(Protocol):
    """Sends a request: `Client._call`."""

    def __call__(self, method: Any, request: Message, timeout: float | None) -> Any: ...


@dataclass(frozen=True, slots=True)
class Attribute:
    """What somebody said of themselves: the value, who says that they said so, and when it was recorded."""

    value: str
    source: str
    time: datetime


@dataclass(frozen=True, slots=True)
class ProfileTag:
    """What a rule says of somebody; `explanation` has the comparisons with the values that were seen."""

    name: str
    value: str
    weight: float
    version: str
    explanation: str


@dataclass(frozen=True, slots=True)
class Merged:
    """A statement that another id is this person; `unmerged` is None while it holds."""

    number: int
    user_id: str
    visitor_id: str
    time: datetime
    unmerged: datetime | None
    reason: str


@dataclass(frozen=True, slots=True)
class Profile:
    """Who somebody is.

    Attributes:
        user_id: whose; empty for a visitor.
        visitor_id: of a visitor.
        as_of: events before it count.
        features: by name; lists are of dicts, as `recocore.profiles` has them. What has no value is not there.
        attributes: what they said of themselves.
        tags: what rules say.
        segments: by their names in `segments()`.
        currency: of money; empty where no event names one.
        money_digits: decimals of its minor unit.
        complete_since: events from this time on are all in the features; None where all are.
        merges: other ids that are the same person.
        etag: for `update`.
        lifetime: whether they are still a customer and what is expected of them, by the names of Lifetime in
            profile.proto; what has no value is not there, and without purchase models nothing is.
    """

    user_id: str
    visitor_id: str
    as_of: datetime
    features: dict[str, Any]
    attributes: dict[str, Attribute]
    tags: tuple[ProfileTag, ...]
    segments: tuple[str, ...]
    currency: str
    money_digits: int
    complete_since: datetime | None
    merges: tuple[Merged, ...]
    etag: str
    lifetime: dict[str, float]


@dataclass(frozen=True, slots=True)
class Profiles:
    """The profiles of many, in request order, and those of whom nothing is known."""

    profiles: tuple[Profile, ...]
    missing_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Updated:
    """What holds of declared attributes now, and their etag; `commit_token` makes a later call know of it."""

    attributes: dict[str, Attribute]
    etag: str
    commit_token: str


class ProfileCalls:
    """The calls of ProfileService; their limits stand in profile_service.proto.

    Args:
        channel: of the client.
        call: sends a request.
    """

    def __init__(self, channel: grpc.Channel, call: _Call) -> None:
        self._stub = stubs.ProfileServiceStub(channel)
        self._call = call

    def get(
        self,
        user_id: str = "",
        *,
        visitor_id: str = "",
        fields: Iterable[str] = (),
        min_commit_token: str = "",
        timeout: float | None = None,
    ) -> Profile:
        """Somebody's profile; ServiceError with NOT_FOUND where there is none.

        Args:
            user_id: whose; or
            visitor_id: of somebody who has not said who they are.
            fields: what to send, such as "features.spend_net" or "tags"; empty is all.
            min_commit_token: the `commit_token` of an earlier call, which the answer has to know of.
            timeout: seconds; None is the client's.
        """
        request = message(
            v1.GetProfileRequest,
            {"user_id": user_id, "visitor_id": visitor_id, "min_commit_token": min_commit_token, **_mask(fields)},
        )
        return _profile(self._call(self._stub.GetProfile, request, timeout).profile)

    def get_many(
        self,
        user_ids: Iterable[str],
        *,
        fields: Iterable[str] = (),
        min_commit_token: str = "",
        timeout: float | None = None,
    ) -> Profiles:
        """The profiles of up to 200 users."""
        request = message(
            v1.BatchGetProfilesRequest,
            {"user_ids": ids(user_ids, "user_ids"), "min_commit_token": min_commit_token, **_mask(fields)},
        )
        response = self._call(self._stub.BatchGetProfiles, request, timeout)
        return Profiles(tuple(map(_profile, response.profiles)), tuple(response.missing_ids))

    def update(
        self,
        user_id: str,
        attributes: Mapping[str, str | None],
        source: AttributeSource = "account",
        *,
        etag: str = "",
        timeout: float | None = None,
    ) -> Updated:
        """Keep what somebody said of themselves.

        Args:
            user_id: who.
            attributes: of age, gender, region and occupation those that were said; None takes one back.
            source: who says that they said so.
            etag: of the profile that was read: ServiceError with ABORTED where somebody else was faster. Empty for any.
            timeout: seconds; None is the client's.
        """
        if source not in _SOURCES:
            raise InvalidArgumentError(f"source: expected one of {', '.join(_SOURCES)}, got {source!r}", field="source")
        listed = [
            {"name": name, "value": value or "", "source": _SOURCES[source]} for name, value in attributes.items()
        ]
        request = message(
            v1.UpdateProfileRequest, {"user_id": one_id(user_id, "user_id"), "attributes": listed, "etag": etag}
        )
        response = self._call(self._stub.UpdateProfile, request, timeout)
        return Updated(_attributes(response.attributes), response.etag, response.commit_token)

    def merge(
        self,
        user_id: str,
        *,
        visitor_id: str = "",
        source_user_id: str = "",
        reason: str = "",
        timeout: float | None = None,
    ) -> Merged:
        """State that a visitor, or another account, is this user. `unmerge` takes it back."""
        request = message(
            v1.MergeProfilesRequest,
            {
                "user_id": one_id(user_id, "user_id"),
                "visitor_id": visitor_id,
                "source_user_id": source_user_id,
                "reason": reason,
            },
        )
        return _merged(self._call(self._stub.MergeProfiles, request, timeout).merge)

    def unmerge(self, user_id: str, number: int, *, timeout: float | None = None) -> tuple[Merged, ...]:
        """Take a merge back: every merge into the user, first to last."""
        request = message(v1.UnmergeProfilesRequest, {"user_id": one_id(user_id, "user_id"), "number": number})
        return tuple(map(_merged, self._call(self._stub.UnmergeProfiles, request, timeout).history))

    def tag_definitions(self, *, timeout: float | None = None) -> tuple[dict[str, Any], ...]:
        """The rules of tags, by the names of profile.proto."""
        response = self._call(self._stub.ListTagDefinitions, v1.ListTagDefinitionsRequest(), timeout)
        return tuple(MessageToDict(each, preserving_proto_field_name=True) for each in response.definitions)

    def segments(self, *, timeout: float | None = None) -> tuple[dict[str, Any], ...]:
        """The segments that people may belong to, by the names of profile.proto."""
        response = self._call(self._stub.ListSegments, v1.ListSegmentsRequest(), timeout)
        return tuple(MessageToDict(each, preserving_proto_field_name=True) for each in response.segments)


def _mask(fields: Iterable[str]) -> dict[str, Any]:
    paths = list(fields)
    return {"read_mask": FieldMask(paths=paths)} if paths else {}


def _profile(given: shared.Profile) -> Profile:
    return Profile(
        given.user_id,
        given.visitor_id,
        _time(given.as_of),
        {name: _value(given.features[name]) for name in given.features},
        _attributes(given.attributes),
        tuple(ProfileTag(tag.name, tag.value, tag.weight, tag.version, tag.explanation) for tag in given.tags),
        tuple(given.segments),
        given.currency,
        given.money_digits,
        _time(given.complete_since) if given.HasField("complete_since") else None,
        tuple(map(_merged, given.merges)),
        given.etag,
        {field.name: value for field, value in given.lifetime.ListFields()},
    )


def _value(feature: shared.Feature) -> Any:
    match feature.WhichOneof("value"):
        case "time":
            return _time(feature.time)
        case "list":
            return [_entry(entry) for entry in feature.list.entries]
        case None:
            return None
        case kind:
            return getattr(feature, kind)


def _entry(entry: shared.FeatureEntry) -> dict[str, Any]:
    """An entry under the names that `recocore.profiles` has for it."""
    if entry.HasField("hour"):
        return {"hour": entry.hour, "count": entry.count}
    if entry.to:
        return {"from": entry.name, "to": entry.to, "count": entry.count}
    return {"term": entry.name, "count": entry.count} if entry.count else {"name": entry.name, "weight": entry.weight}


def _attributes(given: Iterable[shared.DeclaredAttribute]) -> dict[str, Attribute]:
    return {
        each.name: Attribute(each.value, _SOURCE_NAMES.get(each.source, ""), _time(each.update_time)) for each in given
    }


def _merged(given: shared.Merge) -> Merged:
    unmerged = _time(given.unmerge_time) if given.HasField("unmerge_time") else None
    return Merged(given.number, given.user_id, given.visitor_id, _time(given.merge_time), unmerged, given.reason)


def _time(given: Timestamp) -> datetime:
    return given.ToDatetime(UTC)
