"""Between the messages of ProfileService and plain values."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from recocore import _native
from recocore.errors import InvalidArgumentError, NoConsentError
from recocore.expressions import Compiled, Expression
from recocore.profiles.tags.declared import DECLARABLE, Declaration
from recocore.service import limits
from recocore.service.convert.checks import Checks
from recocore.service.convert.messages import parse
from recocore.service.events import commit_tokens
from recocore.service.problems import ResponseTooLargeError
from recocore.state.rows import iso
from recocore.v1 import profile_pb2 as shared
from recocore.v1 import profile_service_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.field_mask_pb2 import FieldMask
    from google.protobuf.message import Message

    from recocore.profiles.kept import KeptRow
    from recocore.service.profiles.definitions import Definitions
    from recocore.service.profiles.making import MadeProfile
    from recocore.state.values import Declared, Link


_SOURCES: dict[int, str] = {
    shared.ATTRIBUTE_SOURCE_ACCOUNT: "account",
    shared.ATTRIBUTE_SOURCE_SURVEY: "survey",
    shared.ATTRIBUTE_SOURCE_SUPPORT: "support",
    shared.ATTRIBUTE_SOURCE_IMPORT: "import",
}
_SOURCE_NUMBERS = {name: shared.AttributeSource.ValueType(number) for number, name in _SOURCES.items()}
_FEATURES = "features"
# What a mask may name, and what every profile has.
_FIELDS = frozenset(shared.Profile.DESCRIPTOR.fields_by_name)
_ALWAYS = frozenset({"user_id", "visitor_id", "as_of", "etag"})
_ETAG = struct.Struct(">BQ")
_ETAG_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Mask:
    """What of a profile is wanted; it hashes.

    Attributes:
        fields: of Profile.
        features: their names; None for all.
    """

    fields: frozenset[str] = _FIELDS
    features: frozenset[str] | None = None

    @property
    def needs_features(self) -> bool:
        """Whether anything is wanted that is made of events."""
        return not self.fields.isdisjoint(
            {_FEATURES, "lifetime", "tags", "segments", "currency", "money_digits", "complete_since"}
        )


EVERYTHING = Mask()


class Get(NamedTuple):
    """What a GetProfileRequest asks.

    Attributes:
        id: whose profile.
        visitor: whether that is a visitor's.
        mask: what of it.
        min_commit: the token of the commit that it has to know of; empty for none.
    """

    id: str
    visitor: bool
    mask: Mask
    min_commit: str


@dataclass(frozen=True, slots=True)
class Update:
    """What an UpdateProfileRequest asks: for whom, each attribute's value (None takes it back) by source, and the version."""

    user_id: str
    attributes: dict[str, str | None]
    source: str
    version: int | None


def decode_get(data: bytes) -> Get:
    """Whose profile is wanted.

    Raises:
        MalformedRequestError: the bytes are no such message.
        InvalidRequestError: fields break their limits.
    """
    request = parse(v1.GetProfileRequest, data)
    checks = Checks()
    id_, visitor = _one_of(checks, ("user_id", request.user_id), ("visitor_id", request.visitor_id))
    mask = _mask(request.read_mask, checks)
    token = checks.commit_token(request.min_commit_token, "min_commit_token")
    checks.done()
    return Get(id_, visitor, mask, token)


def decode_batch(data: bytes) -> tuple[tuple[str, ...], Mask, str]:
    """Ids, mask and commit token; raises as `decode_get`."""
    request = parse(v1.BatchGetProfilesRequest, data)
    checks = Checks()
    ids = checks.ids(request.user_ids, "user_ids", limits.MAX_BATCH_PROFILES, least=1)
    mask = _mask(request.read_mask, checks)
    token = checks.commit_token(request.min_commit_token, "min_commit_token")
    checks.done()
    return ids, mask, token


