"""Events as a caller makes them, and what the service says of them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from google.protobuf.json_format import MessageToDict

from recocore.client.arguments import message
from recocore.client.errors import ServiceError, service_error
from recocore.errors import InvalidArgumentError
from recocore.v1 import event_pb2 as shared
from recocore.v1 import event_service_pb2 as v1
from recocore.v1 import privacy_service_pb2 as privacy

if TYPE_CHECKING:
    from collections.abc import Iterable

Durability: TypeAlias = Literal["fsync", "buffered"]
Purpose: TypeAlias = Literal["personalization", "profiling", "marketing", "analytics"]

_DURABILITY = {"fsync": shared.DURABILITY_FSYNC, "buffered": shared.DURABILITY_BUFFERED}
_PURPOSE = {
    "personalization": privacy.PURPOSE_PERSONALIZATION,
    "profiling": privacy.PURPOSE_PROFILING,
    "marketing": privacy.PURPOSE_MARKETING,
    "analytics": privacy.PURPOSE_ANALYTICS,
}
_PURPOSE_NAMES = {number: name for name, number in _PURPOSE.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that somebody did; the limits of each field stand in event.proto.

    Attributes:
        type: such as view, cart or buy.
        user_id: whose it is.
        item_id: with what; empty where the type is about no item.
        event_id: names the event, so that it may be sent again; a new one where none is given.
        event_time: when, aware; now where none is given.

    The others are what the log may hold beside that; None and an empty text leave a field out.
    """

    type: str
    user_id: str
    item_id: str = ""
    event_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    event_time: datetime = field(default_factory=lambda: datetime.now(UTC))
    visitor_id: str = ""
    session_id: str = ""
    value: float | None = None
    quantity: int | None = None
    currency: str = ""
    rating: float | None = None
    price: float | None = None
    position: int | None = None
    dwell_ms: int | None = None
    attribution_token: str = ""
    category: str = ""
    brand: str = ""
    device: str = ""
    ip: str = ""
    country: str = ""
    channel: str = ""
    referrer: str = ""
    page: str = ""
    query: str = ""
    order_id: str = ""
    payment_id: str = ""
    address_id: str = ""
    coupon_id: str = ""
    campaign_id: str = ""
    experiment: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EventError:
    """An event that was refused: its place among those sent, and why."""

    index: int
    error: ServiceError


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of the events of a call.

    Attributes:
        accepted: how many were recorded.
        duplicates: how many were there already.
        errors: those that were refused.
        commit_token: makes a later `recommend` know of them: its `min_commit_token`.
        request_id: names the call in the server's log.
    """

    accepted: int
    duplicates: int
    errors: tuple[EventError, ...]
    commit_token: str
    request_id: str


@dataclass(frozen=True, slots=True)
class Consent:
    """Whether somebody's data may be used for a purpose, and whether they have said so or it holds as they said nothing."""

    granted: bool
    answered: bool


@dataclass(frozen=True, slots=True)
class UserExport:
    """Everything that is kept of somebody, as JSON holds it.

    Attributes:
        events: what they did, by the names of event.proto.
        profile: everything else.
    """

    events: tuple[dict[str, Any], ...]
    profile: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The receipt of somebody who was forgotten.

    Attributes:
        subject: the pseudonym under which it is remembered that they were.
        time: when, UTC.
        key_destroyed: whether there was a key to what was kept.
        event_count: how many events their record had.
        commit_token: see Recorded.
    """

    subject: str
    time: datetime
    key_destroyed: bool
    event_count: int
    commit_token: str


def event_message(event: Event) -> shared.Event:
    """The message of an event."""
    if not isinstance(event, Event):
        raise InvalidArgumentError(f"events: expected Event, got {event!r:.80}", field="events")
    if getattr(event.event_time, "tzinfo", None) is None:
        raise InvalidArgumentError(
            f"event_time: expected a time with a zone, got {event.event_time!r}; "
            "datetime.now(UTC) is one, so is datetime.fromtimestamp(seconds, UTC)",
            field="event_time",
        )
    values = {entry.name: getattr(event, entry.name) for entry in fields(event) if entry.name != "event_time"}
    given = {name: value for name, value in values.items() if value not in (None, "", ())}
    made = message(shared.Event, given)
    made.event_time.FromDatetime(event.event_time)
    return made


def record_request(messages: Iterable[shared.Event], durability: Durability | None) -> v1.RecordEventsRequest:
    """The request of some events."""
    if durability is not None and durability not in _DURABILITY:
        raise InvalidArgumentError(
            f"durability: expected one of {', '.join(_DURABILITY)}, got {durability!r}", field="durability"
        )
    number = shared.DURABILITY_UNSPECIFIED if durability is None else _DURABILITY[durability]
    return v1.RecordEventsRequest(events=messages, durability=number)


def recorded(response: v1.RecordEventsResponse) -> Recorded:
    """What a response says."""
    return Recorded(
        response.accepted,
        response.duplicates,
        tuple(EventError(row.index, service_error(row.error, response.request_id)) for row in response.errors),
        response.commit_token,
        response.request_id,
    )


def purpose_number(purpose: str) -> privacy.Purpose.ValueType:
    """The number of a purpose."""
    if purpose not in _PURPOSE:
        raise InvalidArgumentError(f"purpose: expected one of {', '.join(_PURPOSE)}, got {purpose!r}", field="purpose")
    return _PURPOSE[purpose]


def consents(messages: Iterable[privacy.Consent]) -> dict[str, Consent]:
    """Consent by the name of its purpose; purposes that this client does not know are left out."""
    return {
        _PURPOSE_NAMES[one.purpose]: Consent(one.granted, one.answered)
        for one in messages
        if one.purpose in _PURPOSE_NAMES
    }


def exported(responses: Iterable[privacy.ExportUserResponse]) -> UserExport:
    """The pages of an export, as one."""
    events: list[dict[str, Any]] = []
    profile: dict[str, Any] = {}
    for response in responses:
        events += (MessageToDict(event, preserving_proto_field_name=True) for event in response.events)
        profile |= MessageToDict(response.profile)
    return UserExport(tuple(events), profile)


def forgotten(response: privacy.ForgetUserResponse) -> Forgotten:
    """A receipt."""
    return Forgotten(
        response.subject,
        response.forget_time.ToDatetime(UTC),
        response.key_destroyed,
        response.event_count,
        response.commit_token,
    )
