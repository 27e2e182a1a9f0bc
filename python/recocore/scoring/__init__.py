"""Fitted arrays that rank, score and explain, on internal indices."""

from recocore.scoring.base import CandidateFilter, Scorer
from recocore.scoring.factors import FactorScorer
from recocore.scoring.neighbors import ItemNeighborScorer, UserNeighborScorer
from recocore.scoring.popularity import PopularityScorer
from recocore.scoring.profiles import Events, Profiles
from recocore.scoring.ratings import RatingScorer

SCORERS: dict[str, type[Scorer]] = {
    scorer.kind: scorer
    for scorer in (FactorScorer, RatingScorer, ItemNeighborScorer, UserNeighborScorer, PopularityScorer)
}

__all__ = [
    "SCORERS",
    "CandidateFilter",
    "Events",
    "FactorScorer",
    "ItemNeighborScorer",
    "PopularityScorer",
    "Profiles",
    "RatingScorer",
    "Scorer",
    "UserNeighborScorer",
]