def decode_update(data: bytes) -> Update:
    """What to keep; raises as `decode_get`."""
    request = parse(v1.UpdateProfileRequest, data)
    checks = Checks()
    checks.id(request.user_id, "user_id")
    attributes: dict[str, str | None] = {}
    sources: set[str] = set()
    if checks.count(request.attributes, "attributes", len(DECLARABLE), "attributes", 1):
        for place, given in enumerate(request.attributes):
            path = f"attributes[{place}]"
            source = checks.choice(_SOURCES, given.source, f"{path}.source", "AttributeSource")
            if given.name in attributes:
                checks.refuse(f"{path}.name", f"expected each name once, got {given.name!r:.80} again")
            attributes[given.name] = _declared(checks, path, given, source)
            sources.add(source)
        if len(sources) > 1:
            checks.refuse("attributes", "expected one source of all; send a call for each source")
    version = None
    if request.etag:
        try:
            version = version_of(request.etag)
        except ValueError:
            checks.refuse("etag", "expected the etag of a profile unchanged, got something else")
    checks.done()
    return Update(request.user_id, attributes, min(sources), version)


def decode_merge(data: bytes) -> tuple[str, bool, str, str]:
    """Who, whether a visitor, into whom, and why; raises as `decode_get`."""
    request = parse(v1.MergeProfilesRequest, data)
    checks = Checks()
    checks.id(request.user_id, "user_id")
    source, visitor = _one_of(checks, ("source_user_id", request.source_user_id), ("visitor_id", request.visitor_id))
    if (size := len(request.reason.encode())) > limits.MAX_ID_BYTES:
        checks.refuse("reason", f"expected at most {limits.MAX_ID_BYTES} bytes, got {size}")
    if not visitor and source == request.user_id:
        checks.refuse("source_user_id", "expected another account than user_id")
    checks.done()
    return source, visitor, request.user_id, request.reason


def decode_unmerge(data: bytes) -> tuple[str, int]:
    """User and number; raises as `decode_get`."""
    request = parse(v1.UnmergeProfilesRequest, data)
    checks = Checks()
    checks.id(request.user_id, "user_id")
    checks.whole(request.number, "number", 1, 2**62)
    checks.done()
    return request.user_id, request.number


def decode_nothing(kind: type[Message], data: bytes) -> None:
    """See that a request without fields is one."""
    parse(kind, data)


def encode_profile(made: MadeProfile, mask: Mask) -> bytes:
    """A Profile."""
    wanted, person = mask.fields, made.person
    profile = shared.Profile(etag=etag_of(person.record.declared_version))
    if person.visitor:
        profile.visitor_id = person.id
    else:
        profile.user_id = person.id
    profile.as_of.FromMicroseconds(made.as_of)
    if "attributes" in wanted:
        profile.attributes.extend(_attributes(made.declared))
    if "merges" in wanted:
        profile.merges.extend(map(_merge, made.merges))
    features = b""
    if made.kept is not None:
        _put_made(profile, made, made.kept, mask)
        if _FEATURES in wanted:
            features = _native.encode_features(made.features, mask.features, shared.Profile.FEATURES_FIELD_NUMBER)
    # Fields of a message may be written one after the other.
    return bytes(profile.SerializeToString()) + features


def encode_get(profile: bytes, request_id: str) -> bytes:
    """A GetProfileResponse of an encoded Profile."""
    own = v1.GetProfileResponse(request_id=request_id)
    return _field(1, profile) + bytes(own.SerializeToString())


def encode_batch(profiles: Iterable[bytes], missing: Iterable[str], request_id: str) -> bytes:
    """A BatchGetProfilesResponse of encoded Profiles.

    Raises:
        ResponseTooLargeError: it is larger than a message may be.
    """
    own = v1.BatchGetProfilesResponse(missing_ids=missing, request_id=request_id)
    data = b"".join(_field(1, profile) for profile in profiles) + bytes(own.SerializeToString())
    if len(data) > limits.MAX_MESSAGE_BYTES:
        raise ResponseTooLargeError(len(data))
    return data


def encode_update(declared: Iterable[Declared], version: int, commit: int, request_id: str) -> bytes:
    """An UpdateProfileResponse."""
    return bytes(
        v1.UpdateProfileResponse(
            attributes=_attributes(declared),
            etag=etag_of(version),
            commit_token=commit_tokens.encode(commit),
            request_id=request_id,
        ).SerializeToString()
    )


