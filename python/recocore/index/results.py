"""What an index answers with: ranked items under the ids of the outside."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.recommendations import Contribution
    from recocore.types import Float32Array, Int32Array, UInt8Array

# An id as the event log spells it.
ExternalId: TypeAlias = str | int

# What filled a list that the model left short.
Fallback: TypeAlias = Literal["similar", "popular", "none"]

# Which ranking an item came from: the model's by the user's record, with the session and the context if there are any; the
# model's by the session, with the context, without a record; the model's by the context alone, or likeness to the items at
# hand; the number of users.
Source: TypeAlias = Literal["model", "session", "context", "popular"]

SOURCES: Final[tuple[Source, ...]] = ("model", "session", "context", "popular")
MODEL, SESSION, CONTEXT, POPULAR = range(4)


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """One list on internal indices.

    Attributes:
        items: int32 `[c]`, in the order of the list, c at most k.
        scores: float32 `[c]`: what the item's source ranks by, boosts added.
        sources: uint8 `[c]`, positions in `SOURCES`.
        fallback_used: the last fallback that has an item in the list.
        reasons: for each item, of the model's at most `explain` and of the others none; empty where nobody asked.
    """

    items: Int32Array
    scores: Float32Array
    sources: UInt8Array
    fallback_used: Fallback = "none"
    reasons: tuple[list[Contribution], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class FilledColumns:
    """Several lists on internal indices, one after the other, without reasons.

    Attributes:
        items: int32 `[c]`, of all lists; the other fields are those of `RankedColumns`.
        scores: float32 `[c]`.
        sources: uint8 `[c]`.
        ends: where each list ends.
        fallbacks_used: of each list.
    """

    items: Int32Array
    scores: Float32Array
    sources: UInt8Array
    ends: list[int]
    fallbacks_used: list[Fallback]

    @classmethod
    def of(cls, lists: Sequence[Filled]) -> FilledColumns:
        """The same lists in columns."""
        return cls(
            np.concatenate([np.empty(0, np.int32), *(each.items for each in lists)]),
            np.concatenate([np.empty(0, np.float32), *(each.scores for each in lists)]),
            np.concatenate([np.empty(0, np.uint8), *(each.sources for each in lists)]),
            list(accumulate(len(each.items) for each in lists)),
            [each.fallback_used for each in lists],
        )


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
        score: the model's score, boosts added, or the number of users for a popular item; comparable within one source only.
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
        items: at most k items; those of the model stand before those of a fallback, unless rules say otherwise.
        fallback_used: the last fallback that has an item in the list; "none" where the model filled it.
        missing_ids: ids of the request that the index does not know, each once, in the order they came.
    """

    items: tuple[RankedItem, ...]
    fallback_used: Fallback = "none"
    missing_ids: tuple[ExternalId, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class RankedColumns:
    """The answers for several users in columns, without reasons: for who writes many of them. One list follows the other.

    Attributes:
        item_ids: the items of all lists, `[c]`, best first in each.
        scores: float32 `[c]`, as in `RankedItem`.
        sources: uint8 `[c]`, positions in `SOURCES`.
        ends: where each list ends; it begins where the one before does.
        fallbacks_used: of each list, the last fallback that has an item in it.
    """

    item_ids: list[ExternalId]
    scores: Float32Array
    sources: UInt8Array
    ends: list[int]
    fallbacks_used: list[Fallback]


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
