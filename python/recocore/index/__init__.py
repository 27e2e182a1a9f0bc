"""The immutable artefact that a trainer writes and a server maps: a scorer, id maps, seen items, checksums."""

from recocore.index.asking import Ask, Diversity, Rule, SessionEvent
from recocore.index.index import FittedModel, Index
from recocore.index.popular import PopularItems
from recocore.index.results import (
    SOURCES,
    ExternalId,
    Fallback,
    Filled,
    ItemScores,
    RankedColumns,
    RankedItem,
    RankedList,
    Reason,
    Source,
)
from recocore.index.saving import check_target

__all__ = [
    "SOURCES",
    "Ask",
    "Diversity",
    "ExternalId",
    "Fallback",
    "Filled",
    "FittedModel",
    "Index",
    "ItemScores",
    "PopularItems",
    "RankedColumns",
    "RankedItem",
    "RankedList",
    "Reason",
    "Rule",
    "SessionEvent",
    "Source",
    "check_target",
]
