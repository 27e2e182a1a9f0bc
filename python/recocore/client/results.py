"""What calls answer, as plain values."""

from __future__ import annotations

import array
import sys
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from google.protobuf.json_format import MessageToDict

from recocore.client.errors import ServiceError, service_error
from recocore.v1 import recommendation_pb2 as shared
from recocore.v1 import recommendation_service_pb2 as v1

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Empty where a read mask leaves it out.
Source = Literal["model", "session", "context", "popular", ""]
FallbackUsed = Literal["none", "similar", "popular", ""]
AttributeValue = str | float | bool | list[str]

_SOURCE: dict[int, Source] = {
    shared.SOURCE_MODEL: "model",
    shared.SOURCE_SESSION: "session",
    shared.SOURCE_CONTEXT: "context",
    shared.SOURCE_POPULAR: "popular",
}
_FALLBACK: dict[int, FallbackUsed] = {
    shared.FALLBACK_NONE: "none",
    shared.FALLBACK_SIMILAR: "similar",
    shared.FALLBACK_POPULAR: "popular",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One of the user's own items that pulled an item up, and its share of the score."""

    item_id: str
    weight: float


@dataclass(frozen=True, slots=True)
class Item:
    """One ranked item; `source` says which ranking it came from, `attributes` has those that the read mask names."""

    item_id: str
    score: float
    source: Source
    reasons: tuple[Reason, ...] = ()
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Experiment:
    """The experiment that an answer is part of, and the variant that gave it."""

    id: str
    variant: str


@dataclass(frozen=True, slots=True)
class Recommendations:
    """Ranked items for one user, best first. What a read mask leaves out is empty.

    Attributes:
        items: at most as many as asked for.
        served_model: the version of the model that ranked.
        fallback_used: the last fallback that gave an item.
        attribution_token: send it back with the events that follow from showing the items.
        missing_ids: ids of the request that the model does not know.
        request_id: names the call in the server's log.
        next_page_token: the `page_token` of the next page; empty when this is the last.
        experiment: what the answer is part of; None for no experiment.
    """

    items: tuple[Item, ...]
    served_model: str
    fallback_used: FallbackUsed
    attribution_token: str
    missing_ids: tuple[str, ...]
    request_id: str
    next_page_token: str = ""
    experiment: Experiment | None = None


@dataclass(frozen=True, slots=True)
class SimilarItems:
    """Items like the seeds, best first; the other fields as in Recommendations."""

    items: tuple[Item, ...]
    served_model: str
    attribution_token: str
    missing_ids: tuple[str, ...]
    request_id: str
    next_page_token: str = ""


@dataclass(frozen=True, slots=True)
class Scores:
    """The score of each known item, in request order, and its reasons if asked for; the rest as in Recommendations."""

    scores: dict[str, float]
    missing_ids: tuple[str, ...]
    served_model: str
    request_id: str
    reasons: dict[str, tuple[Reason, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One user's row: its ranking, or why it has none."""

    user_id: str
    result: Recommendations | ServiceError


def recommendations(response: v1.RecommendResponse) -> Recommendations:
    """What a RecommendResponse says."""
    return Recommendations(
        items=_items(response),
        served_model=response.served_model,
        fallback_used=_FALLBACK.get(response.fallback_used, ""),
        attribution_token=response.attribution_token,
        missing_ids=tuple(response.missing_ids),
        request_id=response.request_id,
        next_page_token=response.next_page_token,
        experiment=_experiment(response.experiment) if response.HasField("experiment") else None,
    )


def _experiment(experiment: shared.Experiment) -> Experiment:
    return Experiment(experiment.id, experiment.variant)


def similar_items(response: v1.SimilarItemsResponse) -> SimilarItems:
    """What a SimilarItemsResponse says."""
    return SimilarItems(
        items=_items(response),
        served_model=response.served_model,
        attribution_token=response.attribution_token,
        missing_ids=tuple(response.missing_ids),
        request_id=response.request_id,
        next_page_token=response.next_page_token,
    )


def scores(response: v1.ScoreResponse, item_ids: Iterable[str]) -> Scores:
    """What a ScoreResponse says of the items that were asked for."""
    missing = frozenset(response.missing_ids)
    known = [item_id for item_id in item_ids if item_id not in missing]
    values = _numbers("f", response.packed_scores) if response.packed_scores else response.scores
    reasons = [_reasons(explanation.reasons) for explanation in response.explanations]
    return Scores(
        scores=dict(zip(known, values, strict=True)),
        missing_ids=tuple(response.missing_ids),
        served_model=response.served_model,
        request_id=response.request_id,
        reasons=dict(zip(known, reasons, strict=True)) if reasons else {},
    )


def batch_rows(rows: Iterable[v1.BatchRecommendResponse.Row], request_id: str) -> tuple[BatchRow, ...]:
    """What the rows of a batch say."""
    return tuple(
        BatchRow(
            row.user_id,
            recommendations(row.response)
            if row.WhichOneof("result") == "response"
            else service_error(row.error, request_id),
        )
        for row in rows
    )


def _items(response: v1.RecommendResponse | v1.SimilarItemsResponse) -> tuple[Item, ...]:
    if response.HasField("packed"):
        return _unpacked(response.packed)
    return tuple(
        Item(
            item_id=item.item_id,
            score=item.score,
            source=_SOURCE.get(item.source, ""),
            reasons=_reasons(item.reasons),
            attributes=MessageToDict(item.attributes) if item.HasField("attributes") else {},
        )
        for item in response.items
    )


def _reasons(reasons: Iterable[shared.Reason]) -> tuple[Reason, ...]:
    return tuple(Reason(reason.item_id, reason.weight) for reason in reasons)


def _unpacked(packed: shared.PackedItems) -> tuple[Item, ...]:
    offsets = _numbers("I", packed.offsets)
    ids = [packed.ids[start:end].decode() for start, end in pairwise(offsets)]
    sources = [_SOURCE.get(number, "") for number in packed.sources]
    return tuple(map(Item, ids, _numbers("f", packed.scores), sources))


def _numbers(typecode: str, data: bytes) -> array.array[Any]:
    """Little-endian numbers of 4 bytes each."""
    numbers = array.array(typecode, data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers
