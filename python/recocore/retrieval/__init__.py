"""Exact retrieval from a prepared catalogue, the rules on the way out, and the hand-off to approximate search."""

from recocore.retrieval.approximate import measure_recall, to_faiss, to_usearch
from recocore.retrieval.reranking import rank_candidates, rank_with_rules
from recocore.retrieval.retriever import Metric, Retriever
from recocore.retrieval.rules import Rules

__all__ = [
    "Metric",
    "Retriever",
    "Rules",
    "measure_recall",
    "rank_candidates",
    "rank_with_rules",
    "to_faiss",
    "to_usearch",
]
