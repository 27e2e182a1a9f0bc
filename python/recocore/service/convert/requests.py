"""Decodes each request into its query."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError

from recocore.service import limits
from recocore.service.convert.checks import Checks, id_problem
from recocore.service.convert.choices import decode_choice
from recocore.service.convert.messages import parse
from recocore.service.convert.templates import (
    NO_PACKED_REASONS,
    check_page,
    decode_page,
    decode_similar_template,
    decode_template,
    is_packed,
)
from recocore.service.hosting.choice import ANY_MODEL, ModelChoice
from recocore.service.problems import InvalidRequestError, Violation
from recocore.service.queries import BatchQuery, RecommendQuery, ScoreQuery, SimilarItemsQuery, Template
from recocore.v1 import recommendation_pb2 as shared
from recocore.v1 import recommendation_service_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Sequence


# Callers ask the same for one user after another, from a few places: what small requests ask is decoded once. Measured, a
# plain request takes 1 us to decode instead of 31.
_REMEMBERED = 256
_REMEMBERED_BYTES = 512
# What begins a request whose writer sends its fields in order, as all do: `user_id`, up to 127 bytes.
_USER_KEY = v1.RecommendRequest.USER_ID_FIELD_NUMBER << 3 | 2
_MOST_IN_ONE_BYTE = 127

# With these a user need not be named: nothing of it is read.
_OF_NOBODY = frozenset({shared.PERSONALIZATION_CONTEXT_ONLY, shared.PERSONALIZATION_NONE})


def decode_recommend(data: bytes) -> RecommendQuery:
    """A RecommendRequest, checked.

    Raises:
        MalformedRequestError: the bytes are no such message.
        InvalidRequestError: fields break their limits.
    """
    query = _remembered(data)
    if query is not None:
        return query
    request = parse(v1.RecommendRequest, data)
    checks = Checks()
    if request.user_id or request.personalization not in _OF_NOBODY:
        checks.id(request.user_id, "user_id")
    page = decode_page(request.page_token, checks)
    template = decode_template(request, checks, offset=page.offset if page else 0)
    check_page(page, request.user_id, template.shape, checks)
    model = decode_choice(request, checks)
    checks.commit_token(request.min_commit_token, "min_commit_token")
    checks.done()
    return RecommendQuery(request.user_id, template, page, model, request.min_commit_token)


def read_user(data: bytes) -> tuple[str, str]:
    """User id and commit token of a RecommendRequest, unchecked; both empty where the bytes are none."""
    try:
        request = v1.RecommendRequest.FromString(data)
    except DecodeError:
        return "", ""
    return request.user_id, request.min_commit_token


def _remembered(data: bytes) -> RecommendQuery | None:
    """The query of a small request for a first page, where `user_id` comes first; None where something is wrong with it.

    A message may be cut between two fields: its parts, decoded one by one, are the whole.
    """
    if not 2 < len(data) <= _REMEMBERED_BYTES or data[0] != _USER_KEY or data[1] > _MOST_IN_ONE_BYTE:
        return None
    end = 2 + data[1]
    if end > len(data):
        return None
    asked = _asked_of(data[end:])
    if asked is None:
        return None
    try:
        user_id = data[2:end].decode()
    except UnicodeDecodeError:
        return None
    return None if id_problem(user_id) else RecommendQuery(user_id, asked[0], None, asked[1])


@functools.lru_cache(maxsize=_REMEMBERED)
def _asked_of(data: bytes) -> tuple[Template, ModelChoice] | None:
    """What the fields behind the user's id ask for; None where they are not all right, or belong to one call."""
    try:
        request = v1.RecommendRequest.FromString(data)
    except DecodeError:
        return None
    if request.user_id or request.page_token or request.min_commit_token:
        return None
    checks = Checks()
    asked = decode_template(request, checks), decode_choice(request, checks)
    try:
        checks.done()
    except InvalidRequestError:
        return None
    return asked


def decode_similar_items(data: bytes) -> SimilarItemsQuery:
    """A SimilarItemsRequest, checked; raises as `decode_recommend`."""
    request = parse(v1.SimilarItemsRequest, data)
    checks = Checks()
    seeds = checks.ids(request.item_ids, "item_ids", limits.MAX_SEED_ITEMS, least=1)
    negatives = checks.ids(request.negative_item_ids, "negative_item_ids", limits.MAX_NEGATIVE_ITEMS)
    page = decode_page(request.page_token, checks)
    template = decode_similar_template(request, checks, page.offset if page else 0)
    check_page(page, "", template.shape, checks)
    model = decode_choice(request, checks)
    checks.done()
    return SimilarItemsQuery(seeds, negatives, template, page, model)


def decode_score(data: bytes) -> ScoreQuery:
    """A ScoreRequest, checked; raises as `decode_recommend`."""
    request = parse(v1.ScoreRequest, data)
    checks = Checks()
    checks.id(request.user_id, "user_id")
    most = limits.MAX_EXPLAINED_ITEMS if request.explain else limits.MAX_SCORED_ITEMS
    item_ids = checks.ids(request.item_ids, "item_ids", most, least=1)
    packed = is_packed(request.output_format, checks)
    if packed and request.explain:
        checks.refuse("explain", NO_PACKED_REASONS)
    model = decode_choice(request, checks)
    checks.done()
    return ScoreQuery(request.user_id, item_ids, limits.MAX_REASONS if request.explain else 0, packed, model)


def decode_batch(data: bytes) -> BatchQuery:
    """A BatchRecommendRequest, checked; raises as `decode_recommend`, but a bad user id only marks its row."""
    request = parse(v1.BatchRecommendRequest, data)
    checks = Checks()
    fits = checks.count(request.user_ids, "user_ids", limits.MAX_BATCH_USERS, "ids", least=1)
    template = _template(request.template, checks)
    model = decode_choice(request.template, checks, "template.")
    min_commit = checks.commit_token(request.template.min_commit_token, "template.min_commit_token")
    checks.done()
    return _rows(request.user_ids if fits else (), template, model, min_commit)


def decode_stream(data: bytes, template: Template | None) -> BatchQuery:
    """A StreamRecommendRequest, checked as a batch is.

    Args:
        data: the bytes of one message of a stream.
        template: what the first message of the stream asked; None for the first message.
    """
    request = parse(v1.StreamRecommendRequest, data)
    checks = Checks()
    checks.count(request.user_ids, "user_ids", limits.MAX_BATCH_USERS, "ids")
    model, min_commit = ANY_MODEL, ""
    if template is None:
        template = _template(request.template, checks)
        model = decode_choice(request.template, checks, "template.")
        min_commit = checks.commit_token(request.template.min_commit_token, "template.min_commit_token")
    elif request.HasField("template"):
        checks.refuse("template", "expected none after the first message of a stream")
    checks.done()
    return _rows(request.user_ids, template, model, min_commit)


def _template(request: v1.RecommendRequest, checks: Checks) -> Template:
    for name, why in (("user_id", "the users are in user_ids"), ("page_token", "a batch begins every list")):
        if getattr(request, name):
            checks.refuse(f"template.{name}", f"expected an empty string: {why}")
    return decode_template(request, checks, "template.")


def _rows(user_ids: Sequence[str], template: Template, model: ModelChoice, min_commit: str) -> BatchQuery:
    bad_rows = {
        row: InvalidRequestError((Violation(f"user_ids[{row}]", problem),))
        for row, user_id in enumerate(user_ids)
        if (problem := id_problem(user_id))
    }
    return BatchQuery(tuple(user_ids), bad_rows, template, model, min_commit)
