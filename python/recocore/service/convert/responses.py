"""Encodes each answer into its response."""

from __future__ import annotations

import array
import sys
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from recocore.service.convert.errors import status_of
from recocore.service.convert.messages import serialize
from recocore.service.problems import Problem
from recocore.v1 import recommendation_pb2 as shared
from recocore.v1 import recommendation_service_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from recocore.index import RankedItem
    from recocore.service.queries import BatchRow, Form, Ranking, ScoreQuery, Scores, Served

FALLBACK = {"none": shared.FALLBACK_NONE, "popular": shared.FALLBACK_POPULAR, "similar": shared.FALLBACK_SIMILAR}
SOURCE = {
    "model": shared.SOURCE_MODEL,
    "popular": shared.SOURCE_POPULAR,
    "session": shared.SOURCE_SESSION,
    "context": shared.SOURCE_CONTEXT,
}


def encode_recommend(ranking: Ranking, served: Served, form: Form) -> bytes:
    """A RecommendResponse.

    Raises:
        ResponseTooLargeError: it is larger than a message may be.
    """
    return serialize(_recommend_response(ranking, served, form))


def encode_similar_items(ranking: Ranking, served: Served, form: Form) -> bytes:
    """A SimilarItemsResponse; raises as `encode_recommend`."""
    return serialize(v1.SimilarItemsResponse(**_answer(ranking, served, form)))


def encode_score(scores: Scores, served: Served, query: ScoreQuery) -> bytes:
    """A ScoreResponse; raises as `encode_recommend`."""
    return serialize(
        v1.ScoreResponse(
            scores=[] if query.packed else scores.scores,
            packed_scores=_packed("f", scores.scores) if query.packed else b"",
            explanations=[
                v1.ScoreResponse.Explanation(
                    reasons=[shared.Reason(item_id=item_id, weight=weight) for item_id, weight in reasons]
                )
                for reasons in scores.reasons
            ],
            missing_ids=scores.missing_ids,
            served_model=served.model,
            request_id=served.request_id,
            experiment=experiment_of(served),
        )
    )


def encode_batch(rows: Iterable[BatchRow], served: Served, form: Form) -> bytes:
    """A BatchRecommendResponse; raises as `encode_recommend`."""
    return serialize(v1.BatchRecommendResponse(rows=_rows(rows, served, form), request_id=served.request_id))


def encode_stream(rows: Iterable[BatchRow], served: Served, form: Form) -> bytes:
    """A StreamRecommendResponse; raises as `encode_recommend`."""
    return serialize(v1.StreamRecommendResponse(rows=_rows(rows, served, form), request_id=served.request_id))


def _rows(rows: Iterable[BatchRow], served: Served, form: Form) -> Iterator[v1.BatchRecommendResponse.Row]:
    for row in rows:
        if isinstance(row.result, Problem):
            error = status_of(row.result, served.request_id)
            yield v1.BatchRecommendResponse.Row(user_id=row.user_id, error=error)
        else:
            response = _recommend_response(row.result, served, form)
            yield v1.BatchRecommendResponse.Row(user_id=row.user_id, response=response)


def _recommend_response(ranking: Ranking, served: Served, form: Form) -> v1.RecommendResponse:
    response = v1.RecommendResponse(**_answer(ranking, served, form))
    if form.has("fallback_used"):
        response.fallback_used = FALLBACK[ranking.ranked.fallback_used]
    return response


def _answer(ranking: Ranking, served: Served, form: Form) -> dict[str, Any]:
    """The fields that the responses of rankings have in common, as far as the form wants them."""
    items = ranking.ranked.items
    fields: dict[str, Any] = {
        "served_model": served.model,
        "attribution_token": served.attribution_token,
        "missing_ids": [str(id_) for id_ in ranking.ranked.missing_ids],
        "request_id": served.request_id,
        "next_page_token": ranking.next_page_token,
        "experiment": experiment_of(served),
    }
    if form.fields is not None:
        fields = {name: value for name, value in fields.items() if name in form.fields}
    if form.packed:
        if form.has("packed"):
            fields["packed"] = _pack(items)
    elif form.item_fields is not None:
        if form.has("items"):
            fields["items"] = _masked(items, ranking.attributes, form.item_fields)
    else:
        fields["items"] = _items(items)
    return fields


def experiment_of(served: Served) -> shared.Experiment | None:
    """The experiment that an answer is of."""
    return shared.Experiment(id=served.experiment, variant=served.variant) if served.experiment else None


def _items(items: Iterable[RankedItem]) -> list[shared.ScoredItem]:
    return [
        shared.ScoredItem(
            item_id=str(item.item_id), score=item.score, reasons=_reasons(item), source=SOURCE[item.source]
        )
        for item in items
    ]


def _masked(
    items: Sequence[RankedItem], attributes: Sequence[Mapping[str, Any]], wanted: frozenset[str]
) -> list[shared.ScoredItem]:
    masked = []
    for position, item in enumerate(items):
        message = shared.ScoredItem()
        if "item_id" in wanted:
            message.item_id = str(item.item_id)
        if "score" in wanted:
            message.score = item.score
        if "reasons" in wanted:
            message.reasons.extend(_reasons(item))
        if "source" in wanted:
            message.source = SOURCE[item.source]
        if "attributes" in wanted:
            message.attributes.update(attributes[position])
        masked.append(message)
    return masked


def _reasons(item: RankedItem) -> list[shared.Reason]:
    return [shared.Reason(item_id=str(reason.item_id), weight=reason.weight) for reason in item.reasons]


def _pack(items: Sequence[RankedItem]) -> shared.PackedItems:
    ids = [str(item.item_id).encode() for item in items]
    return shared.PackedItems(
        ids=b"".join(ids),
        offsets=_packed("I", [0, *accumulate(map(len, ids))]),
        scores=_packed("f", [item.score for item in items]),
        sources=bytes(SOURCE[item.source] for item in items),
    )


def _packed(typecode: str, values: Iterable[float]) -> bytes:
    """Numbers of 4 bytes each, little-endian."""
    numbers = array.array(typecode, values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()
