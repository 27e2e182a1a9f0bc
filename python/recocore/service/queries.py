"""Requests and answers as plain values: what the service works on between decoding and encoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from recocore.service.hosting.choice import ANY_MODEL, ModelChoice

if TYPE_CHECKING:
    from recocore.index import RankedItem, RankedList
    from recocore.service.problems import InvalidRequestError, Problem

FallbackName = Literal["none", "popular"]


@dataclass(frozen=True, slots=True)
class RankingOptions:
    """How to rank for a user, whoever it is.

    Attributes:
        page_size: number of items, from 1 to the limit.
        exclude: ids that never come back.
        candidates: the only ids that may come back; None for every item.
        exclude_seen: whether to leave out the user's own items.
        fallback: what fills the list when the model has not enough.
        explain: whether each item comes with its reasons.
    """

    page_size: int
    exclude: tuple[str, ...]
    candidates: tuple[str, ...] | None
    exclude_seen: bool
    fallback: FallbackName
    explain: bool


@dataclass(frozen=True, slots=True)
class RecommendQuery:
    """Recommend for one user."""

    user_id: str
    options: RankingOptions
    model: ModelChoice = ANY_MODEL


@dataclass(frozen=True, slots=True)
class SimilarItemsQuery:
    """Items like the seeds."""

    seeds: tuple[str, ...]
    page_size: int
    exclude: tuple[str, ...]
    candidates: tuple[str, ...] | None
    model: ModelChoice = ANY_MODEL


@dataclass(frozen=True, slots=True)
class ScoreQuery:
    """Scores of one user with given items."""

    user_id: str
    item_ids: tuple[str, ...]
    model: ModelChoice = ANY_MODEL


@dataclass(frozen=True, slots=True)
class BatchQuery:
    """Recommend for many users.

    Attributes:
        user_ids: a row each, in request order.
        bad_rows: what is wrong with a row's user id, by row; these are not ranked.
        options: the same for all.
    """

    user_ids: tuple[str, ...]
    bad_rows: dict[int, InvalidRequestError]
    options: RankingOptions
    model: ModelChoice = ANY_MODEL


@dataclass(frozen=True, slots=True)
class SimilarItems:
    """The answer to a SimilarItemsQuery."""

    items: tuple[RankedItem, ...]
    missing_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scores:
    """The answer to a ScoreQuery: a score for each known item, in request order."""

    scores: list[float]
    missing_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One row of a batch: its ranking, or why it has none."""

    user_id: str
    result: RankedList | Problem


@dataclass(frozen=True, slots=True)
class Served:
    """What every answer says of itself.

    Attributes:
        model: version of the model that answered.
        request_id: the call's.
        attribution_token: to join events to this answer; empty where there is nothing to attribute.
        experiment: the id of the experiment that the answer is part of; empty for none.
        variant: the variant of that experiment.
    """

    model: str
    request_id: str
    attribution_token: str = ""
    experiment: str = ""
    variant: str = ""
