"""What an index answers with: ranked items under the ids of the outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from recocore.types import Float32Array

# An id as the event log spells it.
ExternalId: TypeAlias = str | int

# What to return where there is nothing personal to return.
Fallback: TypeAlias = Literal["popular", "none"]

# Which ranking an item came from.
Source: TypeAlias = Literal["model", "popular"]


@dataclass(frozen=True, slots=True)
class Reason:
    """One of the user's own items that pulled a recommended one up.

    Attributes:
        item_id: the user's item.
        weight: its share of the score; the shares of all the user's items sum to the score.
    """

    item_id: ExternalId
    weight: float


@dataclass(frozen=True, slots=True)
class RankedItem:
    """One ranked item.

    Attributes:
        item_id: the item.
        score: the model's score, or the number of users for a popular item; comparable within one source only.
        source: which ranking it came from.
        reasons: why, heaviest first; empty unless reasons were asked for and the model has some.
    """

    item_id: ExternalId
    score: float
    source: Source = "model"
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class RankedList:
    """The answer for one user or one seed item, best first.

    Attributes:
        items: at most k items; those of the model stand before those of the fallback.
        fallback_used: "popular" where the list has at least one popular item, else "none".
        missing_ids: ids of the request that the index does not know, each once, in the order they came.
    """

    items: tuple[RankedItem, ...]
    fallback_used: Fallback = "none"
    missing_ids: tuple[ExternalId, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ItemScores:
    """The scores of given items for one user.

    Attributes:
        item_ids: the known ones of the items asked for, in the order they came.
        scores: float32 `[len(item_ids)]`.
        missing_ids: the items that the index does not know, each once.
    """

    item_ids: tuple[ExternalId, ...]
    scores: Float32Array
    missing_ids: tuple[ExternalId, ...] = ()
