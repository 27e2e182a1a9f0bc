"""Lists under the ids of the outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recocore.index.results import SOURCES, RankedColumns, RankedItem, RankedList, Reason

if TYPE_CHECKING:
    from collections.abc import Sequence

    from recocore.data import IdMap
    from recocore.index.results import ExternalId, Filled, FilledColumns
    from recocore.recommendations import Contribution


def named_list(items: IdMap, filled: Filled, missing_ids: tuple[ExternalId, ...]) -> RankedList:
    """A list with the ids of its items and of its reasons."""
    reasons = named_reasons(items, filled.reasons) if filled.reasons else [()] * len(filled.items)
    columns = (items.ids_of(filled.items), filled.scores.tolist(), filled.sources.tolist(), reasons)
    named = [
        RankedItem(item_id, score, SOURCES[source], why) for item_id, score, source, why in zip(*columns, strict=True)
    ]
    return RankedList(tuple(named), filled.fallback_used, missing_ids)


def named_columns(items: IdMap, filled: FilledColumns) -> RankedColumns:
    """Lists with the ids of their items."""
    return RankedColumns(items.ids_of(filled.items), filled.scores, filled.sources, filled.ends, filled.fallbacks_used)


def named_reasons(items: IdMap, found: Sequence[list[Contribution]]) -> list[tuple[Reason, ...]]:
    """The reasons of each item with the ids of the user's."""
    ids = iter(items.ids_of([reason.item for reasons in found for reason in reasons]))
    return [tuple(Reason(next(ids), reason.weight) for reason in reasons) for reasons in found]
