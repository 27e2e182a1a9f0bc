"""Between the messages of EventService and PrivacyService and plain values."""

from __future__ import annotations

import base64
import binascii
import json
import struct
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from google.protobuf.json_format import Parse

from recocore.service import limits
from recocore.service.convert.checks import Checks
from recocore.service.convert.errors import status_of
from recocore.service.convert.messages import parse, serialize
from recocore.service.events import commit_tokens
from recocore.service.events.rows import event_of
from recocore.service.problems import (
    InvalidRequestError,
    Violation,
    problem_of,
)
from recocore.state import Durability
from recocore.state.values import DUPLICATE, OK
from recocore.v1 import event_pb2 as shared
from recocore.v1 import event_service_pb2 as events
from recocore.v1 import privacy_service_pb2 as privacy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recocore.service.events.rows import RowMaker
    from recocore.state import ForgetReceipt, Receipt


_DURABILITY: dict[int, Durability] = {
    shared.DURABILITY_FSYNC: Durability.FSYNC,
    shared.DURABILITY_BUFFERED: Durability.BUFFERED,
}
# The name of each purpose in a state, and what holds as long as somebody has said nothing.
_PURPOSES: dict[int, tuple[str, bool]] = {
    privacy.PURPOSE_PERSONALIZATION: ("personalization", True),
    privacy.PURPOSE_PROFILING: ("profiling", True),
    privacy.PURPOSE_MARKETING: ("marketing", False),
    privacy.PURPOSE_ANALYTICS: ("analytics", True),
}
_PAGE = struct.Struct(">BI")
_PAGE_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Recording:
    """What a RecordEventsRequest asks.

    Attributes:
        rows: of the events that are sound, in request order.
        places: of each row in the request.
        errors: what is wrong with the others, by place.
        durability: what the answer promises.
    """

    rows: list[bytes]
    places: list[int]
    errors: dict[int, InvalidRequestError]
    durability: Durability


def decode_record_events(data: bytes, maker: RowMaker, now_us: int, default: Durability) -> Recording:
    """A RecordEventsRequest, checked; a bad event only marks its row.

    Raises:
        MalformedRequestError: the bytes are no such message.
        InvalidRequestError: fields of the request itself break their limits.
    """
    read = maker.read(data, now_us)
    rows: list[bytes | None] = []
    if read is not None:
        number, rows = read
        asked = _DURABILITY.get(number) if number else default
        sound = [row for row in rows if row is not None]
        if sound and len(sound) == len(rows) and asked is not None:
            return Recording(sound, list(range(len(sound))), {}, asked)
    request = parse(events.RecordEventsRequest, data)
    checks = Checks()
    checks.count(request.events, "events", limits.MAX_EVENTS, "events", least=1)
    durability = default
    if request.durability:
        durability = checks.choice(_DURABILITY, request.durability, "durability", "Durability")
    checks.done()
    recording = Recording([], [], {}, durability)
    rows = rows or [None] * len(request.events)
    for place, (event, made) in enumerate(zip(request.events, rows, strict=True)):
        try:
            row = made or maker.row(event, f"events[{place}]", now_us)
        except InvalidRequestError as error:
            recording.errors[place] = error
        else:
            recording.rows.append(row)
            recording.places.append(place)
    return recording


def encode_record_events(recording: Recording, receipt: Receipt | None, request_id: str) -> bytes:
    """A RecordEventsResponse.

    Args:
        recording: what was asked.
        receipt: of its rows; None where there were none.
        request_id: of the call.
    """
    errors = dict(recording.errors)
    accepted, duplicates, refused = counts_of(recording, receipt)
    response = events.RecordEventsResponse(accepted=accepted, duplicates=duplicates, request_id=request_id)
    if receipt is not None:
        response.commit_token = commit_tokens.encode(receipt.commit)
    if receipt is not None and refused > len(errors):
        for place, result in zip(recording.places, receipt.results, strict=True):
            if result.code == "invalid":
                path = f"events[{place}].{result.field}" if result.field else f"events[{place}]"
                errors[place] = InvalidRequestError((Violation(path, result.message),))
    for place in sorted(errors):
        response.errors.add(index=place, error=status_of(problem_of(errors[place]), request_id))
    return serialize(response)


def counts_of(recording: Recording, receipt: Receipt | None) -> tuple[int, int, int]:
    """How many events were recorded, were there already, and were refused."""
    results = () if receipt is None else receipt.results
    accepted, duplicates = results.count(OK), results.count(DUPLICATE)
    return accepted, duplicates, len(recording.errors) + len(results) - accepted - duplicates


