"""The one place where protos and plain values meet: decode and check requests, encode answers and problems."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from recocore.service import limits
from recocore.service.hosting.choice import ANY_MODEL, ModelChoice
from recocore.service.problems import (
    InvalidRequestError,
    MalformedRequestError,
    Problem,
    ResponseTooLargeError,
    Violation,
)
from recocore.service.queries import BatchQuery, RankingOptions, RecommendQuery, ScoreQuery, SimilarItemsQuery
from recocore.v1 import recommendation_pb2 as shared
from recocore.v1 import recommendation_service_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from recocore.index import RankedItem, RankedList
    from recocore.service.queries import BatchRow, FallbackName, Scores, Served, SimilarItems

_M = TypeVar("_M", bound=Message)

_EXCLUDE_SEEN = {
    shared.SEEN_POLICY_UNSPECIFIED: True,
    shared.SEEN_POLICY_EXCLUDE: True,
    shared.SEEN_POLICY_INCLUDE: False,
}
_FALLBACK_NAME: dict[int, FallbackName] = {
    shared.FALLBACK_UNSPECIFIED: "popular",
    shared.FALLBACK_NONE: "none",
    shared.FALLBACK_POPULAR: "popular",
}
_FALLBACK = {"none": shared.FALLBACK_NONE, "popular": shared.FALLBACK_POPULAR}
_SOURCE = {"model": shared.SOURCE_MODEL, "popular": shared.SOURCE_POPULAR}
_ERROR_DOMAIN = "recocore"


class _Checks:
    """Collects what is wrong with a request, so that a caller learns all of it at once."""

    def __init__(self) -> None:
        self._violations: list[Violation] = []

    def refuse(self, field: str, description: str) -> None:
        self._violations.append(Violation(field, description))

    def user_id(self, value: str, field: str) -> None:
        self._id(value, field)

    def ids(self, values: Sequence[str], field: str, most: int, least: int = 0) -> tuple[str, ...]:
        """The ids, if there are as many as there may be."""
        if not least <= len(values) <= most:
            self.refuse(field, f"expected {least} to {most} ids, got {len(values)}")
            return ()
        for position, value in enumerate(values):
            self._id(value, f"{field}[{position}]")
        return tuple(values)

    def page_size(self, value: int, field: str) -> int:
        if value < 0:
            self.refuse(field, f"expected at least 0, got {value}")
        return min(value, limits.MAX_PAGE_SIZE) or limits.DEFAULT_PAGE_SIZE

    def done(self) -> None:
        if self._violations:
            raise InvalidRequestError(tuple(self._violations))

    def _id(self, value: str, field: str) -> None:
        problem = _id_problem(value)
        if problem:
            self.refuse(field, problem)


def _id_problem(value: str) -> str | None:
    if not value:
        return "expected an id, got an empty string"
    # No character takes more than 4 bytes: most ids need no encoding to be measured.
    if len(value) * 4 > limits.MAX_ID_BYTES and (size := len(value.encode())) > limits.MAX_ID_BYTES:
        return f"expected an id of at most {limits.MAX_ID_BYTES} bytes, got {size}"
    return None


def decode_recommend(data: bytes) -> RecommendQuery:
    """A RecommendRequest, checked.

    Raises:
        MalformedRequestError: the bytes are no such message.
        InvalidRequestError: fields break their limits.
    """
    request = _parse(v1.RecommendRequest, data)
    checks = _Checks()
    checks.user_id(request.user_id, "user_id")
    query = RecommendQuery(request.user_id, _options(request, checks, ""), _choice(request, checks, ""))
    checks.done()
    return query


def decode_similar_items(data: bytes) -> SimilarItemsQuery:
    """A SimilarItemsRequest, checked; raises as `decode_recommend`."""
    request = _parse(v1.SimilarItemsRequest, data)
    checks = _Checks()
    query = SimilarItemsQuery(
        seeds=checks.ids(request.item_ids, "item_ids", limits.MAX_SEED_ITEMS, least=1),
        page_size=checks.page_size(request.page_size, "page_size"),
        exclude=checks.ids(request.exclude_item_ids, "exclude_item_ids", limits.MAX_EXCLUDED_ITEMS),
        candidates=checks.ids(request.candidate_item_ids, "candidate_item_ids", limits.MAX_CANDIDATE_ITEMS) or None,
        model=_choice(request, checks, ""),
    )
    checks.done()
    return query


def decode_score(data: bytes) -> ScoreQuery:
    """A ScoreRequest, checked; raises as `decode_recommend`."""
    request = _parse(v1.ScoreRequest, data)
    checks = _Checks()
    checks.user_id(request.user_id, "user_id")
    item_ids = checks.ids(request.item_ids, "item_ids", limits.MAX_SCORED_ITEMS, least=1)
    query = ScoreQuery(request.user_id, item_ids, _choice(request, checks, ""))
    checks.done()
    return query


def decode_batch(data: bytes) -> BatchQuery:
    """A BatchRecommendRequest, checked; raises as `decode_recommend`, but a bad user id only marks its row."""
    request = _parse(v1.BatchRecommendRequest, data)
    checks = _Checks()
    user_ids = tuple(request.user_ids)
    if not 1 <= len(user_ids) <= limits.MAX_BATCH_USERS:
        checks.refuse("user_ids", f"expected 1 to {limits.MAX_BATCH_USERS} ids, got {len(user_ids)}")
    if request.template.user_id:
        checks.refuse("template.user_id", "expected an empty string: the users are in user_ids")
    options = _options(request.template, checks, "template.")
    choice = _choice(request.template, checks, "template.")
    checks.done()
    bad_rows = {row: error for row, user_id in enumerate(user_ids) if (error := _bad_row(row, user_id))}
    return BatchQuery(user_ids, bad_rows, options, choice)


def _bad_row(row: int, user_id: str) -> InvalidRequestError | None:
    problem = _id_problem(user_id)
    return InvalidRequestError((Violation(f"user_ids[{row}]", problem),)) if problem else None


def _options(request: v1.RecommendRequest, checks: _Checks, prefix: str) -> RankingOptions:
    exclude_seen = _EXCLUDE_SEEN.get(request.seen_policy)
    if exclude_seen is None:
        checks.refuse(f"{prefix}seen_policy", f"expected a value of SeenPolicy, got {request.seen_policy}")
    fallback = _FALLBACK_NAME.get(request.fallback)
    if fallback is None:
        checks.refuse(f"{prefix}fallback", f"expected a value of Fallback, got {request.fallback}")
    exclude = checks.ids(request.exclude_item_ids, f"{prefix}exclude_item_ids", limits.MAX_EXCLUDED_ITEMS)
    candidates = checks.ids(request.candidate_item_ids, f"{prefix}candidate_item_ids", limits.MAX_CANDIDATE_ITEMS)
    return RankingOptions(
        page_size=checks.page_size(request.page_size, f"{prefix}page_size"),
        exclude=exclude,
        candidates=candidates or None,
        exclude_seen=exclude_seen is not False,
        fallback=fallback or "popular",
        explain=request.explain,
    )


def _choice(
    request: v1.RecommendRequest | v1.SimilarItemsRequest | v1.ScoreRequest, checks: _Checks, prefix: str
) -> ModelChoice:
    variant = request.experiment_variant if isinstance(request, v1.RecommendRequest) else ""
    if not variant and not request.HasField("model"):
        return ANY_MODEL
    if variant and request.HasField("model"):
        checks.refuse(f"{prefix}experiment_variant", "expected an empty string beside `model`")
    return ModelChoice(request.model.alias, request.model.version, variant)


def encode_recommend(ranked: RankedList, served: Served) -> bytes:
    """A RecommendResponse.

    Raises:
        ResponseTooLargeError: it is larger than a message may be.
    """
    return _serialize(_recommend_response(ranked, served))


def encode_similar_items(similar: SimilarItems, served: Served) -> bytes:
    """A SimilarItemsResponse; raises as `encode_recommend`."""
    return _serialize(
        v1.SimilarItemsResponse(
            items=_items(similar.items),
            served_model=served.model,
            attribution_token=served.attribution_token,
            missing_ids=similar.missing_ids,
            request_id=served.request_id,
            experiment=_experiment(served),
        )
    )


def encode_score(scores: Scores, served: Served) -> bytes:
    """A ScoreResponse; raises as `encode_recommend`."""
    return _serialize(
        v1.ScoreResponse(
            scores=scores.scores,
            missing_ids=scores.missing_ids,
            served_model=served.model,
            request_id=served.request_id,
            experiment=_experiment(served),
        )
    )


def encode_batch(rows: Iterable[BatchRow], served: Served) -> bytes:
    """A BatchRecommendResponse; raises as `encode_recommend`."""
    response = v1.BatchRecommendResponse(request_id=served.request_id)
    for row in rows:
        message = response.rows.add(user_id=row.user_id)
        if isinstance(row.result, Problem):
            message.error.CopyFrom(_status(row.result, served.request_id))
        else:
            message.response.CopyFrom(_recommend_response(row.result, served))
    return _serialize(response)


def encode_problem(problem: Problem, request_id: str) -> bytes:
    """A google.rpc.Status with the details of a problem."""
    return bytes(_status(problem, request_id).SerializeToString())


def _recommend_response(ranked: RankedList, served: Served) -> v1.RecommendResponse:
    return v1.RecommendResponse(
        items=_items(ranked.items),
        served_model=served.model,
        fallback_used=_FALLBACK[ranked.fallback_used],
        attribution_token=served.attribution_token,
        missing_ids=[str(id_) for id_ in ranked.missing_ids],
        request_id=served.request_id,
        experiment=_experiment(served),
    )


def _experiment(served: Served) -> shared.Experiment | None:
    return shared.Experiment(id=served.experiment, variant=served.variant) if served.experiment else None


def _items(items: Iterable[RankedItem]) -> list[shared.ScoredItem]:
    return [
        shared.ScoredItem(
            item_id=str(item.item_id),
            score=item.score,
            reasons=[shared.Reason(item_id=str(reason.item_id), weight=reason.weight) for reason in item.reasons],
            source=_SOURCE[item.source],
        )
        for item in items
    ]


def _status(problem: Problem, request_id: str) -> status_pb2.Status:
    details: list[Message] = [
        error_details_pb2.ErrorInfo(reason=problem.reason, domain=_ERROR_DOMAIN),
        error_details_pb2.RequestInfo(request_id=request_id),
    ]
    if problem.violations:
        bad_request = error_details_pb2.BadRequest()
        for violation in problem.violations:
            bad_request.field_violations.add(field=violation.field, description=violation.description)
        details.append(bad_request)
    if problem.retry_after is not None:
        retry_info = error_details_pb2.RetryInfo()
        retry_info.retry_delay.FromNanoseconds(round(problem.retry_after * 1e9))
        details.append(retry_info)
    status = status_pb2.Status(code=StatusCode[problem.status].value[0], message=problem.message)
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _parse(kind: type[_M], data: bytes) -> _M:
    try:
        return kind.FromString(data)
    except DecodeError as error:
        raise MalformedRequestError(f"the request is not a {kind.DESCRIPTOR.full_name}") from error


def _serialize(message: Message) -> bytes:
    data = bytes(message.SerializeToString())
    if len(data) > limits.MAX_MESSAGE_BYTES:
        raise ResponseTooLargeError(len(data))
    return data