def encode_merge(number: int, links: Iterable[Link], request_id: str) -> bytes:
    """A MergeProfilesResponse.

    Raises:
        NoConsentError: the merge is not among the links.
    """
    history = [_merge(link) for link in links if not link.into]
    response = v1.MergeProfilesResponse(
        history=history, commit_token=commit_tokens.encode(number), request_id=request_id
    )
    merge = next((merge for merge in history if merge.number == number), None)
    if merge is None:
        raise NoConsentError(
            "user_id: one of the two was forgotten, or wants no profile any longer, since they were merged"
        )
    response.merge.CopyFrom(merge)
    return bytes(response.SerializeToString())


def encode_unmerge(links: Iterable[Link], commit: int, request_id: str) -> bytes:
    """An UnmergeProfilesResponse."""
    history = [_merge(link) for link in links if not link.into]
    return bytes(
        v1.UnmergeProfilesResponse(
            history=history, commit_token=commit_tokens.encode(commit), request_id=request_id
        ).SerializeToString()
    )


def encode_tags(definitions: Definitions, request_id: str) -> bytes:
    """A ListTagDefinitionsResponse."""
    response = v1.ListTagDefinitionsResponse(request_id=request_id)
    if definitions.tags is not None:
        response.version = definitions.tags.version
        response.dimensions.update(definitions.tags.dimensions)
        for tag in definitions.tags.definitions:
            response.definitions.add(
                name=tag.name,
                version=tag.version,
                about=tag.about,
                rule=tag.when.text,
                value=_spelled(tag.value),
                weight=_spelled(tag.weight),
                dimension=tag.dimension,
                purpose=tag.purpose,
            )
    return bytes(response.SerializeToString())


def encode_segments(definitions: Definitions, request_id: str) -> bytes:
    """A ListSegmentsResponse."""
    response = v1.ListSegmentsResponse(request_id=request_id)
    if (found := definitions.segmentation) is not None:
        centers = found.scale.logs(found.centroids)
        for number, size, center in zip(found.numbers, found.sizes, centers.tolist(), strict=True):
            segment = response.segments.add(name=str(number), fitted_count=size)
            segment.center.update(zip(found.scale.features, _unlogged(center), strict=True))
    for rule in definitions.rules:
        response.segments.add(name=rule.name, version=rule.version, about=rule.about, rule=rule.when.text)
    return bytes(response.SerializeToString())


def plain_profile(made: MadeProfile) -> dict[str, Any]:
    """A profile as JSON holds it, for an export."""
    kept = made.kept
    return {
        "as_of": iso(made.as_of),
        "features": {name: _json_ready(value) for name, value in made.features.items() if value not in (None, [])},
        "lifetime": made.lifetime,
        "attributes": {each.name: {"value": each.value, "source": each.source} for each in made.declared},
        "tags": [{"name": tag.name, "value": tag.value, "weight": tag.weight, "why": why} for tag, why in made.tags],
        "segments": made.segments,
        "currency": None if kept is None else kept.currency,
        "money_digits": None if kept is None else kept.money_digits,
    }


@lru_cache(maxsize=256)
def etag_of(version: int) -> str:
    """The etag of a version of declared attributes.

    >>> version_of(etag_of(7))
    7
    """
    return base64.urlsafe_b64encode(_ETAG.pack(_ETAG_FORMAT, version)).rstrip(b"=").decode()


def version_of(etag: str) -> int:
    """The version of an etag.

    Raises:
        ValueError: it is none.
    """
    try:
        raw = base64.b64decode(etag.encode("ascii") + b"=" * (-len(etag) % 4), altchars=b"-_", validate=True)
        form, version = _ETAG.unpack(raw)
    except (UnicodeError, binascii.Error, struct.error):
        raise ValueError(etag) from None
    if form != _ETAG_FORMAT:
        raise ValueError(etag)
    return int(version)


