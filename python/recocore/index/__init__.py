"""The immutable artefact that a trainer writes and a server maps: a scorer, id maps, seen items, checksums."""

from recocore.index.index import FittedModel, Index
from recocore.index.popular import PopularItems
from recocore.index.results import ExternalId, Fallback, ItemScores, RankedItem, RankedList, Reason, Source
from recocore.index.saving import check_target

__all__ = [
    "ExternalId",
    "Fallback",
    "FittedModel",
    "Index",
    "ItemScores",
    "PopularItems",
    "RankedItem",
    "RankedList",
    "Reason",
    "Source",
    "check_target",
]