def decode_set_consent(data: bytes) -> tuple[str, str, bool]:
    """User, purpose and whether consent is given; raises as `decode_record_events`."""
    request = parse(privacy.SetConsentRequest, data)
    checks = Checks()
    checks.id(request.user_id, "user_id")
    purpose, _ = checks.choice(_PURPOSES, request.purpose, "purpose", "Purpose")
    checks.done()
    return request.user_id, purpose, request.granted


def decode_get_consent(data: bytes) -> str:
    """The user; raises as `decode_record_events`."""
    return _user_of(parse(privacy.GetConsentRequest, data))


def decode_forget_user(data: bytes) -> str:
    """The user; raises as `decode_record_events`."""
    return _user_of(parse(privacy.ForgetUserRequest, data))


def decode_export_user(data: bytes) -> tuple[str, int, int]:
    """User, first event and how many; raises as `decode_record_events`."""
    request = parse(privacy.ExportUserRequest, data)
    checks = Checks()
    checks.id(request.user_id, "user_id")
    if request.page_size < 0:
        checks.refuse("page_size", f"expected at least 0, got {request.page_size}")
    first = 0
    if request.page_token:
        try:
            first = _first_of(request.page_token)
        except ValueError:
            checks.refuse("page_token", "expected the next_page_token of a response unchanged, got something else")
    checks.done()
    size = min(request.page_size, limits.MAX_EXPORTED_EVENTS) or limits.DEFAULT_EXPORTED_EVENTS
    return request.user_id, first, size


def encode_set_consent(consents: Mapping[str, bool], commit: int, request_id: str) -> bytes:
    """A SetConsentResponse."""
    token = commit_tokens.encode(commit)
    return serialize(
        privacy.SetConsentResponse(consents=_consents(consents), commit_token=token, request_id=request_id)
    )


def encode_get_consent(consents: Mapping[str, bool], request_id: str) -> bytes:
    """A GetConsentResponse."""
    return serialize(privacy.GetConsentResponse(consents=_consents(consents), request_id=request_id))


def encode_export_user(exported: Mapping[str, Any], first: int, size: int, request_id: str) -> bytes:
    """An ExportUserResponse.

    Args:
        exported: everything that is kept of a user, events under that name, and of each who was merged into them under
            `merged`.
        first: the first event of the page.
        size: how many events.
        request_id: of the call.

    Raises:
        ResponseTooLargeError: it is larger than a message may be.
    """
    merged: Sequence[Mapping[str, Any]] = exported.get("merged", ())
    rows = [event for person in (exported, *merged) for event in person.get("events", ())]
    end = first + size
    response = privacy.ExportUserResponse(events=map(event_of, rows[first:end]), request_id=request_id)
    if not first:
        rest = {**_without_events(exported), "merged": [_without_events(person) for person in merged]}
        Parse(json.dumps(rest, default=str), response.profile)
    if end < len(rows):
        response.next_page_token = base64.urlsafe_b64encode(_PAGE.pack(_PAGE_FORMAT, end)).rstrip(b"=").decode()
    return serialize(response)


def _without_events(exported: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in exported.items() if name != "events"}


def encode_forget_user(receipt: ForgetReceipt, request_id: str) -> bytes:
    """A ForgetUserResponse."""
    response = privacy.ForgetUserResponse(
        subject=receipt.subject,
        key_destroyed=receipt.key_destroyed,
        event_count=receipt.events,
        commit_token=commit_tokens.encode(receipt.commit),
        request_id=request_id,
    )
    response.forget_time.FromDatetime(datetime.fromisoformat(receipt.time))
    return serialize(response)


def _consents(given: Mapping[str, bool]) -> list[privacy.Consent]:
    return [
        privacy.Consent(
            purpose=privacy.Purpose.ValueType(number), granted=given.get(name, default), answered=name in given
        )
        for number, (name, default) in _PURPOSES.items()
    ]


def _user_of(request: privacy.GetConsentRequest | privacy.ForgetUserRequest) -> str:
    checks = Checks()
    checks.id(request.user_id, "user_id")
    checks.done()
    return request.user_id


def _first_of(token: str) -> int:
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
        form, first = _PAGE.unpack(raw)
    except (UnicodeError, binascii.Error, struct.error) as error:
        raise ValueError(token) from error
    if form != _PAGE_FORMAT:
        raise ValueError(token)
    return int(first)