def _one_of(checks: Checks, user: tuple[str, str], visitor: tuple[str, str]) -> tuple[str, bool]:
    """The one id of two that is given, and whether it is the visitor's."""
    field, id_ = visitor if visitor[1] and not user[1] else user
    if user[1] and visitor[1]:
        checks.refuse(visitor[0], f"expected either {user[0]} or {visitor[0]}, got both")
    checks.id(id_, field)
    return id_, field == visitor[0]


def _mask(mask: FieldMask, checks: Checks) -> Mask:
    path = "read_mask.paths"
    if not mask.paths:
        return EVERYTHING
    if not checks.count(mask.paths, path, limits.MAX_MASK_PATHS, "paths"):
        return EVERYTHING
    fields, features = set(_ALWAYS), set[str]()
    every = False
    for place, masked in enumerate(mask.paths):
        top, _, rest = masked.partition(".")
        if top not in _FIELDS or (rest and top != _FEATURES):
            checks.refuse(f"{path}[{place}]", f"expected the path of a field of Profile, got {masked[:80]!r}")
            continue
        fields.add(top)
        if rest:
            features.add(rest)
        elif top == _FEATURES:
            every = True
    return Mask(frozenset(fields), None if every or not features else frozenset(features))


def _declared(checks: Checks, path: str, given: shared.DeclaredAttribute, source: str) -> str | None:
    if given.name not in DECLARABLE:
        checks.refuse(f"{path}.name", f"expected one of {', '.join(DECLARABLE)}, got {given.name!r:.80}")
        return None
    if not given.value:
        return None
    try:
        return Declaration("", given.name, given.value, source, datetime.fromisoformat("1970-01-01T00:00+00:00")).value
    except InvalidArgumentError as error:
        checks.refuse(f"{path}.value", str(error).partition(": ")[2])
        return None


def _attributes(declared: Iterable[Declared]) -> list[shared.DeclaredAttribute]:
    messages = []
    for each in sorted(declared):
        message = shared.DeclaredAttribute(
            name=each.name,
            value=each.value,
            source=_SOURCE_NUMBERS.get(each.source, shared.ATTRIBUTE_SOURCE_UNSPECIFIED),
        )
        message.update_time.FromMicroseconds(each.time)
        messages.append(message)
    return messages


def _merge(link: Link) -> shared.Merge:
    merge = shared.Merge(number=link.number, reason=link.why)
    if link.visitor:
        merge.visitor_id = link.id
    else:
        merge.user_id = link.id
    merge.merge_time.FromMicroseconds(link.made)
    if link.unmade is not None:
        merge.unmerge_time.FromMicroseconds(link.unmade)
    return merge


def _put_made(profile: shared.Profile, made: MadeProfile, kept: KeptRow, mask: Mask) -> None:
    """What is made of events, but the features."""
    wanted = mask.fields
    if "lifetime" in wanted and made.lifetime:
        profile.lifetime.CopyFrom(shared.Lifetime(**made.lifetime))
    if "currency" in wanted:
        profile.currency = kept.currency or ""
    if "money_digits" in wanted:
        profile.money_digits = kept.money_digits
    if "complete_since" in wanted and kept.complete_since is not None:
        profile.complete_since.FromMicroseconds(kept.complete_since)
    if "segments" in wanted:
        profile.segments.extend(made.segments)
    if "tags" in wanted:
        for tag, why in made.tags:
            profile.tags.add(name=tag.name, value=tag.value, weight=tag.weight, version=tag.version, explanation=why)


def _field(number: int, data: bytes) -> bytes:
    """A field with a length, as a part of a message."""
    size, head = len(data), bytearray([number << 3 | 2])
    while size >= 128:
        head.append(size & 127 | 128)
        size >>= 7
    head.append(size)
    return bytes(head) + data


def _spelled(part: str | float | Expression | Compiled) -> str:
    if isinstance(part, (Expression, Compiled)):
        return part.text
    return part if isinstance(part, str) else f"{part:.12g}"


def _unlogged(logs: list[float]) -> list[float]:
    """The inverse of `recocore.profiles.segments.scaling.log`."""
    return [math.copysign(math.expm1(abs(value)), value) for value in logs]


def _json_ready(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
